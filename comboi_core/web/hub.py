"""What the API asks of Durable Functions; `entities.hub` implements it over the SDK's client."""

from __future__ import annotations

from typing import Any, Protocol

ENDED = frozenset({"Completed", "Failed", "Terminated", "Canceled"})


class Hub(Protocol):
    """The task hub, as far as the API needs it."""

    async def read(self, entity: str, key: str) -> dict[str, Any] | None:
        """Return an entity's state, or None if it does not exist."""

    async def signal(self, entity: str, key: str, operation: str, value: dict[str, Any]) -> None:
        """Ask an entity to do something; does not wait."""

    async def start(self, orchestrator: str, instance_id: str, value: dict[str, Any]) -> None:
        """Start an orchestration."""

    async def status(self, instance_id: str) -> dict[str, Any] | None:
        """Return `runtimeStatus`, `customStatus`, `output`, `createdTime` of an instance, or None if unknown."""
