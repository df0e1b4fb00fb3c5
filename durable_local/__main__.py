"""Command line: serve an app, start an orchestration, look at it, end it."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from .check import check_app
from .clock import Clock
from .errors import DurableLocalError, HubLockedError
from .guard import KEY_HEADER, KEY_PARAMETER
from .host import Host
from .keys import key_file
from .loader import load_app
from .lock import HubLock
from .management import check_instance_id
from .records import TERMINAL, NewInstance
from .sdk import quieten
from .settings import load_settings
from .status import WEBHOOK_PATH
from .store import Store

cli = typer.Typer(help="Run Azure Durable Functions apps on this machine.", no_args_is_help=True, add_completion=False)

StoreOption = Annotated[
    Path | None,
    typer.Option("--store", help="The SQLite file of the task hub. Default: APP_DIR/.durable_local/hub.db."),
]
AppOption = Annotated[Path, typer.Option("--app", help="The folder of function_app.py.")]
_POLL_SECONDS = 0.3


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """The key is for this machine's host alone."""


_OPENER = urllib.request.build_opener(_NoRedirect, urllib.request.ProxyHandler({}))


@cli.command()
def serve(
    app_dir: Annotated[Path, typer.Argument(help="The folder of function_app.py.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1. 0: any free port.")] = 7071,
    store: StoreOption = None,
    keyed: Annotated[
        bool, typer.Option("--key/--no-key", help="Require a key, except for functions with the level anonymous.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict/--lenient", help="Refuse an app if something in it does not work in Azure.")
    ] = False,
) -> None:
    """Serve an app: HTTP and timer triggers, orchestrations, management endpoints, until Ctrl-C."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    app_dir, place = app_dir.resolve(), _store(app_dir, store).resolve()
    if app_dir.is_dir():
        os.chdir(app_dir)  # as the worker, so that relative paths in the app mean the same
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with Host(app_dir, place, port=port, keyed=keyed, strict=strict) as host:
        for instance_id in host.unfinished:
            typer.echo(f"taking up {instance_id}")
        typer.echo(f"serving {host.url}  (Ctrl-C ends)")
        if keyed:
            typer.echo(f"its key, for the header {KEY_HEADER} or ?{KEY_PARAMETER}=, is in {key_file(place)}")
        stopped.wait()
        typer.echo("stopping")


@cli.command()
def check(
    app_dir: Annotated[Path, typer.Argument(help="The folder of function_app.py.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print a list of objects.")] = False,
) -> None:
    """List what would be different in Azure: function, rule, and what to do. Exit code 1 if something would break."""
    quieten()
    found = check_app(app_dir.resolve())
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found], indent=2))
    else:
        for one in found:
            typer.echo(f"{'breaks ' if one.breaks else 'differs'} {one}")
        broken = sum(one.breaks for one in found)
        typer.echo(f"{broken} would break in Azure, {len(found) - broken} would differ")
    if any(one.breaks for one in found):
        raise typer.Exit(1)


@cli.command()
def start(
    name: Annotated[str, typer.Argument(help="The orchestrator's name.")],
    app: AppOption = Path("."),
    payload: Annotated[str, typer.Option("--input", help="The input, as JSON.")] = "null",
    instance_id: Annotated[str, typer.Option("--id", help="Instance id. Default: a new id.")] = "",
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for the end. Exit code 1 if the status is not Completed.")
    ] = False,
    store: StoreOption = None,
) -> None:
    """Start an orchestration: on the live host of the store if there is one, else in this process.

    Without --wait and without a live host the start is only stored; the next host on the store runs it.
    """
    value = json.loads(payload)
    wanted = instance_id or uuid.uuid4().hex
    path = _store(app, store)
    live = _Live.find(path)
    if live is not None:
        live.submit(name, wanted, value)
        _report(live.poll(wanted) if wait else {"instanceId": wanted, "host": live.url})
    elif wait:
        with Host(app, path, timers=False) as host:
            _Live(host.url, None).submit(name, wanted, value)
            _report(host.wait(wanted))
    else:
        _enqueue(app, path, name, wanted, value)
        _report({"instanceId": wanted, "host": None})


@cli.command()
def status(instance_id: str, app: AppOption = Path("."), store: StoreOption = None) -> None:
    """Show an instance of the live host as JSON."""
    _report(_live(app, store).request("GET", f"instances/{urllib.parse.quote(instance_id)}"), check=False)


@cli.command()
def terminate(
    instance_id: str, reason: str = "by command", app: AppOption = Path("."), store: StoreOption = None
) -> None:
    """Terminate an instance of the live host."""
    query = urllib.parse.urlencode({"reason": reason})
    _live(app, store).request("POST", f"instances/{urllib.parse.quote(instance_id)}/terminate?{query}")


def _store(app_dir: Path, store: Path | None) -> Path:
    return store if store is not None else app_dir / ".durable_local" / "hub.db"


@dataclass(frozen=True)
class _Live:
    """A host that is up, and the key to it."""

    url: str
    key: str | None

    @classmethod
    def find(cls, store: Path) -> _Live | None:
        url = Host.find(store)
        return None if url is None else cls(url, Host.key_of(store))

    def submit(self, name: str, instance_id: str, value: Any) -> None:
        path = f"orchestrators/{urllib.parse.quote(name)}/{urllib.parse.quote(instance_id, safe='')}"
        self.request("POST", path, None if value is None else json.dumps(json.dumps(value)))

    def poll(self, instance_id: str) -> dict[str, Any]:
        while True:
            found = self.request("GET", f"instances/{urllib.parse.quote(instance_id)}")
            if found["runtimeStatus"] in TERMINAL:
                return found
            time.sleep(_POLL_SECONDS)

    def request(self, method: str, path: str, body: str | None = None) -> Any:
        request = urllib.request.Request(
            f"{self.url}{WEBHOOK_PATH}/{path}",
            data=body.encode() if body is not None else None,
            headers={KEY_HEADER: self.key} if self.key else {},
            method=method,
        )
        try:
            with _OPENER.open(request) as response:
                return json.loads(response.read() or b"null")
        except urllib.error.HTTPError as error:
            with error:
                text = error.read().decode()
            raise DurableLocalError(_message(error.code, text)) from error


def _message(status: int, text: str) -> str:
    try:
        found = json.loads(text)
        return found.get("ExceptionMessage") or found["detail"]
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"the host answered {status}"


def _live(app_dir: Path, store: Path | None) -> _Live:
    live = _Live.find(_store(app_dir, store))
    if live is None:
        raise DurableLocalError("no host is running on this store; start one with: python -m durable_local serve")
    return live


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
