"""What a load from Azure SQL has to tell: remarks that hide no row, and shortfalls, which may."""

from __future__ import annotations

from datetime import UTC

from comboi_core.config.tables import TableConfig
from comboi_core.domain.load import Chunk, Window
from comboi_core.domain.shortfall import Shortfall
from comboi_core.sources.azure_sql.cursor import Cursor, lag_seconds, moment
from comboi_core.sources.azure_sql.sight import Sight
from comboi_core.sources.common import cursor_windows, zones
from comboi_core.sources.common.chunks import PER_ACTIVITY
from comboi_core.sources.common.cursor_windows import DEFAULT_LAG

REPEATED_SECONDS = 3600.0 + DEFAULT_LAG
"""The lag that covers a clock that goes back by an hour, and the usual late commits."""

_MOVING = "rows that change while they are read may be read twice or not at all, for the database knows no snapshots"
_SNAPSHOTS = "ALTER DATABASE ... SET READ_COMMITTED_SNAPSHOT ON, or SET ALLOW_SNAPSHOT_ISOLATION ON, ends that."
_MIXED = (
    "the {count} chunks of this load are not of one moment: a row that moves between them is there twice or not at all"
)
_ONE_STATE = (
    "ALTER DATABASE ... SET ALLOW_SNAPSHOT_ISOLATION ON and `parallel_chunks: 1` give the chunks of an activity, "
    f"{PER_ACTIVITY} at most, one state; a larger `chunk_rows:` gives the load fewer chunks."
)


def of_state(
    server: dict[str, str | None], window: Window | None, chunks: tuple[Chunk, ...], config: TableConfig
) -> tuple[tuple[str, ...], tuple[Shortfall, ...]]:
    """Return the remarks and the shortfalls of a load whose rows are not of one moment.

    A row that changes meanwhile has a new cursor, above the window: the next load reads it, so that it is a remark
    there. Without a cursor nothing comes after it.

    Args:
        server: The row of `sql.SERVER`.
        window: Of a load over a cursor.
    """
    if "1" not in (server["snapshot"], server["committed"]):
        if window is not None:
            return (f"{_MOVING}; {_SNAPSHOTS}",), ()
        return (), (Shortfall("mixed_state", _MOVING, _SNAPSHOTS),)
    together = server["snapshot"] == "1" and config.parallel_chunks == 1 and len(chunks) <= PER_ACTIVITY
    if window is not None or len(chunks) < 2 or together:
        return (), ()
    return (), (Shortfall("mixed_state", _MIXED.format(count=len(chunks)), _ONE_STATE),)


def of_filters(count: int) -> Shortfall:
    """Return the shortfall of a table with so many row filters."""
    return Shortfall(
        "rows_hidden",
        f"row-level security is on ({count} filter predicates): the server shows the login only the rows that they "
        "let through",
        "Let the policy's function pass comboi's login, or say with `where:` which rows are meant; then run the table "
        "with --full-refresh.",
    )


def of_window(
    cursor: Cursor, name: str, sight: Sight, found: dict[str, str | None], low: str | None, lag: float
) -> tuple[Shortfall, ...]:
    """Return what a window keeps from readers; see `cursor_windows.shortfalls`.

    Args:
        name: The cursor column, for people.
        found: The rows of `probe` and `bounds`.
        low: The committed watermark, or None.
        lag: What `lag_seconds` says.
    """
    said = []
    if sight.blind and not lag and cursor.kind not in ("version", "date"):
        said.append(
            Shortfall(
                "late_commits",
                f"rows committed late may be missed: {sight.blind}",
                "Grant it, or use a rowversion column as cursor, which misses none."
                if cursor.kind == "integer"
                else "Grant it, or set a `lag:` as long as a transaction may take.",
            )
        )
    if sight.waiting:
        said.append(
            Shortfall(
                "open_writer",
                "a transaction goes on writing to the database; new rows are left for the next run",
                "Nothing, if it ends; a rowversion column as cursor waits for less.",
            )
        )
    ends = cursor_windows.shortfalls(
        name,
        top=found["largest"],
        low=low,
        behind=found["backwards"] == "true",
        future=int(found["future"] or 0),
    )
    return (*said, *ends)


def warnings(
    cursor: Cursor, name: str, sight: Sight, found: dict[str, str | None], low: str | None, config: TableConfig
) -> tuple[str, ...]:
    """Return what the run record has to say of a window that hides no row.

    Args:
        name: The cursor column, for people.
        found: The row of `bounds`.
        low: The committed watermark; None for a load of everything, which is told what is wanted of the configuration.
    """
    said, lag = [], lag_seconds(cursor, config.lag)
    if config.cursor_zone and cursor.zone is None:
        said.append(f"cursor_zone has no meaning for a cursor of type {cursor.type} and is ignored")
    elif cursor.zone and zones.repeats(moment(sight.utc).replace(tzinfo=UTC), cursor.zone):
        said.append(f"the clock of {cursor.zone} goes back: what it shows twice is read once that time is over")
    elif cursor.kind == "local" and cursor.zone is None and low is None and lag < REPEATED_SECONDS:
        said.append(
            f"{name} is {cursor.type}, without an offset: if its clock goes back in autumn, rows of the repeated hour "
            "are missed; `cursor_zone:` says which clock it is (UTC has no such hour), or `lag: "
            f"{REPEATED_SECONDS / 60:.0f}m` reads that hour again"
        )
    if sight.blind and lag and cursor.kind not in ("version", "integer"):
        said.append(cursor_windows.caught_by_lag(sight.blind, lag, appends=cursor.appends))
    if cursor.kind in ("integer", "version") and config.lag:
        said.append(f"lag has no meaning for a cursor of type {cursor.type} and is ignored")
    if found["high"] and found["later"] == "true" and sight.age > DEFAULT_LAG:
        said.append(
            f"a transaction that has been writing for {sight.age:.0f} s holds back the rows after {found['high']}"
        )
    return tuple(said)
