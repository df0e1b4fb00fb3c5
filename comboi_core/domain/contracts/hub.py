"""What Durable Functions tell the API."""

from __future__ import annotations

from typing import Any, TypedDict


class InstanceStatus(TypedDict):
    """What Durable Functions tell of an orchestration; moments are ISO 8601."""

    runtimeStatus: str | None
    customStatus: Any
    output: Any
    input: Any
    createdTime: str | None
