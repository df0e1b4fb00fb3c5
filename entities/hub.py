"""The API's view of Durable Functions (`comboi_core.web.hub.Hub`), over the SDK's client."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import azure.durable_functions as df

from comboi_core.domain.contracts.hub import InstanceStatus

BEGINNING = datetime(2015, 1, 1, tzinfo=UTC)
"""Before any orchestration; a purge needs a moment to begin at."""
ENDED = [
    df.OrchestrationRuntimeStatus.Completed,
    df.OrchestrationRuntimeStatus.Failed,
    df.OrchestrationRuntimeStatus.Terminated,
    df.OrchestrationRuntimeStatus.Canceled,
]


class DurableHub:
    """Implements Hub."""

    def __init__(self, client: df.DurableOrchestrationClient) -> None:
        self._client = client

    async def read(self, entity: str, key: str) -> Any:
        """See Hub."""
        answer = await self._client.read_entity_state(df.EntityId(entity, key))
        return answer.entity_state if answer.entity_exists else None

    async def signal(self, entity: str, key: str, operation: str, value: Mapping[str, Any]) -> None:
        """See Hub."""
        await self._client.signal_entity(df.EntityId(entity, key), operation, value)

    async def start(self, orchestrator: str, instance_id: str, value: Mapping[str, Any]) -> None:
        """See Hub."""
        await self._client.start_new(orchestrator, instance_id, value)

    async def status(self, instance_id: str) -> InstanceStatus | None:
        """See Hub. The SDK hands the input over as JSON text; an unknown id comes as an empty, falsy object."""
        status = await self._client.get_status(instance_id)
        if not status:
            return None
        return {
            "runtimeStatus": status.runtime_status.value if status.runtime_status else None,
            "customStatus": status.custom_status,
            "output": status.output,
            "input": json.loads(status.input_) if isinstance(status.input_, str) else status.input_,
            "createdTime": status.created_time.isoformat() if status.created_time else None,
        }

    async def purge(self, before: datetime) -> int:
        """See Hub. Entities are instances without an end, so none of them is among those."""
        purged = await self._client.purge_instance_history_by(BEGINNING, before, ENDED)
        return purged.instances_deleted
