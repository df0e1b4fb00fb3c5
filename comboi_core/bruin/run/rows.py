"""What `materialize` gives, row by row or batch by batch, as a table in DuckDB.

Batches are written as they come, so that a generator may give more than memory holds. The table's columns widen with
them: a key that a later row has is a column of all, whole numbers become decimals of floating point where one has a
fraction; text and numbers in one column are an error, since neither is the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from comboi_core.domain.redaction import redactor
from comboi_core.domain.sql import identifier
from comboi_core.duckdb.rows import one_row
from comboi_core.transforms.arrow import InexactError, exact_table, from_pandas
from comboi_core.transforms.values import mixture

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

BATCH = 10_000
_BATCH_VIEW = "_comboi_rows"
_EXACT = 2**53
"""Up to here a float of 64 bits holds every whole number."""


class RowsError(ValueError):
    """Rows that make no table; the message says which column or item."""


def load_rows(con: DuckDBPyConnection, items: Iterable[Any], into: str) -> bool:
    """Create a table of what an iterable gives: dicts, lists of dicts, Arrow tables and batches, DataFrames.

    Args:
        into: The table's plain name. Must not exist yet.

    Returns:
        Whether there was a row or a column at all; if not, no table is made.

    Raises:
        RowsError: an item is none of these, or columns do not fit together.
    """
    schema: pa.Schema | None = None
    for batch in _batches(items):
        if not batch.column_names:
            continue
        wider = batch.schema if schema is None else _widened(schema, batch.schema)
        with con.cursor() as other:
            _refuse_rounding(other, into, schema, batch, wider)
            _widen(other, into, schema, wider)
            other.register(_BATCH_VIEW, batch)
            other.execute(f"INSERT INTO {identifier(into)} BY NAME FROM {_BATCH_VIEW}")
            other.unregister(_BATCH_VIEW)
        schema = wider
    return schema is not None


def null_columns(con: DuckDBPyConnection, table: str) -> list[str]:
    """Return the columns of a table that hold nothing but NULL, or of an empty table all."""
    names = [row[0] for row in con.execute(f"DESCRIBE {identifier(table)}").fetchall()]
    counts = ", ".join(f"count({identifier(name)})" for name in names)
    found = one_row(con, f"SELECT {counts} FROM {identifier(table)}")
    return [name for name, count in zip(names, found, strict=True) if not count]


def arrow_table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return rows as an Arrow table with a column for every key that any of them has.

    Raises:
        RowsError: a key is no text, or a column's values have no common type.
    """
    import pyarrow as pa

    names = list(dict.fromkeys(chain.from_iterable(rows)))
    columns = {}
    for name in names:
        if not isinstance(name, str) or not name:
            raise RowsError(f"a row's keys have to be names of columns, not {name!r}")
        values = [row.get(name) for row in rows]
        why = mixture(values)
        if why:
            raise RowsError(f"the column '{name}': {why}")
        try:
            column = pa.array(values)
        except (pa.ArrowException, OverflowError, TypeError, ValueError) as error:
            raise RowsError(f"the column '{name}': {redactor.cut(' '.join(str(error).split()), 300)}") from None
        zoned = pa.types.is_timestamp(column.type) and column.type.tz is not None
        columns[name] = column.cast(pa.timestamp(column.type.unit, "UTC")) if zoned else column
    double = next((name for name in names if [other.lower() for other in names].count(name.lower()) > 1), None)
    if double:
        raise RowsError(f"rows have the key '{double}' in upper and lower case, which is the same name in SQL")
    return _exact(pa.table(columns))


def _exact(table: pa.Table) -> pa.Table:
    try:
        return exact_table(table)
    except InexactError as error:
        raise RowsError(str(error)) from None


def _batches(items: Iterable[Any]) -> Iterator[pa.Table]:
    """Yield Arrow tables; single dicts are gathered."""
    gathered: list[Mapping[str, Any]] = []
    for item in items:
        if isinstance(item, Mapping):
            gathered.append(item)
            if len(gathered) >= BATCH:
                yield arrow_table(gathered)
                gathered = []
            continue
        if gathered:
            yield arrow_table(gathered)
            gathered = []
        yield from _tables(item)
    if gathered:
        yield arrow_table(gathered)


def _tables(item: Any) -> Iterator[pa.Table]:
    import pyarrow as pa

    if item is None:
        return
    if isinstance(item, list | tuple):
        wrong = next((row for row in item if not isinstance(row, Mapping)), None)
        if wrong is not None:
            raise RowsError(f"a row is a dict, not {type(wrong).__name__}")
        for start in range(0, len(item), BATCH):
            yield arrow_table(item[start : start + BATCH])
    elif hasattr(item, "__arrow_c_stream__"):
        yield _exact(_arrow(item))
    elif hasattr(item, "__arrow_c_array__"):
        yield _exact(pa.Table.from_batches([pa.record_batch(item)]))
    else:
        kind = type(item)
        raise RowsError(
            f"it returned a {kind.__module__}.{kind.__name__}; expected dicts, lists of dicts or Arrow tables"
        )


def _arrow(item: Any) -> pa.Table:
    import pyarrow as pa

    if type(item).__module__.split(".")[0] != "pandas":
        return pa.table(item)
    try:
        return from_pandas(item)
    except InexactError as error:
        raise RowsError(str(error)) from None


def _widened(before: pa.Schema, new: pa.Schema) -> pa.Schema:
    import pyarrow as pa

    known = {name.lower(): name for name in before.names}
    other = next((name for name in new.names if known.get(name.lower(), name) != name), None)
    if other:
        raise RowsError(f"rows have the key '{other}' in upper and lower case, which is the same name in SQL")
    for field in new:
        was = before.field(field.name).type if field.name in before.names else field.type
        for one, other in ((was, field.type), (field.type, was)):
            mixed = pa.types.is_binary(one) and (pa.types.is_string(other) or pa.types.is_large_string(other))
            if mixed or (pa.types.is_decimal(one) and pa.types.is_floating(other)):
                raise RowsError(
                    f"later rows do not fit: the column '{field.name}' had type {was} and now has type {field.type}"
                )
    try:
        unified = pa.unify_schemas([before, new], promote_options="permissive")
    except pa.ArrowException as error:
        raise RowsError(f"later rows do not fit: {redactor.cut(' '.join(str(error).split()), 300)}") from None
    wide = next((field.name for field in unified if pa.types.is_decimal256(field.type)), None)
    if wide:
        raise RowsError(f"later rows do not fit: the column '{wide}' would need more than 38 digits")
    return unified


def _refuse_rounding(
    con: DuckDBPyConnection, table: str, before: pa.Schema | None, batch: pa.Table, after: pa.Schema
) -> None:
    """Refuse whole numbers that are too large to become floating point without a change."""
    import pyarrow as pa

    becoming = [field.name for field in after if pa.types.is_floating(field.type)]
    con.register(_BATCH_VIEW, batch)
    for relation, schema in ((identifier(table), before), (_BATCH_VIEW, batch.schema)):
        for name in becoming:
            if schema is None or name not in schema.names or not pa.types.is_integer(schema.field(name).type):
                continue
            largest = one_row(con, f"SELECT max(abs({identifier(name)}::HUGEINT)) FROM {relation}")[0]
            if largest is not None and largest > _EXACT:
                raise RowsError(f"the column '{name}' has fractions and {largest}, which a float would round")
    con.unregister(_BATCH_VIEW)


def _widen(con: DuckDBPyConnection, table: str, before: pa.Schema | None, after: pa.Schema) -> None:
    """Create a table, or give it the columns and types that it lacks."""
    import pyarrow as pa

    if before is not None and before.equals(after):
        return
    con.register(_BATCH_VIEW, after.empty_table())
    types = {name: kind for name, kind, *_ in con.execute(f"DESCRIBE {_BATCH_VIEW}").fetchall()}
    con.unregister(_BATCH_VIEW)
    if before is None:
        columns = ", ".join(f"{identifier(name)} {kind}" for name, kind in types.items())
        con.execute(f"CREATE TABLE {identifier(table)} ({columns})")
        return
    for field in after:
        name, kind = identifier(field.name), types[field.name]
        if field.name not in before.names:
            con.execute(f"ALTER TABLE {identifier(table)} ADD COLUMN {name} {kind}")
        elif before.field(field.name).type != field.type:
            empty = pa.types.is_null(before.field(field.name).type)
            using = f" USING NULL::{kind}" if empty else ""
            con.execute(f"ALTER TABLE {identifier(table)} ALTER {name} SET DATA TYPE {kind}{using}")
