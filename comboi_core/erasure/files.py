"""Erasing rows by key: which rows of a file a key means, and files written anew without them.

A key is text, as people write it. It means the values that are exactly what it says: `42` is 42 in an INTEGER and 42.00
in a DECIMAL, and `42.4` is no INTEGER, although a cast would make one of it. Where values stand as text, it means those
that the source calls equal (`domain.equal_texts`). Where they were hashed before they landed, the key is looked up by
its hash.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from comboi_core.domain.equal_texts import LETTERS, Texts
from comboi_core.domain.manifest import DELETED, DataFile, Manifest
from comboi_core.domain.manifest import LOAD_COLUMN as LOAD
from comboi_core.domain.ports import Lake
from comboi_core.domain.sql import identifier, literal
from comboi_core.duckdb.rows import one_row
from comboi_core.lake.bronze import count_deleted, write_chunk
from comboi_core.lake.exact import OPTIONS
from comboi_core.lake.published import Published, write_options
from comboi_core.lake.views import view_sql

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_NUMBERS = {"FLOAT", "DOUBLE", "DECIMAL", "HUGEINT", "UHUGEINT"}
_NUMBERS |= {f"{sign}{size}INT" for sign in ("", "U") for size in ("TINY", "SMALL", "BIG")} | {"INTEGER", "UINTEGER"}
_MOMENTS = {
    "DATE",
    "TIMESTAMP",
    "TIMESTAMPTZ",
    "TIMESTAMP WITH TIME ZONE",
    "TIMESTAMP_S",
    "TIMESTAMP_MS",
    "TIMESTAMP_NS",
}
_TYPED = _NUMBERS | _MOMENTS | {"UUID", "BOOLEAN", "TIME", "BLOB"}
"""Types whose values have several spellings; values of all others are compared by their text."""
_WRITTEN = {
    "BOOLEAN": re.compile(r"(?i)t|f|true|false"),  # not 1: a column that tells whether there is a key may bear its name
    "TIME": re.compile(r"\d{1,2}:\d\d(:\d\d(\.\d{1,6})?)?", re.ASCII),
}
"""How people may write values of types that DuckDB makes of other texts as well, leaving out a part."""
_HEXADECIMAL = re.compile(r"(?i)(?:\\x|0x)((?:[0-9a-f]{2})*)", re.ASCII)
"""A BLOB as PostgreSQL (`\\x00ff`) and SQL Server (`0x00FF`) write it."""


@dataclass(frozen=True)
class Sought:
    """Keys to erase. Never put into a message, a log or a result.

    Attributes:
        columns: The key's columns, as the table has them.
        types: The type that each of them has in the source; parallel to `columns`.
        keys: For each key one text per column.
        aliases: Further names that the column has elsewhere; for keys of one column.
        salt: The key of the mask `hash`, if values may be hashed.
        texts: How each column's values are compared where they stand as text, parallel to `columns`; empty: to the
            letter.
    """

    columns: tuple[str, ...]
    types: tuple[str, ...]
    keys: tuple[tuple[str, ...], ...]
    aliases: tuple[str, ...] = ()
    salt: str | None = None
    texts: tuple[Texts, ...] = ()

    def equal(self, position: int) -> Texts:
        """How values of a column are compared where they stand as text."""
        return self.texts[position] if self.texts else LETTERS

    @property
    def names(self) -> tuple[tuple[str, ...], ...]:
        """The names under which each of the key's columns is looked for."""
        if len(self.columns) > 1:
            return tuple((column,) for column in self.columns)
        return (tuple(dict.fromkeys((*self.columns, *self.aliases))),)


def canonical(con: DuckDBPyConnection, text: str, type_name: str) -> str | None:
    """Return how DuckDB writes the value of a type that is exactly what a text says; None if the type has none."""
    bare = type_name.partition("(")[0]
    if bare not in _TYPED:
        return text
    if bare in _WRITTEN and not _WRITTEN[bare].fullmatch(text):
        return None
    if bare == "BLOB" and (digits := _HEXADECIMAL.fullmatch(text)):
        return str(one_row(con, "SELECT CAST(unhex(?) AS VARCHAR)", [digits[1]])[0])
    written, same_moment = one_row(
        con,
        "SELECT written, TRY_CAST(written AS TIMESTAMPTZ) IS NOT DISTINCT FROM TRY_CAST($1 AS TIMESTAMPTZ) "
        f"FROM (SELECT CAST(TRY_CAST($1 AS {type_name}) AS VARCHAR) AS written)",
        [text],
    )
    if (
        written is None
        or (bare in _MOMENTS and not same_moment)
        or (bare in _NUMBERS and not _same_number(text, written))
    ):
        return None
    return str(written)


def _same_number(text: str, written: str) -> bool:
    try:
        same = Decimal(text), Decimal(written)
        return same[0] == same[1] or (same[0].is_nan() and same[1].is_nan())
    except InvalidOperation:
        return False


def spellings(con: DuckDBPyConnection, sought: Sought, position: int, text: str) -> tuple[str, ...]:
    """Return every text that a value of a key's column may stand as: as given, as the source and as DuckDB write it,
    hashed."""
    plain = [*sought.equal(position).spellings(text)]
    written = canonical(con, text, sought.types[position])
    if written is not None:
        plain.append(written)
    return tuple(dict.fromkeys([*plain, *(hashed(sought.salt, value) for value in plain if sought.salt)]))


def hashed(salt: str | None, text: str) -> str:
    """Return what the mask `hash` makes of a text (HMAC-SHA-256); its SHA-256 where there is no salt."""
    if salt is None:
        return hashlib.sha256(text.encode()).hexdigest()
    return hmac.new(salt.encode(), text.encode(), hashlib.sha256).hexdigest()


def columns_of(con: DuckDBPyConnection, relation: str) -> dict[str, str]:
    """Return the type of each column of a FROM item, under its own name."""
    return {row[0]: row[1] for row in con.execute(f"DESCRIBE FROM {relation}").fetchall()}


def condition(
    con: DuckDBPyConnection, sought: Sought, columns: Mapping[str, str], more: tuple[str, ...] = ()
) -> str | None:
    """Return the SQL condition that a row `r` with these columns has one of the keys; None if a column is missing.

    Args:
        columns: Name -> type.
        more: Further names of the column, for keys of one column.
    """
    there = {name.lower(): name for name in columns}
    wanted = [[there[name.lower()] for name in names if name.lower() in there] for names in sought.names]
    if len(wanted) == 1:
        wanted[0] += [there[name] for name in more if name in there and there[name] not in wanted[0]]
    if not all(wanted):
        return None
    return _any(
        " AND ".join(
            f"({_any(_equals(con, sought, position, text, name, columns[name]) for name in names)})"
            for position, (names, text) in enumerate(zip(wanted, key, strict=True))
        )
        for key in sought.keys
    )


def _any(conditions: Iterable[str]) -> str:
    return " OR ".join(conditions)


def _equals(con: DuckDBPyConnection, sought: Sought, position: int, text: str, name: str, type_name: str) -> str:
    column = f"r.{identifier(name)}"
    if type_name.partition("(")[0] in _TYPED:
        written = canonical(con, text, type_name)
        return f"{column} = CAST({literal(written)} AS {type_name})" if written is not None else "false"
    value = column if type_name == "VARCHAR" else f"CAST({column} AS VARCHAR)"
    spelled = f"{value} IN ({', '.join(map(literal, spellings(con, sought, position, text)))})"
    equal = sought.equal(position)
    compared = equal.compared(text)
    return spelled if compared is None else f"{spelled} OR {equal.sql(value)} = {literal(compared)}"


def keep_superseding(con: DuckDBPyConnection, lake: Lake, manifest: Manifest, sought: Sought, path: str) -> str | None:
    """Keep, at `path`, the primary keys of a merged table's rows that have one of the keys, each with its latest load.

    Where rows are sought by another column than the primary key, an earlier version of such a row may be without the
    key; with the later one gone, readers would take it for the row's present state. So it has to go as well. A
    tombstone holds the primary key only: it goes where no later row of its key stays.

    Returns:
        `path`, or None where nothing has to be kept.
    """
    by_key = {name.lower() for name in sought.columns} == {name.lower() for name in manifest.primary_key}
    if manifest.mode != "merge" or by_key or not manifest.files:
        return None
    rows = f"({view_sql(lake, manifest, 'log')})"
    has_key = condition(con, sought, columns_of(con, f"{rows} AS r"))
    if has_key is None:
        return None
    key = ", ".join(f"r.{identifier(name)}" for name in manifest.primary_key)
    latest = f"SELECT {key}, max(r.{LOAD}) AS {LOAD} FROM {rows} AS r WHERE {has_key} GROUP BY ALL"
    if manifest.deletes:
        sought_in, row_in = f"max(r.{LOAD}) FILTER ({has_key})", f"max(r.{LOAD}) FILTER (NOT r.{DELETED})"
        latest = (
            f"SELECT {key}, if({sought_in} >= {row_in}, max(r.{LOAD}) + 1, {sought_in}) AS {LOAD} "
            f"FROM {rows} AS r GROUP BY ALL HAVING bool_or({has_key})"
        )
    with lake.stage(path) as staged:
        con.execute(f"COPY ({latest}) TO {literal(str(staged))} ({OPTIONS})")
    return path


@dataclass(frozen=True)
class Selection:
    """The rows of one file that are to go.

    Attributes:
        source: What stands after FROM; the file's rows are `r`.
        condition: True for a row that goes.
    """

    source: str
    condition: str

    def count(self, con: DuckDBPyConnection) -> int:
        """Return how many rows go."""
        return int(one_row(con, f"SELECT count(*) FROM {self.source} WHERE {self.condition}")[0])

    @property
    def kept(self) -> str:
        """A SELECT for the rows that stay, with the file's columns."""
        return f"SELECT r.* FROM {self.source} WHERE ({self.condition}) IS NOT TRUE"


def select_in_file(
    con: DuckDBPyConnection, lake: Lake, path: str, sought: Sought, more: tuple[str, ...] = ()
) -> Selection | None:
    """Return the rows of a Parquet file that have one of the keys; None if a key's column is missing.

    Args:
        more: As for `condition`.
    """
    lake.attach(con)
    source = f"read_parquet({literal(lake.uri(path))}, hive_partitioning = false) AS r"
    has_key = condition(con, sought, columns_of(con, source), more)
    return Selection(source, has_key) if has_key is not None else None


def select_in_load(
    con: DuckDBPyConnection, lake: Lake, file: DataFile, manifest: Manifest, sought: Sought, superseding: str | None
) -> Selection | None:
    """Return the rows of a load's file that go.

    Args:
        superseding: The path that `keep_superseding` gave.
    """
    selection = select_in_file(con, lake, file.path, sought)
    if superseding is None:
        return selection
    source = f"read_parquet({literal(lake.uri(file.path))}, hive_partitioning = false) AS r"
    load = f"r.{LOAD}" if file.folded else str(file.load)
    # Rows without a key are versions of no other row: they go where they have what is sought, not for another's sake.
    same = " AND ".join(f"r.{name} = later.{name}" for name in map(identifier, manifest.primary_key))
    joined = f"{source} LEFT JOIN read_parquet({literal(lake.uri(superseding))}) AS later ON {same}"
    matching = f"({selection.condition})" if selection else "false"
    return Selection(joined, f"({matching} OR later.{LOAD} > {load})")


def rewrite_load_file(
    con: DuckDBPyConnection, lake: Lake, file: DataFile, selection: Selection, path: str
) -> DataFile | None:
    """Write what is left of a load's file to `path`; return the new file, or None where nothing is left.

    It keeps the number of its load, and a folded one the loads of its rows.
    """
    rows, size = write_chunk(con, lake, selection.kept, path)
    deleted = count_deleted(con, lake, path) if rows and file.deleted else 0
    return DataFile(path, file.load, rows, size, file.folded, deleted) if rows else None


def rewrite_dataset(con: DuckDBPyConnection, lake: Lake, path: str, select: str, state: Published | None) -> None:
    """Put a published file, or one beside it, in place anew.

    Args:
        select: The rows that stay.
        state: What a dataset's file says of itself; None for a file beside one.
    """
    with lake.stage(path) as staged:
        options = write_options(state) if state else OPTIONS
        con.execute(f"COPY ({select}) TO {literal(str(staged))} ({options})")
