"""What a type of source is made of: one `SourceType` says everything that comboi knows of postgres, of files, of yours.

It is declared in the source's own package, as `SOURCE_TYPE` in `descriptor.py`, and found by `source_registry`. The
descriptor is read with every configuration, so it imports the model and no driver: what it can do is a function that
imports what it needs when it is called.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from comboi_core.config.base import Model
from comboi_core.config.tables import SourceBase
from comboi_core.domain.equal_texts import Texts
from comboi_core.domain.feed import Changes
from comboi_core.domain.load import Column
from comboi_core.domain.ports import Source

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Connection = Mapping[str, Any]
"""A source's `connection:` as a dict, its references resolved; keys that were not given are missing."""
Rows = Callable[[str], list[dict[str, Any]]]
"""Runs a query in the source's own language; returns its rows by column name."""
SampleRows = Sequence[tuple[Any, ...]]
"""Rows of sample data; the first one holds the columns' names."""

_TIMES = ("TIMESTAMP", "DATE")


class OpensTable(Protocol):
    """Opens one table for one activity."""

    def __call__(self, con: DuckDBPyConnection, *, source: str, table: Any, connection: dict[str, Any]) -> Source:
        """Return the adapter.

        Args:
            con: As `open_duckdb` gives it; the adapter attaches the source to it until `close`.
            source: The source's name in the configuration.
            table: One of the model's `tables`.
            connection: See `Connection`. A `path` or `tls_ca` in it is absolute. Of a model whose connection is a
                `LakeConfig` it is `{"path": ...}` or `{"container": ...}`, which is open already.

        Raises:
            ComboiError: SourceUnreachable, SourceAuthFailed or SourceObjectMissing; never with a secret in its text.
        """


@dataclass(frozen=True, kw_only=True)
class Server:
    """What a database server says of itself when `comboi doctor` asks.

    Attributes:
        product: Name and version: `PostgreSQL 16.2`.
        now: The server's clock, in seconds since 1970.
        asked: This machine's clock before and after that question, in the same seconds.
        too_old: What to do about a version that comboi cannot read; empty for one that it can.
        remarks: What the login does not see or may not do, and what follows.
    """

    product: str
    now: float
    asked: tuple[float, float]
    too_old: str = ""
    remarks: tuple[str, ...] = ()


KeepKeys = Callable[[str, int, bytes], str]
"""Keeps a file of changed keys, of a table and with a number; returns its path in the lake."""


@dataclass(frozen=True, kw_only=True)
class FeedStatus:
    """How a change feed stands.

    Attributes:
        tables: Those that follow it.
        since: The position from which it gives changes, or None.
        retained: Bytes of log that the server keeps for it.
        left: Bytes of log that may still be written until it is lost; None without a limit.
        told: The same in words.
        problems: What is wrong, and what to do about it.
    """

    publication: str
    slot: str
    tables: tuple[str, ...]
    since: str | None
    retained: int
    left: int | None
    told: str
    problems: tuple[tuple[str, str], ...]


class ReadsFeed(Protocol):
    """Reads what a feed tells."""

    def __call__(
        self, con: DuckDBPyConnection, source: Any, connection: dict[str, Any], keep: KeepKeys, *, temporary: str | None
    ) -> Changes:
        """Return the changes up to now, all tables together; consumes nothing.

        Args:
            temporary: Where files may be put meanwhile; default: the system's temporary folder.

        Raises:
            ConfigError: server, role, tables or publication do not allow it.
            FeedBusy: something else reads it at this moment.
            FeedLost: it is lost, and the source says `on_lost_feed: fail`.
        """


class SetsUpFeed(Protocol):
    """Makes what a feed needs at the server."""

    def __call__(
        self, con: DuckDBPyConnection, source: Any, connection: dict[str, Any], *, carry_out: bool
    ) -> tuple[str, ...]:
        """Return the statements; run them as well if `carry_out`.

        Raises:
            ConfigError: a table cannot be followed, or the role may not do it; nothing was made.
        """


@dataclass(frozen=True, kw_only=True)
class Feed:
    """What a type of source with change feeds can do.

    Attributes:
        advance: Lets the server forget its log up to the smallest of some positions, at least one.
        status: Tells how the feed stands.
        drop: Removes what `setup` has made; returns what it was, in words.
    """

    read: ReadsFeed
    setup: SetsUpFeed
    advance: Callable[[DuckDBPyConnection, Any, dict[str, Any], Sequence[str]], None]
    status: Callable[[DuckDBPyConnection, Any, dict[str, Any]], FeedStatus]
    drop: Callable[[DuckDBPyConnection, Any, dict[str, Any]], tuple[str, ...]]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A source's part of the project that `comboi init --source NAME` writes.

    Attributes:
        entry: The item of `sources:` in YAML, indented by two: a source `shop` with tables `orders` and `customers`.
        first_steps: What to do first, as a part of the project's README in Markdown.
        data: Makes the data that the project runs with: table -> rows in, path in the project -> content out. None: the
            user brings the data, so the project does not run as it is.
    """

    entry: str
    first_steps: str
    data: Callable[[Mapping[str, SampleRows]], dict[str, bytes]] | None = None


def lands_as_time(column: Column) -> bool:
    """Return whether a column's values are dates or times in the lake."""
    return column.type.startswith(_TIMES)


def no_row_version(columns: Sequence[Column]) -> None:
    """Return that a source has no row version of its own."""


@dataclass(frozen=True, kw_only=True)
class NewTable:
    """What `comboi new table` finds out and proposes.

    Attributes:
        place: The key of a table's configuration that says what it is in the source.
        key: Returns the columns of the key that the source declares for a table, empty if it declares none. None: the
            source knows no keys; then no cursor is looked for either.
        is_time: Whether a column may hold times.
        row_version: Returns the value of `cursor:` and the column for tables with a row version, else None.
        without_key: A comment below a table without a key, in place of the usual one.
        without_cursor: A comment below a table that has a key and no cursor; empty for none.
    """

    place: str = "table"
    key: Callable[[Rows, str], tuple[str, ...]] | None = None
    is_time: Callable[[Column], bool] = lands_as_time
    row_version: Callable[[Sequence[Column]], tuple[str, str] | None] = no_row_version
    without_key: str = ""
    without_cursor: str = ""


@dataclass(frozen=True, kw_only=True)
class SourceType:
    """A type of source. What a source cannot tell is None, and comboi does without.

    Attributes:
        name: What `type:` says in the configuration.
        model: The configuration; its `type` is `Literal[name]`.
        open: Opens a table.
        one_stream: Whether the chunks come over one connection each. More than one thread of DuckDB would wait for it,
            and waiting is not free: two chunks at a time on two cores took 1.3 times as long, and 1.6 times the CPU,
            with two threads each.
        sizes: Returns the expected rows by table name with one cheap question, so that work is dealt evenly. It need
            not be exact, and may leave tables out.
        texts: Returns how the source compares the values of a column that lands as text. None: letter by letter.
        address: Returns which database a connection leads to, part -> text, without credentials: neither who signs in,
            nor how. A table whose address changes is another one. Two names of one server are two addresses.
        probe: Asks a server for its version and its clock. None: there is no server.
        feed: What it can do with change feeds. None: it has none.
        sample: A project to begin with.
        new_table: What `comboi new table` does.
        examples: The examples of the reference in docs/configuration.md: model -> YAML.
    """

    name: str
    model: type[SourceBase]
    open: OpensTable
    one_stream: bool = False
    sizes: Callable[[DuckDBPyConnection, Any, dict[str, Any]], dict[str, int]] | None = None
    texts: Callable[[Column], Texts] | None = None
    address: Callable[[Connection], dict[str, str]] | None = None
    probe: Callable[[DuckDBPyConnection, dict[str, Any], str], Server] | None = None
    feed: Feed | None = None
    sample: Sample | None = None
    new_table: NewTable = field(default_factory=NewTable)
    examples: Mapping[type[Model], str] = field(default_factory=dict)
