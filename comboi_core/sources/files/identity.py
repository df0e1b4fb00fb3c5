"""Whether a file is still the one that was landed.

Size and time do not tell: `cp -p`, `rsync -t` and `touch -r` give a file the time of another one, and clocks of some
file systems have whole seconds. So a file has a version as well. An account's (the ETag) changes with the content. On
a disk it is the file's number and the time of its last change of any kind, which nobody can set; it also changes where
the content does not (`chmod`, `mv`, a restored disk), and then a digest of the content decides.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import BinaryIO

from comboi_core.domain.load import SourceFile

WHOLE = 2**20
"""A digest of a file of up to so many bytes is of all of them; of a larger one, of PARTS pieces, so that planning a
load does not read everything."""
PARTS = 16
_PIECE = WHOLE // PARTS
_SIDE_BY_SIDE = 8

Digest = Callable[[SourceFile], str]


@dataclass(frozen=True)
class Compared:
    """The files that are there, compared with those that were landed.

    Attributes:
        fresh: Those that are new or changed.
        moved: Those that are as they were landed, but have another version by now.
    """

    fresh: tuple[SourceFile, ...] = ()
    moved: tuple[SourceFile, ...] = ()

    @property
    def unsure(self) -> tuple[str, ...]:
        """The paths of moved files of which only parts were compared."""
        return tuple(file.path for file in self.moved if file.bytes > WHOLE)


def compare(files: Iterable[SourceFile], landed: Mapping[str, SourceFile], digest: Digest) -> Compared:
    """Tell the files of a listing apart.

    Args:
        landed: By path. Those that an earlier comboi landed have no version and go by size and time.
        digest: Returns a file's digest, or nothing where its version alone decides.
    """
    fresh, doubtful = [], []
    for file in files:
        before = landed.get(file.path)
        if before is None or (before.bytes, before.modified_ns) != (file.bytes, file.modified_ns):
            fresh.append(file)
        elif before.version not in ("", file.version):
            doubtful.append(file)
    moved: list[SourceFile] = []
    for file in digested(doubtful, digest):
        same = file.digest and file.digest == landed[file.path].digest
        (moved if same else fresh).append(file)
    return Compared(tuple(fresh), tuple(moved))


def digested(files: Iterable[SourceFile], digest: Digest) -> tuple[SourceFile, ...]:
    """Return the files with their digests."""
    listed = tuple(files)
    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        return tuple(replace(file, digest=found) for file, found in zip(listed, pool.map(digest, listed), strict=True))


def digest_of(reader: BinaryIO, size: int) -> str:
    """Return the digest of a file's content, or of parts of it that lie at equal distances, both ends included."""
    if size <= WHOLE:
        # BinaryIO lacks readinto, which every reader has.
        return hashlib.file_digest(reader, _hash).hexdigest()  # type: ignore[arg-type]
    made = _hash()
    for part in range(PARTS):
        reader.seek((size - _PIECE) * part // (PARTS - 1))
        made.update(reader.read(_PIECE))
    return made.hexdigest()


def _hash() -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=16)
