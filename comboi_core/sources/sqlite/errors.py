"""What SQLite says, as errors that name the place and what to do."""

from __future__ import annotations

import re
from pathlib import Path

from comboi_core.domain.errors import (
    ComboiError,
    InternalError,
    SourceObjectMissing,
    SourceQueryFailed,
    SourceUnreachable,
    UnsupportedValue,
)
from comboi_core.domain.redaction import redactor

# The first that matches decides.
_KINDS: tuple[tuple[str, type[ComboiError]], ...] = (
    ("database is locked|database table is locked|disk I/O error", SourceUnreachable),
    ("unable to open|no such (table|column)", SourceObjectMissing),
    ("Invalid unicode|no such collation sequence", UnsupportedValue),
    ("malformed|Failed to prepare|Failed to execute|query must return", SourceQueryFailed),
)

# What is wrong with the file itself, whatever was asked of it.
_BROKEN = {
    "file is not a database": "Correct connection.path: the file is of another kind, encrypted, or only a part of one.",
    "attempt to write a readonly database": "The last writer ended in the middle of a transaction, and comboi only "
    "reads: open the database once with a program that may write to it (`sqlite3 FILE 'PRAGMA schema_version'`), which "
    "undoes the transaction.",
    "database disk image is malformed": "Restore the file from a backup, or copy it anew while nobody writes to it.",
}


def typed(text: str, *, file: Path, place: str) -> ComboiError:
    """Return the typed error for a message of DuckDB's sqlite_scanner.

    Args:
        file: The database's.
        place: `source.table`.
    """
    said = _said(text)
    for broken, remedy in _BROKEN.items():
        if broken in said:
            return SourceQueryFailed(f"{place}: {file}: {broken}", remedy=remedy)
    for pattern, kind in _KINDS:
        if re.search(pattern, text):
            return kind(f"{place}: {redactor.cut(said, 500)}")
    return InternalError(f"{place}: {redactor.cut(said, 500)}")


def _said(text: str) -> str:
    """What SQLite says, without the query in front of it and DuckDB's pointer behind."""
    head = text.partition("\n\nLINE ")[0]
    found = re.search(r'": (near ".*?": [^"]*|[^"]*)$', head)
    return found[1] if found else head or "no details given"
