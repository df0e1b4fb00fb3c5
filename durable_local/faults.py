"""Switches that make the host behave as badly as the cloud is allowed to."""

from __future__ import annotations

import os
from dataclasses import dataclass

ENVIRONMENT_VARIABLE = "DURABLE_LOCAL_FAULTS"


@dataclass(frozen=True)
class Faults:
    """Faults to inject; none by default.

    `double_activities`: every activity runs twice, possibly at once, and one completion, drawn by the seed, is kept.
    `replay_twice`: every episode is replayed twice; different actions fail the orchestration.
    `shuffle_seed`: activities start, and completions reach orchestrators, in an order drawn from this seed.
    """

    double_activities: bool = False
    replay_twice: bool = False
    shuffle_seed: int | None = None

    @classmethod
    def from_environment(cls) -> Faults:
        """Read `DURABLE_LOCAL_FAULTS`, for example `double_activities,replay_twice,shuffle=7`.

        Raises ValueError for a switch that does not exist.
        """
        chosen: dict[str, bool | int] = {}
        for word in filter(None, (part.strip() for part in os.environ.get(ENVIRONMENT_VARIABLE, "").split(","))):
            name, _, value = word.partition("=")
            if name == "shuffle":
                chosen["shuffle_seed"] = int(value or 0)
            elif name in ("double_activities", "replay_twice") and not value:
                chosen[name] = True
            else:
                raise ValueError(
                    f"{ENVIRONMENT_VARIABLE}: unknown switch {word!r}; "
                    "known: double_activities, replay_twice, shuffle=SEED"
                )
        return cls(**chosen)
