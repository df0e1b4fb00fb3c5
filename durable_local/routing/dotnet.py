"""Texts as .NET parses them with the invariant culture, where Python's own parsers take more or less."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal

_BLANK = "\t\n\v\f\r "
_INTEGER = re.compile(r"[+-]?[0-9]+")
_DECIMAL = re.compile(r"(?:[+-]\s*)?(?:[0-9][0-9,]*(?:\.[0-9]*)?|\.[0-9]+)(?:\s*[+-])?", re.ASCII)
_DOUBLE = re.compile(r"[+-]?(?:[0-9][0-9,]*(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
_NO_NUMBERS = frozenset({"nan", "-nan", "+nan", "infinity", "-infinity", "+infinity", "∞", "-∞", "+∞"})
_LARGEST_DECIMAL = Decimal(2**96 - 1)

_HEX = "[0-9a-fA-F]"
_GUID_BODY = f"{_HEX}{{8}}(?:-{_HEX}{{4}}){{3}}-{_HEX}{{12}}"
_GUID = re.compile(
    rf"{_HEX}{{32}}|{_GUID_BODY}|\{{{_GUID_BODY}\}}|\({_GUID_BODY}\)"
    rf"|\{{0x{_HEX}{{1,8}},0x{_HEX}{{1,4}},0x{_HEX}{{1,4}},\{{0x{_HEX}{{1,2}}(?:,0x{_HEX}{{1,2}}){{7}}\}}\}}"
)

_CLOCK = r"(?P<hour>\d{1,2})(?::(?P<minute>\d{1,2})(?::(?P<second>\d{1,2})(?:\.\d{1,7})?)?)?\s*(?P<half>[ap]m)?"
_OFFSET = r"\s*(?:[Zz]|GMT|[+-]\d{1,2}(?::?\d{2})?)?"
_MONTH = r"(?P<name>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_WEEKDAY = r"(?:(?:sun|mon|tue|wed|thu|fri|sat)[a-z]*,?\s+)?"
_DATES = (
    r"(?P<year>\d{4})[-/.](?P<month>\d{1,2})(?:[-/.](?P<day>\d{1,2}))?",
    r"(?P<month>\d{1,2})[-/.](?P<day>\d{1,2})(?:[-/.](?P<year>\d{2}|\d{4}))?",
    rf"{_MONTH}\.?\s+(?P<day>\d{{1,2}})(?:,?\s+(?P<year>\d{{4}}))?",
    rf"{_MONTH}\.?,?\s+(?P<year>\d{{4}})",
    rf"(?P<day>\d{{1,2}})[\s-]+{_MONTH}\.?,?(?:[\s-]+(?P<year>\d{{4}}|\d{{2}}))?",
)
_FLAGS = re.IGNORECASE | re.ASCII
_DATETIMES = tuple(re.compile(f"{_WEEKDAY}{date}(?:[ T]+{_CLOCK})?{_OFFSET}", _FLAGS) for date in _DATES)
_TIME = re.compile(f"{_CLOCK}{_OFFSET}", _FLAGS)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def parse_integer(text: str, limit: int) -> int | None:
    """`int.TryParse` and `long.TryParse`: the number if -limit <= number < limit, else None."""
    found = text.strip(_BLANK)
    if not _INTEGER.fullmatch(found) or len(found) > 40:
        return None
    number = int(found)
    return number if -limit <= number < limit else None


def is_bool(text: str) -> bool:
    """`bool.TryParse`."""
    return text.strip(_BLANK + "\0").lower() in ("true", "false")


def is_decimal(text: str) -> bool:
    """`decimal.TryParse` with NumberStyles.Number: thousands and a sign on either side, no exponent, no NaN."""
    found = text.strip(_BLANK)
    if not _DECIMAL.fullmatch(found) or (found[0] in "+-" and found[-1] in "+-"):
        return False
    digits = found.strip("+- ").replace(",", "")
    return Decimal(digits).to_integral_value() <= _LARGEST_DECIMAL


def is_double(text: str) -> bool:
    """`double.TryParse` with Float and AllowThousands: exponents, NaN and Infinity as well."""
    found = text.strip(_BLANK)
    return bool(_DOUBLE.fullmatch(found)) or found.lower() in _NO_NUMBERS


def is_guid(text: str) -> bool:
    """`Guid.TryParse`: with or without hyphens, in braces or parentheses, or as hexadecimal numbers."""
    return _GUID.fullmatch(text.strip(_BLANK)) is not None


def is_datetime(text: str) -> bool:
    """`DateTime.TryParse`: dates with numbers (year or month first) or month names, with or without a time; times."""
    found = text.strip(_BLANK)
    if ":" in found and (clock := _TIME.fullmatch(found)):
        return _is_moment(clock.groupdict())
    return any(_is_moment(date.groupdict()) for date in (one.fullmatch(found) for one in _DATETIMES) if date)


def _is_moment(parts: dict[str, str | None]) -> bool:
    def number(name: str, default: int) -> int:
        return int(parts.get(name) or default)

    hour, half = number("hour", 0), parts.get("half")
    if parts.get("hour") and not parts.get("minute") and not half:
        return False
    name = parts.get("name")
    month = _MONTHS.index(name[:3].lower()) + 1 if name else number("month", 1)
    year = number("year", 2024)
    try:
        datetime(
            year if year > 99 else 2000 + year, month, number("day", 1), hour, number("minute", 0), number("second", 0)
        )
    except ValueError:
        return False
    return not half or 1 <= hour <= 12


def translate_regex(pattern: str) -> str:
    r"""A .NET pattern in Python's notation: named groups, and `\z`, `\Z` at the end."""
    text = re.sub(r"\(\?<([A-Za-z_]\w*)>", r"(?P<\1>", pattern)
    text = re.sub(r"(?<!\\)((?:\\\\)*)\\Z", r"\1(?=\\n?\\Z)", text)
    return re.sub(r"(?<!\\)((?:\\\\)*)\\z", r"\1\\Z", text)
