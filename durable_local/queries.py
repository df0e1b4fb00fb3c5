"""Reads and rare writes behind the management endpoints: lists with paging, purge and rewind."""

from __future__ import annotations

import base64
import json
import sqlite3
from dataclasses import dataclass
from typing import Any

from .clock import parse_time
from .events import Event, Kind, encode, event
from .records import TERMINAL, Instance
from .store import Store

_BATCH = 100
"""Instances that one transaction of a purge deletes: between two, others get the store."""


@dataclass(frozen=True)
class InstanceFilter:
    """Which instances; times are microseconds, None means any."""

    created_from: int | None = None
    created_to: int | None = None
    statuses: tuple[str, ...] = ()
    prefix: str = ""

    def where(self) -> tuple[str, list[Any]]:
        """An SQL condition with its parameters."""
        clauses = ["1=1"]
        values: list[Any] = []
        if self.created_from is not None:
            clauses.append("created>=?")
            values.append(self.created_from)
        if self.created_to is not None:
            clauses.append("created<=?")
            values.append(self.created_to)
        if self.statuses:
            clauses.append(f"status IN ({','.join('?' * len(self.statuses))})")
            values += self.statuses
        if self.prefix:
            clauses.append("substr(id, 1, ?)=?")
            values += [len(self.prefix), self.prefix]
        return " AND ".join(clauses), values


_ENTITIES = """(
  SELECT sid AS id, '' AS execution_id, substr(sid, 1, instr(substr(sid, 2), '@')) AS name, NULL AS version,
    'Running' AS status, '{"exists":true,"state":' || json_quote(state) || ',"sorter":{}}' AS input, NULL AS output,
    '{"entityExists":true}' AS custom_status, NULL AS parent_id, NULL AS parent_execution, NULL AS parent_seq,
    updated AS created, updated, 0 AS revision
  FROM entities)"""


def list_instances(
    store: Store, wanted: InstanceFilter, top: int, token: str | None
) -> tuple[list[Instance], str | None]:
    """One page in order of id, and the token of the next page or None. Raises ValueError for a bad token.

    Entities are instances, too: in Azure each is an orchestration that runs for ever under its scheduler id.
    """
    where, values = wanted.where()
    after = _decode_token(token)
    sql = (
        f"SELECT * FROM instances WHERE {where} AND id>? UNION ALL SELECT * FROM {_ENTITIES} WHERE {where} AND id>? "
        "ORDER BY id LIMIT ?"
    )
    found = [Instance(*row) for row in store.rows(sql, [*values, after, *values, after, top + 1])]
    page = found[:top]
    return page, _encode_token(page[-1].id) if len(found) > top and page else None


def instance(store: Store, instance_id: str) -> Instance | None:
    """The instance with that id, which may be an entity's."""
    if not instance_id.startswith("@"):
        return store.instance(instance_id)
    found = store.rows(f"SELECT * FROM {_ENTITIES} WHERE id=?", (instance_id,))
    return Instance(*found[0]) if found else None


def list_entities(
    store: Store, name: str, since: int | None, until: int | None, top: int, token: str | None
) -> tuple[list[tuple[str, str | None, int]], str | None]:
    """One page of (scheduler id, state, last operation), and the next page's token. An empty name means all."""
    prefix = f"@{name.lower()}@" if name else "@"
    sql = (
        "SELECT sid, state, updated FROM entities WHERE substr(sid, 1, ?)=? AND sid>? AND updated>=? AND updated<=? "
        "ORDER BY sid LIMIT ?"
    )
    bounds = (since if since is not None else 0, until if until is not None else 2**62)
    found = store.rows(sql, (len(prefix), prefix, _decode_token(token), *bounds, top + 1))
    page = found[:top]
    return page, _encode_token(page[-1][0]) if len(found) > top and page else None


def purge(store: Store, wanted: InstanceFilter) -> list[str]:
    """Delete all that the filter finds, with histories and messages; returns the ids.

    As in Azure that takes instances that run and entities as well, unless the filter names statuses. A process that is
    killed meanwhile leaves a part of them.
    """
    where, values = wanted.where()
    ids = [row[0] for row in store.rows(f"SELECT id FROM instances WHERE {where}", values)]
    sids = [row[0] for row in store.rows(f"SELECT id FROM {_ENTITIES} WHERE {where}", values)]
    deleted: list[str] = []
    for start in range(0, len(ids), _BATCH):
        batch = ids[start : start + _BATCH]
        with store.transaction() as db:  # one that was started anew meanwhile stays, unless the filter finds it again
            marks = ",".join("?" * len(batch))
            found = db.execute(f"SELECT id FROM instances WHERE id IN ({marks}) AND {where}", [*batch, *values])
            still = [row[0] for row in found]
            _delete(db, still, [])
        deleted += still
    with store.transaction() as db:
        _delete(db, [], sids)
    store.give_back()
    return deleted + sids


def purge_ended(store: Store, before: int, most: int) -> int:
    """Delete the oldest orchestrations that ended before a moment (microseconds), `most` of them, in one transaction.

    Returns how many they were; none means that none is left.
    """
    marks = ",".join("?" * len(TERMINAL))
    # What was changed before the moment was also created before it, which the index finds.
    sql = f"SELECT id FROM instances WHERE created<? AND updated<? AND status IN ({marks}) ORDER BY created LIMIT ?"
    with store.transaction() as db:
        ids = [row[0] for row in db.execute(sql, (before, before, *sorted(TERMINAL), most))]
        _delete(db, ids, [])
    return len(ids)


def purge_one(store: Store, found: Instance) -> bool:
    """Delete one instance if it ended, or one entity; False if it is not there or still alive."""
    with store.transaction() as db:
        current = instance(store, found.id)
        entity = found.id.startswith("@")
        if current is None or not (current.terminal or entity):
            return False
        _delete(db, [] if entity else [found.id], [found.id] if entity else [])
        return True


def _delete(db: sqlite3.Connection, ids: list[str], sids: list[str]) -> None:
    for table, column in (("history", "instance_id"), ("inbox", "instance_id"), ("instances", "id")):
        db.executemany(f"DELETE FROM {table} WHERE {column}=?", [(one,) for one in ids])
    db.executemany("DELETE FROM entities WHERE sid=?", [(one,) for one in sids])


def rewind(store: Store, instance_id: str, reason: str, now: int) -> list[str]:
    """Take back the failures of a failed instance and of its failed children; returns the instances to wake.

    Failed tasks become GenericEvents, so the next replay schedules them again; of a retried task only the last attempt
    is taken back. What succeeded stays.
    """
    with store.transaction() as db:
        return _rewind(db, store, instance_id, reason, now)


def _rewind(db: sqlite3.Connection, store: Store, instance_id: str, reason: str, now: int) -> list[str]:
    events: list[Event] = [json.loads(text) for text in store.history(instance_id)]
    retried = {item["RetryOf"] for item in events if "RetryOf" in item and not item["LastRetry"]}
    tasks = {item["TaskScheduledId"] for item in events if item["EventType"] == Kind.TASK_FAILED} - retried
    failed = {item["TaskScheduledId"] for item in events if item["EventType"] == Kind.CHILD_FAILED} - retried
    waking: list[str] = []
    restarted: set[int] = set()
    for item in events:
        if item["EventType"] == Kind.CHILD_CREATED and item["EventId"] in failed:
            child = store.instance(item["InstanceId"])
            if child is not None and child.status == "Failed" and child.parent_id == instance_id:
                waking += _rewind(db, store, child.id, reason, now)
            else:
                restarted.add(item["EventId"])
    timers = {item["EventId"] for item in events if item.get("LastRetry") and item["RetryOf"] in tasks | failed}
    gone = {
        (Kind.TASK_SCHEDULED, "EventId"): tasks,
        (Kind.TASK_FAILED, "TaskScheduledId"): tasks,
        (Kind.CHILD_CREATED, "EventId"): restarted,
        (Kind.CHILD_FAILED, "TaskScheduledId"): failed,
        (Kind.TIMER_CREATED, "EventId"): timers,
        (Kind.TIMER_FIRED, "TimerId"): timers,
    }
    for index, item in enumerate(events):
        if item["EventType"] == Kind.EXECUTION_COMPLETED or any(
            item["EventType"] == kind and item[key] in ids for (kind, key), ids in gone.items()
        ):
            replaced = event(Kind.GENERIC, parse_time(item["Timestamp"]), Data=f"Rewound: {reason}")
            db.execute(
                "UPDATE history SET body=? WHERE instance_id=? AND idx=?", (encode(replaced), instance_id, index)
            )
    db.execute(
        "UPDATE instances SET status='Running', output=NULL, updated=?, revision=revision+1 WHERE id=?",
        (now, instance_id),
    )
    nudge = encode(event(Kind.GENERIC, now, Data=reason))
    db.execute(
        "INSERT INTO inbox(instance_id, execution_id, kind, visible_at, body) VALUES(?,NULL,?,?,?)",
        (instance_id, int(Kind.GENERIC), now, nudge),
    )
    return [*waking, instance_id]


def _encode_token(last: str) -> str:
    return base64.urlsafe_b64encode(last.encode()).decode()


def _decode_token(token: str | None) -> str:
    if not token or token == "null":
        return ""
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except ValueError as error:
        raise ValueError("the continuation token is not one of ours") from error
