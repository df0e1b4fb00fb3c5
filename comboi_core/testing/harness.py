"""What a source gives its contract tests: a way to fill it, to change it, and to say what it cannot do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

Kind = Literal["integer", "decimal", "text", "timestamp"]
"""Kinds of columns: whole numbers of 64 bits, `DECIMAL(38,2)`, text of any length, a date with a time and no zone."""
Mode = Literal["merge", "append", "full"]
Part = Literal["secrets", "cursor", "late commits", "chunks", "empty tables", "table names"]
"""Parts of the contract that not every source can meet; `empty tables` are those whose last row is taken out."""
Row = dict[str, Any]


@dataclass(frozen=True)
class Broken:
    """A connection that cannot be used.

    Attributes:
        connection: As in the configuration.
        secrets: Texts in it that no error may hold.
    """

    connection: dict[str, Any]
    secrets: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A table that a test has in the source; columns whose names are in `key` are never NULL.

    Attributes:
        columns: Name -> kind, in the order of the table.
    """

    name: str = "orders"
    columns: Mapping[str, Kind] = field(
        default_factory=lambda: {"id": "integer", "v": "text", "n": "integer", "at": "timestamp"}
    )
    key: tuple[str, ...] = ("id",)


class Growing(ABC):
    """A source with rows that become more.

    Attributes:
        type: The source's type.
        without: Part of the contract -> why the source cannot meet it; its tests are skipped with this reason.
    """

    type: ClassVar[str]
    without: ClassVar[Mapping[Part, str]] = {}

    @property
    @abstractmethod
    def connection(self) -> dict[str, Any]:
        """The source's `connection:`."""

    @property
    @abstractmethod
    def table(self) -> dict[str, Any]:
        """The configuration of an incremental table, without its name in the lake."""

    @abstractmethod
    def start(self) -> None:
        """Have the source hold the table with some rows."""

    @abstractmethod
    def grow(self) -> None:
        """Add a row or more that the next load has to find."""

    @abstractmethod
    def rows(self) -> list[Row]:
        """Return all rows that the source holds now, as they land: one dict per row, as DuckDB gives the values."""

    def broken(self) -> Broken:
        """Return a connection that fails; not asked for without the part `secrets`."""
        raise NotImplementedError


class Harness(ABC):
    """A source in which a test makes tables as it likes.

    Attributes:
        type: The source's type.
        modes: What a table's configuration says for each mode, with `id` as the key and `at` or `id` as the cursor.
        without: Part of the contract -> why the source cannot meet it; its tests are skipped with this reason.
        cannot_hold: Key of `hostile.VALUES` -> why the source cannot hold that value.
        cannot_name: Key of `hostile.NAMES` -> why the source has no name like that.
    """

    type: ClassVar[str]
    modes: ClassVar[Mapping[Mode, dict[str, Any]]] = {
        "merge": {"primary_key": ["id"], "incremental_column": "at"},
        "append": {"incremental_column": "id", "mode": "append"},
        "full": {"mode": "full"},
    }
    without: ClassVar[Mapping[Part, str]] = {}
    cannot_hold: ClassVar[Mapping[str, str]] = {}
    cannot_name: ClassVar[Mapping[str, str]] = {}

    @property
    @abstractmethod
    def connection(self) -> dict[str, Any]:
        """The source's `connection:`."""

    @abstractmethod
    def place(self, table: Table) -> dict[str, Any]:
        """Return what a table's configuration says to find it: `{"table": "public.orders"}`."""

    @abstractmethod
    def create(self, table: Table) -> None:
        """Make a table without rows."""

    @abstractmethod
    def insert(self, table: Table, rows: Sequence[Row]) -> None:
        """Add rows, as one transaction where there are some; values of columns that a row leaves out are NULL."""

    @abstractmethod
    def update(self, table: Table, row: Row) -> None:
        """Give the row with the `id` of this one its values."""

    @abstractmethod
    def empty(self, table: Table) -> None:
        """Take all rows out of the table at one stroke: TRUNCATE where there is one."""

    @abstractmethod
    def rewrite(self, table: Table, rows: Sequence[Row]) -> None:
        """Put another table with these rows in the place of the table, as a restore or an export does."""

    @abstractmethod
    def alter(self, table: Table, changed: Table) -> None:
        """Give the table other columns: each that differs is added, dropped, or of another kind from now on."""

    def settle(self, table: Table) -> None:
        """Have the source know how many rows the table has, if it does not by itself."""
        return None

    def inserting(self, table: Table, rows: Sequence[Row]) -> AbstractContextManager[None]:
        """Insert rows in a transaction that commits at the block's end; not asked for without `late commits`."""
        raise NotImplementedError

    def broken(self) -> Broken:
        """Return a connection that fails; not asked for without the part `secrets`."""
        raise NotImplementedError

    def landed(self, kind: Kind, value: Any) -> Any:
        """Return a value as DuckDB gives it once it has landed; default: as it is."""
        return value
