"""T-SQL's functions over what the database keeps, as functions of DuckDB; and SQL Server's words where DuckDB fails."""

from __future__ import annotations

import duckdb

from tests.doubles.tds import moments
from tests.doubles.tds.dialect import Refused, Translator, string
from tests.doubles.tds.types import MOMENTS, SqlType


def refusal(error: duckdb.Error) -> Refused:
    """What SQL Server says where DuckDB fails."""
    text = str(error)
    if "tsql:8134" in text:
        return Refused(8134, "Divide by zero error encountered.")
    if "tsql:241" in text:
        return Refused(241, "Conversion failed when converting date and/or time from character string.")
    if "tsql:517" in text:
        return Refused(517, "Adding a value to a 'datetime2' column caused an overflow.")
    return Refused(50000, f"the double: {text}")


def assigned(text: str, kind: SqlType, target: SqlType, translator: Translator) -> str:
    """A value as a column keeps it."""
    if target.base == "sql_variant" and text != "NULL":
        return f"{string(kind.base + '|')} || {translator.printed(text, kind, 1)}"
    if target.base in ("char", "nchar") and text != "NULL":
        return f"rpad({text}, greatest({target.numbers[0]}, len({text}))::INTEGER, ' ')"
    if target.base in MOMENTS or (kind.base != target.base and target.kept not in ("VARCHAR", "UUID")):
        return translator.convert(text, kind, target, 0)
    return f"({text})::{target.kept}"


def tsql_moment(text: str, source: str, target: str, scale: int) -> str:
    """CONVERT to a date or time, from text or another one, as the database keeps it."""
    try:
        ticks, offset = moments.parse(text)
        if source == "datetimeoffset" and target != source:
            ticks += offset * 60 * moments.SECOND
        if target != "datetimeoffset":
            return moments.written(moments.rounded(ticks, target, scale), target, scale)
        if source != target:
            ticks -= offset * 60 * moments.SECOND
        return moments.written(moments.rounded(ticks, target, scale), target, 7, offset)
    except moments.Unreadable:
        raise ValueError("tsql:241") from None


def tsql_printed(text: str, scale: int) -> str:
    """CONVERT of a datetimeoffset to text: the local time."""
    ticks, offset = moments.parse(text)
    return moments.written(ticks + offset * 60 * moments.SECOND, "datetimeoffset", scale, offset)


def tsql_dateadd(text: str, unit: str, count: int, base: str, scale: int) -> str:
    """DATEADD."""
    ticks, offset = moments.parse(text)
    try:
        later = moments.rounded(moments.shifted(ticks, unit, count), base, scale)
    except (OverflowError, moments.Unreadable):
        raise ValueError("tsql:517") from None
    return moments.written(later, base, 7 if base == "datetimeoffset" else scale,
                           offset if base == "datetimeoffset" else None)  # fmt: skip


def tsql_milliseconds(start: str, end: str) -> int:
    """DATEDIFF_BIG(millisecond, start, end)."""
    return (moments.parse(end)[0] - moments.parse(start)[0]) // (moments.SECOND // 1000)


PURE = (
    (tsql_moment, ["VARCHAR", "VARCHAR", "VARCHAR", "INTEGER"], "VARCHAR"),
    (tsql_printed, ["VARCHAR", "INTEGER"], "VARCHAR"),
    (tsql_dateadd, ["VARCHAR", "VARCHAR", "BIGINT", "VARCHAR", "INTEGER"], "VARCHAR"),
    (tsql_milliseconds, ["VARCHAR", "VARCHAR"], "BIGINT"),
)
"""Functions that need no database, with the DuckDB types of their arguments and their result."""
