"""What passes between the store and those who work on it."""

from __future__ import annotations

from dataclasses import dataclass, field

from .events import Event

TERMINAL = frozenset({"Completed", "Failed", "Terminated", "Canceled"})


@dataclass(frozen=True)
class Instance:
    """A row of `instances`; `input`, `output` and `custom_status` are JSON text."""

    id: str
    execution_id: str
    name: str
    version: str | None
    status: str
    input: str | None
    output: str | None
    custom_status: str | None
    parent_id: str | None
    parent_execution: str | None
    parent_seq: int | None
    created: int
    updated: int
    revision: int

    @property
    def terminal(self) -> bool:
        return self.status in TERMINAL


@dataclass(frozen=True)
class Message:
    """A message in an instance's inbox; `body` is the event's JSON."""

    id: int
    execution_id: str | None
    kind: int
    body: str


@dataclass(frozen=True)
class ActivityRow:
    """A queued activity. `id` is its place in the queue and its delivery's identity."""

    id: int
    instance_id: str
    execution_id: str
    seq: int
    name: str
    input: str | None


@dataclass(frozen=True)
class NewInstance:
    """An instance to create; `input` is the JSON of ExecutionStarted.Input."""

    id: str
    execution_id: str
    name: str
    version: str | None
    input: str | None
    parent_id: str | None = None
    parent_execution: str | None = None
    parent_seq: int | None = None
    parent_name: str | None = None


@dataclass
class Step:
    """What one episode changes. `status` None keeps the status; `restart` begins a new generation with that input.

    `carried` are external events, as JSON, that the old generation leaves to the new one.
    """

    consumed: list[int] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    status: str | None = None
    output: str | None = None
    custom_status: str | None = None
    activities: list[tuple[int, str, str | None]] = field(default_factory=list)
    timers: list[tuple[int, str]] = field(default_factory=list)
    children: list[NewInstance] = field(default_factory=list)
    entity_messages: list[tuple[str, str]] = field(default_factory=list)
    parent_event: Event | None = None
    restart: NewInstance | None = None
    carried: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Stored:
    """What became runnable through a committed step."""

    activities: list[ActivityRow]
    revision: int
