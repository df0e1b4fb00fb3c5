"""Text as typed values: exact, or an error that names the place; shared by sources whose values have no types.

A type takes a text only if the value says the same: no zeros in front are lost (`007`), nothing is rounded, no date is
guessed (`01/02/2026`). Texts that no type takes stay text.
"""

from __future__ import annotations

import json
import re

from comboi_core.domain.errors import UnsupportedValue
from comboi_core.domain.redaction import ENDING, redactor
from comboi_core.domain.sql import literal
from comboi_core.domain.widening import is_nested

LADDER = ("BIGINT", "DOUBLE", "BOOLEAN", "DATE", "TIMESTAMP", "TIMESTAMPTZ")
"""What a column can be taken for; the first type that takes every text of a sample is the column's."""

UNQUOTED = frozenset({"BOOLEAN", "INTEGER", "BIGINT", "DOUBLE"})
"""Types whose values JSON writes without quotes; DECIMAL may be written either way."""

_GUARD = "comboi-guard"
_FOUND = re.compile(rf"{_GUARD}(\[.*\])", re.DOTALL)
_SHOWN = 200
_DIGITS = 15
"""So many decimal digits survive a DOUBLE, whatever they are."""

_ONE_SPELLING = frozenset({"INTEGER", "BIGINT", "DATE"})
"""Types of which DuckDB's own spelling is the only one that is taken."""
_INFINITE = frozenset({"DOUBLE", "DATE", "TIMESTAMP", "TIMESTAMPTZ"})
"""Types that take `inf` or `infinity`, which in a text are more likely a word."""
_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = r"[0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,6})?)?"
_PATTERNS = {
    "DOUBLE": "-?(0|[1-9][0-9]*)([.][0-9]+)?([eE][+-]?[0-9]{1,2})?",
    "BOOLEAN": "(?i)true|false",
    "TIME": _TIME,
    "TIMESTAMP": f"{_DAY}[ T]{_TIME}",
    "TIMESTAMPTZ": f"{_DAY}[ T]{_TIME}(Z|[+-][0-9]{{2}}(:?[0-9]{{2}})?)",
}


def takes(kind: str, text: str, *, declared: bool = False) -> str:
    """Return the SQL condition that a type takes a text, which is not NULL; true or false.

    Args:
        kind: A type of `_PATTERNS`, VARCHAR or `DECIMAL(p,s)`.
        text: An SQL expression of type VARCHAR.
        declared: Whether the user asked for the type: a DOUBLE then is the nearest one, which is what the type means.
    """
    if kind == "VARCHAR":
        return f"{text} IS NOT NULL"
    value = f"TRY_CAST({text} AS {kind})"
    same = f"{value}::VARCHAR = {text}" + (f" AND isfinite({value})" if kind in _INFINITE else "")
    if kind in _ONE_SPELLING:
        return f"coalesce({same}, false)"
    tests = [f"regexp_full_match({text}, {literal(_pattern(kind))})", f"{value} IS NOT NULL"]
    if kind == "DOUBLE" and not declared:
        tests.append(f"length(regexp_replace({text}, '[^0-9]', '', 'g')) <= {_DIGITS}")
    # Most values are spelled as DuckDB spells them; patterns take three times as long as the rest of the reading.
    return f"CASE WHEN {same} THEN true ELSE {' AND '.join(tests)} END"


def _pattern(kind: str) -> str:
    if not kind.startswith("DECIMAL"):
        return _PATTERNS[kind]
    scale = int(kind.removesuffix(")").split(",")[1])
    return f"[+-]?[0-9]+([.][0-9]{{0,{scale}}}0*)?"


def typed(kind: str, text: str, *, place: str, column: str, declared: bool = False) -> str:
    """Return the SQL expression for a text as a value of a type; running it fails for a text that the type refuses.

    Args:
        place: An SQL expression that tells where the value is, e.g. the file's name.
        column: What the error names.
    """
    if kind == "VARCHAR":
        return text
    said = f"json_array({place}, {literal(column)}, {literal(kind)}, left({text}, {_SHOWN}))::VARCHAR"
    return (
        f"CASE WHEN {text} IS NULL THEN NULL WHEN {takes(kind, text, declared=declared)} "
        f"THEN TRY_CAST({text} AS {kind}) ELSE error({guarded(said)})::{kind} END"
    )


def converted(own: str, kind: str, value: str, *, place: str, column: str) -> str:
    """Return the SQL expression for a value of one type as one of another; running it fails unless it is the same.

    Args:
        own: The type that the value has.
        value: An SQL expression of that type.
        place: As `typed` has it.
        column: As `typed` has it.
    """
    said = f"json_array({place}, {literal(column)}, {literal(kind)}, left({value}::VARCHAR, {_SHOWN}))::VARCHAR"
    failed = f"error({guarded(said)})::{kind}"
    if is_nested(own) != is_nested(kind) and kind != "VARCHAR":
        return f"CASE WHEN {value} IS NULL THEN NULL ELSE {failed} END"
    made = f"TRY_CAST({value} AS {kind})"
    return (
        f"CASE WHEN {value} IS NULL THEN NULL WHEN TRY_CAST({made} AS {own}) IS NOT DISTINCT FROM {value} "
        f"THEN {made} ELSE {failed} END"
    )


def guarded(said: str) -> str:
    """Return the SQL expression for the text of an error that `refused` understands.

    Args:
        said: An SQL expression for a JSON list of place, column, type and text.
    """
    return f"{literal(_GUARD)} || {said}"


def refused(message: str) -> tuple[str, str, str, str] | None:
    """Return place, column, type and text of the value that made `typed` fail; None if it was something else."""
    found = _FOUND.search(message)
    if not found:
        return None
    place, column, kind, text = json.JSONDecoder().raw_decode(found[1])[0]
    return place, column, kind, text


def is_cut(text: str) -> bool:
    """Tell whether `refused` may have given the beginning of a text only."""
    return len(text) >= _SHOWN


def refusal(where: str, column: str, kind: str, text: str, *, remedy: str) -> UnsupportedValue:
    """Return the error for a value that its column's type does not take."""
    shown = redactor.cut(text + ENDING if is_cut(text) else text, 60)
    return UnsupportedValue(
        f"{where}: column {column} holds {shown!r}, which is no {kind}", remedy=remedy, column=column, value=text
    )
