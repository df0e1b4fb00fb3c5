"""What a run would do."""

from __future__ import annotations

from typing import NotRequired

from typing_extensions import TypedDict

from comboi_core.domain.contracts.fields import Count
from comboi_core.domain.errors import ErrorRecord
from comboi_core.domain.load import WindowRecord
from comboi_core.domain.shortfall import ShortfallRecord


class TablePreview(TypedDict):
    """What the next load of a table would read, or the `error` that keeps it from being planned."""

    source: str
    table: str
    mode: NotRequired[str]
    replaces: NotRequired[bool]
    unchanged: NotRequired[bool]
    window: NotRequired[WindowRecord | None]
    chunks: NotRequired[Count]
    estimated_rows: NotRequired[Count | None]
    schema_changes: NotRequired[list[str]]
    warnings: NotRequired[list[str]]
    shortfalls: NotRequired[list[ShortfallRecord]]
    error: NotRequired[ErrorRecord]


class DatasetPreview(TypedDict):
    """A dataset that would be built; `warnings`: what has changed since its published rows were made."""

    stage: str
    name: str
    warnings: list[str]


class Preview(TypedDict):
    """Tables in the order of the plan, datasets in the order of waves."""

    pipeline: str
    tables: list[TablePreview]
    datasets: list[DatasetPreview]
