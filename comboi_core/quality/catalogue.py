"""The checks as data: the SQL that finds failing rows, and the message about them.

To add a check, add an entry here and its name to `Check.kind` in the configuration.

NULL passes every check except `not_null`, as in SQL's own constraints. NaN, which DuckDB treats as greater than every
number, passes none of `min`, `max`, `positive`, `non_negative`, `negative` and `accepted_values`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RowCheck:
    """A check of single rows. All such checks together need one scan.

    Attributes:
        fails: A condition that is true for a failing row. Placeholders: `{c}` the column, `{value}` or `{values}` the
            parameters as literals of the column's type, `{regex}` a string, `{nan}` whether the column is NaN.
        says: What is wrong with these rows, for the message. Placeholders: `{column}` and the parameters.
        numeric: Whether it is only for numbers.
    """

    fails: str
    says: str
    numeric: bool = False


@dataclass(frozen=True)
class GroupCheck:
    """A check that compares rows with other rows.

    Placeholders of all queries: `{d}` the dataset, `{columns}`, `{known}` the condition that none of the columns is
    NULL; for `relationships` also `{parents}`, the rows that are looked up, and `{match}`, the condition of the join.

    Attributes:
        count: A query for the number of failing rows.
        rows: A query for failing rows, from its FROM clause on.
        keys: A query for the values of `{columns}`, each once, whose rows quarantine takes out.
        says: What is wrong with these rows, for the message. Placeholders: `{column}` and the parameters.
    """

    count: str
    rows: str
    keys: str
    says: str


_REPEATED = GroupCheck(
    count="""
        SELECT coalesce(sum(times - 1), 0)
        FROM (SELECT count(*) AS times FROM {d} WHERE {known} GROUP BY {columns} HAVING count(*) > 1)""",
    rows="""
        FROM {d}
        SEMI JOIN (
            SELECT {columns} FROM {d} WHERE {known} GROUP BY {columns} HAVING count(*) > 1 ORDER BY {columns} LIMIT 5
        ) USING ({columns})
        ORDER BY {columns}""",
    keys="SELECT {columns} FROM {d} WHERE {known} GROUP BY {columns} HAVING count(*) > 1",
    says="repeat a value of {column} that another row has",
)

_ORPHANED = GroupCheck(
    count="SELECT count(*) FROM {d} ANTI JOIN {parents} ON {match} WHERE {known}",
    rows="FROM {d} ANTI JOIN {parents} ON {match} WHERE {known}",
    keys="SELECT DISTINCT {columns} FROM {d} ANTI JOIN {parents} ON {match} WHERE {known}",
    says="have a value in {column} that is not in {field} of {to}",
)

ROW_CHECKS = {
    "not_null": RowCheck("{c} IS NULL", "have no value in {column}"),
    "accepted_values": RowCheck("{c} NOT IN ({values})", "have a value in {column} that is not in the accepted values"),
    "min": RowCheck("{c} < {value} OR {nan}", "have a value in {column} that is not at least {value}"),
    "max": RowCheck("{c} > {value}", "have a value in {column} that is not at most {value}"),
    "positive": RowCheck("{c} <= 0 OR {nan}", "have a value in {column} that is not positive", numeric=True),
    "non_negative": RowCheck("{c} < 0 OR {nan}", "have a negative value in {column}, or NaN", numeric=True),
    "negative": RowCheck("{c} >= 0", "have a value in {column} that is not negative", numeric=True),
    # As POSIX does: the pattern may match anywhere in the value; anchor it with ^ and $.
    "pattern": RowCheck("NOT regexp_matches({text}, {regex})", "have a value in {column} that does not match {regex}"),
}

GROUP_CHECKS = {"unique": _REPEATED, "unique_combination": _REPEATED, "relationships": _ORPHANED}
