"""Whether zipped files are whole: DuckDB takes the end of the bytes for the end of the rows, wherever it comes."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO

from comboi_core.domain.errors import UnsupportedValue
from comboi_core.domain.load import SourceFile
from comboi_core.sources.files_listing import Files

_GZIP = 31
"""What zlib calls a gzip header and trailer, whose checksum it compares."""
_READ = 2**18
_WRITTEN = 2**22


def is_zipped(path: str) -> bool:
    """Tell whether a file's name says that it is zipped."""
    return path.lower().endswith(".gz")


def refuse_cut(files: Files, wanted: Sequence[SourceFile], place: str) -> None:
    """Unzip the zipped ones of some files, to no other end than to see that each has its end and its checksum.

    Raises:
        UnsupportedValue: one has not.
    """
    zipped = [file.path for file in wanted if is_zipped(file.path)]
    with ThreadPoolExecutor(files.parallel) as pool:
        for path, wrong in zip(zipped, pool.map(lambda path: _flaw(files, path), zipped), strict=True):
            if wrong:
                raise UnsupportedValue(f"{place}: {path} {wrong}", remedy="Write the file again, to its end.")


def _flaw(files: Files, path: str) -> str | None:
    try:
        with files.open(path) as reader:
            return None if _ends(reader) else "is cut off: its zipped content has no end"
    except zlib.error as error:
        return f"cannot be unzipped: {'it is no gzip file' if 'header' in str(error) else error}"
    except OSError as error:
        raise files.unreadable(path, error) from None


def _ends(reader: BinaryIO) -> bool:
    """Tell whether the last of the parts that a gzip file is made of has its end."""
    part, data = None, b""
    while data := data or reader.read(_READ):
        part = part or zlib.decompressobj(_GZIP)
        part.decompress(data, _WRITTEN)
        data = part.unused_data if part.eof else part.unconsumed_tail
        part = None if part.eof else part
    if part is not None:
        part.flush()
    return part is None or part.eof
