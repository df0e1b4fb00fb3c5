"""Histories kept at hand between episodes, so that an episode reads only its new messages from the store."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from dataclasses import dataclass, field

from .events import NEVER_PLAYED, Event, with_played
from .records import TERMINAL, Instance, Step
from .store import Store

_CACHED_CHARACTERS = 64 * 1024 * 1024


@dataclass
class Past:
    """The history of one execution as of `revision`: the parsed events, and the text that the SDK gets for them."""

    execution_id: str
    revision: int
    events: list[Event] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    size: int = 0

    def add(self, text: str) -> None:
        """Append a stored event."""
        item = json.loads(text)
        self.events.append(item)
        self.texts.append(with_played(text, item["EventType"] not in NEVER_PLAYED))
        self.size += len(text)


class HistoryCache:
    """Pasts by instance, the least recently used given up beyond a bound on their size."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._guard = threading.Lock()
        self._pasts: OrderedDict[str, Past] = OrderedDict()
        self._size = 0

    def past(self, instance: Instance) -> Past:
        """The history up to the row `instance`, from memory or the store."""
        with self._guard:
            found = self._pasts.get(instance.id)
        if found is not None and (found.execution_id, found.revision) == (instance.execution_id, instance.revision):
            return found
        past = Past(instance.execution_id, instance.revision)
        for text in self._store.history(instance.id):
            past.add(text)
        return past

    def remember(self, instance_id: str, past: Past, step: Step, revision: int) -> None:
        """Bring `past` up to a committed step and keep it, unless the execution ended with it."""
        with self._guard:
            old = self._pasts.pop(instance_id, None)
            self._size -= old.size if old else 0
            if step.restart is not None or step.status in TERMINAL:
                return
            for text in step.events:
                past.add(text)
            past.revision = revision
            self._pasts[instance_id] = past
            self._size += past.size
            while self._size > _CACHED_CHARACTERS:
                self._size -= self._pasts.popitem(last=False)[1].size
