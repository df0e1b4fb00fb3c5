"""Shortfalls: what readers do not see although a load or a build succeeded.

An error stops a load; a remark changes nothing. A shortfall stands between the two. The load is committed, and what it
committed is right, but rows or values of the source are missing, hidden, or from different moments. comboi counts each
shortfall, shows it in amber and sends it in alerts (`on: warned`). With `--strict` it ends a command with exit code 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import NotRequired

from typing_extensions import TypedDict

CODES = MappingProxyType(
    {
        "attached_rows": "rows came below the watermark, with an attached partition, another table or a redefined view",
        "column_gone": "the dataset no longer has a column that its published version had",
        "dataset_lost": "a dataset that keeps rows was missing from its lake, and was rebuilt from its inputs",
        "duplicate_keys": "rows of one load share a primary key; readers see one of them",
        "feed_endangered": "the change feed is about to be lost, or fills the disk of the source's server",
        "feed_lost": "changes were lost with the change feed: versions of rows in between are in no load",
        "future_cursor": "rows have a cursor value in the future; they are read when that time has come",
        "key_equality": "the source treats two spellings of a key as equal, readers do not: a new spelling adds a row",
        "late_commits": "rows that are committed late may be missed: the source does not show its open transactions",
        "mixed_state": "the source changed while it was read, so the rows of the load are not of one moment",
        "model_doubtful": "deduplication learned weights that carry no information or cannot be right",
        "null_before": "earlier rows read NULL in a new column, although the source has values there",
        "null_keys": (
            "rows have NULL in the primary key: each is kept as a separate row, and no later version replaces it"
        ),
        "open_writer": "rows wait for a transaction that is still writing",
        "origin_changed": "the landed rows come from another source, query or setting than the new ones",
        "rows_hidden": "a row policy of the source hides rows from the login",
        "script_changed": "the dataset still holds rows that an earlier version of its script or settings made",
        "source_behind": "the source is behind the landed rows, for example after a backup was restored",
        "source_empty": "the source has no rows any more, but the table in the lake has",
    }
)
"""Every code and its meaning. Add a code here before you use it, and to the table in docs/operations.md#shortfalls."""


class ShortfallRecord(TypedDict):
    """A shortfall as data: what activities return, run records keep and pages show."""

    code: str
    message: str
    remedy: str
    rows: NotRequired[int | None]


@dataclass(frozen=True)
class Shortfall:
    """Rows or values that readers do not see, and what to do about it.

    Attributes:
        code: A key of `CODES`. Codes do not change, because queries and alerts depend on them.
        message: What is missing, with figures, in a sentence that a data engineer understands; holds no secret.
        remedy: What to do.
        rows: The number of rows concerned; None if they were not counted.

    Raises:
        ValueError: If `CODES` lacks the code.
    """

    code: str
    message: str
    remedy: str
    rows: int | None = None

    def __post_init__(self) -> None:
        if self.code not in CODES:
            raise ValueError(f"there is no shortfall '{self.code}'; domain.shortfall.CODES lists them")

    def record(self) -> ShortfallRecord:
        """Return the shortfall as data."""
        return {"code": self.code, "message": self.message, "remedy": self.remedy, "rows": self.rows}
