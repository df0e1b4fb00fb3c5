"""The texts of new transformations and checks, made from what is known about their inputs."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from comboi_core.domain.sql import identifier

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Known:
    """What is known about an input.

    Attributes:
        alias: Its name in the transformation. SQL needs no quotes for it.
        columns: The names of its columns. Empty if it is not in the lake yet.
        key: The columns that identify a row. Empty if not known.
    """

    alias: str
    columns: tuple[str, ...] = ()
    key: tuple[str, ...] = ()


@dataclass(frozen=True)
class Writer:
    """Writes SQL as a person would.

    Attributes:
        reserved: Words that need quotes, in lower case.
    """

    reserved: Collection[str]

    def name(self, column: str) -> str:
        """Return a column's name, quoted only if necessary."""
        bare = _PLAIN.fullmatch(column) and column.lower() not in self.reserved
        return column if bare else identifier(column)

    def select(self, inputs: Sequence[Known], tables: Sequence[str]) -> list[str]:
        """Return the lines of a SELECT over inputs. An input is joined if the first input has the columns of its key.

        Args:
            tables: The name of each input in the FROM clause.
        """
        first, *others = inputs
        joined = {other.alias: _joins(first, other) for other in others}
        several = any(joined.values())
        shown = [self._qualified(first, column, several) for column in first.columns]
        taken = {column.lower() for column in first.columns}
        for other in others:
            if joined[other.alias]:
                fresh = [column for column in other.columns if column.lower() not in taken]
                taken |= {column.lower() for column in fresh}
                shown += [self._qualified(other, column, True) for column in fresh]
        lines = ["SELECT", *_listed(shown), f"FROM {self._as(tables[0], first)}"] if shown else []
        lines = lines or ["SELECT *", f"FROM {self._as(tables[0], first)}"]
        for other, table in zip(others, tables[1:], strict=True):
            if joined[other.alias]:
                on = " AND ".join(
                    f"{self._qualified(other, column, True)} = {self._qualified(first, column, True)}"
                    for column in other.key
                )
                lines.append(f"LEFT JOIN {self._as(table, other)} ON {on}")
        return lines

    def _qualified(self, known: Known, column: str, several: bool) -> str:
        return f"{self.name(known.alias)}.{self.name(column)}" if several else self.name(column)

    def _as(self, table: str, known: Known) -> str:
        alias = self.name(known.alias)
        return table if table == alias else f"{table} AS {alias}"


def sql_script(name: str, inputs: Sequence[Known], writer: Writer) -> str:
    """Return a transformation in SQL."""
    comments = [f"-- {name}: describe here in one sentence what a row is."]
    left = [known.alias for known in inputs[1:] if not _joins(inputs[0], known)]
    comments += [f"-- Not joined yet: {', '.join(left)}."] if left else []
    return "\n".join([*comments, *writer.select(inputs, [writer.name(known.alias) for known in inputs])]) + "\n"


def python_script(name: str, inputs: Sequence[Known], writer: Writer) -> str:
    """Return a transformation in Python, which returns SQL."""
    marks = [f"\x00{number}\x00" for number in range(len(inputs))]
    query = "\n".join(f"        {line}" for line in writer.select(inputs, marks))
    # Names may contain characters that end a Python string or begin a field of an f-string.
    query = query.replace("\\", "\\\\").replace('"', '\\"').replace("{", "{{").replace("}", "}}")
    for mark, known in zip(marks, inputs, strict=True):
        query = query.replace(mark, f'{{inputs["{known.alias}"]}}')
    left = [known.alias for known in inputs[1:] if not _joins(inputs[0], known)]
    hint = f"\n\n    Not joined yet: {', '.join(left)}.\n    " if left else ""
    return f'''"""{name}: describe here in one sentence what a row is."""

from __future__ import annotations

from collections.abc import Mapping

import duckdb


def transform(con: duckdb.DuckDBPyConnection, inputs: Mapping[str, str]) -> str:
    """Return a query. You can also return a relation of `con`, a DataFrame or an Arrow table.{hint}"""
    return f"""
{query}
    """
'''


def check_script(name: str, dataset: str, column: str | None) -> str:
    """Return a check of a dataset. Without a known column (not published yet), it counts the rows."""
    if column is None:
        return f'''"""{name}: describe here in one sentence what has to be true for {dataset}."""

from __future__ import annotations

import duckdb


def check(con: duckdb.DuckDBPyConnection, dataset_name: str) -> tuple[bool, str]:
    """Pass if there is at least one row. Write your own condition here."""
    rows = con.execute(f"SELECT count(*) FROM {{dataset_name}}").fetchone()[0]
    return rows > 0, f"{{rows:,}} rows"
'''
    return f'''"""{name}: describe here in one sentence what has to be true for {dataset}."""

from __future__ import annotations

import duckdb

WRONG = {f"{identifier(column)} IS NULL"!r}


def check(con: duckdb.DuckDBPyConnection, dataset_name: str) -> tuple[bool, str]:
    """Pass if no row meets the condition WRONG. Write your own condition there."""
    rows = con.execute(f"SELECT count(*) FROM {{dataset_name}} WHERE {{WRONG}}").fetchone()[0]
    return rows == 0, f"{{rows:,}} rows with {{WRONG}}"
'''


def _joins(first: Known, other: Known) -> bool:
    there = {column.lower() for column in first.columns}
    return bool(other.key) and all(column.lower() in there for column in other.key)


def _listed(items: Sequence[str]) -> list[str]:
    return [f"    {item}," for item in items[:-1]] + [f"    {items[-1]}"] if items else []
