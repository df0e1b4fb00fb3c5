"""Different texts of equal values, for values that land as text.

For PostgreSQL, the `numeric` values 2.0 and 2.00 are equal, the `interval` values 24 hours and 1 day, and `char(n)`
texts with and without trailing blanks. Keys land in one spelling, which `canonical` returns. Other columns, and keys
that an earlier comboi landed, have the source's spelling. To look for a value, compare the results of `compared` and
`sql`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Literal

Kind = Literal["letters", "number", "interval", "padded", "caseless", "inet", "cidr", "macaddr"]

_NUMBER = re.compile(r"\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,6})?\s*", re.ASCII)
_NO_DIGITS = {"nan": "NaN", "infinity": "Infinity", "inf": "Infinity", "-infinity": "-Infinity", "-inf": "-Infinity"}
_MOST_DIGITS = 131_072
"""Digits before the point of PostgreSQL's `numeric`."""

_DAY = 86_400_000_000
_UNITS = {
    **dict.fromkeys(("year", "years", "yr", "yrs", "y"), 360 * _DAY),
    **dict.fromkeys(("mon", "mons", "month", "months"), 30 * _DAY),
    **dict.fromkeys(("week", "weeks", "w"), 7 * _DAY),
    **dict.fromkeys(("day", "days", "d"), _DAY),
    **dict.fromkeys(("hour", "hours", "hr", "hrs", "h"), 3_600_000_000),
    **dict.fromkeys(("min", "mins", "minute", "minutes", "m"), 60_000_000),
    **dict.fromkeys(("sec", "secs", "second", "seconds", "s"), 1_000_000),
}
_PART = re.compile(
    r"\s*(?:(?P<sign>[+-]?)(?P<hours>\d{1,12}):(?P<minutes>[0-5]\d)(?::(?P<seconds>[0-5]\d(?:\.\d{1,6})?))?(?![\d:.])"
    r"|(?P<count>[+-]?\d{1,18}(?:\.\d{1,9})?)\s*(?P<unit>[a-z]+)(?![a-z]))",
    re.ASCII | re.IGNORECASE,
)


@dataclass(frozen=True)
class Texts:
    """How the texts of a column's values are compared.

    Attributes:
        kind: What makes texts equal; `letters`: nothing but being the same.
        length: The most characters of a value; None for any number. Values of `padded` are filled up to it.
        scale: The digits after the point that a `number` is written with and may have; None for any number.
    """

    kind: Kind = "letters"
    length: int | None = None
    scale: int | None = None

    def canonical(self, text: str) -> str | None:
        """Return the one spelling that keys of this value land in; None if the text is no value of the type."""
        found = _KINDS[self.kind].canonical(text)
        if found is None or (self.length is not None and len(found) > self.length):
            return None
        if self.scale is not None and len(found.partition(".")[2]) > self.scale:
            return None
        return found

    def compared(self, text: str) -> str | None:
        """Return what `sql` gives for every spelling of this value; None if the text is no value of the type."""
        found = self.canonical(text)
        return str(_microseconds(found)) if found is not None and self.kind == "interval" else found

    def sql(self, operand: str) -> str:
        """Return the DuckDB expression over a VARCHAR that is the same for texts of equal values."""
        return _KINDS[self.kind].sql.format(operand)

    def spellings(self, text: str) -> tuple[str, ...]:
        """Return what a value may stand as where only whole texts can be compared, as in hashes: as it is given, as
        keys land, as the source writes it."""
        found = self.canonical(text)
        if found is None:
            return (text,)
        written = found
        if self.kind == "padded" and self.length is not None:
            written = found.ljust(self.length)
        elif self.scale and found[-1].isdigit():
            whole, _, fraction = found.partition(".")
            written = f"{whole}.{fraction.ljust(self.scale, '0')}"
        return tuple(dict.fromkeys((text, found, written)))


LETTERS = Texts()


@dataclass(frozen=True)
class _Rule:
    canonical: Callable[[str], str | None]
    sql: str = "{0}"


def _number(text: str) -> str | None:
    named = _NO_DIGITS.get(text.strip().lower().removeprefix("+"))
    if named or not _NUMBER.fullmatch(text):
        return named
    value = Decimal(text.strip())
    if abs(value.adjusted()) > _MOST_DIGITS:
        return None
    written = format(value, "f")
    written = written.rstrip("0").rstrip(".") if "." in written else written
    return "0" if written in ("-0", "+0") else written


def _microseconds(text: str) -> int | None:
    """Return how long an interval is, months counted as 30 days, as PostgreSQL compares intervals."""
    text = text.strip().removeprefix("@")
    text, ago = (text[:-3], -1) if text.lower().endswith("ago") else (text, 1)
    total, position = 0, 0
    while position < len(text.rstrip()):
        part = _PART.match(text, position)
        if part is None or (part["unit"] and part["unit"].lower() not in _UNITS):
            return None
        if part["unit"]:
            length = Decimal(part["count"]) * _UNITS[part["unit"].lower()]
            if length != int(length) or ("." in part["count"] and _UNITS[part["unit"].lower()] > 7 * _DAY):
                return None  # which days a part of a month has is PostgreSQL's own affair
            total += int(length)
        else:
            seconds = int(Decimal(part["seconds"] or 0) * 1_000_000)
            time = (int(part["hours"]) * 60 + int(part["minutes"])) * 60_000_000 + seconds
            total += -time if part["sign"] == "-" else time
        position = part.end()
    return total * ago if position else None


def _interval(text: str) -> str | None:
    """Return what PostgreSQL's `justify_interval` makes of an interval, in its style `postgres`."""
    total = _microseconds(text)
    if total is None:
        return None
    sign, rest = "-" if total < 0 else "", abs(total)
    days, time = divmod(rest, _DAY)
    months, days = divmod(days, 30)
    counts = (("year", months // 12), ("mon", months % 12), ("day", days))
    parts = [f"{sign}{count} {unit}{'s' if sign or count != 1 else ''}" for unit, count in counts if count]
    if time or not parts:
        seconds, fraction = divmod(time, 1_000_000)
        clock = f"{sign}{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
        parts.append(f"{clock}.{fraction:06d}".rstrip("0") if fraction else clock)
    return " ".join(parts)


def _inet(text: str) -> str | None:
    try:
        found = ipaddress.ip_interface(text.strip())
    except ValueError:
        return None
    if "%" in text:
        return None
    mapped = found.ip.ipv4_mapped if isinstance(found.ip, ipaddress.IPv6Address) else None
    address = f"::ffff:{mapped}" if mapped else str(found.ip)
    whole = found.network.prefixlen == found.max_prefixlen
    return address if whole else f"{address}/{found.network.prefixlen}"


def _cidr(text: str) -> str | None:
    try:
        network = ipaddress.ip_network(text.strip())
    except ValueError:
        return None
    found = _inet(text)
    return found if found is None or "/" in found else f"{found}/{network.prefixlen}"


def _macaddr(text: str) -> str | None:
    digits = re.sub(r"[:.\s-]", "", text).lower()
    if not re.fullmatch(r"[0-9a-f]{12}|[0-9a-f]{16}", digits):
        return None
    return ":".join(digits[place : place + 2] for place in range(0, len(digits), 2))


def _extracted(pattern: str, group: int = 1) -> str:
    return f"coalesce(TRY_CAST(regexp_extract({{0}}, '{pattern}', {group}) AS HUGEINT), 0)"


_CLOCK = "([+-]?)([0-9]+):([0-9]{{2}}):([0-9]{{2}})[.]?([0-9]*)$"
_SQL_NUMBER = "CASE WHEN regexp_full_match({0}, '[+-]?[0-9]+[.][0-9]+') THEN rtrim(rtrim({0}, '0'), '.') ELSE {0} END"
_SQL_INTERVAL = (
    "CASE WHEN regexp_full_match({0}, '(([+-]?[0-9]+ (year|mon|month|day)s?|[+-]?[0-9]+:[0-9]{{2}}:[0-9]{{2}}"
    "([.][0-9]{{1,6}})?)( |$))+') THEN CAST("
    f"(({_extracted('(-?[0-9]+) year')} * 12 + {_extracted('(-?[0-9]+) mon')}) * 30 "
    f"+ {_extracted('(-?[0-9]+) day')}) * {_DAY} "
    f"+ if(regexp_extract({{0}}, '{_CLOCK}', 1) = '-', -1, 1) * ({_extracted(_CLOCK, 2)} * 3600000000 "
    f"+ {_extracted(_CLOCK, 3)} * 60000000 + {_extracted(_CLOCK, 4)} * 1000000 "
    f"+ coalesce(TRY_CAST(rpad(regexp_extract({{0}}, '{_CLOCK}', 5), 6, '0') AS HUGEINT), 0)) AS VARCHAR) "
    "ELSE {0} END"
)
_KINDS: Mapping[str, _Rule] = MappingProxyType(
    {
        "letters": _Rule(lambda text: text),
        "number": _Rule(_number, _SQL_NUMBER),
        "interval": _Rule(_interval, _SQL_INTERVAL),
        "padded": _Rule(lambda text: text.rstrip(" "), "rtrim({0}, ' ')"),
        "caseless": _Rule(str.lower, "lower({0})"),
        "inet": _Rule(_inet),
        "cidr": _Rule(_cidr),
        "macaddr": _Rule(_macaddr),
    }
)
"""PostgreSQL itself writes network addresses in one spelling, so that a column of them needs no expression."""
