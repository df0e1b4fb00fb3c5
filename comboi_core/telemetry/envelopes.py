"""Signals in the form that the ingestion endpoint of Application Insights wants."""

from __future__ import annotations

import math
import platform
from typing import Any

from comboi_core.domain.redaction import redactor
from comboi_core.telemetry.signals import Signal, operation_id

ROLE = "comboi"
"""`cloud_RoleName` of everything that is sent."""
LONGEST_TEXT, LONGEST_NAME, LONGEST_PROPERTY = 32_768, 512, 8_192
"""Characters that the service takes; it refuses a whole envelope for one more."""


def envelope(signal: Signal, instrumentation_key: str) -> dict[str, Any]:
    """Return a signal as an envelope, without secrets; imports opencensus, which takes a moment the first time."""
    from opencensus.ext.azure.common import utils
    from opencensus.ext.azure.common.protocol import Data, Envelope

    kind, base = _data(signal)
    tags = dict(utils.azure_monitor_context) | {"ai.cloud.role": ROLE, "ai.cloud.roleInstance": platform.node()}
    if signal.operation:
        tags["ai.operation.id"] = operation_id(signal.operation)
        tags["ai.operation.name"] = "run"
    if signal.parent:
        tags["ai.operation.parentId"] = signal.parent
    made: dict[str, Any] = Envelope(
        name=f"Microsoft.ApplicationInsights.{kind.removesuffix('Data')}",
        time=signal.at,
        iKey=instrumentation_key,
        tags=tags,
        data=Data(baseType=kind, baseData=base),
    )
    return made


def _data(signal: Signal) -> tuple[str, Any]:
    """Return the base type, and the data without secrets."""
    from opencensus.ext.azure.common import protocol, utils

    found = {key: value for key, value in signal.measurements.items() if math.isfinite(value)}
    more = {"properties": _properties(signal), "measurements": found}
    timed = {
        "id": signal.id or "",
        "name": redactor.cut(signal.name, LONGEST_NAME),
        "duration": utils.microseconds_to_duration(int(signal.seconds * 1e6)),
        "success": signal.success,
    }
    code = redactor.text(str(signal.code))
    match signal.kind:
        case "message":
            return "MessageData", protocol.Message(
                message=redactor.cut(signal.name, LONGEST_TEXT), severityLevel=signal.code, **more
            )
        case "metric":
            points = [protocol.DataPoint(ns=ROLE, name=key, value=value) for key, value in found.items()]
            return "MetricData", protocol.MetricData(metrics=points, properties=more["properties"])
        case "request":
            return "RequestData", protocol.Request(**timed, responseCode=code, **more)
        case "dependency":
            return "RemoteDependencyData", protocol.RemoteDependency(**timed, resultCode=code, type=signal.type, **more)


def _properties(signal: Signal) -> dict[str, str]:
    given = {**({"run_id": signal.operation} if signal.operation else {}), **signal.properties}
    return {key: redactor.cut(str(value), LONGEST_PROPERTY) for key, value in given.items() if value is not None}
