"""What the shim's walk waits for: single tasks, groups of them, and tasks with retries."""

from __future__ import annotations

from collections.abc import Callable


class Node:
    """Something the walk can wait for."""

    __slots__ = ("done", "failed", "parent")

    def __init__(self) -> None:
        self.done = False
        self.failed = False
        self.parent: Group | Retry | None = None

    def settle(self, failed: bool = False) -> None:
        self.done, self.failed = True, failed
        if self.parent is not None:
            self.parent.child_settled(self)


class Group(Node):
    """WhenAny or WhenAll. Children that are done when adopted count at once; an empty group is done."""

    __slots__ = ("_missing",)

    def __init__(self, children: list[Node], *, wait_for_all: bool) -> None:
        super().__init__()
        unfinished = [child for child in children if not child.done]
        for child in unfinished:
            child.parent = self
        self._missing = len(unfinished) if wait_for_all else min(1, len(unfinished))
        if not wait_for_all and len(unfinished) < len(children):
            self._missing = 0
        self.done = self._missing == 0

    def child_settled(self, child: Node) -> None:
        self._missing -= 1
        if self._missing == 0:
            self.settle()


class Retry(Node):
    """Attempts with a timer after each failure, the last one included: the SDK counts ids on that."""

    __slots__ = ("_attempt", "_delay", "_left", "_timer")

    def __init__(self, attempt: Callable[[], Leaf], timer: Callable[..., Leaf], options: dict[str, int]) -> None:
        super().__init__()
        self._attempt = attempt
        self._timer = timer
        self._delay = int(options["firstRetryIntervalInMilliseconds"]) * 1000
        self._left = max(1, int(options["maxNumberOfAttempts"]))
        self._start()

    def _start(self) -> None:
        self._left -= 1
        self._attempt().parent = self

    def child_settled(self, child: Node) -> None:
        assert isinstance(child, Leaf)  # attempts and timers are its only children
        if child.kind == "timer":
            if self._left:
                self._start()
            else:
                self.settle(failed=True)
        elif child.failed:
            last = self._left == 0
            self._timer(0 if last else self._delay, retry_of=child.seq, last_retry=last).parent = self
        else:
            self.settle()


class Leaf(Node):
    """A single task, wait or message."""

    __slots__ = ("kind", "seq")

    def __init__(self, kind: str, seq: int = -1, *, done: bool = False) -> None:
        super().__init__()
        self.kind = kind
        self.seq = seq
        self.done = done
