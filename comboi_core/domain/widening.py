"""Compares DuckDB's types: which type can hold the values of another, and which one can hold those of both.

`widens`: every value of one type is the same value in the other. `widest`: a type that both can be cast to. Not every
value need fit into it, so without `widens` the caller has to check each value (`text_types.converted`), or the existing
values (`lake.exactness`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from comboi_core.domain.load import UNKNOWN
from comboi_core.domain.sql import identifier

_DECIMAL = re.compile(r"DECIMAL\((\d+),\s*(\d+)\)")
_MOST_DIGITS = 38
_TOKEN = re.compile(r'"(?:[^"]|"")*"|[^\s(),"\[\]]+|[(),]|\[\d*\]|\s+')

# Every value of the first type is the same value in each of the others.
_WIDER: dict[str, frozenset[str]] = {
    "TINYINT": frozenset({"SMALLINT", "INTEGER", "BIGINT", "FLOAT", "DOUBLE"}),
    "UTINYINT": frozenset({"SMALLINT", "USMALLINT", "INTEGER", "UINTEGER", "BIGINT", "UBIGINT", "FLOAT", "DOUBLE"}),
    "SMALLINT": frozenset({"INTEGER", "BIGINT", "FLOAT", "DOUBLE"}),
    "USMALLINT": frozenset({"INTEGER", "UINTEGER", "BIGINT", "UBIGINT", "FLOAT", "DOUBLE"}),
    "INTEGER": frozenset({"BIGINT", "DOUBLE"}),
    "UINTEGER": frozenset({"BIGINT", "UBIGINT", "DOUBLE"}),
    "FLOAT": frozenset({"DOUBLE"}),
}
_DIGITS = {
    "TINYINT": 3, "UTINYINT": 3, "SMALLINT": 5, "USMALLINT": 5, "INTEGER": 10, "UINTEGER": 10,
    "BIGINT": 19, "UBIGINT": 20,
}  # fmt: skip
_FLOATS = {"FLOAT", "DOUBLE"}


@dataclass(frozen=True)
class _Type:
    """A type in its parts.

    Attributes:
        kind: `STRUCT`, `MAP`, `[]` (or `[3]`), or a plain type as it is spelled.
        parts: The types within; of a struct with their names.
    """

    kind: str
    parts: tuple[tuple[str, _Type], ...] = ()

    def __str__(self) -> str:
        if self.kind == "STRUCT":
            return f"STRUCT({', '.join(f'{identifier(name)} {part}' for name, part in self.parts)})"
        if self.kind == "MAP":
            return f"MAP({', '.join(str(part) for _, part in self.parts)})"
        return f"{self.parts[0][1]}{self.kind}" if self.parts else self.kind


def is_nested(kind: str) -> bool:
    """Tell whether a type holds others: a struct, a map, a list."""
    return bool(_parsed(kind).parts)


def widens(old: str, new: str) -> bool:
    """Tell whether every value of DuckDB type `old` is the same value in `new`; fields that a struct lacks are NULL."""
    return old == new or _widens(_parsed(old), _parsed(new))


def widest(one: str, other: str) -> str | None:
    """Return the type that two types of one column land as together, or None; some values may not fit, see above."""
    found = _widest(_parsed(one), _parsed(other))
    if found is None:
        return None
    return next((given for given in (one, other) if _parsed(given) == found), str(found))


def _widens(old: _Type, new: _Type) -> bool:
    if old == new or old.kind == UNKNOWN:
        return True
    if old.parts or new.parts:
        if old.kind != new.kind:
            return False
        if old.kind != "STRUCT":
            return all(_widens(a, b) for (_, a), (_, b) in zip(old.parts, new.parts, strict=True))
        fields = {name.lower(): part for name, part in new.parts}
        return all(name.lower() in fields and _widens(part, fields[name.lower()]) for name, part in old.parts)
    if new.kind in _WIDER.get(old.kind, ()):
        return True
    before, after = _decimal(old.kind), _DECIMAL.fullmatch(new.kind)
    if before is None or after is None:
        return False
    precision, scale = int(after[1]), int(after[2])
    return scale >= before[1] and precision - scale >= before[0] - before[1]


def _widest(one: _Type, other: _Type) -> _Type | None:
    if _widens(one, other):
        return other
    if _widens(other, one):
        return one
    if one.parts and other.parts and one.kind == other.kind:
        return _nested(one, other)
    if one.parts or other.parts:
        return None
    kinds = {one.kind, other.kind}
    if kinds == {"TIMESTAMP", "TIMESTAMP_NS"}:
        return _Type("TIMESTAMP_NS")
    digits = [found for found in map(_decimal, kinds) if found]
    if len(digits) == 2:
        scale = max(digit[1] for digit in digits)
        precision = scale + max(digit[0] - digit[1] for digit in digits)
        if {"UBIGINT", "BIGINT"} != kinds and kinds <= _WIDER.keys() | {"BIGINT"}:
            return _Type("BIGINT")
        return _Type(f"DECIMAL({precision},{scale})") if precision <= _MOST_DIGITS else None
    if kinds & _FLOATS and all(kind in _FLOATS or _decimal(kind) for kind in kinds):
        return _Type("DOUBLE")
    return None


def _nested(one: _Type, other: _Type) -> _Type | None:
    if one.kind != "STRUCT":
        pairs = [(name, _widest(a, b)) for (name, a), (_, b) in zip(one.parts, other.parts, strict=True)]
    else:
        more = {name.lower(): part for name, part in other.parts}
        here = {name.lower() for name, _ in one.parts}
        pairs = [(name, _widest(part, more.get(name.lower(), part))) for name, part in one.parts]
        pairs += [(name, part) for name, part in other.parts if name.lower() not in here]
    parts = tuple((name, part) for name, part in pairs if part is not None)
    return _Type(one.kind, parts) if len(parts) == len(pairs) else None


def _decimal(kind: str) -> tuple[int, int] | None:
    """Precision and scale of a decimal or an integer."""
    found = _DECIMAL.fullmatch(kind)
    if found:
        return int(found[1]), int(found[2])
    return (_DIGITS[kind], 0) if kind in _DIGITS else None


@lru_cache(1024)
def _parsed(text: str) -> _Type:
    words = iter(_TOKEN.findall(text))
    found = _read(words, next(words, ""))[0]
    return (
        found if _bare(str(found)) == _bare(text) else _Type(text)
    )  # an unknown type is different from every other type


def _bare(text: str) -> str:
    return text.replace('"', "").replace(" ", "")


def _read(words: Iterator[str], word: str) -> tuple[_Type, str]:
    """Read a type that begins with a word; return it and the word after it."""
    kind = ""
    while word and word not in "()," and not word.startswith("["):
        kind, word = kind + word, next(words, "")
    made = _Type(kind.strip())
    if word == "(" and made.kind in ("STRUCT", "MAP"):
        parts, named = [], made.kind == "STRUCT"
        while word != ")" and word:
            word = _next(words)
            name = word.removeprefix('"').removesuffix('"').replace('""', '"') if named else ""
            part, word = _read(words, _next(words) if named else word)
            parts.append((name, part))
        made, word = _Type(made.kind, tuple(parts)), next(words, "")
    elif word == "(":
        inner = ""
        while word and word != ")":
            inner, word = inner + word, next(words, "")
        made, word = _Type(f"{made.kind}{inner.replace(' ', '')})"), next(words, "")
    while word.startswith("["):
        made, word = _Type(word, (("", made),)), next(words, "")
    return made, word.strip() or _next(words) if word.isspace() else word


def _next(words: Iterator[str]) -> str:
    return next((word for word in words if not word.isspace()), "")
