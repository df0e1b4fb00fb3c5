"""Route constraints: which texts `int`, `guid`, `length(2,4)` and the others let through.

The table holds ASP.NET Core's default constraint map. A constraint reads a value as .NET parses it with the invariant
culture: `int` is 32 bit, `decimal` takes no exponent and no NaN, and `bool` ignores case and outer blanks.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from .dotnet import is_bool, is_datetime, is_decimal, is_double, is_guid, parse_integer, translate_regex

Check = Callable[[str | None], bool]

_INT, _LONG = 1 << 31, 1 << 63


class ConstraintError(ValueError):
    """The constraint is unknown, or its arguments are not what it takes."""


@dataclass(frozen=True)
class Kind:
    """A constraint: how many arguments it takes (`whole`: all of the text is one), and how they make the check."""

    counts: tuple[int, ...]
    make: Callable[..., Check]
    whole: bool = False


def resolve(text: str) -> Check:
    """The check that a constraint such as `range(1,9)` means. A missing value is None. Raises ConstraintError."""
    name, argument = text, None
    if "(" in text and text.endswith(")"):
        name, _, rest = text.partition("(")
        argument = rest[:-1]
    kind = KINDS.get(name.lower())
    if kind is None:
        raise ConstraintError(f"there is no constraint '{name}'; the constraints are {', '.join(sorted(KINDS))}")
    arguments = [] if argument is None else [argument] if kind.whole else [one.strip() for one in argument.split(",")]
    if len(arguments) not in kind.counts:
        wanted = " or ".join(str(count) for count in kind.counts)
        raise ConstraintError(f"the constraint '{text}' takes {wanted} arguments, not {len(arguments)}")
    try:
        return kind.make(*arguments)
    except (ValueError, re.error) as error:
        raise ConstraintError(f"the constraint '{text}' is wrong: {error}") from error


def _parsed(accepts: Callable[[str], bool]) -> Kind:
    return Kind((0,), lambda: lambda value: value is not None and accepts(value))


def _number(text: str, limit: int) -> int:
    number = parse_integer(text, limit)
    if number is None:
        raise ValueError(f"'{text}' is not a whole number")
    return number


def _between(low: int | None, high: int | None) -> Check:
    if low is not None and high is not None and low > high:
        raise ValueError(f"{low} is more than {high}")

    def check(value: str | None) -> bool:
        number = None if value is None else parse_integer(value, _LONG)
        return number is not None and (low is None or number >= low) and (high is None or number <= high)

    return check


def _length(low: str, high: str | None) -> Check:
    least, most = _number(low, _INT), None if high is None else _number(high, _INT)
    if least < 0 or (most is not None and most < least):
        raise ValueError("a length must not be negative, and the smaller length comes first")
    # .NET counts UTF-16 code units.
    return lambda value: value is not None and least <= _units(value) and (most is None or _units(value) <= most)


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _matches(pattern: str) -> Check:
    search = re.compile(translate_regex(pattern), re.IGNORECASE).search
    return lambda value: value is not None and search(value) is not None


def _is_file(value: str | None) -> bool:
    """The last part has a point with something other than points behind it."""
    _, point, extension = (value or "").rpartition("/")[2].partition(".")
    return bool(point) and bool(extension.strip("."))


KINDS: dict[str, Kind] = {
    "alpha": Kind((0,), lambda: _matches("^[a-z]*$")),
    "bool": _parsed(is_bool),
    "datetime": _parsed(is_datetime),
    "decimal": _parsed(is_decimal),
    "double": _parsed(is_double),
    "file": Kind((0,), lambda: _is_file),
    "float": _parsed(is_double),
    "guid": _parsed(is_guid),
    "int": _parsed(lambda value: parse_integer(value, _INT) is not None),
    "length": Kind((1, 2), lambda low, high=None: _length(low, low if high is None else high)),
    "long": _parsed(lambda value: parse_integer(value, _LONG) is not None),
    "max": Kind((1,), lambda high: _between(None, _number(high, _LONG)), whole=True),
    "maxlength": Kind((1,), lambda high: _length("0", high), whole=True),
    "min": Kind((1,), lambda low: _between(_number(low, _LONG), None), whole=True),
    "minlength": Kind((1,), lambda low: _length(low, None), whole=True),
    "nonfile": Kind((0,), lambda: lambda value: not _is_file(value)),
    "range": Kind((2,), lambda low, high: _between(_number(low, _LONG), _number(high, _LONG))),
    "regex": Kind((1,), _matches, whole=True),
    "required": Kind((0,), lambda: bool),
}
