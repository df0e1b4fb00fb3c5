"""Parquet files: their columns have types, of which DuckDB changes a few in silence. Those are looked at or refused.

Types as https://github.com/apache/parquet-format/blob/master/LogicalTypes.md has them. DuckDB 1.5 reads decimals of
more than 38 digits as DOUBLE (and wrongly), and cuts the nanoseconds of INT96, TIME and timestamps with a time zone.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from comboi_core.domain.errors import UnsupportedValue
from comboi_core.domain.load import UNKNOWN, Column, SourceFile
from comboi_core.domain.manifest import SOURCE_ROW
from comboi_core.domain.redaction import redactor
from comboi_core.domain.sql import identifier
from comboi_core.duckdb.rows import one_row
from comboi_core.sources.files.formats import counted, limited, of_each, read
from comboi_core.sources.files.listing import pattern
from comboi_core.sources.files.text import Copies
from comboi_core.sources.files.wide import with_text

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_DUCKDB_ROW = "file_row_number"
"""The column that DuckDB numbers rows with, unless a file has one of that name."""
_SCHEMA = "name, type, num_children, repetition_type, precision, scale, logical_type, duckdb_type"
_NANOS = "NANOS=NanoSeconds()"
_DIGITS = 38
_BATCH = 2**16
_PIECE = 2**20


@dataclass(frozen=True)
class _Doubt:
    """A value in a column that DuckDB reads otherwise than it is.

    Attributes:
        column: The column; `leaf` the path of the value in it, with dots.
        kind: Its type in Parquet.
        never: Whether DuckDB cannot read it at all; else it drops nanoseconds.
    """

    column: str
    leaf: str
    kind: str
    never: bool


class Parquet:
    """Parquet files; implements `Format`.

    Args:
        texts: The columns that are declared to land as text, in lower case.
    """

    typed = True
    optional = False

    def __init__(self, con: DuckDBPyConnection, files: Copies, place: str, texts: frozenset[str] = frozenset()) -> None:
        self._con = con
        self._files = files
        self._place = place
        self._texts = texts
        self._doubts: dict[str, frozenset[_Doubt]] = {}
        self._wide: dict[str, frozenset[str]] = {}
        self._counted = False

    def layouts(self, files: Sequence[SourceFile]) -> dict[str, tuple[Column, ...]]:
        """See `Format.layouts`; a column whose type Parquet calls unknown is UNKNOWN."""
        return of_each(files, self._columns, self._files.parallel)

    def alike(self, path: str) -> Hashable:
        """See `Format.alike`."""
        return self._doubts.get(path, frozenset()), self._wide.get(path, frozenset())

    def scan(self, files: Sequence[SourceFile], names: Sequence[str]) -> str:
        """See `Format.scan`."""
        columns = self.layouts(files[:1])[files[0].path]
        wide = self._wide[files[0].path]
        of_each(files if wide else (), lambda file: self._spell(file, wide, columns), self._files.parallel)
        self._counted = any(column.name.lower() == _DUCKDB_ROW for column in columns)
        more = {} if self._counted else {_DUCKDB_ROW: "true"}
        return read("read_parquet", self._files, files, {**more, "hive_partitioning": "false"})

    def sample(self, file: SourceFile, names: Sequence[str], rows: int) -> str:
        """See `Format.sample`."""
        return limited(self.scan([file], names), rows)

    def numbered(self, scan: str) -> str:
        """See `Format.numbered`."""
        return counted(scan) if self._counted else f"(SELECT *, {_DUCKDB_ROW} AS {SOURCE_ROW} FROM {scan})"

    def operand(self, name: str, kind: str) -> str:
        """See `Format.operand`."""
        return f"r.{identifier(name)}"

    def refuse_types(self, files: Sequence[SourceFile], columns: Sequence[Column]) -> None:
        """See `Format.refuse_types`."""
        for file in files:
            for doubt in self._doubted(file.path, columns):
                if doubt.never:
                    shown = f"{doubt.kind} (its first value is {self._first_value(file.path, doubt.leaf)})"
                    raise UnsupportedValue(
                        f"{self._place}: {file.path}: column {doubt.leaf} is {shown}, and DuckDB holds at most "
                        f"{_DIGITS} digits",
                        remedy=f"Set `types: {{{doubt.column}: VARCHAR}}` to land it as text, if it is no part of a "
                        "nested column; or write it as text or with fewer digits, or leave it out with `columns:`.",
                        column=doubt.column,
                    )

    def refuse(self, files: Sequence[SourceFile], columns: Sequence[Column]) -> None:
        """See `Format.refuse`; reads the columns of which DuckDB cuts the nanoseconds."""
        for doubt in self._doubted(files[0].path, columns):
            for file in files:
                row = self._row_with_nanoseconds(file.path, doubt)
                if row is not None:
                    raise UnsupportedValue(
                        f"{self._place}: {file.path}: column {doubt.leaf} is {doubt.kind} and has a value with "
                        f"nanoseconds in row {row:,}; DuckDB holds microseconds",
                        remedy="Write the column in microseconds or as text, or leave it out with `columns:`.",
                        column=doubt.column,
                    )

    def _doubted(self, path: str, columns: Sequence[Column]) -> list[_Doubt]:
        wanted = {column.name.lower() for column in columns}
        doubts = (doubt for doubt in self._doubts[path] if doubt.column.lower() in wanted)
        return sorted(doubts, key=lambda doubt: doubt.leaf)

    def has_no_value(self, path: str, column: str) -> bool:
        """Tell whether a column holds NULL in every row of a file."""
        scan = f"read_parquet({pattern(self._files.address(path))}, hive_partitioning = false)"
        return bool(one_row(self._con, f"SELECT count({identifier(column)}) = 0 FROM {scan}")[0])

    def line(self, path: str, column: str | None, text: str) -> int | None:
        """See `Format.line`; Parquet has no lines."""
        return None

    def _columns(self, file: SourceFile) -> tuple[Column, ...]:
        address = pattern(self._files.address(file.path))
        with self._con.cursor() as con:  # one connection does one thing at a time
            rows = iter(con.execute(f"SELECT {_SCHEMA} FROM parquet_schema({address})").fetchall())
            root = next(rows)
            fields = [_Field.read(rows) for _ in range(root[2] or 0)]
            types = {field.name: field.type for field in fields}
            if any(field.nested for field in fields):
                described = con.execute(f"DESCRIBE SELECT * FROM read_parquet({address}, hive_partitioning = false)")
                kinds = [kind for _, kind, *_ in described.fetchall()]
                types = dict(zip(types, kinds, strict=False))
        self._check_names([field.name for field in fields], file.path)
        wide = {field.name for field in fields if field.never and field.name.lower() in self._texts}
        types |= dict.fromkeys(wide, "VARCHAR")
        self._wide[file.path] = frozenset(wide)
        self._doubts[file.path] = frozenset(
            doubt for field in fields if field.name not in wide for doubt in field.doubts()
        )
        found = {field.name: UNKNOWN if field.type == UNKNOWN else types[field.name] for field in fields}
        return tuple(Column(name, kind, kind) for name, kind in found.items())

    def _spell(self, file: SourceFile, wide: frozenset[str], columns: tuple[Column, ...]) -> None:
        """Let a copy with some columns as text be read; the others have to be what they are."""
        self._files.copy(file.path, with_text(self._local(file.path), wide), cut=0)
        other = next((was for was, now in zip(columns, self._columns(file), strict=True) if was != now), None)
        self._wide[file.path] = wide
        if other is not None:
            raise UnsupportedValue(
                f"{self._place}: {file.path}: column {other.name} ({other.type}) would change where decimals of more "
                f"than {_DIGITS} digits are made text",
                remedy=f"Leave out one of them with `columns:`, or write {', '.join(sorted(wide))} as text.",
                column=other.name,
            )

    def _check_names(self, names: Sequence[str], path: str) -> None:
        seen: dict[str, str] = {}
        for name in names:
            other = seen.get(name.lower())
            if other is not None:
                told = "twice" if other == name else f"and '{other}', which only case tells apart"
                raise UnsupportedValue(
                    f"{self._place}: {path} has the column '{name}' {told}",
                    remedy="Rename one of them where the file is written: readers cannot tell them apart.",
                )
            seen[name.lower()] = name

    def _first_value(self, path: str, leaf: str) -> str:
        """The first value in a column that is not NULL, as text."""
        from pyarrow.parquet import ParquetFile

        for batch in ParquetFile(self._local(path)).iter_batches(_BATCH, columns=[leaf]):
            found = batch.column(0).drop_null()
            if len(found):
                return redactor.cut(str(found[0].as_py()), 60)
        return "NULL"

    def _row_with_nanoseconds(self, path: str, doubt: _Doubt) -> int | None:
        """The first row, from 1, with a value that is no whole microsecond."""
        from pyarrow.parquet import ParquetFile

        # INT96 reaches further than 64-bit nanoseconds do. Read in both units, the difference is right all the same.
        units = ("us", "ns") if doubt.kind == "INT96" else ("ns",)
        address = self._local(path)
        opened = [ParquetFile(address, coerce_int96_timestamp_unit=unit) for unit in units]
        start = 0
        for batches in zip(*(file.iter_batches(_BATCH, columns=[doubt.leaf]) for file in opened), strict=True):
            row = _first_inexact([batch.column(0) for batch in batches])
            if row is not None:
                return start + row + 1
            start += batches[0].num_rows
        return None

    def _local(self, path: str) -> str:
        """The path of a file on this machine."""
        with self._files.open(path) as reader:
            if not reader.seekable():
                self._files.copy(path, iter(lambda: reader.read(_PIECE), b""), cut=0)
        return self._files.address(path)


@dataclass(frozen=True)
class _Field:
    """A column, or a value within one, as the file's schema has it."""

    name: str
    type: str
    kind: str
    never: bool
    cut: bool
    repeated: bool
    fields: tuple[_Field, ...]

    @classmethod
    def read(cls, rows: Iterator[tuple[Any, ...]]) -> _Field:
        """Take a field and what is in it from the rows of `parquet_schema`."""
        name, physical, children, repetition, precision, scale, logical, kind = next(rows)
        wide = precision is not None and precision > _DIGITS
        told, logical = physical or "", logical or ""
        if wide:
            told = f"DECIMAL({precision},{scale or 0})"
        elif logical.startswith(("TimeType", "TimestampType")):
            told = "TIME in nanoseconds" if logical.startswith("TimeType") else "TIMESTAMPTZ in nanoseconds"
        zoned = "isAdjustedToUTC=1" in logical or logical.startswith("TimeType")
        return cls(
            name=name,
            type=kind or "",
            kind=told,
            never=wide,
            cut=physical == "INT96" or (_NANOS in logical and zoned),
            repeated=repetition == "REPEATED",
            fields=tuple(cls.read(rows) for _ in range(children or 0)),
        )

    @property
    def nested(self) -> bool:
        """Whether the DuckDB type is made of others."""
        return bool(self.fields) or self.repeated

    def doubts(self, above: tuple[str, ...] = ()) -> Iterator[_Doubt]:
        """Give what DuckDB does not read as it is."""
        path = (*above, self.name)
        if self.never or self.cut:
            yield _Doubt(path[0], ".".join(path), self.kind, self.never)
        for field in self.fields:
            yield from field.doubts(path)


def _first_inexact(arrays: list[Any]) -> int | None:
    """The first row of an array in which a time is no whole microsecond.

    Args:
        arrays: The times in nanoseconds, alone or after the same ones in microseconds.
    """
    import pyarrow
    from pyarrow import compute

    first = arrays[0]
    if isinstance(first, pyarrow.StructArray):
        fields = [_first_inexact([array.field(at) for array in arrays]) for at in range(first.type.num_fields)]
        return min((row for row in fields if row is not None), default=None)
    if isinstance(first, (pyarrow.ListArray, pyarrow.LargeListArray, pyarrow.FixedSizeListArray)):
        inner = _first_inexact([array.values for array in arrays])
        lengths = compute.list_value_length(first).fill_null(0).to_pylist() if inner is not None else []
        return next((row for row, end in enumerate(accumulate(lengths)) if inner is not None and inner < end), None)
    if not pyarrow.types.is_temporal(first.type):
        return None
    *coarse, nanos = (array.cast(pyarrow.int64()) for array in arrays)
    micros = coarse[0] if coarse else compute.divide(nanos, 1000)
    found = compute.index(compute.not_equal(compute.subtract(nanos, compute.multiply(micros, 1000)), 0), True).as_py()
    return found if found >= 0 else None
