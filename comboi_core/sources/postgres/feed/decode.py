"""Decoding the messages of `pgoutput` (protocol version 1), as far as they tell which keys changed.

PostgreSQL sends the changes of a transaction together, when it has committed: Begin, then for each table a Relation
message before its first change, the changes, Commit. Values come as text, in the form in which PostgreSQL reads them.

Only keys are kept. An Update that changes the key names two of them: the old and the new one.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from comboi_core.domain.errors import UnsupportedValue
from comboi_core.sources.postgres.feed.snapshot import Snapshot

Key = tuple[bytes, ...]
"""The values of a key in the order of the configured `primary_key`, each as PostgreSQL's text in UTF-8."""

_BEGIN, _RELATION, _INSERT, _UPDATE, _DELETE, _TRUNCATE = b"BRIUDT"
_PASSED_OVER = frozenset(b"COYM")  # Commit, Origin, Type, Message
_NEW = ord("N")
_TEXT, _NULL, _UNCHANGED = b"tnu"
_COUNT = struct.Struct("!H")
_SIZE = struct.Struct("!I")
_TRANSACTION = struct.Struct("!QQI")


@dataclass
class Touched:
    """What the feed tells of one table.

    Attributes:
        keys: Key -> position of the last commit that touched it.
        truncated: Position of the last commit that emptied the table, or None.
        unreadable: Why keys cannot be taken from the feed, or empty. The whole table has to be read then.
        unreadable_at: Position of the last commit of which this holds.
    """

    keys: dict[Key, int] = field(default_factory=dict)
    truncated: int | None = None
    unreadable: str = ""
    unreadable_at: int = 0


class Decoder:
    """Collects the keys that messages name.

    Attributes:
        touched: Oid of a table -> what was collected since the last `take`.
        waiting: Transaction -> position of its commit, for those whose rows `seen` does not show.

    Args:
        wanted: Oid of a table -> its key columns. Changes of other tables are passed over.
        seen: A snapshot of when decoding began.
    """

    def __init__(self, wanted: Mapping[int, tuple[str, ...]], seen: Snapshot) -> None:
        self._wanted = wanted
        self._seen = seen
        self._places: dict[int, tuple[int, ...]] = {}
        self._commit = 0
        self.touched = {oid: Touched() for oid in wanted}
        self.waiting: dict[int, int] = {}

    @property
    def held(self) -> int:
        """How many keys are in memory."""
        return sum(len(one.keys) for one in self.touched.values())

    def take(self, oid: int) -> dict[Key, int]:
        """Return the keys collected of a table, and forget them."""
        keys, self.touched[oid].keys = self.touched[oid].keys, {}
        return keys

    def feed(self, messages: Iterable[bytes]) -> None:
        """Decode messages, in the order in which the slot gives them.

        Raises:
            UnsupportedValue: a message is of no known kind.
        """
        for message in messages:
            kind = message[0]
            if kind in (_INSERT, _UPDATE, _DELETE):
                self._change(kind, message)
            elif kind == _BEGIN:
                self._begin(message)
            elif kind == _RELATION:
                self._relation(message)
            elif kind == _TRUNCATE:
                self._truncate(message)
            elif kind not in _PASSED_OVER:
                raise UnsupportedValue(f"the slot gives a message of the unknown kind {chr(kind)!r}")

    def _begin(self, message: bytes) -> None:
        self._commit, _, bits = _TRANSACTION.unpack_from(message, 1)
        xid = self._seen.full(bits)
        if not self._seen.sees(xid):
            self.waiting[xid] = self._commit

    def _relation(self, message: bytes) -> None:
        (oid,) = _SIZE.unpack_from(message, 1)
        if oid not in self._wanted:
            return
        at = message.index(b"\0", message.index(b"\0", 5) + 1) + 2  # past both names and the replica identity
        (count,) = _COUNT.unpack_from(message, at)
        at, names = at + 2, []
        for _ in range(count):
            end = message.index(b"\0", at + 1)
            names.append(message[at + 1 : end].decode(errors="replace"))
            at = end + 9
        missing = [name for name in self._wanted[oid] if name not in names]
        if missing:
            self._unreadable(oid, f"the feed has no column {', '.join(missing)}")
            self._places.pop(oid, None)
        else:
            self._places[oid] = tuple(names.index(name) for name in self._wanted[oid])

    def _change(self, kind: int, message: bytes) -> None:
        (oid,) = _SIZE.unpack_from(message, 1)
        places = self._places.get(oid)
        if places is None:
            if oid in self._wanted:
                self.touched[oid].unreadable_at = self._commit
            return
        keys = self.touched[oid].keys
        at, old = 5, None
        if message[5] != _NEW:  # the old key (K), or the old row (O)
            values, at = _values(message, 6)
            old = _key(values, places, None)
            self._keep(oid, keys, old)
        if kind != _DELETE:
            values, _ = _values(message, at + 1)
            self._keep(oid, keys, _key(values, places, old))

    def _keep(self, oid: int, keys: dict[Key, int], key: Key | None) -> None:
        if key is None:
            self._unreadable(oid, "the feed has changes of rows whose key is NULL or not sent")
        else:
            keys[key] = self._commit

    def _unreadable(self, oid: int, why: str) -> None:
        self.touched[oid].unreadable, self.touched[oid].unreadable_at = why, self._commit

    def _truncate(self, message: bytes) -> None:
        (count,) = _SIZE.unpack_from(message, 1)
        for (oid,) in struct.iter_unpack("!I", message[6 : 6 + 4 * count]):
            if oid in self.touched:
                self.touched[oid].truncated = self._commit


def _values(message: bytes, at: int) -> tuple[list[bytes | None], int]:
    """Return the values of a row, None for those that are NULL or not sent, and where the row ends."""
    (count,) = _COUNT.unpack_from(message, at)
    at += 2
    values: list[bytes | None] = []
    for _ in range(count):
        kind = message[at]
        at += 1
        if kind == _TEXT:
            (size,) = _SIZE.unpack_from(message, at)
            at += 4
            values.append(message[at : at + size])
            at += size
        elif kind in (_NULL, _UNCHANGED):
            values.append(None)
        else:
            raise UnsupportedValue(f"the slot gives a value of the unknown kind {chr(kind)!r}")
    return values, at


def _key(values: list[bytes | None], places: tuple[int, ...], old: Key | None) -> Key | None:
    """Return the key; a long value that an Update leaves as it is (TOAST) stands in the old key only."""
    key = []
    for index, place in enumerate(places):
        value = values[place]
        if value is None and old is not None:
            value = old[index]
        if value is None:
            return None
        key.append(value)
    return tuple(key)
