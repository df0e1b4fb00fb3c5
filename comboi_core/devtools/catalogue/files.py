"""Writes the catalogue's folder. Files that the catalogue did not write are not touched."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from comboi_core.devtools.catalogue.html import GENERATOR, tag
from comboi_core.domain.errors import RequestInvalid
from comboi_core.domain.folders import make_private
from comboi_core.domain.redaction import redactor

_MARK = tag("meta", name="generator", content=GENERATOR)
_MARK_WITHIN = 2000
"""The mark is in the first characters of a page."""


def write_site(folder: Path, pages: Mapping[str, str]) -> None:
    """Write pages into a folder. Pages of an earlier catalogue that are no longer needed are removed.

    Args:
        pages: Path in the folder -> text.

    Raises:
        RequestInvalid: another file has the path of a page, or the folder cannot be written.
    """
    foreign = [path for path in pages if (folder / path).exists() and not _ours(folder / path)]
    if foreign:
        raise RequestInvalid(
            f"{folder / foreign[0]} already exists and was not written by {GENERATOR}",
            remedy="Give another folder with --out, or move the file away.",
        )
    try:
        for path, text in pages.items():
            file = folder / path
            make_private(file.parent)
            file.write_text(redactor.text(text), encoding="utf-8")
        kept = {(folder / path).resolve() for path in pages}
        for file in (*folder.glob("*.html"), *folder.glob("*/*.html")):
            if file.resolve() not in kept and _ours(file):
                file.unlink()
    except OSError as error:
        raise RequestInvalid(
            f"{folder} cannot be written: {error.strerror}", remedy="Give another folder with --out."
        ) from None


def _ours(file: Path) -> bool:
    try:
        with file.open(encoding="utf-8") as text:
            return _MARK in text.read(_MARK_WITHIN)
    except (OSError, ValueError):
        return False
