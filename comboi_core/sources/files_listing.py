"""Which files a glob finds, which of them are finished, and whether they are still what they were."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath

from comboi_core.domain.errors import (
    ComboiError,
    SourceFileChanged,
    SourceObjectMissing,
    SourceUnreachable,
    UnsupportedValue,
)
from comboi_core.domain.load import SourceFile
from comboi_core.domain.sql import literal

DEFAULT_LAG = 2.0
PATIENCE = 5.0
"""Up to this lag a load waits for young files itself; with a longer one they wait for the next run."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Listing:
    """What a glob found.

    Attributes:
        files: Those to load, by path; empty ones are left out, nothing is in them yet.
        young: Paths of those that were written to within the lag, or while it was waited for.
    """

    files: tuple[SourceFile, ...]
    young: tuple[str, ...]


class Folder:
    """A source's folder. Nothing outside of it is ever read.

    Args:
        root: Its path, absolute.
        place: What errors name: `source.table`.

    Raises:
        SourceObjectMissing: there is no such folder.
    """

    def __init__(self, root: str, place: str) -> None:
        self._place = place
        self._root = Path(os.path.realpath(root))
        if not self._root.is_dir():
            raise SourceObjectMissing(
                f"{place}: there is no folder {root}", remedy="Correct connection.path, or mount the folder."
            )

    def list(self, pattern: str, lag: float) -> Listing:
        """Return the files that a glob finds, names that begin with a dot left out.

        Files younger than the lag are waited for once if it is short; those written to meanwhile stay behind.

        Raises:
            UnsupportedValue: a file is a link that leads out of the folder, or has a name that cannot be used.
        """
        found = self._find(pattern)
        young = {file.path for file in found if abs(time.time() - file.modified_ns / 1e9) < lag}
        if young and lag <= PATIENCE:
            time.sleep(lag)
            before, found = set(found), self._find(pattern)
            young = {file.path for file in found if file not in before}
        finished = (file for file in found if file.bytes and file.path not in young)
        return Listing(tuple(finished), tuple(sorted(young)))

    def check(self, files: Iterable[SourceFile]) -> None:
        """Raise SourceFileChanged unless the files are what they were when the load was planned."""
        for file in files:
            try:
                now = self._look(file.path)
            except FileNotFoundError:
                raise SourceFileChanged(f"{self._place}: {file.path} was deleted after the load was planned") from None
            except OSError as error:
                raise self.unreadable(file.path, error) from None
            if now != file:
                raise SourceFileChanged(f"{self._place}: {file.path} changed after the load was planned")

    def absolute(self, path: str) -> Path:
        """Return where a file is."""
        return self._root / path

    def pattern(self, path: str) -> str:
        """Return the string literal that makes DuckDB, which takes every path for a glob, read exactly this file."""
        return literal("".join(f"[{char}]" if char in "*?[" else char for char in str(self._root / path)))

    def relative(self, text: str) -> str:
        """Return a path, or a text with paths, as DuckDB words them, with the paths below the folder only."""
        return text.replace(f"{self._root}/", "")

    def unreadable(self, path: str, error: OSError) -> ComboiError:
        """Return the typed error for a file or folder that cannot be opened."""
        told = f"{self._place}: {path} cannot be read: {error.strerror or error}"
        if isinstance(error, (PermissionError, FileNotFoundError, NotADirectoryError, IsADirectoryError)):
            return SourceObjectMissing(told, remedy="Give this user the right to read it, or correct path:.")
        return SourceUnreachable(told, remedy="Check the disk or the network share that the folder is on.")

    def _find(self, pattern: str) -> tuple[SourceFile, ...]:
        found = []
        try:
            for place in self._root.glob(pattern):
                path = PurePosixPath(place.relative_to(self._root))
                if not any(part.startswith(".") for part in path.parts) and place.is_file():
                    found.append(self._look(str(path)))
        except OSError as error:
            raise self.unreadable(pattern, error) from None
        return tuple(sorted(set(found), key=lambda file: file.path))

    def _look(self, path: str) -> SourceFile:
        if not _usable(path):
            raise UnsupportedValue(
                f"{self._place}: the name of the file {path!r} is not UTF-8, or holds a backslash or a line break",
                remedy="Rename the file.",
            )
        real = Path(os.path.realpath(self._root / path))
        if not real.is_relative_to(self._root):
            raise UnsupportedValue(
                f"{self._place}: {path} is a link that leads out of the source's folder",
                remedy="Copy the file into the folder, or make connection.path a folder above both.",
            )
        stat = real.stat()
        return SourceFile(path, stat.st_size, stat.st_mtime_ns)


def _usable(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return not {"\\", "\n"} & set(path)


def instant(modified_ns: int) -> str:
    """Return a modification time as text that sorts like the times do, in microseconds and UTC."""
    moment = _EPOCH + timedelta(microseconds=modified_ns // 1000)
    return moment.isoformat(sep=" ", timespec="microseconds")


def newest_first(files: Iterable[SourceFile]) -> list[SourceFile]:
    """Return the files by modification time, those of the same time by name, the last one first."""
    return sorted(files, key=lambda file: (file.modified_ns, file.path), reverse=True)


def cut(files: list[SourceFile], *, count: int, size: int) -> list[tuple[SourceFile, ...]]:
    """Cut files into groups of at most `count` files and about `size` bytes, in their order."""
    groups: list[list[SourceFile]] = []
    total = 0
    for file in files:
        if not groups or len(groups[-1]) >= count or total + file.bytes > size:
            groups.append([])
            total = 0
        groups[-1].append(file)
        total += file.bytes
    return [tuple(group) for group in groups]


def together(files: Iterable[SourceFile], key: Callable[[SourceFile], object]) -> list[list[SourceFile]]:
    """Group files that have the same key; groups and files keep their order."""
    groups: dict[object, list[SourceFile]] = {}
    for file in files:
        groups.setdefault(key(file), []).append(file)
    return list(groups.values())
