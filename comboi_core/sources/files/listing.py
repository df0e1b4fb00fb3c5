"""Where the files of a source are: the port that folders and containers implement, and what they share."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import BinaryIO, Protocol

from comboi_core.domain.errors import ComboiError
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


class Files(Protocol):
    """A folder or a container with a source's files; nothing outside of it is ever read.

    Paths are below it, with `/`. The messages of errors begin with the table.
    """

    @property
    def parallel(self) -> int:
        """How many files are best looked into side by side."""

    def list(self, pattern: str, lag: float) -> Listing:
        """Return the files that a glob finds, names that begin with a dot left out.

        Files younger than the lag are waited for once if it is short; those written to meanwhile stay behind.

        Raises:
            UnsupportedValue: a file has a name that cannot be used, or is a link that leads out.
        """

    def check(self, files: Iterable[SourceFile]) -> None:
        """Raise SourceFileChanged unless the files are what they were when the load was planned."""

    def digest(self, file: SourceFile) -> str:
        """Return a digest of a file's content, see `identity`; nothing where its version alone decides.

        Raises:
            ComboiError: it cannot be read.
        """

    def open(self, path: str) -> BinaryIO:
        """Return a reader of a file's bytes; it and its use raise OSError, or what only `translate` understands."""

    def address(self, path: str) -> str:
        """Return how DuckDB names a file."""

    def relative(self, text: str) -> str:
        """Return a path, or a text with paths, as DuckDB words them, with the paths below the folder only."""

    def unreadable(self, path: str, error: OSError) -> ComboiError:
        """Return the typed error for a file or folder that cannot be opened."""

    def translate(self, error: Exception) -> ComboiError | None:
        """Return the typed error for what DuckDB or a reader said of reaching the files; None for anything else."""

    def close(self) -> None:
        """Take back what the DuckDB connection was given; never raises."""


def pattern(address: str) -> str:
    """Return the string literal that makes DuckDB, which takes every path for a glob, read exactly one file."""
    return literal("".join(f"[{char}]" if char in "*?[" else char for char in address))


def finished(find: Callable[[], dict[SourceFile, float]], lag: float) -> Listing:
    """Return what is found, told apart by whether it is still being written to.

    Args:
        find: Finds the files, and when each was looked at, by the clock that gives their times.
        lag: In seconds; a short one is waited for.
    """
    found = find()
    young = {file.path for file, seen in found.items() if abs(seen - file.modified_ns / 1e9) < lag}
    if young and lag <= PATIENCE:
        time.sleep(lag)
        before, found = found, find()
        young = {file.path for file in found if file not in before}
    files = sorted((file for file in found if file.bytes and file.path not in young), key=lambda file: file.path)
    return Listing(tuple(files), tuple(sorted(young)))


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
