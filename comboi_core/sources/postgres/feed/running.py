"""The change feed of a source, as the rest of comboi uses it: read it, let it go on, set it up, show it, drop it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from comboi_core.config.source_type import FeedStatus, KeepKeys
from comboi_core.domain.errors import (
    ComboiError,
    ConfigError,
    FeedBusy,
    FeedLost,
    SourceObjectMissing,
    SourceQueryFailed,
    SourceUnreachable,
)
from comboi_core.domain.feed import Changes
from comboi_core.sources.postgres.config import ChangeFeed, PostgresSource
from comboi_core.sources.postgres.feed import checks, publication, slot
from comboi_core.sources.postgres.feed.checks import Problem, Target
from comboi_core.sources.postgres.feed.peek import Followed, peek
from comboi_core.sources.postgres.feed.position import number
from comboi_core.sources.postgres.feed.slot import Slot
from comboi_core.sources.postgres.feed.snapshot import Snapshot
from comboi_core.sources.postgres.session import PostgresSession

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SETTLE_SECONDS = 60.0
"""How long a new slot waits for the transactions that were in progress when it was made."""
_BUSY = re.compile(r"replication slot .* (is active for PID|already exists|does not exist)")
"""What the server says where another activity reads the slot, or makes it anew, at this moment."""
_SETUP = "Run `comboi changes setup {source}`."

Tables = Mapping[str, tuple[Target, tuple[str, ...]]]


def followed(source: PostgresSource) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return the tables that a source's feed is for: name -> relation, key."""
    return {table.name: (str(table.table), table.primary_key) for table in source.tables if table.follows_feed}


def read(
    con: DuckDBPyConnection, source: PostgresSource, connection: dict[str, Any], keep: KeepKeys,
    *, temporary: str | None,
) -> Changes:  # fmt: skip
    """Return what the feed tells up to now; see `config.source_type.Feed.read`."""
    feed = _feed(source)
    with _session(con, source, connection) as session:
        tables = _targets(session, source)
        checks.refuse(source.name, _problems(session, feed, tables))
        by_oid = {int(one.oid): Followed(name, key) for name, (one, key) in tables.items()}
        failed: ComboiError
        try:
            found, lost = _slot(session, source, feed)
            since = str(found.since)
            changes = peek(con, session, feed.slot, feed.publication, by_oid, since, keep, temporary=temporary)
            endangered = f"slot {feed.slot}: {found.told}" if found.endangered else ""
            return replace(changes, lost=lost, endangered=endangered)
        except (SourceQueryFailed, SourceObjectMissing) as error:
            failed = FeedBusy(error.message) if _BUSY.search(error.message) else error
    raise failed


def _slot(session: PostgresSession, source: PostgresSource, feed: ChangeFeed) -> tuple[Slot, str]:
    """Return the slot, and why an earlier one is lost, if it is; a lost one is made anew.

    Raises:
        FeedLost: it is lost, and `on_lost_feed` is `fail`.
        ConfigError: it is not fit.
    """
    found = slot.find(session.rows, feed.slot)
    if found and found.unfit:
        raise ConfigError(
            f"{source.name}: the slot {feed.slot} cannot be used: {found.unfit}",
            remedy="Give changes: slot: another name, and run `comboi changes setup`.",
        )
    if found and found.since and not found.lost:
        return found, ""
    lost = f"the slot {feed.slot} is not usable: {found.lost}" if found else f"there is no slot {feed.slot}"
    if feed.on_lost_feed == "fail":
        raise FeedLost(f"{source.name}: {lost}", remedy=_SETUP.format(source=source.name))
    if found:
        session.rows(slot.drop(feed.slot))
    return Slot(_created(session, source, feed)), lost


def _created(session: PostgresSession, source: PostgresSource, feed: ChangeFeed) -> str:
    """Make the slot; return where it begins.

    Whoever reads a table from now on has to see each transaction that the slot does not give. One that has committed
    before the slot begins may not be seen yet, where it waits for a synchronous standby.

    Raises:
        SourceUnreachable: such a transaction goes on; there is no slot then.
    """
    since = str(session.rows(slot.create(feed.slot))[0]["since"])
    running = Snapshot.parse(str(session.rows(slot.SEEN)[0]["seen"]))
    deadline = time.monotonic() + SETTLE_SECONDS
    left = running.running
    while left:
        if time.monotonic() > deadline:
            session.rows(slot.drop(feed.slot))
            raise SourceUnreachable(
                f"{source.name}: the slot {feed.slot} was not made, because {len(left)} transactions that began before "
                "it go on",
                remedy="Run again when long transactions have ended. A prepared transaction ends with COMMIT PREPARED.",
            )
        time.sleep(0.05)
        now = Snapshot.parse(str(session.rows(slot.SEEN)[0]["seen"]))
        left = frozenset(xid for xid in left if not now.sees(xid))
    return since


def advance(
    con: DuckDBPyConnection, source: PostgresSource, connection: dict[str, Any], positions: Sequence[str]
) -> None:
    """Let the server forget its log up to the smallest of some positions; see `config.source_type.Feed.advance`."""
    with _session(con, source, connection) as session:
        session.rows(slot.advance(_feed(source).slot, min(positions, key=number)))


def setup(
    con: DuckDBPyConnection, source: PostgresSource, connection: dict[str, Any], *, carry_out: bool
) -> tuple[str, ...]:
    """Make publication and slot, or say which statements would; see `config.source_type.Feed.setup`."""
    feed = _feed(source)
    with _session(con, source, connection) as session:
        tables = _targets(session, source)
        wrong = [problem for one, key in tables.values() for problem in checks.table_problems(one, key)]
        checks.refuse(source.name, [*(checks.server_problems(session.rows) if carry_out else []), *wrong])
        texts: list[str] = []
        if checks.publication_problems(session.rows, feed.publication, tables):
            texts += publication.statements(session.rows, feed.publication, tables)
        found = slot.find(session.rows, feed.slot)
        if found and found.unfit:
            raise ConfigError(f"{source.name}: the slot {feed.slot} cannot be used: {found.unfit}", remedy="Rename it.")
        renew = bool(found and (found.lost or not found.since))
        if carry_out:
            _change(session, source, texts)
            checks.refuse(source.name, checks.publication_problems(session.rows, feed.publication, tables))
            if renew:
                session.rows(slot.drop(feed.slot))
            if renew or not found:
                _created(session, source, feed)
        if renew:
            texts.append(slot.drop(feed.slot))
        if renew or not found:
            texts.append(slot.create(feed.slot))
        return tuple(texts)


def _change(session: PostgresSession, source: PostgresSource, statements: Sequence[str]) -> None:
    """Run statements as the source's role, if there are any.

    Raises:
        ConfigError: the role may not do it.
    """
    if not statements:
        return
    try:
        session.change(statements)
        return
    except (SourceQueryFailed, SourceObjectMissing) as error:
        refused = error.message
    raise ConfigError(
        refused,
        remedy=f"Give an administrator what `comboi changes setup {source.name} --print` shows, or let the role do it: "
        "it needs CREATE on the database, and has to own the tables.",
    )


def drop(con: DuckDBPyConnection, source: PostgresSource, connection: dict[str, Any]) -> tuple[str, ...]:
    """Drop slot and publication; see `config.source_type.Feed.drop`."""
    feed = _feed(source)
    with _session(con, source, connection) as session:
        done = []
        if slot.find(session.rows, feed.slot):
            session.rows(slot.drop(feed.slot))
            done.append(f"the slot {feed.slot}")
        if publication.exists(session.rows, feed.publication):
            _change(session, source, [publication.drop(feed.publication)])
            done.append(f"the publication {feed.publication}")
        return tuple(done)


def status(con: DuckDBPyConnection, source: PostgresSource, connection: dict[str, Any]) -> FeedStatus:
    """Return how the feed stands; see `config.source_type.Feed.status`."""
    feed = _feed(source)
    with _session(con, source, connection) as session:
        tables = _targets(session, source)
        problems = _problems(session, feed, tables)
        found = slot.find(session.rows, feed.slot)
        if found is None:
            problems.append(Problem(f"there is no slot {feed.slot}", _SETUP.format(source=source.name)))
        elif found.unfit or found.lost:
            why = found.unfit or found.lost
            problems.append(Problem(f"the slot {feed.slot} cannot be used: {why}", _SETUP.format(source=source.name)))
        elif found.endangered:
            problems.append(Problem(f"the slot {feed.slot}: {found.told}", slot.ENDANGERED))
        return FeedStatus(
            publication=feed.publication,
            slot=feed.slot,
            tables=tuple(tables),
            since=found.since if found else None,
            retained=found.retained if found else 0,
            left=found.left if found else None,
            told=f"slot {feed.slot}: {found.told}" if found else "",
            problems=tuple((problem.message, problem.remedy) for problem in problems),
        )


def _feed(source: PostgresSource) -> ChangeFeed:
    if source.changes is None:
        raise ConfigError(f"{source.name}: has no change feed", remedy="Give the source changes:, then run this again.")
    return source.changes


@contextmanager
def _session(
    con: DuckDBPyConnection, source: PostgresSource, connection: Mapping[str, Any]
) -> Iterator[PostgresSession]:
    session = PostgresSession(con, connection, source.name)
    try:
        yield session
    finally:
        session.close()


def _targets(session: PostgresSession, source: PostgresSource) -> dict[str, tuple[Target, tuple[str, ...]]]:
    return {name: (checks.target(session.rows, table), key) for name, (table, key) in followed(source).items()}


def _problems(session: PostgresSession, feed: ChangeFeed, tables: Tables) -> list[Problem]:
    wrong = [problem for one, key in tables.values() for problem in checks.table_problems(one, key)]
    found = [*checks.server_problems(session.rows), *wrong]
    there = {name: pair for name, pair in tables.items() if not checks.table_problems(*pair)}
    return [*found, *checks.publication_problems(session.rows, feed.publication, there)]
