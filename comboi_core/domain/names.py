"""Names: which are valid, and how they are combined.

Names are used in paths, entity keys and SQL. They are validated once, when the configuration is read.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from datetime import UTC, datetime

NAME_PATTERN = r"^[A-Za-z][A-Za-z0-9_\-]{0,62}$"
SQL_NAME_PATTERN = r"^[A-Za-z][A-Za-z0-9_]{0,62}$"
DATASET_NAME_PATTERN = r"^[A-Za-z][A-Za-z0-9_]{0,62}(\.[A-Za-z][A-Za-z0-9_]{0,62})?$"
RESERVED_SOURCES = frozenset({"runs", "work"})
RUN_ID_PATTERN = re.compile(r"^[A-Za-z][A-Za-z0-9_\-]{0,62}-[0-9]{8}T[0-9]{6}Z-[0-9a-f]{4,12}\Z")


def table_id(source: str, table: str) -> str:
    """Return `source.table`. It is unambiguous, because neither part may contain a dot."""
    return f"{source}.{table}"


def run_id(pipeline: str, now: datetime, token: str) -> str:
    """Return an id that sorts by time, e.g. `sales-20261123T060000Z-7f3a91`.

    Args:
        now: The start, in UTC.
        token: A few random hexadecimal digits, so that two starts in one second differ.
    """
    return f"{pipeline}-{now:%Y%m%dT%H%M%SZ}-{token}"


def pipeline_of(run_id: str) -> str | None:
    """Return the pipeline in a run's id. None if the text is not a run's id."""
    if not RUN_ID_PATTERN.match(run_id):
        return None
    try:
        started_at(run_id)
    except ValueError:
        return None
    return run_id.rsplit("-", 2)[0]


def started_at(run_id: str) -> datetime:
    """Return the time in a run's id, at which the run was requested.

    Raises:
        ValueError: the id has an invalid time.
    """
    return datetime.strptime(run_id.rsplit("-", 2)[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ` (did you mean 'x'?)` for the closest known word, or an empty string."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean '{close[0]}'?)" if close else ""
