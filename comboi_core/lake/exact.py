"""Files hold the values that a SELECT gives, exactly, or they are not written.

DuckDB writes some types into Parquet as something less: HUGEINT as DOUBLE, which rounds from 2^53 on; INTERVAL as three
unsigned numbers with milliseconds; TIME WITH TIME ZONE without its zone; UNION as a struct
(https://parquet.apache.org/docs/file-format/types/logicaltypes/). A value that would change is refused with its column.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import TYPE_CHECKING

from comboi_core.domain.errors import UnsupportedValue
from comboi_core.domain.nested import anywhere, parts
from comboi_core.domain.sql import identifier, literal
from comboi_core.duckdb.errors import error_details

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from duckdb.sqltypes import DuckDBPyType

OPTIONS = "FORMAT parquet, COMPRESSION zstd"

_GUARD = "comboi-inexact"
_FOUND = re.compile(rf"{_GUARD}(\[.*\])", re.DOTALL)
_SHOWN = 60
_LARGEST = "9" * 38
_MOST_MILLISECONDS = 2**32 - 1
_PARTS = ", ".join(f"date_part('{part}', {{0}})" for part in ("year", "month", "day", "hour", "minute", "microsecond"))
_LOSSES = {
    "hugeint": f"{{0}} NOT BETWEEN -{_LARGEST}::HUGEINT AND {_LARGEST}::HUGEINT",
    "uhugeint": f"{{0}} > {_LARGEST}::UHUGEINT",
    "interval": (
        f"least({_PARTS}) < 0 "
        "OR date_part('microsecond', {0}) % 1000 <> 0 "
        "OR date_part('hour', {0}) * 3600000 + date_part('minute', {0}) * 60000 + date_part('millisecond', {0}) "
        f"> {_MOST_MILLISECONDS}"
    ),
    "time with time zone": "date_part('timezone', {0}) <> 0",
    "union": "{0} IS NOT NULL",
}
"""Types that Parquet cannot store exactly -> the condition of values that a file would change."""
_WHOLE = dict.fromkeys(("hugeint", "uhugeint"), f"DECIMAL({len(_LARGEST)},0)")


def write_exactly(
    con: DuckDBPyConnection, select: str, file: str, options: str = OPTIONS, *, hidden: Collection[str] = ()
) -> None:
    """Write the rows of a SELECT into a Parquet file.

    Args:
        file: Its path.
        options: Those of COPY.
        hidden: Columns whose values no error shows.

    Raises:
        UnsupportedValue: a value would not be the same in the file; it names the column and shows the value.
    """
    import duckdb

    guarded = exact(con, select, hidden=hidden)
    try:
        con.execute(f"COPY ({guarded}) TO {literal(file)} ({options})")
    except duckdb.Error as error:
        found = _FOUND.search(error_details(error)[0])
        if not found:
            raise
        column, kind, text = json.JSONDecoder().raw_decode(found[1])[0]
        raise _refusal(column, kind, text) from None


def exact(con: DuckDBPyConnection, select: str, *, hidden: Collection[str] = ()) -> str:
    """Return a SELECT for the same rows with each value as Parquet holds it; running it fails where that is another.

    Whole numbers of 128 bits, which sums of integers are, become DECIMAL(38,0).
    """
    relation = con.sql(select)
    columns = dict(zip(relation.columns, relation.types, strict=True))
    secret = {name.lower() for name in hidden}
    guards = []
    for name, kind in columns.items():
        value = identifier(name)
        if kind.id != "variant" and anywhere(value, kind, _variant):
            raise _variant_within(name, kind)
        lost = anywhere(value, kind, _lost)
        if lost is None:
            continue
        wide = anywhere(value, kind, lambda _, inner: _WHOLE.get(inner.id))
        stored = _stored(kind, name) if wide else None
        shown = literal("") if name.lower() in secret else f"left({value}::VARCHAR, {_SHOWN})"
        said = f"{literal(_GUARD)} || json_array({literal(name)}, {literal(str(kind))}, {shown})::VARCHAR"
        checked = f"CASE WHEN {lost} THEN error({said}) ELSE {value} END"
        guards.append(f"{checked if stored is None else f'CAST({checked} AS {stored})'} AS {value}")
    return f"SELECT * REPLACE ({', '.join(guards)}) FROM ({select})" if guards else select


def _lost(value: str, kind: DuckDBPyType) -> str | None:
    loss = _LOSSES.get(kind.id)
    return loss and loss.format(value)


def _variant(value: str, kind: DuckDBPyType) -> str | None:
    return "true" if kind.id == "variant" else None


def _variant_within(column: str, kind: DuckDBPyType) -> UnsupportedValue:
    """DuckDB's writer takes VARIANT as a column only, and does not say which one it is."""
    return UnsupportedValue(
        f"the column {column} is {kind}, but Parquet can store VARIANT only as a whole column",
        remedy=f"Cast it in the transformation, e.g. {identifier(column)}::JSON, or make the VARIANT a column "
        "of its own.",
        column=column,
    )


def _stored(kind: DuckDBPyType, column: str) -> str:
    """Return the type with its whole numbers of 128 bits as decimals."""
    children = dict(parts(kind)) if kind.id in ("list", "array", "map", "struct") else {}
    if kind.id == "struct":
        if "" in children:
            raise UnsupportedValue(
                f"the column {column} is {kind}, a struct with fields without names",
                remedy="Name the fields in the transformation: write {'a': ..., 'b': ...} instead of row(...).",
            )
        fields = (f"{identifier(name)} {_stored(child, column)}" for name, child in children.items())
        return f"STRUCT({', '.join(fields)})"
    if kind.id == "map":
        return f"MAP({', '.join(_stored(child, column) for child in children.values())})"
    return f"{_stored(children['child'], column)}[]" if children else _WHOLE.get(kind.id, str(kind))


def _refusal(column: str, kind: str, text: str) -> UnsupportedValue:
    holds = f"holds {text}, a value of type {kind}" if text else f"holds a value of type {kind}"
    return UnsupportedValue(
        f"the column {column} {holds}, which a Parquet file would change",
        remedy=f"Cast it in the transformation to a type that can store it, e.g. {identifier(column)}::VARCHAR.",
        column=column,
        value=text,
    )
