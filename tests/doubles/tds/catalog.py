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
COLLATION = "SQL_Latin1_General_CP1_CI_AS"
"""The database's, Azure SQL's default."""

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
    "partitions": {"object_id": INT, "index_id": INT, "rows": BIG, "partition_id": BIG, "hobt_id": BIG},
    "indexes": {
        "object_id": INT,
        "index_id": INT,
        "is_unique": FLAG,
        "has_filter": FLAG,
        "is_disabled": FLAG,
        "is_hypothetical": FLAG,
    },
    "index_columns": {"object_id": INT, "index_id": INT, "column_id": INT, "key_ordinal": TINY},
    "columns": {"object_id": INT, "column_id": INT, "name": NAME, "is_nullable": FLAG},
    "objects": {"object_id": INT, "schema_id": INT, "name": NAME, "type": NAME, "modify_date": WHEN},
    "schemas": {"schema_id": INT, "name": NAME},
    "synonyms": {"object_id": INT, "base_object_name": NAME},
    "dm_sql_referenced_entities": {"referenced_id": INT, "referenced_minor_id": INT},
    "allocation_units": {"allocation_unit_id": BIG, "container_id": BIG, "type": TINY},
    "security_policies": {"object_id": INT, "is_enabled": FLAG},
    "security_predicates": {"object_id": INT, "target_object_id": INT, "predicate_type": INT},
    "dm_exec_describe_first_result_set": {
        "name": NAME,
        "system_type_name": NAME,
        "user_type_name": NAME,
        "is_nullable": FLAG,
        "is_hidden": FLAG,
        "collation_name": NAME,
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
    if argument is not None:
        rows = {"dm_exec_describe_first_result_set": _describe, "dm_sql_referenced_entities": _referenced}[name](
            database, str(argument)
        )
    else:
        rows = _rows(database)[name]()
    return _values(shape, rows), [(column, kind, True) for column, kind in shape.items()]


def _rows(database: Database) -> dict[str, Any]:
    tables = database.tables
    schemas = sorted({"dbo", *(table.schema for table in tables)})
    return {
        "databases": lambda: [("crm", int(database.snapshot), database.committed)],
        "dm_tran_database_transactions": lambda: [(number, 5, 1, began) for number, began in database.writing()],
        "dm_tran_active_transactions": database.writing,
        "dm_db_partition_stats": lambda: [
            (table.oid, 1, rows, 1 + rows // 100)
            for table in tables
            if database.shows_definition and (rows := database.count(table)) is not None
        ],
        "partitions": lambda: [
            (table.oid, 1, rows, table.oid * 10, table.oid * 10)
            for table in tables
            if (rows := database.count(table)) is not None
        ],
        "objects": lambda: (
            [(table.oid, schemas.index(table.schema), table.name, table.kind, table.altered) for table in tables]
            + [(1, schemas.index("dbo"), "policy", "SP", "2026-01-01 00:00:00.000")]
        ),
        "schemas": lambda: list(enumerate(schemas)),
        "synonyms": lambda: [(table.oid, table.base) for table in tables if table.base],
        "allocation_units": lambda: [(table.unit, table.oid * 10, 1) for table in tables],
        "security_policies": lambda: [(1, True)],
        "security_predicates": lambda: [
            (1, table.oid, 0) for table in tables if f"{table.schema}.{table.name}" in database.filtered
        ],
        "indexes": lambda: [
            (table.oid, place, index.unique, index.filtered, False, False)
            for table in tables
            for place, index in enumerate(table.indexes, 1)
        ],
        "index_columns": lambda: [
            (table.oid, place, table.place(name), ordinal)
            for table in tables
            for place, index in enumerate(table.indexes, 1)
            for ordinal, name in enumerate(index.columns, 1)
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
        return [(None, None, None, None, 0, None, 0, error.number, error.message)]
    return [
        (name, kind.spelled, _clr(kind), int(nullable), 0, _collation(kind), place, None, None)
        for place, (name, kind, nullable) in enumerate(query.columns, 1)
    ]


def _referenced(database: Database, name: str) -> list[tuple]:
    """What a view names, once by itself and once for each column, as the server gives it."""
    view = database.named(name)
    if not database.shows_definition:
        raise Refused(229, f"The VIEW DEFINITION permission was denied on the object '{view.name}', database 'crm'.")
    return [(oid, minor) for oid in view.references for minor in (0, 1)]


def _clr(kind: SqlType) -> str | None:
    return kind.base if kind.base in CLR else None


def _collation(kind: SqlType) -> str | None:
    return (kind.collation or COLLATION) if "char" in kind.base or "text" in kind.base else None
