"""An asset as the rest of comboi knows it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from comboi_core.config.assets.models import AssetHeader
from comboi_core.config.assets.pipelines import AssetPipeline

SQL, SEED, PYTHON = "duckdb.sql", "duckdb.seed", "python"
_JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_START = re.compile(r"(?<![.\w'\"])start_(?:date|date_nodash|datetime|timestamp)\b")
_MACRO = re.compile(r"\{%-?\s*macro\s+(\w+)\s*\(([^)]*)\)(.*?)\{%-?\s*endmacro", re.DOTALL)
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
        asking = "|".join(map(re.escape, self._macros_asking()))
        called = re.compile(rf"\b(?:{asking})\s*\(") if asking else None
        tags = [match[0] for match in _JINJA.finditer(self.body)]
        return any(_START.search(tag) or (called and called.search(tag)) for tag in tags)

    def _macros_asking(self) -> Iterator[str]:
        """Yield the pipeline's macros that ask where the interval starts; not those that have it as a parameter."""
        for file in self.pipeline.macros:
            for name, parameters, body in _MACRO.findall(file.read_text(encoding="utf-8-sig", errors="replace")):
                if not _START.search(parameters) and any(_START.search(tag[0]) for tag in _JINJA.finditer(body)):
                    yield name

    @property
    def symbolic(self) -> tuple[str, ...]:
        """What the asset names for the lineage only."""
        return tuple(str(item.asset or item.uri) for item in self.header.depends if item.mode == "symbolic")
