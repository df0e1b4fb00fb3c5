"""What clients see of an instance: the status payload, its history, and the management URLs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus

from .clock import to_status
from .events import Event, Kind
from .records import Instance

WEBHOOK_PATH = "/runtime/webhooks/durabletask"
INNER_PATH = "/runtime/inner"
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
_FINISHED = {
    Kind.TASK_COMPLETED: Kind.TASK_SCHEDULED,
    Kind.TASK_FAILED: Kind.TASK_SCHEDULED,
    Kind.CHILD_COMPLETED: Kind.CHILD_CREATED,
    Kind.CHILD_FAILED: Kind.CHILD_CREATED,
}
_SCHEDULES = frozenset(_FINISHED.values())
_RESULTS = frozenset({Kind.TASK_COMPLETED, Kind.CHILD_COMPLETED, Kind.EXECUTION_COMPLETED})
_HIDDEN = frozenset({"EventId", "RetryOf", "LastRetry"})
"""The last two are this host's own."""
_HIDDEN_IN = {
    Kind.EXECUTION_STARTED: frozenset({"Name", "OrchestrationInstance", "ParentInstance", "Version", "Tags"}),
    Kind.TASK_SCHEDULED: frozenset({"Version"}),
    Kind.CHILD_CREATED: frozenset({"Version"}),
    Kind.TIMER_FIRED: frozenset({"TimerId"}),
    **dict.fromkeys(_FINISHED, frozenset({"TaskScheduledId"})),
}


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


def history_events(history: list[str], *, show_input: bool, show_output: bool) -> list[dict[str, Any]]:
    """The history for people, as the extension shows it.

    Kinds are named, marks of episodes are left out, and what scheduled an activity or a child is merged into its end;
    timers and messages stay as they are. Inputs and outputs are left out unless asked for.
    """
    events = [json.loads(text) for text in history]
    scheduled = {(item["EventType"], item["EventId"]): item for item in events if item["EventType"] in _SCHEDULES}
    origins = {id(item): scheduled.get(_origin(item)) for item in events if item["EventType"] in _FINISHED}
    merged = {id(origin) for origin in origins.values()}
    return [
        _shown(item, origins.get(id(item)), show_input=show_input, show_output=show_output)
        for item in events
        if item["EventType"] in _NAMES and id(item) not in merged
    ]


def _origin(item: Event) -> tuple[int, int]:
    return _FINISHED[item["EventType"]], item["TaskScheduledId"]


def _shown(item: Event, origin: Event | None, *, show_input: bool, show_output: bool) -> dict[str, Any]:
    kind = Kind(item["EventType"])
    hidden = _HIDDEN | _HIDDEN_IN.get(kind, frozenset())
    entry = {key: value for key, value in item.items() if key not in hidden}
    entry["EventType"] = _NAMES[kind]
    if kind == Kind.EXECUTION_STARTED:
        entry["FunctionName"] = item["Name"]
    if origin is not None:
        entry |= {"ScheduledTime": origin["Timestamp"], "FunctionName": origin["Name"], "Input": origin["Input"]}
    if kind in _RESULTS:
        result = entry.pop("Result")
        entry |= {"Result": _decoded(result)} if show_output else {}
    if not show_input:
        entry.pop("Input", None)
    return entry


def _decoded(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def _encoded(instance_id: str) -> str:
    """As .NET's UrlEncode writes it: a blank becomes a plus sign, a tilde is escaped."""
    return quote_plus(instance_id, safe="!*()").replace("~", "%7E")


@dataclass(frozen=True)
class Addresses:
    """Where the management endpoints are.

    Attributes:
        url: The host's.
        hub: The task hub's name.
        system_key: Opens the management endpoints, and nothing else; "" where the host has no keys. It is made anew by
            each host, so a link that was handed out ends with it.
        inner_key: Part of the path by which the app's own clients come, since the SDK sends them no key; "" likewise.
    """

    url: str = ""
    hub: str = "Local"
    system_key: str = ""
    inner_key: str = ""

    @property
    def inner_path(self) -> str:
        """The path of the app's own clients."""
        return f"{INNER_PATH}/{self.inner_key}/" if self.inner_key else f"{WEBHOOK_PATH}/"

    def links(self, instance_id: str) -> dict[str, str]:
        """The URLs with which a client manages one instance; the key is in them, as in Azure's."""
        query = f"taskHub={self.hub}&connection=Storage" + (f"&code={self.system_key}" if self.system_key else "")
        instance = f"{self.url}{WEBHOOK_PATH}/instances/{_encoded(instance_id)}"
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

    def client_binding(self) -> str:
        """The JSON that a `durableClient` binding hands to the SDK."""
        webhooks = f"{self.url}{WEBHOOK_PATH}"
        create = f"{webhooks}/orchestrators/{{functionName}}[/{{instanceId}}]"
        code = f"code={self.system_key}" if self.system_key else ""
        return json.dumps(
            {
                "taskHubName": self.hub,
                "creationUrls": {
                    "createNewInstancePostUri": f"{create}?{code}" if code else create,
                    "createAndWaitOnNewInstancePostUri": (
                        f"{create}?timeout={{timeoutInSeconds}}&pollingInterval={{intervalInSeconds}}"
                        + (f"&{code}" if code else "")
                    ),
                },
                "managementUrls": self.links("INSTANCEID"),
                "baseUrl": webhooks,
                "requiredQueryStringParameters": code,
                "rpcBaseUrl": f"{self.url}{self.inner_path}",
            }
        )
