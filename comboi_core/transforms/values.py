"""Refuses mixed Python values that Arrow would change without an error.

`pyarrow.array` turns a datetime after a date into a date, drops the zone of a time, drops the zone of a datetime after
a naive one, and turns text after bytes into bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from comboi_core.domain.redaction import redactor

_TOGETHER = ({"int", "float"}, {"int", "decimal"})
"""Kinds of values that one column may hold beside each other; Arrow itself refuses an int that a float would round."""
_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "bool"),
    (int, "int"),
    (float, "float"),
    (Decimal, "decimal"),
    (str, "text"),
    ((bytes, bytearray, memoryview), "bytes"),
    (datetime, "datetime"),
    (date, "date"),
    (time, "time"),
    (timedelta, "timedelta"),
    (Mapping, "dict"),
    ((list, tuple, set, frozenset), "list"),
)
_MOST_SHOWN = 60


def mixture(values: Iterable[Any]) -> str | None:
    """Return why the values of a column cannot stand in one without a change; None if they can."""
    samples: dict[str, Any] = {}
    inside: dict[Any, list[Any]] = {}
    for value in values:
        if value is None:
            continue
        kind = _kind(value)
        samples.setdefault(kind, value)
        if kind == "list":
            inside.setdefault(None, []).extend(value)
        elif kind == "dict":
            for key, item in value.items():
                inside.setdefault(key, []).append(item)
        else:
            refused = _refused(kind, value)
            if refused:
                return refused
    if len(samples) > 1 and not any(samples.keys() <= kinds for kinds in _TOGETHER):
        (one, first), (other, second) = list(samples.items())[:2]
        return f"it contains {_shown(first)} ({one}) and {_shown(second)} ({other}), and no type can hold both"
    return next(filter(None, map(mixture, inside.values())), None)


def _kind(value: Any) -> str:
    kind = next((name for types, name in _KINDS if isinstance(value, types)), type(value).__name__)
    zoned = kind in ("datetime", "time") and value.tzinfo is not None
    return f"{kind} with a zone" if zoned else kind


def _refused(kind: str, value: Any) -> str | None:
    if kind == "time with a zone":
        return f"it contains {_shown(value)}, a time with a zone, which Parquet cannot store; return it as text"
    if kind == "decimal" and not value.is_finite():
        return f"it contains {_shown(value)}, which is not a decimal; return None, or floats"
    if kind == "datetime with a zone" and getattr(value, "nanosecond", False):  # of pandas
        return f"it contains {_shown(value)}, a timestamp with a zone and nanoseconds; return it as text"
    return None


def _shown(value: Any) -> str:
    text = str(value) if isinstance(value, date | time | Decimal) else repr(value)
    return redactor.cut(text, _MOST_SHOWN)
