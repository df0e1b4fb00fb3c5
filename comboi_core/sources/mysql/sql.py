"""Every SQL text that MySQL gets, apart from the types' expressions (`types`) and the window's (`window`).

Results are text, named by us: the two servers spell the names of INFORMATION_SCHEMA's columns in different ways.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from comboi_core.sources.mysql.text import identifier, literal, parts

MARK = "/* comboi */ "
"""Begins every statement of ours: whoever looks at the server's processes sees what they are for."""

EXTENSION = {
    "mysql_session_time_zone": "+00:00",
    "mysql_tinyint1_as_boolean": "false",  # a tinyint(1) may hold 2
    "mysql_bit1_as_boolean": "false",
    "mysql_time_as_time": "false",  # a time goes up to 838 hours
    "mysql_incomplete_dates_as_nulls": "false",
}
"""DuckDB's settings of the extension."""

_SECONDS = 7200
"""How long a statement may run."""
_LOCK_SECONDS = 60
_IDLE_SECONDS = 28_800
"""Between two chunks of one snapshot the session waits for an upload, as long as that takes."""

SERVER = "SELECT VERSION() AS version, @@SESSION.sql_mode AS mode"
_READ_AS = frozenset(
    {
        "ANSI_QUOTES",
        "PIPES_AS_CONCAT",
        "NO_BACKSLASH_ESCAPES",
        "HIGH_NOT_PRECEDENCE",
        "IGNORE_SPACE",
        "NO_UNSIGNED_SUBTRACTION",
        "EMPTY_STRING_IS_NULL",
    }
)
"""Modes that decide what SQL means. A configuration's SQL means what it means at the server: they stay as they are."""
SNAPSHOT = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"
COMMIT = "COMMIT"

_COMMON = (
    "SET SESSION sql_mode = '{mode}', time_zone = '+00:00', "
    f"lock_wait_timeout = {_LOCK_SECONDS}, wait_timeout = {_IDLE_SECONDS}, group_concat_max_len = 1048576",
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    "SET SESSION TRANSACTION READ ONLY",
)
_MARIADB = (
    f"SET SESSION max_statement_time = {_SECONDS}, idle_transaction_timeout = 0, idle_readonly_transaction_timeout = 0",
)
# Its counts of rows would else be up to a day old.
_MYSQL = (f"SET SESSION max_execution_time = {_SECONDS * 1000}, information_schema_stats_expiry = 0",)


def pinned(mode: str) -> str:
    """Return the `sql_mode` of our sessions: of a server's modes those that decide what SQL means, and none that
    decides what values look like."""
    return ",".join(sorted(_READ_AS & set(mode.split(","))))


def session(mode: str, *, mariadb: bool) -> tuple[str, ...]:
    """Return the statements that set up a transaction's session: what decides how values are printed and texts are
    read, what is seen, that nothing is written, and how long things may take."""
    first, *others = _COMMON
    return (first.format(mode=mode), *others, *(_MARIADB if mariadb else _MYSQL))


def settled(text: str, mode: str, *, mariadb: bool) -> str:
    """Return a SELECT that brings its settings along, where no session can be set up."""
    if mariadb:
        return (
            f"{MARK}SET STATEMENT sql_mode = '{mode}', time_zone = '+00:00', lock_wait_timeout = {_LOCK_SECONDS}, "
            f"max_statement_time = {_SECONDS} FOR {text}"
        )
    # The time zone is the extension's own setting.
    hints = f"SET_VAR(sql_mode = '{mode}') MAX_EXECUTION_TIME({_SECONDS * 1000})"
    return MARK + text.replace("SELECT ", f"SELECT /*+ {hints} */ ", 1)


def schema_and_name(table: str) -> tuple[str, str]:
    """Return expressions for a table's schema and its name, as INFORMATION_SCHEMA compares them."""
    *schema, name = parts(table)
    return (literal(schema[0]) if schema else "DATABASE()"), literal(name)


def table_rows(tables: Mapping[str, str]) -> str:
    """Give `name, found` for tables (name -> relation), by the server's own estimate."""
    each = []
    for name, table in tables.items():
        schema, own = schema_and_name(table)
        each.append(
            f"SELECT {literal(name)} AS name, CAST(TABLE_ROWS AS CHAR) AS found FROM information_schema.TABLES "
            f"WHERE TABLE_SCHEMA = {schema} AND TABLE_NAME = {own} AND TABLE_ROWS IS NOT NULL"
        )
    return " UNION ALL ".join(each)


def find_table(table: str) -> str:
    """Give `schema_name, name, kind, engine, rows_, size, created` of a table, or no row."""
    schema, name = schema_and_name(table)
    return f"SELECT {_TABLE} FROM information_schema.TABLES WHERE TABLE_SCHEMA = {schema} AND TABLE_NAME = {name}"


_TABLE = """TABLE_SCHEMA AS schema_name, TABLE_NAME AS name, TABLE_TYPE AS kind, ENGINE AS engine,
    CAST(TABLE_ROWS AS CHAR) AS rows_, CAST(DATA_LENGTH AS CHAR) AS size, CAST(CREATE_TIME AS CHAR) AS created"""


def table_columns(table: str) -> str:
    """Give `name, type, nullable, collation` of a table's columns in their order."""
    schema, name = schema_and_name(table)
    return f"""SELECT COLUMN_NAME AS name, CAST(COLUMN_TYPE AS CHAR) AS type, IS_NULLABLE AS nullable,
        COLLATION_NAME AS collation FROM information_schema.COLUMNS
        WHERE TABLE_SCHEMA = {schema} AND TABLE_NAME = {name} ORDER BY ORDINAL_POSITION"""


def query_collations(query: str, names: Iterable[str]) -> str:
    """Give `c0, c1, ...`, the collations of a query's columns, without running it."""
    wanted = ", ".join(f"COLLATION(q.{identifier(name)}) AS c{index}" for index, name in enumerate(names))
    return f"SELECT {wanted} FROM (SELECT 1 AS one) AS one LEFT JOIN (SELECT * FROM {query} AS s LIMIT 0) AS q ON true"


def indexes(table: str) -> str:
    """Give `name, place, column_name, is_unique, nullable, part` of the columns of a table's indexes; an expression has
    no name."""
    schema, name = schema_and_name(table)
    return f"""SELECT INDEX_NAME AS name, CAST(SEQ_IN_INDEX AS CHAR) AS place, COLUMN_NAME AS column_name,
        IF(NON_UNIQUE = 0, 'true', 'false') AS is_unique, IF(NULLABLE = 'YES', 'true', 'false') AS nullable,
        CAST(SUB_PART AS CHAR) AS part FROM information_schema.STATISTICS
        WHERE TABLE_SCHEMA = {schema} AND TABLE_NAME = {name} ORDER BY INDEX_NAME, SEQ_IN_INDEX"""


def declared_key(table: str) -> str:
    """Give `name, place` of the columns of a table's primary key."""
    schema, name = schema_and_name(table)
    return f"""SELECT COLUMN_NAME AS name, CAST(SEQ_IN_INDEX AS CHAR) AS place FROM information_schema.STATISTICS
        WHERE TABLE_SCHEMA = {schema} AND TABLE_NAME = {name} AND INDEX_NAME = 'PRIMARY'"""


def relations(wanted: Iterable[tuple[str, ...]]) -> str:
    """Give `schema_name, name, kind, engine, created, definition` of those of the names that are tables or views."""
    pairs = ", ".join(
        f"({literal(name[0]) if len(name) == 2 else 'DATABASE()'}, {literal(name[-1])})" for name in wanted
    )
    return f"""SELECT t.TABLE_SCHEMA AS schema_name, t.TABLE_NAME AS name, t.TABLE_TYPE AS kind, t.ENGINE AS engine,
        CAST(t.CREATE_TIME AS CHAR) AS created, CAST(v.VIEW_DEFINITION AS CHAR) AS definition
        FROM information_schema.TABLES AS t LEFT JOIN information_schema.VIEWS AS v
            ON v.TABLE_SCHEMA = t.TABLE_SCHEMA AND v.TABLE_NAME = t.TABLE_NAME
        WHERE (t.TABLE_SCHEMA, t.TABLE_NAME) IN ({pairs})"""


def table_ids(schema: str, name: str, *, mariadb: bool) -> str:
    """Give `ids`, which InnoDB stores a table's rows under, its partitions' ones included; another one after each
    TRUNCATE and whatever else writes the table anew. Wants the right PROCESS."""
    found = "SELECT CAST(GROUP_CONCAT(TABLE_ID ORDER BY TABLE_ID) AS CHAR) AS ids FROM information_schema"
    if not mariadb:
        # None for a name with other signs, which may be spelled as a file is: then the time of creation counts.
        return f"{found}.INNODB_TABLES WHERE SUBSTRING_INDEX(NAME, '#', 1) = {literal(f'{schema}/{name}')}"
    file = ", '/', ".join(f"CAST(CONVERT({literal(text)} USING filename) AS BINARY)" for text in (schema, name))
    return f"{found}.INNODB_SYS_TABLES WHERE CAST(SUBSTRING_INDEX(NAME, '#', 1) AS BINARY) = CONCAT({file})"


def in_utc(local: str) -> str:
    """Return the expression for the moment at which the server's own clock, that of the machine, has shown a time; of
    a time that it has shown twice, in autumn, the first one."""
    later = f"CONVERT_TZ({local}, 'SYSTEM', '+00:00')"
    earlier = f"{later} - INTERVAL 1 HOUR"
    return f"IF(CONVERT_TZ({earlier}, '+00:00', 'SYSTEM') = {local}, {earlier}, {later})"


_WRITES = "trx_mysql_thread_id <> CONNECTION_ID() AND (trx_rows_modified > 0 OR trx_state = 'LOCK WAIT')"
_MAY_WRITE = f"""COMMAND IN ('Query', 'Execute')
    AND NOT (COALESCE(INFO, '') REGEXP '^(SELECT|SHOW)[^a-z]' OR COALESCE(INFO, '') LIKE '{MARK}%')"""

TRANSACTIONS = f"""SELECT CAST(COALESCE(MAX(age), 0) AS CHAR) AS age,
        CAST(COALESCE(MAX(orphaned), 0) AS CHAR) AS orphaned
    FROM (
        SELECT TIMESTAMPDIFF(SECOND, {in_utc("trx_started")}, UTC_TIMESTAMP()) + 1 AS age,
            trx_mysql_thread_id = 0 AS orphaned
        FROM information_schema.INNODB_TRX WHERE {_WRITES}
    ) AS open"""
"""Give `age`, for how many seconds the oldest transaction that has written has been open, and whether one of them has
lost its session (`orphaned`, 1 or 0). Wants the right PROCESS."""

WRITERS = f"SELECT CAST(trx_id AS CHAR) AS holder FROM information_schema.INNODB_TRX WHERE {_WRITES}"
"""Give `holder`, one row per transaction that has written. Wants PROCESS."""

LISTED = """SELECT CAST(COUNT(*) AS CHAR) AS listed FROM information_schema.INNODB_TRX
    WHERE trx_mysql_thread_id = CONNECTION_ID()"""
"""Give `listed`, how many transactions of this connection are on InnoDB's list. Wants PROCESS."""

STATEMENTS = f"""SELECT CAST(COALESCE(MAX(IF({_MAY_WRITE}, TIME + 1, 0)), 0) AS CHAR) AS age,
        CAST(COALESCE(MAX(USER = 'system user' AND COMMAND <> 'Daemon'), 0) AS CHAR) AS replica
    FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID()"""
"""Give `age`, for how many seconds the oldest statement that may write has been running, and whether the server applies
what another one has written (`replica`, 1 or 0). Without the right PROCESS it tells of the account's own sessions."""


def running(*, mariadb: bool) -> str:
    """Give `holder`, one row per statement that may write. Wants PROCESS."""
    number = "COALESCE(QUERY_ID, 0)" if mariadb else "0"
    return f"""SELECT CONCAT(ID, ':', {number}) AS holder FROM information_schema.PROCESSLIST
        WHERE ID <> CONNECTION_ID() AND {_MAY_WRITE}"""


STATE = {
    True: """SELECT GROUP_CONCAT(VARIABLE_VALUE ORDER BY VARIABLE_NAME SEPARATOR ':') AS state
        FROM information_schema.SESSION_STATUS
        WHERE VARIABLE_NAME IN ('BINLOG_SNAPSHOT_FILE', 'BINLOG_SNAPSHOT_POSITION')
            AND VARIABLE_VALUE NOT IN ('', '0')""",
    False: "SELECT NULLIF(@@GLOBAL.gtid_executed, '') AS state",
}
"""Give `state` of MariaDB (True), the snapshot's place in the binary log, or of MySQL, what had been committed; NULL if
there is no such log."""


def any_row(source: str, condition: str) -> str:
    """Give `found`, true if a row meets the condition."""
    return f"SELECT IF(EXISTS (SELECT 1 FROM {source} WHERE {condition}), 'true', 'false') AS found"


def count(source: str, condition: str) -> str:
    """Give `found`, the number of rows that meet the condition."""
    return f"SELECT CAST(COUNT(*) AS CHAR) AS found FROM {source} WHERE {condition}"


def probe(source: str) -> str:
    """Give no row, but the error that a relation raises when it is understood."""
    return f"SELECT '1' AS one FROM {source} LIMIT 0"


def cut(source: str, key: str, printed: str, condition: str, after: str, rows: int) -> str:
    """Give `cut`, the key that so many rows come before, counted from where `after` holds; or no row.

    Args:
        printed: The key as text.
    """
    return f"SELECT {printed} AS cut FROM {source} WHERE {condition} AND {after} ORDER BY {key} LIMIT 1 OFFSET {rows}"


def rows(columns: str, source: str, condition: str) -> str:
    """Give the rows of a chunk."""
    return f"SELECT {columns} FROM {source} WHERE {condition}"
