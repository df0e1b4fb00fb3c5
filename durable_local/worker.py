"""The language worker as the host sees it: there, or gone with everything that it ran. Only tests make it go."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Literal

from .errors import WorkerLostError

LostBatch = Literal["fail", "lose", "repeat"]

_DIED = "python exited with code 137 (0x89)"
_MISSING = "Did not find any initialized language workers"


@dataclass(frozen=True)
class WorkerDeath:
    """When the worker dies, and what the host makes of it; part of `Faults`.

    Attributes:
        call: The worker dies under this call, counted from 1 over all calls of orchestrators, entities and activities
            since the host started. That call's code runs to its end, yet its answer is lost, and so are the answers of
            all calls that run at that moment. 0: there is no worker when the host starts, as after a restart.
        refused: How many calls after it find no worker, so that their code does not run; None: all, until
            `Host.start_worker`.
    """

    call: int
    refused: int | None = 3


class Worker:
    """Lets calls through, unless `kill` or a planned death took the worker away. Safe from any thread."""

    def __init__(self, death: WorkerDeath | None = None) -> None:
        self._guard = threading.Lock()
        self._death = death
        self._calls = 0
        self._life = 0
        self._refused: int | None = 0
        if death is not None and death.call == 0:
            self._death, self._refused = None, death.refused

    def begin(self, *, counted: bool = True) -> int:
        """Start a call; what is returned belongs to `end`. Raises WorkerLostError while there is no worker.

        `counted` False: the call is none of those that a planned death counts.
        """
        if self._death is None and self._refused == 0:
            return self._life
        with self._guard:
            if self._refused is None:
                raise WorkerLostError(_MISSING)
            if self._refused:
                self._refused -= 1
                raise WorkerLostError(_MISSING)
            life = self._life
            self._calls += counted
            if self._death is not None and self._calls == self._death.call:
                self._life += 1
                self._refused, self._death = self._death.refused, None
            return life

    def end(self, life: int) -> None:
        """End a call. Raises WorkerLostError if the worker that ran it is gone."""
        if life != self._life:
            raise WorkerLostError(_DIED)

    def kill(self, refused: int | None) -> None:
        """The worker dies now: what runs is lost, and so many calls after it find none; None: all until `start`."""
        with self._guard:
            self._life += 1
            self._refused = refused

    def start(self) -> None:
        """A new worker is there."""
        with self._guard:
            self._refused = 0
