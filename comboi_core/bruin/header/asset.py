"""An asset as the rest of comboi knows it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from comboi_core.bruin.header.models import AssetHeader
from comboi_core.bruin.header.pipelines import AssetPipeline
from comboi_core.bruin.header.windows import asks_for_start, end_is_excluded

SQL, SEED, PYTHON = "duckdb.sql", "duckdb.seed", "python"
_START_IN_PYTHON = re.compile(
    r"\bBRUIN_START_(?:DATE|DATETIME|TIMESTAMP)\b|\bcontext\.start_(?:date|datetime|timestamp)\b"
)


@dataclass(frozen=True)
class Asset:
    """An asset: its file, its header with the pipeline's defaults, and the pipeline.

    Attributes:
        file: Where it stands.
        shown: The file, as messages name it.
        name: The dataset's name.
        type: `duckdb.sql`, `duckdb.seed` or `python`.
        line: Where the header begins.
        body: The code, with blanks in place of the header: lines and positions are the file's. Empty for a seed.
        lines: Where the header's keys stand.
    """

    file: Path
    shown: str
    name: str
    type: str
    line: int
    header: AssetHeader
    body: str
    pipeline: AssetPipeline
    lines: Mapping[tuple[str | int, ...], int] = field(default_factory=dict, compare=False)

    def at(self, *path: str | int) -> str:
        """Return `file:line` of a key; of the header, where a default of the pipeline gave it."""
        while path and path not in self.lines:
            path = path[:-1]
        return f"{self.shown}:{self.lines[path] if path else self.line}"

    @property
    def strategy(self) -> str:
        """Bruin's strategy; a table without one is replaced, and so is a view, which is kept as a table here."""
        return self.header.materialization.strategy or "create+replace"

    @property
    def is_ddl(self) -> bool:
        """Whether the asset has columns in place of a query."""
        return self.header.materialization.strategy == "ddl"

    @property
    def full_refresh_restricted(self) -> bool:
        """Whether `--full-refresh` leaves the dataset as it is: the asset says so, or has no query to refill it."""
        return self.header.full_refresh_restricted or self.is_ddl

    @property
    def start_date(self) -> date | None:
        """From where a full refresh reads; the asset's own, else the pipeline's."""
        return self.header.start_date or self.pipeline.start_date

    @property
    def has_jinja(self) -> bool:
        """Whether the code is a template."""
        return self.type == SQL and ("{{" in self.body or "{%" in self.body or "{#" in self.body)

    @property
    def windowed(self) -> bool:
        """Whether the code asks where the run's interval starts, so that it reads a part of its input only."""
        if self.type == PYTHON:
            return bool(_START_IN_PYTHON.search(self.body))
        return asks_for_start(self.body, self.pipeline.macros)

    @property
    def end_excluded(self) -> bool:
        """Whether the code asks for what lies below the interval's end, not for what lies up to its last moment."""
        return self.type == SQL and end_is_excluded(self.body, self.pipeline.macros)

    @property
    def symbolic(self) -> tuple[str, ...]:
        """What the asset names for the lineage only."""
        return tuple(str(item.asset or item.uri) for item in self.header.depends if item.mode == "symbolic")
