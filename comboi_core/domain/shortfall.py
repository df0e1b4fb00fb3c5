"""Shortfalls: what readers do not see although a load or a build succeeded.

An error stops a load; a remark changes nothing. A shortfall stands between the two: the load is committed and right as
far as it goes, but rows or values of the source are missing, hidden or not of one state. It is counted, shown in amber
and told in alerts (`on: warned`); with `--strict` a command that meets one ends with exit code 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

CODES = MappingProxyType(
    {
        "attached_rows": "rows came along with a partition, table or view of the source, below the watermark",
        "column_gone": "a column of the published dataset is not made any more",
        "dataset_lost": "a dataset that keeps rows was gone from its lake, and was built anew from its inputs",
        "duplicate_keys": "rows of one load share a primary key; readers see one of them",
        "future_cursor": "rows whose cursor lies in the future are not read before that time",
        "key_equality": "the source calls keys equal that are two for readers: a changed spelling adds a row",
        "late_commits": "rows that are committed late may be missed: the source does not show who is writing",
        "mixed_state": "the rows of one load are not of one moment: the source changed while it was read",
        "null_before": "earlier rows read NULL in a column that was added, although the source has values",
        "null_keys": "rows without a primary key: each stays a row of its own, a later version does not replace it",
        "open_writer": "rows wait for a transaction that goes on writing",
        "origin_changed": "the landed rows are of another source, query or setting than those that come now",
        "model_doubtful": "deduplication learned weights that say nothing or cannot be right",
        "rows_hidden": "a policy of the source hides rows from the login",
        "script_changed": "the dataset holds rows that an earlier form of its script or settings has made",
        "source_behind": "the source is behind what was landed, as after restoring a backup",
        "source_empty": "the source has no row any more, but the table in the lake has",
    }
)
"""Every code there is, and what it means: add one here before using it. docs/operations.md shows this table."""


@dataclass(frozen=True)
class Shortfall:
    """One thing that readers do not see, and what to do about it.

    Attributes:
        code: What it is, in a word of `CODES` that does not change: queries and alerts are written against it.
        message: What is missing, with figures, in a sentence a data engineer understands; holds no secret.
        remedy: What to do.
        rows: How many rows it is about, where they were counted; None where they were not.
    """

    code: str
    message: str
    remedy: str
    rows: int | None = None

    def __post_init__(self) -> None:
        if self.code not in CODES:
            raise ValueError(f"there is no shortfall '{self.code}'; domain.shortfall.CODES lists them")
