"""Switches that make the host behave as badly as the cloud is allowed to."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, get_args

from .worker import LostBatch, WorkerDeath

ENVIRONMENT_VARIABLE = "DURABLE_LOCAL_FAULTS"


@dataclass(frozen=True)
class Faults:
    """Faults to inject; none by default.

    `double_activities`: every activity runs twice, possibly at once, and one completion, drawn by the seed, is kept.
    `replay_twice`: every episode is replayed twice; different actions fail the orchestration.
    `shuffle_seed`: activities start, and completions reach orchestrators, in an order drawn from this seed.
    `worker_death`: the language worker dies, and the host takes that for the result of what ran, as the Durable
    extension does: orchestrations and activities fail. `Host.kill_worker` does the same at any other moment.
    `lost_batch`: what becomes of entity operations that the worker died under. `fail`: callers get the error, signals
    are lost; `lose`: callers never get an answer; `repeat`: the host runs the operations again.
    """

    double_activities: bool = False
    replay_twice: bool = False
    shuffle_seed: int | None = None
    worker_death: WorkerDeath | None = None
    lost_batch: LostBatch = "fail"

    @classmethod
    def from_environment(cls) -> Faults:
        """Read `DURABLE_LOCAL_FAULTS`, for example `double_activities,replay_twice,shuffle=7,worker_death=12/3`.

        Raises ValueError for a switch that does not exist.
        """
        chosen: dict[str, Any] = {}
        for word in filter(None, (part.strip() for part in os.environ.get(ENVIRONMENT_VARIABLE, "").split(","))):
            name, _, value = word.partition("=")
            if name == "shuffle":
                chosen["shuffle_seed"] = int(value or 0)
            elif name == "worker_death":
                call, _, refused = value.partition("/")
                chosen["worker_death"] = WorkerDeath(int(call), int(refused)) if refused else WorkerDeath(int(call))
            elif name == "lost_batch" and value in get_args(LostBatch):
                chosen["lost_batch"] = value
            elif name in ("double_activities", "replay_twice") and not value:
                chosen[name] = True
            else:
                raise ValueError(
                    f"{ENVIRONMENT_VARIABLE}: unknown switch {word!r}; "
                    "known: double_activities, replay_twice, shuffle=SEED, worker_death=CALL/REFUSED, "
                    f"lost_batch={'|'.join(get_args(LostBatch))}"
                )
        return cls(**chosen)
