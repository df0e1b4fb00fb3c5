"""What is told to Application Insights, before it takes the form that its endpoint wants."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["message", "request", "dependency", "metric"]
"""The tables these arrive in: traces, requests, dependencies, customMetrics."""


@dataclass(frozen=True)
class Signal:
    """One row of telemetry.

    Attributes:
        at: When it was, ISO 8601.
        operation: What it belongs to, a run's id; all signals of a run share one `operation_Id`.
        name: Of what was done or measured; of a message, its text.
        properties: Become `customDimensions`; None is left out.
        measurements: Numbers beside them; of a metric, exactly its value under its name.
        id: Of a request or dependency, so that others can lie below it.
        parent: The `id` that it lies below.
        seconds: How long a request or dependency took.
        success: Whether it did.
        code: Its result code; of a message, its severity: 0 verbose to 4 critical.
        type: Of a dependency: what kind of work it was.
    """

    kind: Kind
    at: str
    name: str
    operation: str | None = None
    properties: Mapping[str, Any] = field(default_factory=dict)
    measurements: Mapping[str, float] = field(default_factory=dict)
    id: str | None = None
    parent: str | None = None
    seconds: float = 0.0
    success: bool = True
    code: str | int = ""
    type: str = ""


def operation_id(run_id: str) -> str:
    """Return the operation id of a run: 32 hexadecimal digits, the same wherever and whenever it is asked for."""
    return hashlib.sha256(run_id.encode()).hexdigest()[:32]


def span_id(*path: str) -> str:
    """Return the id of a piece of a run, e.g. of `(run_id, item)`: 16 hexadecimal digits."""
    return hashlib.sha256("\x00".join(path).encode()).hexdigest()[:16]


def severity(level: int) -> int:
    """Return Application Insights' severity of a level of `logging`."""
    return max(0, min(4, level // 10 - 1)) if level >= logging.INFO else 0
