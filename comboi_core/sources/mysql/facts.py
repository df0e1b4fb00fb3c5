"""What MySQL says beside its rows: the server's version and clock, the size of tables, texts it calls equal."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from comboi_core.config.source_type import Server
from comboi_core.domain.equal_texts import LETTERS, Texts
from comboi_core.domain.errors import SourceObjectMissing
from comboi_core.domain.load import Column
from comboi_core.sources.mysql import sql, types
from comboi_core.sources.mysql.config import MysqlSource
from comboi_core.sources.mysql.session import MysqlSession

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

OLDEST = {"MariaDB": (10, 5), "MySQL": (8, 0)}
_TOO_OLD = "comboi needs MySQL 8.0 or MariaDB 10.5, or newer."
_HIDDEN = (
    "the account does not see which transactions are open, nor whether a table was emptied while it was read, so the "
    "tables' lag applies (GRANT PROCESS ON *.*)"
)


def texts(column: Column) -> Texts:
    """Return how the server compares the values of a column that lands as text.

    Most collations ignore blanks at the end; which ones do is no part of a type, so that all texts count as such.
    """
    name, given = types.base_name(column.source_type), types.modifiers(column.source_type)
    if name == "decimal":
        return Texts("number", scale=given[1] if len(given) == 2 else 0)
    return Texts("padded") if name in types.TEXTS - {"enum", "set"} else LETTERS


def sizes(con: DuckDBPyConnection, source: MysqlSource, connection: dict[str, Any]) -> dict[str, int]:
    """Return the rows of each table by the server's estimate: table name -> rows; of queries and views none.

    Raises:
        ComboiError: what the source says, if it cannot be asked.
    """
    tables = {table.name: table.table for table in source.tables if table.table is not None}
    if not tables:
        return {}
    session = MysqlSession(con, connection, source.name)
    try:
        return {str(row["name"]): int(row["found"] or 0) for row in session.rows(sql.table_rows(tables))}
    finally:
        session.close()


def server(con: DuckDBPyConnection, connection: dict[str, Any], place: str) -> Server:
    """Return what the server says of itself.

    Args:
        place: What errors name.

    Raises:
        ComboiError: what the server says, if it cannot be asked.
    """
    session = MysqlSession(con, connection, place)
    try:
        before = datetime.now(UTC).timestamp()
        (row,) = session.rows("SELECT VERSION() AS version, CAST(UTC_TIMESTAMP(6) AS CHAR) AS now")
        after = datetime.now(UTC).timestamp()
        remarks: tuple[str, ...] = ()
        try:
            session.rows(sql.TRANSACTIONS)
        except SourceObjectMissing:
            remarks = (_HIDDEN,)
    finally:
        session.close()
    product = "MariaDB" if session.mariadb else "MySQL"
    # Older servers of MariaDB put 5.5.5- before their version, for clients that knew no other.
    number = re.search(r"(\d+)\.(\d+)", str(row["version"]).removeprefix("5.5.5-"))
    old = number is not None and (int(number[1]), int(number[2])) < OLDEST[product]
    now = datetime.fromisoformat(str(row["now"])).replace(tzinfo=UTC).timestamp()
    return Server(
        product=f"{product} {row['version']}",
        now=now,
        asked=(before, after),
        too_old=_TOO_OLD if old else "",
        remarks=remarks,
    )
