"""Every T-SQL text that the server gets, apart from the types' expressions (`types`) and the window's
(`window`).

Results are text, named by us. Nothing is read with NOLOCK: what is read was committed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from comboi_core.sources.azure_sql.text import identifier, literal, parts, split_with, trimmed

SESSION = """
    SET NOCOUNT ON; SET LANGUAGE us_english; SET LOCK_TIMEOUT 60000; SET DEADLOCK_PRIORITY LOW"""
"""What every session begins with. The language is that of error messages and of nothing else: each conversion of a
date names its style."""

SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL SNAPSHOT"
"""One transaction sees one committed state, and waits for no writer."""
BEGIN, COMMIT = "BEGIN TRANSACTION", "COMMIT TRANSACTION"

SERVER = """
    SELECT CONVERT(varchar(34), SYSDATETIMEOFFSET(), 121) AS clock,
        CONVERT(varchar(34), SYSUTCDATETIME(), 121) AS utc,
        CONVERT(varchar(20), DATABASEPROPERTYEX(DB_NAME(), 'Updateability')) AS updateability,
        CONVERT(varchar(18), MIN_ACTIVE_ROWVERSION(), 1) AS active,
        CONVERT(varchar(1), snapshot_isolation_state) AS snapshot,
        CONVERT(varchar(1), is_read_committed_snapshot_on) AS committed,
        CONVERT(varchar(10), SERVERPROPERTY('EngineEdition')) AS edition,
        CONVERT(varchar(60), DATABASEPROPERTYEX(DB_NAME(), 'ServiceObjective')) AS objective,
        CONVERT(varchar(1), HAS_PERMS_BY_NAME(NULL, NULL, 'VIEW SERVER STATE')) AS server_state,
        CONVERT(varchar(1), HAS_PERMS_BY_NAME(NULL, NULL, 'VIEW SERVER PERFORMANCE STATE')) AS server_performance,
        CONVERT(varchar(1), HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'VIEW DATABASE STATE')) AS database_state,
        CONVERT(varchar(1), HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'VIEW DEFINITION')) AS definition,
        CONVERT(varchar(1), IS_SRVROLEMEMBER('##MS_ServerStateReader##')) AS state_reader
    FROM sys.databases WHERE name = DB_NAME()"""
"""Give one row: the clock with its offset and in UTC, READ_ONLY or READ_WRITE, the lowest row version that a
transaction in progress has drawn (the next one if there is none), whether reads can be of one state, and the login's
rights as `sight` judges them; of a right that the server does not know, NULL.

By name: Azure numbers databases in sys.databases otherwise than DB_ID() does."""

ROWS_SENT = "SELECT CONVERT(varchar(20), ROWCOUNT_BIG()) AS sent"
"""Give `sent`, how many rows the statement before this one gave."""

WRITERS = """
    SELECT CONVERT(varchar(20), d.transaction_id) AS holder,
        CONVERT(varchar(20), DATEDIFF_BIG(millisecond, a.transaction_begin_time, GETDATE())) AS age
    FROM sys.dm_tran_database_transactions AS d
    JOIN sys.dm_tran_active_transactions AS a ON a.transaction_id = d.transaction_id
    WHERE d.database_id = DB_ID() AND d.database_transaction_type = 1
        AND d.database_transaction_begin_time IS NOT NULL"""
"""Give one row per transaction in progress that has written to this database: its number and its age in milliseconds.

Wants VIEW DATABASE STATE; the server refuses it otherwise."""


@dataclass(frozen=True)
class Relation:
    """What a table is read from.

    Attributes:
        item: The FROM item, called `src`.
        ctes: `WITH ...` of a configured query, which T-SQL allows at the beginning of a statement only.
    """

    item: str
    ctes: str = ""

    @classmethod
    def of_table(cls, name: str) -> Relation:
        """Return a table's or view's relation; ValueError if the name cannot be understood."""
        return cls(f"{table_name(name)} AS src")

    @classmethod
    def of_query(cls, query: str) -> Relation:
        """Return a configured query's relation."""
        ctes, select = split_with(trimmed(query))
        return cls(f"({select}) AS src", f"{ctes} " if ctes else "")

    def filtered(self, condition: str) -> Relation:
        """Return the relation with only the rows that meet a configured condition, in which it is called `src` too."""
        return Relation(f"(SELECT * FROM {self.item} WHERE {trimmed(condition)}) AS src", self.ctes)

    def sampled(self, percent: float) -> Relation:
        """Return a table's relation with the rows of some of its pages."""
        return Relation(f"{self.item} TABLESAMPLE ({percent:.6f} PERCENT)")

    def select(self, columns: str, condition: str = "1 = 1") -> str:
        """Return a SELECT over the relation."""
        return f"{self.ctes}SELECT {columns} FROM {self.item} WHERE {condition}"


def table_name(name: str) -> str:
    """Return a table's name with each part quoted."""
    return ".".join(identifier(part) for part in parts(name))


def find_table(name: str) -> str:
    """Give `oid`, NULL if the database has no such object or does not show it to the login, `is_table`, 1 or 0, and
    `filters`, the number of row filters of security policies on it that the login sees."""
    oid = f"OBJECT_ID({literal(table_name(name))})"
    return f"""
        SELECT CONVERT(varchar(20), {oid}) AS oid,
            CONVERT(varchar(1), OBJECTPROPERTY({oid}, 'IsUserTable')) AS is_table,
            (SELECT CONVERT(varchar(10), COUNT(*)) FROM sys.security_predicates AS f
                JOIN sys.security_policies AS p ON p.object_id = f.object_id
                WHERE f.target_object_id = {oid} AND f.predicate_type = 0 AND p.is_enabled = 1) AS filters"""


def objects(expressions: Iterable[str]) -> str:
    """Give one row per partition and policy of objects: what changes when one is made anew, emptied or switched.

    `oid`, `schema_name`, `name` and `kind` (sys.objects); `defined`, when a view or function was defined last, empty
    for a table, whose columns are looked at anyway; `part` (sys.partitions: SWITCH); `unit` (sys.allocation_units:
    TRUNCATE takes the pages away and gives the table a new unit); `policy` and `ruled`, the policy that filters its
    rows and when it was changed. NULL, or no row, where the login does not see it.

    Args:
        expressions: T-SQL of the objects' ids.
    """
    return f"""
        SELECT CONVERT(varchar(20), o.object_id) AS oid, s.name AS schema_name, o.name AS name,
            o.type AS kind, CASE WHEN o.type = 'U' THEN '' ELSE CONVERT(varchar(34), o.modify_date, 121) END AS defined,
            CONVERT(varchar(20), p.partition_id) AS part, CONVERT(varchar(20), a.allocation_unit_id) AS unit,
            CONVERT(varchar(20), f.object_id) AS policy, CONVERT(varchar(34), r.modify_date, 121) AS ruled
        FROM sys.objects AS o
        JOIN sys.schemas AS s ON s.schema_id = o.schema_id
        LEFT JOIN sys.partitions AS p ON p.object_id = o.object_id AND p.index_id IN (0, 1)
        LEFT JOIN sys.allocation_units AS a ON a.container_id = p.hobt_id AND a.type = 1
        LEFT JOIN sys.security_predicates AS f ON f.target_object_id = o.object_id
        LEFT JOIN sys.objects AS r ON r.object_id = f.object_id
        WHERE o.object_id IN ({", ".join(expressions)})"""


def object_id(parts: Sequence[str]) -> str:
    """Return the expression for the id of what a name, in its parts, means; NULL if it means nothing."""
    return f"OBJECT_ID({literal('.'.join(map(identifier, parts)))})"


def referenced(schema: str, name: str) -> str:
    """Give `oid` of each object of this database that a view or function names. Wants VIEW DEFINITION on it."""
    named = literal(f"{identifier(schema)}.{identifier(name)}")
    return f"""
        SELECT CONVERT(varchar(20), referenced_id) AS oid
        FROM sys.dm_sql_referenced_entities({named}, N'OBJECT')
        WHERE referenced_id IS NOT NULL AND referenced_minor_id = 0"""


def synonym(oid: str) -> str:
    """Give `base`, the name of what a synonym stands for."""
    return f"SELECT base_object_name AS base FROM sys.synonyms WHERE object_id = {int(oid)}"


def describe(relation: Relation) -> str:
    """Give one row per column: `name`, `type` with its length (NULL for CLR types, named by `clr`), `nullable`, and
    `collation`, which texts have.

    The server compiles the SELECT and does not run it; if it cannot be compiled, `error` and `message` say why.
    """
    return f"""
        SELECT name, system_type_name AS type, user_type_name AS clr, CONVERT(varchar(1), is_nullable) AS nullable,
            collation_name AS collation, CONVERT(varchar(20), error_number) AS error, error_message AS message
        FROM sys.dm_exec_describe_first_result_set({literal(relation.select("*"))}, NULL, 0)
        WHERE COALESCE(is_hidden, 0) = 0 ORDER BY column_ordinal"""


def partition_statistics(oid: str) -> str:
    """Give `rows` and `pages` (of 8 KiB) as the server counts them; NULL for views. Wants VIEW DATABASE STATE."""
    return f"""
        SELECT CONVERT(varchar(20), SUM(row_count)) AS rows, CONVERT(varchar(20), SUM(used_page_count)) AS pages
        FROM sys.dm_db_partition_stats WHERE object_id = {int(oid)} AND index_id IN (0, 1)"""


def partition_rows(oid: str) -> str:
    """Give `rows`, and NULL for `pages`; wants no right but to read the table."""
    return f"""
        SELECT CONVERT(varchar(20), SUM(rows)) AS rows, NULL AS pages
        FROM sys.partitions WHERE object_id = {int(oid)} AND index_id IN (0, 1)"""


def indexes(oid: str) -> str:
    """Give `index_id, name, nullable, distinct_rows` of each key column, in order, of the indexes that hold every row.

    Keys of a columnstore index are in no order (`key_ordinal` 0).
    """
    return f"""
        SELECT CONVERT(varchar(20), i.index_id) AS index_id, c.name AS name,
            CONVERT(varchar(1), c.is_nullable) AS nullable, CONVERT(varchar(1), i.is_unique) AS distinct_rows
        FROM sys.indexes AS i
        JOIN sys.index_columns AS k ON k.object_id = i.object_id AND k.index_id = i.index_id
        JOIN sys.columns AS c ON c.object_id = k.object_id AND c.column_id = k.column_id
        WHERE i.object_id = {int(oid)} AND i.has_filter = 0 AND i.is_disabled = 0 AND i.is_hypothetical = 0
            AND k.key_ordinal > 0
        ORDER BY i.index_id, k.key_ordinal"""


def any_row(relation: Relation, condition: str) -> str:
    """Give one row, `found`, if a row meets the condition; else none."""
    return relation.select("TOP (1) '1' AS found", condition)


def count(relation: Relation, condition: str) -> str:
    """Give `found`, the number of rows that meet the condition."""
    return relation.select("CONVERT(varchar(20), COUNT_BIG(*)) AS found", condition)


def count_containing(relation: Relation, text: str, character: str, condition: str) -> str:
    """Give `found`, the number of rows that meet the condition and have a character in a text.

    Compared by code point: most collations take a character that they do not know for none at all.
    """
    return count(relation, f"({condition}) AND {text} COLLATE Latin1_General_BIN2 LIKE {literal(f'%{character}%')}")


def cuts(relation: Relation, key: str, shown: str, condition: str, pieces: int) -> str:
    """Give `cut`, printed: the keys at which parts of as many rows each begin, in their order, without the first.

    Args:
        shown: The expression that prints `cut_value`.
    """
    parts = relation.select(f"{key} AS key_value, NTILE({pieces}) OVER (ORDER BY {key}) AS part", condition)
    body = parts.removeprefix(relation.ctes)
    return f"""
        {relation.ctes}SELECT {shown} AS cut FROM (
            SELECT MIN(part) AS part, cut_value FROM (
                SELECT part, MIN(key_value) AS cut_value FROM ({body}) AS parts GROUP BY part
            ) AS firsts GROUP BY cut_value
        ) AS ordered WHERE part > 1 ORDER BY part"""
