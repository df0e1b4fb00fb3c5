"""Values of cursors and keys as text and back: printed by the server with every digit, and read by it only."""

from __future__ import annotations

from comboi_core.sources.azure_sql_text import literal
from comboi_core.sources.azure_sql_types import base_name

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


def value(source_type: str, text: str | None) -> str:
    """Return the T-SQL value of a type that the server printed; no setting of the session decides how it is read."""
    if source_type == "timestamp":
        return f"CONVERT(binary(8), CONVERT(varchar(18), {literal(text)}), 1)"
    style = ", 121" if base_name(source_type) in _DATES else ""
    return f"CONVERT({source_type}, {literal(text)}{style})"
