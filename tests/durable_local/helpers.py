"""What the tests share: where the apps are, and a small client for a host's HTTP side."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

APPS = Path(__file__).parent / "apps"
WEBHOOK = "/runtime/webhooks/durabletask"
WAIT = 120.0
"""Seconds. A machine that is busy with other things takes long; only a failure takes all of them."""
JSON = {"Content-Type": "application/json"}


def write_app(folder: Path, text: str) -> Path:
    """The folder of an app whose function_app.py is the text."""
    app = folder / "app"
    app.mkdir(exist_ok=True)
    (app / "function_app.py").write_text(text)
    return app


@dataclass(frozen=True)
class Reply:
    status: int
    text: str
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.text)


def http(method: str, url: str, body: Any = None, *, headers: dict[str, str] | None = None) -> Reply:
    """One request; `body` is sent as JSON, and called so, unless it is bytes."""
    plain = isinstance(body, bytes) or body is None
    data = body if plain else json.dumps(body).encode()
    kind = {} if plain else JSON
    request = urllib.request.Request(url, data=data, method=method, headers={**kind, **(headers or {})})
    try:
        with urllib.request.urlopen(request, timeout=WAIT) as response:
            return Reply(response.status, response.read().decode(), dict(response.headers))
    except urllib.error.HTTPError as error:
        with error:
            return Reply(error.code, error.read().decode(), dict(error.headers))


def start(host, name: str, payload: Any = None, instance_id: str = "") -> str:
    """Start an orchestration as the SDK does: the body is JSON in a JSON string."""
    body = None if payload is None else json.dumps(payload)
    path = f"/orchestrators/{name}" + (f"/{instance_id}" if instance_id else "")
    reply = http("POST", host.url + WEBHOOK + path, body)
    assert reply.status == 202, reply
    return reply.json["id"]


def run(host, name: str, payload: Any = None, instance_id: str = "") -> dict[str, Any]:
    """Start an orchestration and wait for its end."""
    return host.wait(start(host, name, payload, instance_id), WAIT)


def manage(host, method: str, path: str, body: Any = None, **options: Any) -> Reply:
    """A request to the management endpoints."""
    return http(method, host.url + WEBHOOK + path, body, **options)


def client(host, method: str, **arguments: Any) -> dict[str, Any]:
    """Call the SDK's durable client inside the app; answers {"result": ...} or {"error": ...}."""
    reply = http("POST", f"{host.url}/api/client/{method}", arguments)
    assert reply.status == 200, reply
    return reply.json


def history(host, instance_id: str) -> list[dict[str, Any]]:
    """The history as the management endpoint shows it."""
    return manage(host, "GET", f"/instances/{instance_id}?showHistory=true&showHistoryOutput=true").json[
        "historyEvents"
    ]


def running_status(host, instance_id: str) -> str:
    return manage(host, "GET", f"/instances/{instance_id}").json["runtimeStatus"]


def until(condition: Callable[[], Any]) -> Any:
    """Wait for a condition; fails after `WAIT` seconds."""
    deadline = time.monotonic() + WAIT
    while not (found := condition()):
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.01)
    return found
