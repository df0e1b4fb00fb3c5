"""Texts as values of the types that a header gives its columns: the value says what the text says, or it is an error.

Nothing is guessed, rounded or cut: `007` is no integer, `12.345` no DECIMAL(10,2), `01/02/2026` no date, and a
moment with a zone is no TIMESTAMP.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from comboi_core.domain.redaction import redactor
from comboi_core.domain.sql import identifier, literal

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_DAY, _MINUTE = "[0-9]{4}-[0-9]{2}-[0-9]{2}", "[0-9]{2}:[0-9]{2}"
_ZONE = "(Z|[+-][0-9]{2}(:?[0-9]{2})?)"
_NUMBER = r"[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]+)?|(?i)[+-]?(nan|inf|infinity)"
_FRACTIONS = {"TIMESTAMP_S": 0, "TIMESTAMP_MS": 3, "TIMESTAMP": 6, "TIMESTAMP_NS": 9}
_MOST_SHOWN = 60


def _time(digits: int) -> str:
    fraction = f"[.][0-9]{{1,{digits}}}0*" if digits else "[.]0+"
    return f"{_MINUTE}(:[0-9]{{2}}({fraction})?)?"


_PATTERNS = {
    "FLOAT": _NUMBER,
    "DOUBLE": _NUMBER,
    "TIME": _time(6),
    "TIMESTAMP WITH TIME ZONE": f"{_DAY}[ T]{_time(6)} ?{_ZONE}",
    **{kind: f"{_DAY}([ T]{_time(digits)})?" for kind, digits in _FRACTIONS.items()},
}
_ANY_SPELLING = {"BOOLEAN", "JSON", "BLOB"}
"""Types that lose nothing of whatever text they take."""


def first_refused(
    con: DuckDBPyConnection, relation: str, types: Mapping[str, str], *, place: str = "0"
) -> tuple[int, str, str, str] | None:
    """Return place, column, type and text of the first value that its column's type does not take; None if all do.

    Args:
        relation: A FROM item with the columns as text.
        types: Column -> DuckDB type; columns of text may be left out.
        place: An SQL expression that numbers the rows, e.g. a line.
    """
    for name, kind in types.items():
        text = identifier(name)
        canonical = str(con.sql(f"SELECT NULL::{kind}").types[0])
        if canonical == "VARCHAR":
            continue
        query = f"SELECT {place}, {text} FROM {relation} WHERE NOT ({_takes(canonical, text)}) ORDER BY 1 LIMIT 1"
        found = con.execute(query).fetchone()
        if found:
            return found[0], name, canonical, redactor.cut(found[1], _MOST_SHOWN)
    return None


def _takes(kind: str, text: str) -> str:
    """Return the condition that a type takes a text; NULL for NULL."""
    value = f"TRY_CAST({text} AS {kind})"
    if kind in _ANY_SPELLING:
        return f"CASE WHEN {text} IS NULL THEN NULL ELSE {value} IS NOT NULL END"
    decimal = re.fullmatch(r"DECIMAL\(\d+,(\d+)\)", kind)
    pattern = f"[+-]?[0-9]+([.][0-9]{{0,{decimal[1]}}}0*)?" if decimal else _PATTERNS.get(kind)
    spelled = f"lower(replace({value}::VARCHAR, ' ', '')) = lower(replace({text}, ' ', ''))"
    if pattern is None and (kind.endswith("INT") or kind in ("INTEGER", "DATE")):
        spelled = f"{value}::VARCHAR = {text}"
    if pattern:
        spelled = f"{value} IS NOT NULL AND regexp_full_match({text}, {literal(pattern)})"
    return f"CASE WHEN {text} IS NULL THEN NULL ELSE coalesce({spelled}, false) END"
