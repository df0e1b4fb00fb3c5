"""The views and functions of the schema `sys` that comboi asks: their columns, and their rows as they are now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.doubles.tds.dialect import INT, Columns, Refused, parse, quoted, string
from tests.doubles.tds.types import CLR, SqlType

if TYPE_CHECKING:
    from tests.doubles.tds.database import Database

NAME, TEXT, BIG = SqlType("nvarchar", (128,)), SqlType("nvarchar", (4000,)), SqlType("bigint")
FLAG, TINY, WHEN = SqlType("bit"), SqlType("tinyint"), SqlType("datetime")
WANTING_STATE = ("dm_db_partition_stats", "dm_tran_database_transactions", "dm_tran_active_transactions")
"""What the server shows to logins with VIEW DATABASE STATE only."""

_SHAPES: dict[str, dict[str, SqlType]] = {
    "databases": {"name": NAME, "snapshot_isolation_state": TINY, "is_read_committed_snapshot_on": FLAG},
    "dm_tran_database_transactions": {
        "transaction_id": BIG,
        "database_id": INT,
        "database_transaction_type": INT,
        "database_transaction_begin_time": WHEN,
    },
    "dm_tran_active_transactions": {"transaction_id": BIG, "transaction_begin_time": WHEN},
    "dm_db_partition_stats": {"object_id": INT, "index_id": INT, "row_count": BIG, "used_page_count": BIG},
    "partitions": {"object_id": INT, "index_id": INT, "rows": BIG},
    "indexes": {
        "object_id": INT,
        "index_id": INT,
        "is_unique": FLAG,
        "has_filter": FLAG,
        "is_disabled": FLAG,
        "is_hypothetical": FLAG,
    },
    "index_columns": {"object_id": INT, "index_id": INT, "column_id": INT, "is_included_column": FLAG},
    "columns": {"object_id": INT, "column_id": INT, "name": NAME, "is_nullable": FLAG},
    "dm_exec_describe_first_result_set": {
        "name": NAME,
        "system_type_name": NAME,
        "user_type_name": NAME,
        "is_nullable": FLAG,
        "is_hidden": FLAG,
        "column_ordinal": INT,
        "error_number": INT,
        "error_message": TEXT,
    },
}


def source(database: Database, name: str, argument: str | None) -> tuple[str, Columns] | None:
    """Return DuckDB's FROM item for a view, or for a function with its first argument, and the columns; None if there
    is none.

    Raises:
        Refused: the login may not see it.
    """
    if name in WANTING_STATE and not database.shows_state:
        raise Refused(262, "VIEW DATABASE STATE permission denied in database 'crm'.")
    if name not in _SHAPES:
        return None
    shape = _SHAPES[name]
    rows = _describe(database, str(argument)) if argument is not None else _rows(database)[name]()
    return _values(shape, rows), [(column, kind, True) for column, kind in shape.items()]


def _rows(database: Database) -> dict[str, Any]:
    tables = database.tables
    return {
        "databases": lambda: [("crm", int(database.snapshot), database.committed)],
        "dm_tran_database_transactions": lambda: [(number, 5, 1, began) for number, began in database.writing()],
        "dm_tran_active_transactions": database.writing,
        "dm_db_partition_stats": lambda: [
            (table.oid, 1, rows, 1 + rows // 100) for table in tables if (rows := database.count(table)) is not None
        ],
        "partitions": lambda: [(table.oid, 1, rows) for table in tables if (rows := database.count(table)) is not None],
        "indexes": lambda: [
            (table.oid, place, index.unique, index.filtered, False, False)
            for table in tables
            for place, index in enumerate(table.indexes, 1)
        ],
        "index_columns": lambda: [
            (table.oid, place, table.place(name), False)
            for table in tables
            for place, index in enumerate(table.indexes, 1)
            for name in index.columns
        ],
        "columns": lambda: [
            (table.oid, place, name, nullable)
            for table in tables
            for place, (name, _, nullable) in enumerate(table.columns, 1)
        ],
    }


def _values(shape: dict[str, SqlType], rows: list[tuple]) -> str:
    def cell(value: Any) -> str:
        return "NULL" if value is None else string(value) if isinstance(value, str) else str(value)

    typed = ", ".join(f"v{index}::{kind.kept} AS {quoted(name)}" for index, (name, kind) in enumerate(shape.items()))
    nothing = ", ".join(f"NULL AS v{index}" for index in range(len(shape)))
    aliases = ", ".join(f"v{index}" for index in range(len(shape)))
    listed = ", ".join(f"({', '.join(map(cell, row))})" for row in rows)
    item = f"(VALUES {listed}) AS v({aliases})" if rows else f"(SELECT {nothing} WHERE false) AS v"
    return f"(SELECT {typed} FROM {item})"


def _describe(database: Database, text: str) -> list[tuple]:
    try:
        query = database.translate(parse(text)[0])
    except Refused as error:
        return [(None, None, None, None, 0, 0, error.number, error.message)]
    return [
        (name, kind.spelled, kind.base if kind.base in CLR else None, int(nullable), 0, place, None, None)
        for place, (name, kind, nullable) in enumerate(query.columns, 1)
    ]
