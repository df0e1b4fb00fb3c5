"""What the API asks of Durable Functions; `entities.hub` implements it over the SDK's client."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, Protocol, overload

from comboi_core.domain.contracts.hub import InstanceStatus
from comboi_core.domain.host import is_host_fault
from comboi_core.state.checkpoint import TableState
from comboi_core.state.pipeline import PipelineState

ENDED = frozenset({"Completed", "Failed", "Terminated", "Canceled"})


class Hub(Protocol):
    """The task hub, as far as the API needs it."""

    @overload
    async def read(self, entity: Literal["pipeline"], key: str) -> PipelineState | None: ...

    @overload
    async def read(self, entity: Literal["table"], key: str) -> TableState | None: ...

    async def read(self, entity: str, key: str) -> Any:
        """Return an entity's state, or None if it does not exist."""

    async def signal(self, entity: str, key: str, operation: str, value: Mapping[str, Any]) -> None:
        """Ask an entity to do something; does not wait."""

    async def start(self, orchestrator: str, instance_id: str, value: Mapping[str, Any]) -> None:
        """Start an orchestration."""

    async def status(self, instance_id: str) -> InstanceStatus | None:
        """Return the status of an instance, or None if unknown."""

    async def purge(self, before: datetime) -> int:
        """Delete the orchestrations that have ended and were created before a moment; return how many they were."""


def why_ended(status: InstanceStatus | None) -> str:
    """Say why a run is not on any more although it was not finished, from its orchestration's status (None: purged)."""
    if status and is_host_fault(str(status["output"])):
        return "the Functions host restarted, or lost its Python worker, while the run was on"
    return f"the orchestration ended as {status['runtimeStatus'] if status else 'purged'} before the run was finished"
