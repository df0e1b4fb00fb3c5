"""Command line: serve an app, start an orchestration, look at it, end it."""

from __future__ import annotations

import json
import logging
import signal
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from pathlib import Path
from typing import Annotated, Any

import typer

from .clock import Clock
from .errors import DurableLocalError, HubLockedError
from .host import Host
from .loader import load_app
from .lock import HubLock
from .management import check_instance_id
from .records import TERMINAL, NewInstance
from .settings import load_settings
from .status import WEBHOOK_PATH
from .store import Store

cli = typer.Typer(help="Run Azure Durable Functions apps on this machine.", no_args_is_help=True, add_completion=False)

StoreOption = Annotated[
    Path | None, typer.Option("--store", help="The SQLite file; default: APP_DIR/.durable_local/hub.db.")
]
AppOption = Annotated[Path, typer.Option("--app", help="The folder of function_app.py.")]
_POLL_SECONDS = 0.3


@cli.command()
def serve(
    app_dir: Annotated[Path, typer.Argument(help="The folder of function_app.py.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")] = 7071,
    store: StoreOption = None,
) -> None:
    """Serve an app: HTTP and timer triggers, orchestrations, management endpoints, until Ctrl-C."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with Host(app_dir, _store(app_dir, store), port=port) as host:
        for instance_id in host.unfinished:
            typer.echo(f"taking up {instance_id}")
        typer.echo(f"serving {host.url}  (Ctrl-C ends)")
        stopped.wait()
        typer.echo("stopping")


@cli.command()
def start(
    name: Annotated[str, typer.Argument(help="The orchestrator's name.")],
    app: AppOption = Path("."),
    payload: Annotated[str, typer.Option("--input", help="The input, as JSON.")] = "null",
    instance_id: Annotated[str, typer.Option("--id", help="Instance id; default: a new one.")] = "",
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the end; exit code 1 unless Completed.")] = False,
    store: StoreOption = None,
) -> None:
    """Start an orchestration: on the live host of the store if there is one, else in this process.

    Without --wait and without a live host the start is only stored; the next host on the store runs it.
    """
    value = json.loads(payload)
    wanted = instance_id or uuid.uuid4().hex
    path, url = _store(app, store), Host.find(_store(app, store))
    if url is not None:
        _submit(url, name, wanted, value)
        _report(_poll(url, wanted) if wait else {"instanceId": wanted, "host": url})
    elif wait:
        with Host(app, path, timers=False) as host:
            _submit(host.url, name, wanted, value)
            _report(host.wait(wanted))
    else:
        _enqueue(app, path, name, wanted, value)
        _report({"instanceId": wanted, "host": None})


@cli.command()
def status(instance_id: str, app: AppOption = Path("."), store: StoreOption = None) -> None:
    """Show an instance of the live host as JSON."""
    _report(_request("GET", f"{_live(app, store)}/instances/{urllib.parse.quote(instance_id)}"), check=False)


@cli.command()
def terminate(
    instance_id: str, reason: str = "by command", app: AppOption = Path("."), store: StoreOption = None
) -> None:
    """Terminate an instance of the live host."""
    query = urllib.parse.urlencode({"reason": reason})
    _request("POST", f"{_live(app, store)}/instances/{urllib.parse.quote(instance_id)}/terminate?{query}")


def _store(app_dir: Path, store: Path | None) -> Path:
    return store if store is not None else app_dir / ".durable_local" / "hub.db"


def _live(app_dir: Path, store: Path | None) -> str:
    url = Host.find(_store(app_dir, store))
    if url is None:
        raise DurableLocalError("no host is running on this store; start one with: python -m durable_local serve")
    return url + WEBHOOK_PATH


def _submit(url: str, name: str, instance_id: str, value: Any) -> None:
    target = f"{url}{WEBHOOK_PATH}/orchestrators/{urllib.parse.quote(name)}/{urllib.parse.quote(instance_id, safe='')}"
    _request("POST", target, None if value is None else json.dumps(json.dumps(value)))


def _enqueue(app_dir: Path, path: Path, name: str, instance_id: str, value: Any) -> None:
    check_instance_id(instance_id)
    info = load_app(app_dir.resolve()).orchestrator(name)
    text = None if value is None else json.dumps(json.dumps(value))
    version = load_settings(app_dir).default_version
    lock = HubLock(path.resolve())
    store = Store(path.resolve())
    try:
        new = NewInstance(instance_id, uuid.uuid4().hex, info.name, version, text)
        existing = store.create(new, Clock().now())
    finally:
        store.close()
        lock.release()
    if existing is not None:
        raise DurableLocalError(f"an instance '{instance_id}' with the status {existing.status} already exists")


def _poll(url: str, instance_id: str) -> dict[str, Any]:
    while True:
        found = _request("GET", f"{url}{WEBHOOK_PATH}/instances/{urllib.parse.quote(instance_id)}")
        if found["runtimeStatus"] in TERMINAL:
            return found
        time.sleep(_POLL_SECONDS)


def _request(method: str, url: str, body: str | None = None) -> Any:
    request = urllib.request.Request(url, data=body.encode() if body is not None else None, method=method)
    try:
        with urllib.request.urlopen(request) as response:
            return json.loads(response.read() or b"null")
    except urllib.error.HTTPError as error:
        with error:
            text = error.read().decode()
        try:
            message = json.loads(text)["Message"]
        except (ValueError, KeyError, TypeError):
            message = f"the host answered {error.code}"
        raise DurableLocalError(message) from error


def _report(document: dict[str, Any], *, check: bool = True) -> None:
    typer.echo(json.dumps(document, indent=2))
    if check and document.get("runtimeStatus", "Completed") != "Completed":
        raise typer.Exit(1)


def main() -> None:
    """Run the command line; errors of the host are one line, not a traceback."""
    try:
        cli()
    except HubLockedError as error:
        sys.exit(f"error: {error}; submit to it with: python -m durable_local start")
    except (DurableLocalError, OSError, ValueError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
