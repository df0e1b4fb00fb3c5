"""Globs over names in a container, as `pathlib` has them over folders."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

_WILD = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class Glob:
    """A glob, e.g. `orders/**/2026-*.csv`.

    Attributes:
        start: What the paths that match begin with, e.g. `orders/`.
        deep: Whether paths can match that have more `/` than `start`.
    """

    pieces: tuple[str, ...]
    start: str
    deep: bool

    def matches(self, path: str) -> bool:
        """Tell whether a path matches; names that begin with a dot match nothing."""
        parts = path.split("/")
        return not any(part.startswith(".") for part in parts) and _match(parts, self.pieces)


def glob(pattern: str) -> Glob:
    """Return the glob that a pattern stands for."""
    wild = _WILD.search(pattern)
    start = pattern[: wild.start()] if wild else pattern
    return Glob(tuple(pattern.split("/")), start, "/" in pattern[len(start) :])


def _match(parts: Sequence[str], pieces: Sequence[str]) -> bool:
    if not pieces:
        return not parts
    if pieces[0] == "**":  # any number of folders, and a name is left
        return any(_match(parts[skipped:], pieces[1:]) for skipped in range(len(parts)))
    return bool(parts) and fnmatchcase(parts[0], pieces[0]) and _match(parts[1:], pieces[1:])
