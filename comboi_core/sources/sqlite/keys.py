"""Keys as SQLite compares them: by the column's collation, and numbers by their value, whatever their type."""

from __future__ import annotations

import re
from collections.abc import Iterable

from comboi_core.domain.errors import UnsupportedValue
from comboi_core.domain.load import Column
from comboi_core.domain.redaction import redactor
from comboi_core.domain.shortfall import Shortfall
from comboi_core.sources.sqlite import sql
from comboi_core.sources.sqlite.session import Ask

_ENDS = (("low", "first"), ("top", "last"))
_COLLATION = re.compile("no such collation sequence: (?P<name>.+)")


def unequal(rows: Ask, source: str, columns: tuple[Column, ...], key: tuple[str, ...]) -> tuple[Shortfall, ...]:
    """Return the shortfall of text keys that SQLite calls equal although they are spelled in different ways.

    SQLite itself is asked to compare, since a view or a query takes collations along.

    Args:
        columns: Those that land.
        key: Of a merged table.
    """
    names = {name.lower() for name in key}
    texts = [column.name for column in columns if column.name.lower() in names and column.type == "VARCHAR"]
    told = [f"{name} ({how})" for name in texts if (how := _collation(rows, source, name))]
    if not told:
        return ()
    return (
        Shortfall(
            "key_equality",
            f"SQLite compares {', '.join(told)} otherwise than by its characters: a key that is written in another way "
            "later is a second row in the lake",
            "Read the key in one spelling in `query:` (`lower(id) AS id`, `rtrim(id) AS id`), or set `mode: full`.",
        ),
    )


def _collation(rows: Ask, source: str, name: str) -> str:
    """How a column's values are compared, in SQLite's words; empty if by their bytes."""
    try:
        found = rows(sql.comparison(source, name))[0]
    except UnsupportedValue as error:  # one that an application brings along, and that nobody else knows
        unknown = _COLLATION.search(error.message)
        if unknown is None:
            raise
        return f"COLLATE {unknown['name']}"
    named = {"nocase": "COLLATE NOCASE", "rtrim": "COLLATE RTRIM"}
    return " and ".join(said for told, said in named.items() if found[told] == "1")


def refuse_ambiguous(rows: Ask, source: str, untyped: Iterable[Column], place: str) -> None:
    """Raise UnsupportedValue if two values of a merged table's key are two keys in SQLite and one in the lake.

    A column that declares no type keeps 1 and '1' as they come, and they differ. As texts in the lake they would be one
    key. Where a type is declared, SQLite makes one spelling of them (https://www.sqlite.org/datatype3.html, section 3).

    Args:
        untyped: The columns of the key that declare no type, or of which nobody knows.
    """
    for column in untyped:
        if column.type != "VARCHAR":
            continue  # of one kind of values, which the load sees to
        found = rows(sql.ends(source, column.name))[0]
        if found["low"] is not None and (found["first"] == "text") != (found["last"] == "text"):
            shown = [f"{redactor.cut(str(found[end]), 60)!r} ({found[kind]})" for end, kind in _ENDS]
            raise UnsupportedValue(
                f"{place}: the key {column.name} declares no type and holds {' and '.join(shown)}: SQLite compares "
                "them by type and value, readers of the lake by their text",
                remedy=f"Read the key as text in `query:` (`CAST({column.name} AS TEXT) AS {column.name}`), or correct "
                "the rows.",
                column=column.name,
            )
