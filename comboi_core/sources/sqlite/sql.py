"""Every SQL text that SQLite gets, apart from the types' expressions (`types`)."""

from __future__ import annotations

from comboi_core.domain.load import Chunk, Window
from comboi_core.domain.sql import identifier, literal

STATE = """
    SELECT schema_version AS schema, (SELECT journal_mode FROM pragma_journal_mode) AS journal
    FROM pragma_schema_version"""
"""The number that VACUUM, restoring and each change of a table's definition raise, and how commits are kept."""


def relation(table: str | None, query: str | None, where: str | None) -> str:
    """Return the FROM item for a table's name, taken as it is, or for a query, and a condition; it is called `src`."""
    item = identifier(table) if table is not None else f"({str(query).strip().rstrip(';').rstrip()}\n)"
    return f"(SELECT src.* FROM {item} AS src WHERE ({where}\n)) AS src" if where else f"{item} AS src"


def find_table(name: str) -> str:
    """Give `name` of a table or view, as it is written there, or no row."""
    return f"SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND lower(name) = lower({literal(name)})"


def table_columns(name: str) -> str:
    """Give `name, type, required, key` of a table's columns; hidden ones of virtual tables are left out."""
    return f"""
        SELECT name, type, "notnull" AS required, pk AS key
        FROM pragma_table_xinfo({literal(name)}) WHERE hidden <> 1"""


def row_number(name: str) -> str:
    """Give a table's definition as `text`, and `indexed`, whether an index enforces its primary key: a key that is one
    INTEGER without an index is the row's own number, and never NULL (https://www.sqlite.org/lang_createtable.html)."""
    return f"""
        SELECT sql AS text, EXISTS (SELECT 1 FROM pragma_index_list({literal(name)}) WHERE origin = 'pk') AS indexed
        FROM sqlite_master WHERE lower(name) = lower({literal(name)}) AND type IN ('table', 'view')"""


def natures(source: str, name: str) -> str:
    """Give `nature` for each kind of value that a column holds."""
    return f"SELECT DISTINCT typeof(src.{identifier(name)}) AS nature FROM {source}"


def comparison(source: str, name: str) -> str:
    """Give whether a column's comparisons overlook case (`nocase`) and blanks at the end (`rtrim`), by asking SQLite to
    compare: in a UNION the collation of the first SELECT counts."""
    values = f"SELECT src.{identifier(name)} AS x FROM {source} WHERE 0 UNION ALL SELECT 'a'"
    return f"SELECT x = 'A' AS nocase, x = 'a ' AS rtrim FROM ({values})"


def count(source: str, condition: str) -> str:
    """Give `found`, the number of rows that meet a condition."""
    return f"SELECT count(*) AS found FROM {source} WHERE {condition}"


def key_bounds(source: str, key: str, condition: str) -> str:
    """Give `low, high` of a key."""
    return (
        f"SELECT min(src.{identifier(key)}) AS low, max(src.{identifier(key)}) AS high FROM {source} WHERE {condition}"
    )


def ends(source: str, name: str) -> str:
    """Give `low` and `top`, the smallest and the largest value of a column, their natures as `first` and `last`, and
    whether the largest is `stamped` (begins like a date). In SQLite's order numbers come before texts, and texts before
    blobs. An index answers each of the two questions when it is asked alone."""
    low, top = (f"(SELECT {end}(src.{identifier(name)}) FROM {source})" for end in ("min", "max"))
    return f"""
        SELECT low, top, typeof(low) AS first, typeof(top) AS last,
            top GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*' AS stamped
        FROM (SELECT {low} AS low, {top} AS top)"""


def moment(like: str, seconds: float) -> str:
    """Give `at`, the clock moved by so many seconds, in UTC and written as a given time is."""
    between = "T" if like[10:11] == "T" else " "
    form = "%Y-%m-%d" if len(like) <= 10 else f"%Y-%m-%d{between}%H:%M:%S"
    return f"SELECT strftime({literal(form)}, 'now', {literal(f'{seconds:+.0f} seconds')}) AS at"


def unsorted(cursor: str, low: str) -> str:
    """Return the condition of a row that is later than a time, but sorts before it: of one day, texts with a T sort
    after those with a blank."""
    operand, known = f"src.{identifier(cursor)}", literal(low)
    later = f"datetime(substr({operand}, 1, 19)) > datetime(substr({known}, 1, 19))"
    return f"({operand} >= substr({known}, 1, 10) AND {operand} <= {known} AND {later})"


def later(cursor: str, moment: str) -> str:
    """Return the condition of a time after another one."""
    return f"src.{identifier(cursor)} > {literal(moment)}"


def behind(window: Window, top: str) -> str:
    """Give `behind`, whether the largest cursor is before the committed one by more than the lag; NULL without one."""
    low = _lowered(window) if window.low is not None else "NULL"
    return f"SELECT {value(top, window.cursor_type)} < {low} AS behind"


def bound(source: str, cursor: str, cap: str | None) -> str:
    """Give `high`, the largest cursor up to a cap."""
    operand = f"src.{identifier(cursor)}"
    capped = f"{operand} <= {literal(cap)}" if cap is not None else "1"
    return f"SELECT max({operand}) AS high FROM {source} WHERE {capped}"


def value(text: str, kind: str) -> str:
    """Return a cursor value as SQLite compares it: integers as such, all else as text."""
    return f"CAST({literal(text)} AS INTEGER)" if kind == "BIGINT" else literal(text)


def in_window(window: Window, *, nulls: bool) -> str:
    """Return the condition of a window: `(low - lag, high]`, and the rows without a cursor where they are included."""
    operand = f"src.{identifier(window.cursor)}"
    tests = []
    if window.high is not None:
        tests.append(f"{operand} <= {value(window.high, window.cursor_type)}")
        if window.low is not None:
            tests.append(f"{operand} > {_lowered(window)}")
    inside = " AND ".join(tests) or "0"
    return f"({inside} OR {operand} IS NULL)" if nulls else f"({inside})"


def _lowered(window: Window) -> str:
    low = value(str(window.low), window.cursor_type)
    if not window.lag_seconds or window.cursor_type == "BIGINT":
        return low
    # Without its zone, so that the result is a time as the column writes it, or one that sorts before it.
    earlier = f"datetime(substr({low}, 1, 19), {literal(f'-{window.lag_seconds:.0f} seconds')})"
    return f"min(coalesce({earlier}, {low}), {low})"


def in_chunk(chunk: Chunk, key: str) -> str:
    """Return the condition of a range of an integer key; the first range has the rows without a key."""
    operand = f"src.{identifier(key)}"
    tests = [f"{operand} >= {value(chunk.low, 'BIGINT')}"] if chunk.low is not None else []
    tests += [f"{operand} < {value(chunk.high, 'BIGINT')}"] if chunk.high is not None else []
    inside = " AND ".join(tests) or "1"
    return f"({inside} OR {operand} IS NULL)" if chunk.low is None else f"({inside})"
