"""Values of cursors and keys as text and back: printed by the server with every digit, and read by it only."""

from __future__ import annotations

import math
import re
from datetime import date

from comboi_core.sources.azure_sql.text import literal
from comboi_core.sources.azure_sql.types import base_name

TICKS = 10_000_000
"""Of 100 ns, in a second."""
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)(?: (\d\d):(\d\d):(\d\d)(?:\.(\d+))?)?( [+-]\d\d:\d\d)?")
_FIRST = {"datetime": "1753-01-01", "smalldatetime": "1900-01-01"}
_DAY = 86_400 * TICKS

_DATES = frozenset({"date", "datetime", "smalldatetime", "datetime2", "datetimeoffset"})
_PRINTED = {
    "timestamp": "CONVERT(varchar(18), CONVERT(binary(8), {0}), 1)",
    "uniqueidentifier": "CONVERT(char(36), {0})",
    **dict.fromkeys(sorted(_DATES), "CONVERT(varchar(34), {0}, 121)"),
    **dict.fromkeys(("char", "varchar", "nchar", "nvarchar"), "CONVERT(nvarchar(4000), {0})"),
}


def printed(source_type: str, operand: str) -> str:
    """Return the expression that prints a value: row versions as 0x..., dates with all digits and their offset."""
    return _PRINTED.get(base_name(source_type), "CONVERT(varchar(41), {0})").format(operand)


def value(source_type: str, text: str | None, collation: str | None = None) -> str:
    """Return the T-SQL value of a type that the server printed; no setting of the session decides how it is read.

    A text is converted by the code page of its collation, which without one is the database's ("Converting Character
    Data" on Microsoft's page of CAST and CONVERT: the collation of the input value is that of the converted one).

    Args:
        collation: Of the column that the value is compared with, for texts.
    """
    if source_type == "timestamp":
        return f"CONVERT(binary(8), CONVERT(varchar(18), {literal(text)}), 1)"
    style = ", 121" if base_name(source_type) in _DATES else ""
    collate = f" COLLATE {collation}" if collation else ""
    return f"CONVERT({source_type}, {literal(text)}{collate}{style})"


def lowered(source_type: str, text: str, seconds: float) -> str:
    """Return a date or time, as the server printed it, some seconds earlier, in the same digits and rounded down.

    Not before the type's first moment, and worked out here: a plain literal in the condition lets the server use an
    index, and know how many rows to expect.
    """
    base, match = base_name(source_type), _MOMENT.fullmatch(text)
    assert match, text
    day, hour, minute, second, fraction, offset = match.groups()
    ticks = (date.fromisoformat(day).toordinal() - 1) * _DAY
    ticks += ((int(hour or 0) * 60 + int(minute or 0)) * 60 + int(second or 0)) * TICKS
    ticks += int((fraction or "").ljust(7, "0")) - math.ceil(seconds * TICKS)
    unit = _DAY if hour is None else 60 * TICKS if base == "smalldatetime" else 10 ** (7 - len(fraction or ""))
    ticks -= ticks % unit
    first = (date.fromisoformat(_FIRST.get(base, "0001-01-01")).toordinal() - 1) * _DAY
    if ticks < first + (_DAY if offset else 0):
        ticks, offset = first, offset and " +00:00"
    days, inside = divmod(ticks, _DAY)
    shown = date.fromordinal(days + 1).isoformat()
    if hour is not None:
        whole, rest = divmod(inside, TICKS)
        shown += f" {whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}"
        shown += f".{rest:07}"[: len(fraction) + 1] if fraction else ""
    return shown + (offset or "")
