"""What clients see of an instance: the status payload, its history, and the management URLs."""

from __future__ import annotations

import json
from typing import Any

from .clock import to_status
from .events import Event, Kind
from .records import Instance

WEBHOOK_PATH = "/runtime/webhooks/durabletask"
_QUERY = "taskHub={hub}&connection=Storage"
_NAMES = {
    Kind.EXECUTION_STARTED: "ExecutionStarted",
    Kind.EXECUTION_COMPLETED: "ExecutionCompleted",
    Kind.EXECUTION_TERMINATED: "ExecutionTerminated",
    Kind.TASK_SCHEDULED: "TaskScheduled",
    Kind.TASK_COMPLETED: "TaskCompleted",
    Kind.TASK_FAILED: "TaskFailed",
    Kind.CHILD_CREATED: "SubOrchestrationInstanceCreated",
    Kind.CHILD_COMPLETED: "SubOrchestrationInstanceCompleted",
    Kind.CHILD_FAILED: "SubOrchestrationInstanceFailed",
    Kind.TIMER_CREATED: "TimerCreated",
    Kind.TIMER_FIRED: "TimerFired",
    Kind.EVENT_SENT: "EventSent",
    Kind.EVENT_RAISED: "EventRaised",
    Kind.GENERIC: "GenericEvent",
    Kind.SUSPENDED: "ExecutionSuspended",
    Kind.RESUMED: "ExecutionResumed",
}
_SCHEDULED = frozenset({Kind.TASK_SCHEDULED, Kind.CHILD_CREATED, Kind.TIMER_CREATED})
_FINISHED = {
    Kind.TASK_COMPLETED: "TaskScheduledId",
    Kind.TASK_FAILED: "TaskScheduledId",
    Kind.CHILD_COMPLETED: "TaskScheduledId",
    Kind.CHILD_FAILED: "TaskScheduledId",
    Kind.TIMER_FIRED: "TimerId",
}
_OUTPUTS = frozenset({Kind.TASK_COMPLETED, Kind.CHILD_COMPLETED, Kind.EXECUTION_COMPLETED, Kind.EVENT_RAISED})


def status_payload(instance: Instance, *, show_input: bool = True) -> dict[str, Any]:
    """The StatusResponsePayload of an instance."""
    return {
        "name": instance.name,
        "instanceId": instance.id,
        "runtimeStatus": instance.status,
        "input": _decoded(instance.input) if show_input else None,
        "customStatus": _decoded(instance.custom_status),
        "output": _decoded(instance.output),
        "createdTime": to_status(instance.created),
        "lastUpdatedTime": to_status(instance.updated),
    }


def history_events(history: list[str], *, show_output: bool) -> list[dict[str, Any]]:
    """The history for people: names for numbers, scheduling merged into completions, episode marks removed."""
    events = [json.loads(text) for text in history]
    finished = {(_origin(item["EventType"]), item[_FINISHED[item["EventType"]]]) for item in events if _ends(item)}
    scheduled = {(item["EventType"], item["EventId"]): item for item in events if item["EventType"] in _SCHEDULED}
    shown = []
    for item in events:
        kind = item["EventType"]
        if kind not in _NAMES or (kind, item["EventId"]) in finished:
            continue
        origin = scheduled.get((_origin(kind), item[_FINISHED[kind]])) if _ends(item) else None
        shown.append(_shown(item, origin, show_output=show_output))
    return shown


def _ends(item: Event) -> bool:
    return item["EventType"] in _FINISHED


def _origin(kind: int) -> int:
    """The kind of event that scheduled what an event of `kind` finishes."""
    if kind == Kind.TIMER_FIRED:
        return Kind.TIMER_CREATED
    return Kind.TASK_SCHEDULED if kind in (Kind.TASK_COMPLETED, Kind.TASK_FAILED) else Kind.CHILD_CREATED


def _shown(item: Event, origin: Event | None, *, show_output: bool) -> dict[str, Any]:
    kind = Kind(item["EventType"])
    entry: dict[str, Any] = {"EventType": _NAMES[kind], "Timestamp": item["Timestamp"]}
    if origin is not None:
        entry["ScheduledTime"] = origin["Timestamp"]
        if "Name" in origin:
            entry["FunctionName"] = origin["Name"]
    if kind in (Kind.EXECUTION_STARTED, Kind.TASK_SCHEDULED, Kind.CHILD_CREATED):
        entry["FunctionName"] = item["Name"]
    for key in ("FireAt", "Reason", "Details", "OrchestrationStatus", "InstanceId"):
        if item.get(key) is not None:
            entry[key] = item[key]
    if kind in (Kind.EVENT_RAISED, Kind.EVENT_SENT):
        entry["Name"] = item["Name"]
    if show_output and kind in _OUTPUTS:
        key = "Input" if kind == Kind.EVENT_RAISED else "Result"
        entry[key] = _decoded(item.get(key))
    return entry


def _decoded(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def management_urls(base_url: str, hub: str, instance_id: str) -> dict[str, str]:
    """The URLs with which a client manages one instance."""
    query = _QUERY.format(hub=hub)
    instance = f"{base_url}{WEBHOOK_PATH}/instances/{instance_id}"
    return {
        "id": instance_id,
        "statusQueryGetUri": f"{instance}?{query}",
        "sendEventPostUri": f"{instance}/raiseEvent/{{eventName}}?{query}",
        "terminatePostUri": f"{instance}/terminate?reason={{text}}&{query}",
        "rewindPostUri": f"{instance}/rewind?reason={{text}}&{query}",
        "purgeHistoryDeleteUri": f"{instance}?{query}",
        "restartPostUri": f"{instance}/restart?{query}",
        "suspendPostUri": f"{instance}/suspend?reason={{text}}&{query}",
        "resumePostUri": f"{instance}/resume?reason={{text}}&{query}",
    }


def client_binding(base_url: str, hub: str) -> str:
    """The JSON that a `durableClient` binding hands to the SDK."""
    webhooks = f"{base_url}{WEBHOOK_PATH}"
    create = f"{webhooks}/orchestrators/{{functionName}}[/{{instanceId}}]"
    return json.dumps(
        {
            "taskHubName": hub,
            "creationUrls": {
                "createNewInstancePostUri": create,
                "createAndWaitOnNewInstancePostUri": (
                    f"{create}?timeout={{timeoutInSeconds}}&pollingInterval={{intervalInSeconds}}"
                ),
            },
            "managementUrls": management_urls(base_url, hub, "INSTANCEID"),
            "baseUrl": webhooks,
            "requiredQueryStringParameters": "",
            "rpcBaseUrl": f"{webhooks}/",
        }
    )
