"""The columns that files land as: types fixed by the first load, widened by Parquet files where no value suffers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from comboi_core.domain.errors import SchemaDrift, SourceObjectMissing, UnsupportedValue
from comboi_core.domain.load import UNKNOWN, Column, SourceFile
from comboi_core.domain.manifest import RESERVED_COLUMNS, SOURCE_ROW
from comboi_core.domain.widening import widest
from comboi_core.sources.common import drift
from comboi_core.sources.common.columns import chosen
from comboi_core.sources.common.text_types import LADDER, takes
from comboi_core.sources.files.config import FilesTable
from comboi_core.sources.files.formats import FILE, Format

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LINEAGE = (Column("_file", "path of the file", "VARCHAR"), Column("_modified", "modification time", "TIMESTAMPTZ"))
"""Landed with each row: the file it came from, and when that was written."""
_OWN = {*(column.name for column in LINEAGE), FILE, SOURCE_ROW}
CURSOR = "_modified"

SAMPLE_FILES = 20
SAMPLE_ROWS = 20_000
SAMPLE_CELLS = 500_000
"""A new column's type is what the first rows of some files suggest, fewer of wide files; `types:` says the rest."""
_TOGETHER = 200
"""So many columns are looked at in one query: its memory grows with their number."""

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
        layouts = self._renamed(layouts, before)
        self._check_names(layouts, before)
        typed = self._format.typed
        types = self._file_types(layouts, {} if replaces else before) if typed else {}
        types = types or self._text_types(files, layouts, before)
        columns = chosen(
            tuple(Column(name, _said(kind), kind) for name, kind in types.items()), self._table, self._place
        )
        self._format.refuse_types(files, columns)
        settled = drift.settle(
            known,
            columns + LINEAGE,
            policy=self._table.schema_policy,
            replaces=replaces,
            place=self._place,
            named=frozenset((*(self._table.columns or ()), *self._table.primary_key)),
            checked=typed,
        )
        return settled.columns, settled.changes

    def _check_names(self, layouts: Layouts, before: Mapping[str, Column]) -> None:
        wanted = None if self._table.columns is None else {*self._table.columns, *self._table.primary_key}
        for path, layout in layouts.items():
            names = {column.name for column in layout}
            for name in names:
                if name.lower() in _OWN or not name or "\x00" in name:
                    raise UnsupportedValue(
                        f"{self._place}: {path} has a column {name!r}: comboi adds one of that name, or it is no name",
                        remedy="Rename the column where the file is written.",
                    )
                if name.lower() in RESERVED_COLUMNS and (wanted is None or name in wanted):
                    raise UnsupportedValue(
                        f"{self._place}: {path} has a column {name!r}, a name that readers of the lake use themselves",
                        remedy="Rename the column where the file is written, or leave it out with `columns:`.",
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

    def _renamed(self, layouts: Layouts, before: Iterable[str]) -> Layouts:
        """The layouts with each column called as the table calls it: readers do not tell names apart by case.

        A name is spelled as the committed load has it, else as the configuration does, else as the first file does.
        """
        table = self._table
        named = (*before, *table.primary_key, *(table.columns or ()), *table.types, *table.mask)
        names: dict[str, str] = {}
        for name in (*named, *(column.name for layout in layouts.values() for column in layout)):
            names.setdefault(name.lower(), name)
        return {
            path: tuple(replace(column, name=names[column.name.lower()]) for column in layout)
            for path, layout in layouts.items()
        }

    def _file_types(self, layouts: Layouts, before: Mapping[str, Column]) -> dict[str, str]:
        """The widest type of each column over all files, or the one that `types:` says."""
        self._refuse_unknown(self._table.types, {column.name for layout in layouts.values() for column in layout})
        found = {column.name: column.type for layout in layouts.values() for column in layout}
        types = {name: before[name].type if name in before else UNKNOWN for name in found}
        for path, layout in layouts.items():
            for column in layout:
                if column.name in self._table.types:
                    types[column.name] = self._table.types[column.name]
                    continue
                kind = widest(types[column.name], column.type)
                if kind is None:
                    kind = self._with_an_empty_one(path, column, types[column.name], layouts)
                types[column.name] = kind
        return types

    def _with_an_empty_one(self, path: str, column: Column, kind: str, layouts: Layouts) -> str:
        """The type of the files that have values in a column, where the types of some do not go together."""
        if self._format.has_no_value(path, column.name):
            return kind
        earlier = [one for one in layouts if one < path and column.name in {known.name for known in layouts[one]}]
        if earlier and all(self._format.has_no_value(one, column.name) for one in earlier):
            return column.type
        raise SchemaDrift(
            f"{self._place}: {path}: column {column.name} is {column.type}, in earlier files {kind}: neither can be "
            "read as the other without loss",
            remedy="Write the file with the earlier type, or the earlier files with this one and run the table with "
            f"--full-refresh; `types: {{{column.name}: VARCHAR}}` lands all of them as text.",
        )

    def _text_types(
        self, files: Sequence[SourceFile], layouts: Layouts, before: Mapping[str, Column]
    ) -> dict[str, str]:
        """Declared types, then those of the committed load, then what a sample suggests."""
        names = list(dict.fromkeys(column.name for layout in layouts.values() for column in layout))
        if self._format.optional:
            names = list(dict.fromkeys((*before, *names)))
        self._refuse_unknown(self._table.types, {*names, *before})
        types = {name: self._table.types.get(name) or (before[name].type if name in before else "") for name in names}
        new = [name for name, kind in types.items() if not kind]
        return types | (self._sampled(files, layouts, new) if new else {})

    def _sampled(self, files: Sequence[SourceFile], layouts: Layouts, names: Sequence[str]) -> dict[str, str]:
        votes: dict[str, list[dict[str, bool | None]]] = {name: [] for name in names}
        for file in _some(files):
            here = {column.name for column in layouts[file.path]}
            there = [name for name in names if name in here]
            if there:
                for name, vote in self._votes(file, there).items():
                    votes[name].append(vote)
        return {name: _elected(given) for name, given in votes.items()}

    def _votes(self, file: SourceFile, names: Sequence[str]) -> dict[str, dict[str, bool | None]]:
        """For each column, whether each type takes all of its texts; None where it has none."""
        votes: dict[str, dict[str, bool | None]] = {name: dict.fromkeys(LADDER) for name in names}
        rows = min(SAMPLE_ROWS, SAMPLE_CELLS // max(1, len(names)) + 1)
        for start in range(0, len(names), _TOGETHER):
            some = names[start : start + _TOGETHER]
            for position, *answers in self._con.execute(self._asked(file, some, rows)).fetchall():
                votes[some[position]] = dict(zip(LADDER, answers, strict=True))
        return votes

    def _asked(self, file: SourceFile, names: Sequence[str], rows: int) -> str:
        """The values of all columns below each other, so that what a query holds does not grow with their square."""
        operands = {kind: [self._format.operand(name, kind) for name in names] for kind in (*LADDER, "VARCHAR")}
        lists = {f"[{', '.join(operand)}]": f"t{number}" for number, operand in enumerate(operands.values())}
        texts = {kind: lists[f"[{', '.join(operand)}]"] for kind, operand in operands.items()}
        values = ", ".join(f"unnest({values}) AS {text}" for values, text in lists.items())
        scan = self._format.sample(file, names, rows)
        tests = ", ".join(f"bool_and({takes(kind, texts[kind])})" for kind in LADDER)
        cells = f"SELECT unnest(range({len(names)})) AS position, {values} FROM {scan} AS r"
        return f"SELECT position, {tests} FROM ({cells}) WHERE {texts['VARCHAR']} IS NOT NULL GROUP BY position"

    def _refuse_unknown(self, types: Iterable[str], known: Collection[str]) -> None:
        unknown = next((name for name in types if name not in known), None)
        if unknown is not None:
            raise SourceObjectMissing(f"{self._place}: types: names the column {unknown}, which no file has")


def _said(kind: str) -> str:
    return "unknown" if kind == UNKNOWN else kind


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
