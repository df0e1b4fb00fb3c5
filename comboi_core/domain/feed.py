"""What a change feed tells: which keys of which tables changed up to a position. Rows are read by SELECT."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Portion:
    """A file of changed keys, so many that one question asks for their rows.

    Attributes:
        path: Its path in the lake.
        keys: How many there are.
        last: Position of the last commit that touched one of them.
    """

    path: str
    keys: int
    last: str


@dataclass(frozen=True)
class TableChanges:
    """What the feed tells of one table.

    Attributes:
        portions: The keys that changed, each once.
        reload: Why the table has to be read as a whole, or empty: it was emptied, or the feed does not tell its keys.
        reload_at: Position of what `reload` says; empty where it does not pass.
    """

    portions: tuple[Portion, ...] = ()
    reload: str = ""
    reload_at: str = ""


@dataclass(frozen=True)
class Changes:
    """What the feed of a source tells.

    Attributes:
        since: Where the feed begins: changes before it are gone.
        position: Up to where it tells every change. Whoever reads the rows afterwards has all of them.
        tables: Name of a table -> its changes.
        lost: Why an earlier part of the feed is lost, or empty.
        endangered: Why the feed may be lost soon, or harm its server, or empty.
    """

    since: str
    position: str
    tables: dict[str, TableChanges] = field(default_factory=dict)
    lost: str = ""
    endangered: str = ""


@dataclass(frozen=True)
class Known:
    """How far a table is known to be complete beyond its watermark.

    Attributes:
        since: The table's watermark.
        through: No change of the table lies between `since` and this position.
    """

    since: str
    through: str
