"""The task hub in one SQLite file: instances, histories, queues and entities. Every step is one transaction.

One process owns the file (see `lock`), so one connection behind one lock serves all threads. WAL with
synchronous=NORMAL survives a killed process without loss; a power cut may lose the last moments but never leaves a torn
state.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import StoreError
from .events import Event, Kind, child_finished, encode, execution_started
from .records import TERMINAL, ActivityRow, Instance, Message, NewInstance, Step, Stored
from .schema import prepare

_SPARE_PAGES = 4096
"""Empty pages (of 4 KiB) that the file keeps for what comes next."""
_STEP_PAGES = 256
"""Pages that are given back in one transaction."""


class Store:
    """Owner of the SQLite file. All methods are safe from any thread."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._guard = threading.RLock()
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # SQLite gives its other files the mode of this one
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
        try:
            prepare(self._db)
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise StoreError(f"{path} is not a usable store: {error}") from error
        except StoreError:
            self._db.close()
            raise

    def close(self) -> None:
        with self._guard:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Hold the store for one transaction; an exception rolls it back."""
        with self._guard:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # a full disk may have rolled it back already
                    self._db.execute("ROLLBACK")
                raise

    def rows(self, sql: str, parameters: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of one query."""
        with self._guard:
            return self._db.execute(sql, tuple(parameters)).fetchall()

    def give_back(self) -> None:
        """Give empty pages back to the disk, where they are many and the file can; a few at a time.

        Files of earlier versions cannot: they keep their size, and their empty pages are used again.
        """
        while True:
            with self._guard:
                (free,), (pages,) = (
                    self._db.execute(f"PRAGMA {name}").fetchone() for name in ("freelist_count", "page_count")
                )
                if free <= max(_SPARE_PAGES, pages // 2):
                    return
                self._db.execute(f"PRAGMA incremental_vacuum({_STEP_PAGES})").fetchall()
                if self._db.execute("PRAGMA page_count").fetchone()[0] == pages:
                    return

    def instance(self, instance_id: str) -> Instance | None:
        found = self.rows("SELECT * FROM instances WHERE id=?", (instance_id,))
        return Instance(*found[0]) if found else None

    def history(self, instance_id: str) -> list[str]:
        rows = self.rows("SELECT body FROM history WHERE instance_id=? ORDER BY idx", (instance_id,))
        return [body for (body,) in rows]

    def messages(self, instance_id: str, now: int) -> list[Message]:
        """Visible messages, the start of an execution first, else in order of arrival."""
        rows = self.rows(
            "SELECT id, execution_id, kind, body FROM inbox WHERE instance_id=? AND visible_at<=? ORDER BY kind<>0, id",
            (instance_id, now),
        )
        return [Message(*row) for row in rows]

    def count_messages(self, instance_id: str, now: int) -> int:
        sql = "SELECT count(*) FROM inbox WHERE instance_id=? AND visible_at<=?"
        return self.rows(sql, (instance_id, now))[0][0]

    def create(self, new: NewInstance, now: int, *, override: bool = False) -> Instance | None:
        """Create an instance with its start message; `override` replaces a live one of that id.

        Returns the live instance in the way instead, if there is one.
        """
        with self.transaction() as db:
            existing = self.instance(new.id)
            if existing is not None and not existing.terminal and not override:
                return existing
            _insert_instance(db, new, now)
            return None

    def send(self, instance_id: str, kind: Kind, body: str, now: int, execution_id: str | None = None) -> bool:
        """Put a message into a live instance's inbox; False if the instance is gone or over."""
        with self.transaction() as db:
            return _deliver(db, instance_id, execution_id, kind, body, now)

    def commit_step(self, seen: Instance, step: Step, now: int) -> Stored | None:
        """Apply an episode. None, and nothing changed, if the instance moved on since it was read."""
        with self.transaction() as db:
            changed = db.execute(
                "UPDATE instances SET status=coalesce(?, status), output=?, custom_status=?, updated=?, "
                "revision=revision+1 WHERE id=? AND execution_id=? AND revision=?",
                (step.status, step.output, step.custom_status, now, seen.id, seen.execution_id, seen.revision),
            ).rowcount
            if not changed:
                return None
            db.executemany("DELETE FROM inbox WHERE id=?", [(row,) for row in step.consumed])
            _append_history(db, seen.id, step.events)
            self._insert_work(db, seen, step, now)
            if step.status in TERMINAL:
                db.execute("DELETE FROM inbox WHERE instance_id=?", (seen.id,))
                _notify_parent(db, seen, step.parent_event, now)
            if step.restart is not None:
                _restart(db, seen, step.restart, step.carried, now)
            return Stored(_new_activities(db, seen, step), seen.revision + 1)

    def _insert_work(self, db: sqlite3.Connection, seen: Instance, step: Step, now: int) -> None:
        db.executemany(
            "INSERT INTO activities(instance_id, execution_id, seq, name, input) VALUES(?,?,?,?,?)",
            [(seen.id, seen.execution_id, *activity) for activity in step.activities],
        )
        db.executemany(
            "INSERT INTO inbox(instance_id, execution_id, kind, visible_at, body) VALUES(?,?,?,?,?)",
            [(seen.id, seen.execution_id, int(Kind.TIMER_FIRED), fire_at, body) for fire_at, body in step.timers],
        )
        db.executemany("INSERT INTO entity_inbox(sid, body) VALUES(?,?)", step.entity_messages)
        for child in step.children:
            existing = self.instance(child.id)
            if existing is None or existing.terminal:
                _insert_instance(db, child, now)
                continue
            text = f"An Orchestration instance with the status {existing.status} already exists: '{child.id}'."
            failure = child_finished(now, child.parent_seq or 0, failed=True, text=text)
            _deliver(db, seen.id, seen.execution_id, Kind.CHILD_FAILED, encode(failure), now)

    def activities(self) -> list[ActivityRow]:
        """Every queued activity, oldest first."""
        sql = "SELECT id, instance_id, execution_id, seq, name, input FROM activities ORDER BY id"
        return [ActivityRow(*row) for row in self.rows(sql)]

    def complete_activity(self, row: ActivityRow, completion: Event, now: int) -> bool:
        """Trade the queue row for its completion. False if it was completed before or nobody waits any more."""
        with self.transaction() as db:
            if not db.execute("DELETE FROM activities WHERE id=?", (row.id,)).rowcount:
                return False
            kind = Kind(completion["EventType"])
            return _deliver(db, row.instance_id, row.execution_id, kind, encode(completion), now)

    def signal(self, sid: str, body: str) -> None:
        """Queue an operation for an entity."""
        with self.transaction() as db:
            db.execute("INSERT INTO entity_inbox(sid, body) VALUES(?,?)", (sid, body))

    def entity_state(self, sid: str) -> tuple[bool, str | None]:
        """Whether the entity exists, and its state's JSON text."""
        found = self.rows("SELECT state FROM entities WHERE sid=?", (sid,))
        return (True, found[0][0]) if found else (False, None)

    def entity_batch(self, sid: str, limit: int) -> list[tuple[int, dict[str, Any]]]:
        """The oldest queued operations of an entity."""
        rows = self.rows("SELECT id, body FROM entity_inbox WHERE sid=? ORDER BY id LIMIT ?", (sid, limit))
        return [(row, json.loads(body)) for row, body in rows]

    def commit_batch(
        self, sid: str, rows: list[int], state: tuple[bool, str | None] | None, replies: list[Event], now: int
    ) -> list[str]:
        """End an entity batch: state (None keeps it), answers and queue in one step. Returns the instances answered.

        A reply is an EventRaised event with the extra keys `instance` and `execution` that say who asked.
        """
        with self.transaction() as db:
            db.executemany("DELETE FROM entity_inbox WHERE id=?", [(row,) for row in rows])
            if state is not None and state[0]:
                db.execute("INSERT OR REPLACE INTO entities(sid, state, updated) VALUES(?,?,?)", (sid, state[1], now))
            elif state is not None:
                db.execute("DELETE FROM entities WHERE sid=?", (sid,))
            answered = []
            for reply in replies:
                instance, execution = reply.pop("instance"), reply.pop("execution")
                if _deliver(db, instance, execution, Kind.EVENT_RAISED, encode(reply), now):
                    answered.append(instance)
            return answered


def _append_history(db: sqlite3.Connection, instance_id: str, events: list[str]) -> None:
    sql = "SELECT coalesce(max(idx), -1) + 1 FROM history WHERE instance_id=?"
    start = db.execute(sql, (instance_id,)).fetchone()[0]
    db.executemany(
        "INSERT INTO history(instance_id, idx, body) VALUES(?,?,?)",
        [(instance_id, start + offset, body) for offset, body in enumerate(events)],
    )


def _new_activities(db: sqlite3.Connection, seen: Instance, step: Step) -> list[ActivityRow]:
    """The rows just inserted: the last ones of the queue, since nobody else writes meanwhile."""
    if not step.activities:
        return []
    last = db.execute("SELECT max(id) FROM activities").fetchone()[0]
    first = last - len(step.activities) + 1
    return [
        ActivityRow(first + offset, seen.id, seen.execution_id, seq, name, text)
        for offset, (seq, name, text) in enumerate(step.activities)
    ]


def _notify_parent(db: sqlite3.Connection, child: Instance, event: Event | None, now: int) -> None:
    if child.parent_id is not None and event is not None:
        kind = Kind(event["EventType"])
        _deliver(db, child.parent_id, child.parent_execution, kind, encode(event), now)


def _deliver(
    db: sqlite3.Connection, instance_id: str, execution_id: str | None, kind: Kind, body: str, now: int
) -> bool:
    row = db.execute("SELECT execution_id, status FROM instances WHERE id=?", (instance_id,)).fetchone()
    if row is None or row[1] in TERMINAL or execution_id not in (None, row[0]):
        return False
    db.execute(
        "INSERT INTO inbox(instance_id, execution_id, kind, visible_at, body) VALUES(?,?,?,?,?)",
        (instance_id, execution_id, int(kind), now, body),
    )
    return True


def _insert_instance(db: sqlite3.Connection, new: NewInstance, now: int) -> None:
    db.execute("DELETE FROM history WHERE instance_id=?", (new.id,))
    db.execute("DELETE FROM inbox WHERE instance_id=?", (new.id,))
    db.execute(
        "INSERT OR REPLACE INTO instances(id, execution_id, name, version, status, input, parent_id, parent_execution, "
        "parent_seq, created, updated) VALUES(?,?,?,?,'Pending',?,?,?,?,?,?)",
        (
            *(new.id, new.execution_id, new.name, new.version, new.input),
            *(new.parent_id, new.parent_execution, new.parent_seq, now, now),
        ),
    )
    _insert_start(db, new, now)


def _restart(db: sqlite3.Connection, seen: Instance, new: NewInstance, carried: list[str], now: int) -> None:
    """Begin the next generation: history gone, numbering from 0, messages to the old generation dropped.

    `carried` are events that the old generation leaves to the new one; those that came later stay behind them.
    """
    sql = "SELECT kind, visible_at, body FROM inbox WHERE instance_id=? AND execution_id IS NULL ORDER BY id"
    later = db.execute(sql, (seen.id,)).fetchall()
    db.execute("DELETE FROM history WHERE instance_id=?", (seen.id,))
    db.execute("DELETE FROM inbox WHERE instance_id=?", (seen.id,))
    db.execute(
        "UPDATE instances SET execution_id=?, input=?, created=?, status='Running' WHERE id=?",
        (new.execution_id, new.input, now, seen.id),
    )
    _insert_start(db, new, now)
    messages = [(int(Kind.EVENT_RAISED), now, body) for body in carried] + later
    db.executemany(
        "INSERT INTO inbox(instance_id, execution_id, kind, visible_at, body) VALUES(?,NULL,?,?,?)",
        [(seen.id, *message) for message in messages],
    )


def _insert_start(db: sqlite3.Connection, new: NewInstance, now: int) -> None:
    parent = None
    if new.parent_id is not None:
        owner = {"InstanceId": new.parent_id, "ExecutionId": new.parent_execution}
        parent = {"Name": new.parent_name, "OrchestrationInstance": owner, "TaskScheduleId": new.parent_seq}
    started = execution_started(
        now,
        instance_id=new.id,
        execution_id=new.execution_id,
        name=new.name,
        version=new.version,
        input_text=new.input,
        parent=parent,
    )
    db.execute(
        "INSERT INTO inbox(instance_id, execution_id, kind, visible_at, body) VALUES(?,?,?,?,?)",
        (new.id, new.execution_id, int(Kind.EXECUTION_STARTED), now, encode(started)),
    )
