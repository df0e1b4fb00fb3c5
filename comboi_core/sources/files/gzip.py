"""Zipped files: whether they are whole, and how much is in them at most.

DuckDB takes the end of the bytes for the end of the rows, wherever it comes, and unzips what there is, however much.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, BinaryIO

from comboi_core.domain.errors import UnsupportedValue
from comboi_core.domain.load import SourceFile
from comboi_core.sources.files.listing import Files

_GZIP = 31
"""What zlib calls a gzip header and trailer, whose checksum it compares."""
_READ = 2**18
_WRITTEN = 2**22
_AT_FIRST = 2**16


def is_zipped(path: str) -> bool:
    """Tell whether a file's name says that it is zipped."""
    return path.lower().endswith(".gz")


@contextmanager
def unzipped(files: Files, path: str) -> Iterator[io.BufferedReader]:
    """Give the bytes of a file, unzipped if its name says that it is zipped; `Files.open` says what is raised.

    It is for reading as far as one needs, which takes no more than that; `refuse_unsound` reads to the end.
    """
    with files.open(path) as raw:
        plain: Any = gzip.GzipFile(fileobj=raw) if is_zipped(path) else raw
        with io.BufferedReader(plain, _AT_FIRST) as reader:
            yield reader


def refuse_unsound(files: Files, wanted: Sequence[SourceFile], place: str, limit: int) -> None:
    """Unzip the zipped ones of some files, to no other end than to see that each is whole and not too large.

    Args:
        limit: How many bytes there may be in one.

    Raises:
        UnsupportedValue: one has no end, another checksum than it says, or more bytes.
    """
    zipped = [file.path for file in wanted if is_zipped(file.path)]
    with ThreadPoolExecutor(files.parallel) as pool:
        found = pool.map(lambda path: _flaw(files, path, limit), zipped)
        for path, wrong in zip(zipped, found, strict=True):
            if wrong:
                told, remedy = wrong
                raise UnsupportedValue(f"{place}: {path} {told}", remedy=remedy)


def _flaw(files: Files, path: str, limit: int) -> tuple[str, str] | None:
    again = "Write the file again, to its end."
    try:
        with files.open(path) as reader:
            size, ended = _measured(reader, limit)
    except zlib.error as error:
        return f"cannot be unzipped: {'it is no gzip file' if 'header' in str(error) else error}", again
    except OSError as error:
        raise files.unreadable(path, error) from None
    if size > limit:
        told = f"unzips to more than {limit:,} bytes, which is the limit: {size:,} and more"
        return told, "Raise max_unzipped: of the table if the file is meant to be that large, or divide it."
    return None if ended else ("is cut off: its zipped content has no end", again)


def _measured(reader: BinaryIO, limit: int) -> tuple[int, bool]:
    """Return how many bytes a gzip file unzips to, and whether its last part has its end; stop past the limit."""
    part, data, size = None, b"", 0
    while size <= limit and (data := data or reader.read(_READ)):
        part = part or zlib.decompressobj(_GZIP)
        size += len(part.decompress(data, _WRITTEN))
        data = part.unused_data if part.eof else part.unconsumed_tail
        part = None if part.eof else part
    if part is not None and size <= limit:
        size += len(part.flush())
    return size, part is None or part.eof
