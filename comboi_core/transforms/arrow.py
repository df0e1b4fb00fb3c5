"""Refuses Arrow tables and DataFrames whose values DuckDB would change. The error names the column.

DuckDB has microseconds in timestamps with a zone and in intervals, days in dates, and 38 digits in decimals. It guesses
the type of pandas columns of objects from a sample.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from comboi_core.domain.redaction import redactor
from comboi_core.transforms.values import mixture

if TYPE_CHECKING:
    import pyarrow as pa


class InexactError(ValueError):
    """A column that DuckDB would change or cannot read. The message names it."""


def exact_table(table: pa.Table) -> pa.Table:
    """Return an Arrow table whose values DuckDB reads as they are.

    Raises:
        InexactError: there is none.
    """
    import pyarrow as pa

    for position, field in enumerate(table.schema):
        column = table.column(position)
        kind = _storable(field.type)
        if kind != field.type:
            try:
                column = column.cast(kind)  # safe: Arrow raises where a value would be another
            except pa.ArrowException as error:
                said = redactor.cut(" ".join(str(error).split()), 200)
                raise InexactError(
                    f"the column '{field.name}' ({field.type}) cannot be stored exactly: {said}"
                ) from None
            table = table.set_column(position, pa.field(field.name, kind), column)
        unfit = next((inner for inner in _within(kind) if _unreadable(inner)), None)
        if unfit is not None:
            raise InexactError(
                f"the column '{field.name}' has type {field.type}, and DuckDB cannot read {unfit}; cast it"
            )
        double = next((name for inner in _within(kind) if (name := _double_field(inner))), None)
        if double is not None:
            raise InexactError(
                f"the column '{field.name}' has type {field.type}: it has the field '{double}' in upper and lower "
                "case, which "
                "are the same name in SQL"
            )
    return table


def from_pandas(frame: Any) -> pa.Table:
    """Return a pandas DataFrame as an Arrow table, without its index.

    Raises:
        InexactError: a column of objects holds values that have no type in common.
    """
    import pyarrow as pa

    arrays = []
    for position, name in enumerate(frame.columns):
        values = frame.iloc[:, position]
        if frame.dtypes.iloc[position].kind == "O":
            why = mixture(None if value is None or value != value else value for value in values)  # NaN is pandas' NULL
            if why:
                raise InexactError(f"the column '{name}': {why}")
        try:
            arrays.append(pa.array(values, from_pandas=True))
        except (pa.ArrowException, OverflowError, TypeError, ValueError) as error:
            raise InexactError(f"the column '{name}': {redactor.cut(' '.join(str(error).split()), 300)}") from None
    return pa.table(arrays, [str(name) for name in frame.columns])


def _within(kind: pa.DataType) -> Iterator[pa.DataType]:
    yield kind
    for position in range(kind.num_fields):
        yield from _within(kind.field(position).type)


def _double_field(kind: pa.DataType) -> str | None:
    """Return a field of a struct whose name differs from an earlier one's in case only, or not at all."""
    import pyarrow as pa

    names = [kind.field(position).name for position in range(kind.num_fields)] if pa.types.is_struct(kind) else []
    lower = [name.lower() for name in names]
    return next((name for place, name in enumerate(names) if name.lower() in lower[:place]), None)


def _storable(kind: pa.DataType) -> pa.DataType:
    """Return the type that DuckDB holds exactly, at the top of a column."""
    import pyarrow as pa

    if pa.types.is_timestamp(kind) and kind.tz is not None and kind.unit == "ns":
        return pa.timestamp("us", kind.tz)
    if pa.types.is_duration(kind) and kind.unit == "ns":
        return pa.duration("us")
    if pa.types.is_date64(kind):
        return pa.date32()
    if pa.types.is_decimal256(kind) and kind.precision <= 38:
        return pa.decimal128(kind.precision, kind.scale)
    if pa.types.is_decimal256(kind):
        return pa.decimal128(38, kind.scale)
    if pa.types.is_float16(kind):
        return pa.float32()
    return kind


def _unreadable(kind: pa.DataType) -> bool:
    """Whether DuckDB refuses, or cuts, what stands within a nested value."""
    import pyarrow as pa

    empty = pa.types.is_struct(kind) and kind.num_fields == 0
    negative = pa.types.is_decimal(kind) and kind.scale < 0
    fine = pa.types.is_interval(kind) or pa.types.is_date64(kind)
    return bool(empty or negative or fine or _storable(kind) != kind)
