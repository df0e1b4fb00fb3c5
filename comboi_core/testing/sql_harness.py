"""The harness of a source that is written to in SQL: a dialect in a few methods."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from comboi_core.testing.harness import Harness, Kind, Row, Table


class SqlHarness(Harness):
    """Statements of standard SQL; a source overrides what its dialect has otherwise.

    Attributes:
        types: The dialect's type of each kind.
        add_column, drop_column, alter_column, truncate: The dialect's statements.
    """

    types: ClassVar[Mapping[Kind, str]]
    add_column: ClassVar[str] = "ALTER TABLE {table} ADD {column} {type}"
    drop_column: ClassVar[str] = "ALTER TABLE {table} DROP COLUMN {column}"
    alter_column: ClassVar[str] = "ALTER TABLE {table} ALTER COLUMN {column} {type}"
    truncate: ClassVar[str] = "TRUNCATE TABLE {table}"

    @abstractmethod
    def run(self, *statements: str) -> None:
        """Run statements one after the other, each committed."""

    @abstractmethod
    def quoted(self, name: str) -> str:
        """Return a name as an identifier."""

    @abstractmethod
    def relation(self, table: Table) -> str:
        """Return a table's name with its schema, quoted, as statements and the configuration name it."""

    def literal(self, value: Any) -> str:
        """Return a value in SQL."""
        if value is None:
            return "NULL"
        if isinstance(value, datetime):
            return f"'{value.isoformat(sep=' ', timespec='microseconds')}'"
        return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)

    def place(self, table: Table) -> dict[str, Any]:
        """See `Harness`."""
        return {"table": self.relation(table)}

    def create(self, table: Table) -> None:
        """See `Harness`."""
        self.run(self._create(table))

    def _create(self, table: Table) -> str:
        columns = [
            f"{self.quoted(name)} {self.types[kind]}{' NOT NULL' if name in table.key else ''}"
            for name, kind in table.columns.items()
        ]
        key = [f"PRIMARY KEY ({', '.join(map(self.quoted, table.key))})"] if table.key else []
        return f"CREATE TABLE {self.relation(table)} ({', '.join([*columns, *key])})"

    def insert(self, table: Table, rows: Sequence[Row]) -> None:
        """See `Harness`."""
        self.run(self.insertion(table, rows))

    def insertion(self, table: Table, rows: Sequence[Row]) -> str:
        """Return the statement that inserts rows."""
        names = ", ".join(map(self.quoted, table.columns))
        values = ", ".join(f"({', '.join(self.literal(row.get(name)) for name in table.columns)})" for row in rows)
        return f"INSERT INTO {self.relation(table)} ({names}) VALUES {values}"

    def update(self, table: Table, row: Row) -> None:
        """See `Harness`."""
        changes = ", ".join(f"{self.quoted(name)} = {self.literal(row[name])}" for name in row if name != "id")
        self.run(f"UPDATE {self.relation(table)} SET {changes} WHERE {self.quoted('id')} = {row['id']}")

    def empty(self, table: Table) -> None:
        """See `Harness`."""
        self.run(self.truncate.format(table=self.relation(table)))

    def rewrite(self, table: Table, rows: Sequence[Row]) -> None:
        """See `Harness`."""
        self.run(f"DROP TABLE {self.relation(table)}", self._create(table), self.insertion(table, rows))

    def alter(self, table: Table, changed: Table) -> None:
        """See `Harness`."""
        before, after = table.columns, changed.columns
        statements = [(self.drop_column, name) for name in before if name not in after]
        statements += [(self.add_column, name) for name in after if name not in before]
        statements += [(self.alter_column, name) for name in after if name in before and before[name] != after[name]]
        for statement, name in statements:
            kind = self.types[after[name]] if name in after else ""
            self.run(statement.format(table=self.relation(table), column=self.quoted(name), type=kind))
