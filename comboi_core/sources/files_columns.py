"""The columns that files land as: types fixed by the first load, widened by Parquet files where no value suffers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from comboi_core.config.files import FilesTable
from comboi_core.domain.errors import SchemaDrift, SourceObjectMissing, UnsupportedValue
from comboi_core.domain.load import Column, SourceFile
from comboi_core.domain.sql import identifier
from comboi_core.sources import drift
from comboi_core.sources.columns import chosen
from comboi_core.sources.files_formats import Format
from comboi_core.sources.text_types import LADDER, takes

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LINEAGE = (Column("_file", "path of the file", "VARCHAR"), Column("_modified", "modification time", "TIMESTAMPTZ"))
"""Landed with each row: the file it came from, and when that was written."""
CURSOR = "_modified"

SAMPLE_FILES = 20
SAMPLE_ROWS = 20_000
"""A new column's type is what the first rows of some files suggest; `types:` says what they do not show."""

Layouts = Mapping[str, tuple[Column, ...]]


class Columns:
    """Decides the columns of a load.

    Args:
        place: What errors name: `source.table`.
    """

    def __init__(self, con: DuckDBPyConnection, made_of: Format, table: FilesTable, place: str) -> None:
        self._con = con
        self._format = made_of
        self._table = table
        self._place = place

    def landed(
        self, files: Sequence[SourceFile], layouts: Layouts, known: tuple[Column, ...], *, replaces: bool
    ) -> tuple[tuple[Column, ...], tuple[str, ...]]:
        """Return the columns of a load, and what changed in words.

        Args:
            known: The columns of the committed load, whose types stay.
            replaces: Whether the load is the whole table by itself.

        Raises:
            SchemaDrift, SourceObjectMissing, UnsupportedValue: the files do not make up one table.
        """
        before = {column.name: column for column in known if column not in LINEAGE}
        self._check_names(layouts, before)
        types = self._file_types(layouts, {} if replaces else before) if self._format.typed else {}
        types = types or self._text_types(files, layouts, before)
        columns = chosen(tuple(Column(name, kind, kind) for name, kind in types.items()), self._table, self._place)
        settled = drift.settle(
            known,
            columns + LINEAGE,
            policy=self._table.schema_policy,
            replaces=replaces,
            place=self._place,
            named=frozenset((*(self._table.columns or ()), *self._table.primary_key)),
        )
        return settled.columns, settled.changes

    def _check_names(self, layouts: Layouts, before: Mapping[str, Column]) -> None:
        reserved = {column.name for column in LINEAGE}
        for path, layout in layouts.items():
            names = {column.name for column in layout}
            for name in names:
                if name.lower() in reserved or not name or "\x00" in name:
                    raise UnsupportedValue(
                        f"{self._place}: {path} has a column {name!r}: comboi adds one of that name, or it is no name",
                        remedy="Rename the column in the file.",
                    )
            if self._format.optional:
                continue
            missing = [name for name in self._table.primary_key if name not in names]
            if missing:
                raise SourceObjectMissing(f"{self._place}: {path} has no column {missing[0]}, which is the primary key")
            expected = {column.name for column in before.values() if column.source_type}
            if before and self._table.schema_policy == "freeze" and names != expected:
                different = ", ".join(sorted(names ^ expected))
                raise SchemaDrift(
                    f"{self._place}: schema_policy freeze allows no change, but {path} differs in {different}",
                    remedy="Set `schema_policy: evolve`, or correct the file.",
                )

    def _file_types(self, layouts: Layouts, before: Mapping[str, Column]) -> dict[str, str]:
        """The widest type of each column over all files."""
        types = {name: column.type for name, column in before.items()}
        found: dict[str, str] = {}
        for path, layout in layouts.items():
            for column in layout:
                kind = found.get(column.name) or types.get(column.name) or column.type
                if drift.widens(kind, column.type):
                    kind = column.type
                elif not drift.widens(column.type, kind):
                    raise SchemaDrift(
                        f"{self._place}: {path}: column {column.name} is {column.type}, in earlier files {kind}: "
                        "neither can be read as the other without loss",
                        remedy="Write the file with the earlier type, or the earlier files with this one and run the "
                        "table with --full-refresh.",
                    )
                found[column.name] = kind
        return found

    def _text_types(
        self, files: Sequence[SourceFile], layouts: Layouts, before: Mapping[str, Column]
    ) -> dict[str, str]:
        """Declared types, then those of the committed load, then what a sample suggests."""
        names = list(dict.fromkeys(column.name for layout in layouts.values() for column in layout))
        if self._format.optional:
            names = list(dict.fromkeys((*before, *names)))
        unknown = [name for name in self._table.types if name not in names and name not in before]
        if unknown:
            raise SourceObjectMissing(f"{self._place}: types: names the column {unknown[0]}, which no file has")
        types = {name: self._table.types.get(name) or (before[name].type if name in before else "") for name in names}
        new = [name for name, kind in types.items() if not kind]
        return types | (self._sampled(files, layouts, new) if new else {})

    def _sampled(self, files: Sequence[SourceFile], layouts: Layouts, names: Sequence[str]) -> dict[str, str]:
        votes: dict[str, list[dict[str, bool | None]]] = {name: [] for name in names}
        for file in _some(files):
            there = [name for name in names if name in {column.name for column in layouts[file.path]}]
            if there:
                for name, vote in self._votes(file, there).items():
                    votes[name].append(vote)
        return {name: _elected(given) for name, given in votes.items()}

    def _votes(self, file: SourceFile, names: Sequence[str]) -> dict[str, dict[str, bool | None]]:
        """For each column, whether each type takes all of its texts; None where it has none."""
        tests = [
            f"bool_and({takes(kind, self._format.operand(name, kind))}) FILTER ({_given(name)})"
            for name in names
            for kind in LADDER
        ]
        scan = self._format.scan([file], names)
        rows = f"(SELECT {', '.join(identifier(name) for name in names)} FROM {scan} LIMIT {SAMPLE_ROWS})"
        found = self._con.execute(f"SELECT {', '.join(tests)} FROM {rows} AS r").fetchall()[0]
        answers = iter(found)
        return {name: {kind: next(answers) for kind in LADDER} for name in names}


def _given(name: str) -> str:
    return f"WHERE r.{identifier(name)} IS NOT NULL"


def _elected(votes: Sequence[Mapping[str, bool | None]]) -> str:
    """Return the first type that no file is against and that some file has values for; text without any."""
    for kind in LADDER:
        said = [vote[kind] for vote in votes]
        if any(said) and False not in said:
            return kind
    return "VARCHAR"


def _some(files: Sequence[SourceFile]) -> Sequence[SourceFile]:
    step = max(1, len(files) // SAMPLE_FILES)
    return files[::step][:SAMPLE_FILES]
