"""A load: one step of a table from its committed checkpoint to the next.

Watermarks are text, exactly as the source prints them, together with their SQL type. They never become a Python float
or datetime, so no precision is lost. Only the source's own SQL compares or shifts them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from typing_extensions import TypedDict

from comboi_core.domain.origin import Origin
from comboi_core.domain.shortfall import Shortfall

Mode = Literal["full", "append", "merge"]

UNKNOWN = '"NULL"'
"""The DuckDB type of a column without any value so far. The first value decides its type. No data file has it."""


@dataclass(frozen=True)
class Column:
    """One column as the source has it and as it lands.

    Attributes:
        source_type: The type in the source, e.g. `numeric(12,2)`. Empty if the source no longer has the column.
        type: The DuckDB type that its values have, e.g. `DECIMAL(12,2)`.
        masked: How its values are masked before they land (`hash`, `redact`, `partial`, `drop`), or empty.
        canonical: Whether values that are equal in the source land in one spelling, as values of keys have to.
    """

    name: str
    source_type: str
    type: str
    masked: str = ""
    canonical: bool = False

    @property
    def landed(self) -> str:
        """The DuckDB type in Parquet; a masked value is text."""
        return "VARCHAR" if self.masked else self.type


class WindowRecord(TypedDict):
    """A window as data; see `Window`."""

    cursor: str
    cursor_type: str
    low: str | None
    high: str | None
    lag_seconds: float


@dataclass(frozen=True)
class Window:
    """The half-open range `(low - lag, high]` of the cursor that a load reads.

    Attributes:
        cursor: The cursor column.
        cursor_type: Its SQL type in the source.
        low: The committed watermark, or None for a first load (no lower bound).
        high: The upper bound, pinned before a row is read; None when the source has no row with a cursor yet.
        lag_seconds: How far below `low` the load reads again.
    """

    cursor: str
    cursor_type: str
    low: str | None
    high: str | None
    lag_seconds: float = 0.0

    def record(self) -> WindowRecord:
        """Return the window as data."""
        return {
            "cursor": self.cursor,
            "cursor_type": self.cursor_type,
            "low": self.low,
            "high": self.high,
            "lag_seconds": self.lag_seconds,
        }


@dataclass(frozen=True)
class SourceFile:
    """One file of a source as a load read it, or is about to.

    Attributes:
        path: Below the source's folder, with `/`.
        bytes: Its size.
        modified_ns: When it was last written to, in nanoseconds since 1970.
        version: Changes with each change of the file, also if size and time stay the same. Empty for files that an
            earlier comboi landed.
        digest: A digest of the content, if the version can change without it. It only distinguishes versions.
    """

    path: str
    bytes: int
    modified_ns: int
    version: str = ""
    digest: str = field(default="", compare=False)


@dataclass(frozen=True)
class Relation:
    """One of the tables and views that reading a table or query reads, and where its rows are stored.

    Attributes:
        id: The source's own id, independent of the name. A table that replaces another one has another id.
        name: Its name, for people.
        storage: Changes when the source rewrites or truncates the relation. Empty for a view.
        rules: Changes when a view is redefined, or when row policies change. Empty if there are none.
    """

    id: str
    name: str
    storage: str = ""
    rules: str = ""


@dataclass(frozen=True)
class Chunk:
    """A part of a load that one activity extracts.

    Attributes:
        index: Position in the load, from 0.
        kind: `all` (the whole window), `key_range` (`low <= key < high`), `page_range` (PostgreSQL ctid pages),
            `files`, or `keys` (rows of the keys that a change feed names).
        low: Inclusive lower bound as text, or None (open).
        high: Exclusive upper bound as text, or None (open).
        files: For `files`: what the chunk reads.
        keys: For `keys`: the path of the keys in the lake.
    """

    index: int
    kind: Literal["all", "key_range", "page_range", "files", "keys"] = "all"
    low: str | None = None
    high: str | None = None
    files: tuple[SourceFile, ...] = ()
    keys: str = ""


@dataclass(frozen=True)
class Checkpoint:
    """The committed state of a table, which the `table` entity stores.

    Attributes:
        sequence: Number of committed loads; 0 before the first one.
        watermark: The committed cursor value, or None.
        manifest: Lake path of the committed load's manifest, or None.
        columns: The columns of the committed load.
        reload: Whether the next load has to read the whole table and to replace what readers see.
        inputs: The files of the source that the committed loads were made from, where the source is files.
        relations: The relations that the committed load read. Empty if not known.
    """

    sequence: int = 0
    watermark: str | None = None
    manifest: str | None = None
    columns: tuple[Column, ...] = ()
    reload: bool = False
    inputs: tuple[SourceFile, ...] = ()
    relations: tuple[Relation, ...] = ()


@dataclass(frozen=True)
class LoadPlan:
    """What one load will read, frozen before a row is read.

    Attributes:
        sequence: The number that this load commits, the checkpoint's plus one.
        mode: How readers combine this load with earlier ones.
        replaces: True if this load is the whole table by itself (mode full, or a full refresh): readers then ignore
            every earlier load.
        window: The range of the cursor. None if the table has no cursor.
        watermark: The checkpoint's watermark after this load. Never past `window.high`, never backwards.
        unchanged: True if the source has nothing new. Then there is nothing to extract or commit.
        key_unique: Whether the source guarantees that each primary key occurs once in a load. Readers then need not
            check.
        estimated_rows: The source's own estimate. It is used only for progress and to distribute work.
        warnings: Warnings for the run record, e.g. that only lag catches late commits because a right is missing.
        moved: Files that were landed before and have the same content under a new version. The manifest gets the new
            one.
        relations: What the source reads for the load, as it was at planning. Empty if the source cannot tell.
        shortfalls: What readers will not see although the load succeeds, e.g. rows with a cursor in the future.
        origin: What the table is made from, by the configuration at planning.
        deletes: Whether chunks may give tombstones; see `domain.manifest.DELETED`. For mode merge only.
    """

    source: str
    table: str
    sequence: int
    mode: Mode
    replaces: bool
    window: Window | None
    watermark: str | None
    columns: tuple[Column, ...]
    chunks: tuple[Chunk, ...]
    unchanged: bool = False
    key_unique: bool = False
    estimated_rows: int | None = None
    schema_changes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    moved: tuple[SourceFile, ...] = ()
    relations: tuple[Relation, ...] = ()
    shortfalls: tuple[Shortfall, ...] = ()
    origin: Origin = field(default_factory=dict)
    deletes: bool = False


LOOKED_BACK = 1_000_000
"""The largest number of earlier rows that a source looks at."""


@dataclass(frozen=True)
class EarlierRows:
    """Values in some columns of rows that were landed before and are not read again.

    Attributes:
        looked: How many rows were read.
        filled: How many of them have a value: name of the column -> number.
        complete: Whether these were all earlier rows.
    """

    looked: int = 0
    filled: dict[str, int] = field(default_factory=dict)
    complete: bool = False
