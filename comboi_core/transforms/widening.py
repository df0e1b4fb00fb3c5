"""One type for a column whose published rows and whose new batch have different types, so that no value changes.

A column that is only NULL gets the type of the other one. Numbers get a type that can hold both; a struct gets the
fields of both. If the types alone cannot guarantee that, the values are checked. Everything else is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from comboi_core.domain.errors import MaterializationRefused
from comboi_core.domain.nested import parts
from comboi_core.domain.sql import identifier
from comboi_core.duckdb.rows import one_row

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from duckdb.sqltypes import DuckDBPyType

_DIGITS = {
    "tinyint": 3,
    "utinyint": 3,
    "smallint": 5,
    "usmallint": 5,
    "integer": 10,
    "uinteger": 10,
    "bigint": 19,
    "ubigint": 20,
    "hugeint": 38,
    "uhugeint": 38,
}
"""Types of whole numbers -> the largest number of their decimal digits."""
_WIDEST = 38
_IN_DOUBLE = 15
"""A DOUBLE keeps any number with this many decimal digits."""
_FLOATING = {"float", "double"}
_MOMENTS = {"timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns"}
_BEYOND_NANOSECONDS = "{0} NOT BETWEEN TIMESTAMP '1677-09-22' AND TIMESTAMP '2262-04-11'"
"""TRY_CAST raises for values outside of the range of TIMESTAMP_NS (DuckDB 1.5)."""
_ITEM, _KEY, _VALUE = "item", "key", "value"
_SHOWN = 60


class _NoCommonTypeError(Exception):
    """Two types have no common type. The message shows the value that prevents it, if there is one."""


@dataclass(frozen=True)
class _Part:
    """A column, or what is within it.

    Attributes:
        relation: A FROM item that has the column.
        hidden: Whether no error shows its values.
        steps: The way into it: the position of a struct's field, `item` of a list, `key` or `value` of a map.
    """

    con: DuckDBPyConnection
    relation: str
    column: str
    kind: DuckDBPyType
    hidden: bool = False
    steps: tuple[int | str, ...] = ()

    def within(self, step: int | str, kind: DuckDBPyType) -> _Part:
        return replace(self, kind=kind, steps=(*self.steps, step))

    def first(self, condition: Callable[[str], str]) -> str | None:
        """Return a value of the column, as text, in which this part meets a condition; None if there is none."""
        column = identifier(self.column)
        found = self.con.execute(
            f"SELECT left({column}::VARCHAR, {_SHOWN}) FROM {self.relation} "
            f"WHERE {_reached(column, self.steps, condition)} LIMIT 1"
        ).fetchone()
        return found[0] if found else None

    def is_unknown(self) -> bool:
        """Whether it holds nothing but NULL."""
        return self.first(lambda value: f"{value} IS NOT NULL") is None

    def refuse_changes(self, kind: str, condition: str | None = None) -> None:
        """Raise where a value would not be the same in another type, or meets a condition that tells so."""
        changes = condition or f"{{0}} IS DISTINCT FROM TRY_CAST(TRY_CAST({{0}} AS {kind}) AS {self.kind})"
        changed = self.first(changes.format)
        if changed is not None:
            raise _NoCommonTypeError(f": {kind} would change {'a value' if self.hidden else changed}")


def unite(
    con: DuckDBPyConnection,
    *,
    batch: str,
    published: str,
    dataset: str,
    remedy: str | None = None,
    hidden: Collection[str] = (),
) -> tuple[str, str]:
    """Return FROM items for a batch and for the published rows in which common columns have one type.

    The values are read only where the types differ.

    Args:
        batch: A FROM item, without nested types that a file does not hold.
        published: Likewise.
        remedy: What else than a cast helps; default: a full refresh.
        hidden: Columns whose values no error shows.

    Raises:
        MaterializationRefused: a column's two types have none in common that holds the values of both.
    """
    ours, theirs = con.sql(f"FROM {batch}"), con.sql(f"FROM {published}")
    secret = {name.lower() for name in hidden}
    known = {name.lower(): (name, kind) for name, kind in zip(theirs.columns, theirs.types, strict=True)}
    casts: dict[str, list[str]] = {batch: [], published: []}
    for name, now in zip(ours.columns, ours.types, strict=True):
        before, was = known.get(name.lower(), (name, now))
        if str(was) == str(now):
            continue
        sides = ((published, before, was), (batch, name, now))
        try:
            kind = _common(*(_Part(con, *side, hidden=name.lower() in secret) for side in sides))
        except _NoCommonTypeError as why:
            raise MaterializationRefused(
                f"{dataset}: the column {name} was {was} and is {now} now{why}",
                remedy=f"Cast it in the transformation ({identifier(name)}::{was}), or "
                + (remedy or f"rebuild the dataset: comboi run --full-refresh --select {dataset}."),
            ) from None
        for relation, column, present in sides:
            if str(present) != kind:
                casts[relation].append(f"CAST({identifier(column)} AS {kind}) AS {identifier(column)}")
    return _cast(batch, casts[batch]), _cast(published, casts[published])


def _cast(relation: str, casts: list[str]) -> str:
    return f"(SELECT * REPLACE ({', '.join(casts)}) FROM {relation})" if casts else relation


def _reached(value: str, steps: tuple[int | str, ...], condition: Callable[[str], str], depth: int = 0) -> str:
    """Return the condition that something at the end of the way meets a condition."""
    if not steps:
        return condition(value)
    step, rest = steps[0], steps[1:]
    if isinstance(step, int):
        return _reached(f"struct_extract_at({value}, {step})", rest, condition, depth)
    values = {_ITEM: value, _KEY: f"map_keys({value})", _VALUE: f"map_values({value})"}[step]
    inner = _reached(f"comboi_{depth}", rest, condition, depth + 1)
    return f"len(list_filter({values}, lambda comboi_{depth}: {inner})) > 0"


def _common(was: _Part, now: _Part) -> str:
    """Return the type that holds both.

    Raises:
        _NoCommonTypeError: there is none, and neither is unknown.
    """
    if str(was.kind) == str(now.kind):
        return str(was.kind)
    for nested, way in _NESTED.items():
        if {was.kind.id, now.kind.id} <= set(nested):
            return way(was, now)
    kind = _number(was, now) or _moment(was, now) or _text(was, now)
    if kind:
        return kind
    if now.is_unknown():
        return str(was.kind)
    if was.is_unknown():
        return str(now.kind)
    raise _NoCommonTypeError


def _struct(was: _Part, now: _Part) -> str:
    sides = [_fields(was), _fields(now)]
    fields = []
    for key in dict.fromkeys([*sides[0], *sides[1]]):
        both = [side[key] for side in sides if key in side]
        kind = str(both[0][1].kind) if len(both) == 1 else _common(both[0][1], both[1][1])
        fields.append(f"{identifier(both[0][0])} {kind}")
    return f"STRUCT({', '.join(fields)})"


def _fields(part: _Part) -> dict[str, tuple[str, _Part]]:
    """Return the fields of a struct by their names in lower case; Parquet's structs have named ones."""
    if any(not name for name, _ in parts(part.kind)):
        raise _NoCommonTypeError
    return {
        name.lower(): (name, part.within(position, kind)) for position, (name, kind) in enumerate(parts(part.kind), 1)
    }


def _list(was: _Part, now: _Part) -> str:
    return f"{_common(*(part.within(_ITEM, parts(part.kind)[0][1]) for part in (was, now)))}[]"


def _map(was: _Part, now: _Part) -> str:
    sides = ((_KEY, 0), (_VALUE, 1))
    kinds = [_common(*(part.within(step, parts(part.kind)[at][1]) for part in (was, now))) for step, at in sides]
    return f"MAP({', '.join(kinds)})"


_NESTED = {("struct",): _struct, ("list", "array"): _list, ("map",): _map}


def _number(was: _Part, now: _Part) -> str | None:
    sides = was, now
    exact = [_digits(part.kind) for part in sides]
    if None not in exact:
        if {part.kind.id for part in sides} <= set(_DIGITS):
            query = f"DESCRIBE SELECT NULL::{was.kind} AS x UNION ALL SELECT NULL::{now.kind}"
            return str(one_row(was.con, query)[1])
        whole, scale = (max(numbers) for numbers in zip(*exact, strict=True))
        kind = f"DECIMAL({min(whole + scale, _WIDEST)},{scale})"
        if whole + scale > _WIDEST:
            for part in sides:
                part.refuse_changes(kind)
        return kind
    if not all(digits or part.kind.id in _FLOATING for part, digits in zip(sides, exact, strict=True)):
        return None
    for part, digits in zip(sides, exact, strict=True):
        if digits and digits[1]:
            return None  # decimal fractions are not exact in binary
        if digits and digits[0] > _IN_DOUBLE:
            part.refuse_changes("DOUBLE")
    return "DOUBLE"


def _digits(kind: DuckDBPyType) -> tuple[int, int] | None:
    """Return how many decimal digits an exact number has before and after the point; None for other types."""
    found = re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", str(kind))
    if found:
        return int(found[1]) - int(found[2]), int(found[2])
    return (_DIGITS[kind.id], 0) if kind.id in _DIGITS else None


def _moment(was: _Part, now: _Part) -> str | None:
    """Return the type for two kinds of moments without a zone."""
    if not {was.kind.id, now.kind.id} <= _MOMENTS:
        return None
    if "timestamp_ns" not in (was.kind.id, now.kind.id):
        return "TIMESTAMP"
    for part in (was, now):
        if part.kind.id != "timestamp_ns":
            part.refuse_changes("TIMESTAMP_NS", _BEYOND_NANOSECONDS)
    return "TIMESTAMP_NS"


def _text(was: _Part, now: _Part) -> str | None:
    """Return text for text and JSON, which is text."""
    return "VARCHAR" if {str(was.kind), str(now.kind)} == {"JSON", "VARCHAR"} else None
