"""Every T-SQL text that the server gets, apart from the types' expressions (`azure_sql_types`) and the window's
(`azure_sql_window`).

Results are text, named by us. Nothing is read with NOLOCK: what is read was committed.
"""

from __future__ import annotations

from dataclasses import dataclass

from comboi_core.sources.azure_sql_text import identifier, literal, parts, split_with, trimmed

SESSION = """
    SET NOCOUNT ON; SET LANGUAGE us_english; SET LOCK_TIMEOUT 60000; SET DEADLOCK_PRIORITY LOW"""
"""What every session begins with. The language is that of error messages and of nothing else: each conversion of a
date names its style."""

SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL SNAPSHOT"
"""One statement sees one committed state, and waits for no writer."""

SERVER = """
    SELECT CONVERT(varchar(34), SYSDATETIMEOFFSET(), 121) AS clock,
        CONVERT(varchar(34), SYSUTCDATETIME(), 121) AS utc,
        CONVERT(varchar(20), DATABASEPROPERTYEX(DB_NAME(), 'Updateability')) AS updateability,
        CONVERT(varchar(18), MIN_ACTIVE_ROWVERSION(), 1) AS active,
        CONVERT(varchar(1), snapshot_isolation_state) AS snapshot,
        CONVERT(varchar(1), is_read_committed_snapshot_on) AS committed
    FROM sys.databases WHERE name = DB_NAME()"""
"""Give one row: the clock with its offset and in UTC, READ_ONLY or READ_WRITE, the lowest row version that a
transaction in progress has drawn (the next one if there is none), and whether reads can be of one state.

By name: Azure numbers databases in sys.databases otherwise than DB_ID() does."""

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
    """Give `oid`, NULL if the database has no such object or does not show it to the login, and `is_table`, 1 or 0."""
    oid = f"OBJECT_ID({literal(table_name(name))})"
    return f"""
        SELECT CONVERT(varchar(20), {oid}) AS oid,
            CONVERT(varchar(1), OBJECTPROPERTY({oid}, 'IsUserTable')) AS is_table"""


def describe(relation: Relation) -> str:
    """Give one row per column: `name`, `type` with its length (NULL for CLR types, named by `clr`), `nullable`.

    The server compiles the SELECT and does not run it; if it cannot be compiled, `error` and `message` say why.
    """
    return f"""
        SELECT name, system_type_name AS type, user_type_name AS clr, CONVERT(varchar(1), is_nullable) AS nullable,
            CONVERT(varchar(20), error_number) AS error, error_message AS message
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


def unique_indexes(oid: str) -> str:
    """Give `index_id, name, nullable` of each key column of the unique indexes that hold for every row."""
    return f"""
        SELECT CONVERT(varchar(20), i.index_id) AS index_id, c.name AS name,
            CONVERT(varchar(1), c.is_nullable) AS nullable
        FROM sys.indexes AS i
        JOIN sys.index_columns AS k ON k.object_id = i.object_id AND k.index_id = i.index_id
        JOIN sys.columns AS c ON c.object_id = k.object_id AND c.column_id = k.column_id
        WHERE i.object_id = {int(oid)} AND i.is_unique = 1 AND i.has_filter = 0 AND i.is_disabled = 0
            AND i.is_hypothetical = 0 AND k.is_included_column = 0"""


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
