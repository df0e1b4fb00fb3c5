"""The API that a command uses: of a deployed app, of a running host, or of a host started for the command."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from comboi_core.app.loader import config_path, load
from comboi_core.app.place import APP_FOLDER
from comboi_core.cli.client import Api, part
from comboi_core.cli.leases import Lease, unused
from comboi_core.cli.options import errors
from comboi_core.domain.errors import ComboiError
from comboi_core.domain.folders import make_private
from comboi_core.domain.names import RUN_ID_PATTERN, pipeline_of

if TYPE_CHECKING:
    from durable_local import Host

STARTING = 15.0
"""Seconds to wait for the host that another command is starting."""
GRACE = 5.0
"""Seconds for activities to finish when the host stops. The next run repeats what did not finish."""


class NoApp(ComboiError):
    """function_app.py is missing."""

    code = "app_missing"
    remedy = "Install comboi again: `pip install --force-reinstall comboi`, or `pip install -e .` in its checkout."


class AppBroken(ComboiError):
    """The function app cannot be started, most likely because of the schedule."""

    code = "app_broken"
    remedy = "Correct what the message says. A schedule has six fields, e.g. `0 */30 * * * *` for every half hour."


class HostBusy(ComboiError):
    """Another live host holds the project's task hub."""

    code = "host_busy"
    remedy = "Use the running host (`comboi run` finds it by itself), or stop it first."


class HubUnusable(ComboiError):
    """The task hub's file cannot be opened: the disk is full, access is denied, or it is not a task hub."""

    code = "hub_unusable"
    remedy = (
        "Check the free space on its disk and the access rights of the file, then run again; unfinished runs are "
        "finished first. If the file is damaged, move it away and run `comboi checkpoints rebuild`, which restores all "
        "checkpoints from the lake."
    )


class PortTaken(ComboiError):
    """The port of the API is in use."""

    code = "port_taken"
    remedy = "Give another port with --port. 0 means any free port."


@dataclass
class Served:
    """The API that a command uses.

    Attributes:
        host: The host that was started for this command and stops with it; None if another one answers.
        unfinished: Runs that a killed host left unfinished. They continue now.
        others: Unfinished runs of other pipelines in the same task hub.
    """

    api: Api
    host: Host | None = None
    unfinished: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)

    @property
    def here(self) -> bool:
        """Whether the host was started for this command."""
        return self.host is not None

    def pause(self, run_id: str, seconds: float) -> None:
        """Wait; if the run is on a host that was started here, no longer than until it has ended."""
        if self.host is None:
            time.sleep(seconds)
            return
        with suppress(TimeoutError):
            self.host.wait(run_id, seconds)


def project_root(config: Path | None) -> Path:
    """Return the project's folder: the parent of the folder that holds the configuration."""
    return config_path(config).resolve().parent.parent


def hub_file(config: Path | None) -> Path:
    """Return the task hub's file: COMBOI_HUB, else `.comboi/hub.db` in the project."""
    return Path(os.environ.get("COMBOI_HUB") or project_root(config) / ".comboi" / "hub.db")


@contextmanager
def serving(
    config: Path | None, url: str | None = None, key: str | None = None, *, resume: bool = True
) -> Iterator[Served]:
    """Give the API at `url`, else of the running host on this project's task hub, else of a host started here.

    A host that another command has started stays up for the block. One that is started here ends with it, but not
    before other commands are done with it; see `leases`.

    Args:
        resume: Whether a host started here continues what an earlier one left unfinished.

    Raises:
        ConfigError: a host has to be started here, and the configuration is missing or invalid.
    """
    if url:
        yield Served(Api(url, key))
        return
    hub = hub_file(config)
    with _lease(config, hub) as lease:
        if live := _live(hub):
            yield Served(live)
            return
        pipeline = load(config).pipeline
        with ExitStack() as stack:
            try:
                host = stack.enter_context(embedded(config, timers=False, resume=resume))
            except HostBusy:  # another command started its host first; use that one
                if not (live := _wait_for_live_api(hub)):
                    raise
                yield Served(live)
                return
            lease.end()  # from here on it is this host that waits for others
            unfinished, others = left_behind(host.unfinished, pipeline)
            served = Served(Api(host.url, host.key), host, unfinished, others)
            waiting = () if resume else unfinished
            try:
                yield served
            except ComboiError:
                _stop_unused(hub, served.api, waiting, stack)
                raise
            _stop_unused(hub, served.api, waiting, stack)


def _lease(config: Path | None, hub: Path) -> Lease:
    """Return a lease of whatever host is up on the task hub, now or later."""
    try:
        if not hub.exists():
            load(config)  # where there is no project, no hub is made, nor anything beside it
            make_private(hub.parent)
    except OSError as failed:
        raise _unusable(failed) from None
    return Lease(hub)


def _stop_unused(hub: Path, api: Api, waiting: Collection[str], host: ExitStack) -> None:
    """Stop this command's host once no other command uses it, and no run is on it that another one has left there.

    Args:
        waiting: Unfinished runs that are on no host.
        host: What stops the host when it is closed.
    """
    with suppress(ComboiError, KeyboardInterrupt, OSError):
        while True:
            _let_runs_end(api, waiting)
            with unused(hub, lambda: errors.print("another command uses this host, which waits for its end")):
                if not _running(api, waiting):
                    host.close()
                    return


def _let_runs_end(api: Api, waiting: Collection[str]) -> None:
    for run in _running(api, waiting):
        errors.print(f"run {run} of another command is on this host, which waits for its end")
        while api.get(f"runs/{part(run)}")["status"] == "running":
            time.sleep(0.2)


def _running(api: Api, waiting: Collection[str]) -> list[str]:
    """Return the run that is on, if one is: only the newest one can be."""
    return [run["run_id"] for run in api.runs(1) if run["status"] == "running" and run["run_id"] not in waiting]


def left_behind(instances: list[str], pipeline: str) -> tuple[list[str], list[str]]:
    """Return the runs among unfinished orchestrations: the pipeline's own, and those of other pipelines."""
    runs = sorted(instance for instance in instances if RUN_ID_PATTERN.match(instance))
    own = [run for run in runs if pipeline_of(run) == pipeline]
    return own, [run for run in runs if run not in own]


@contextmanager
def live_api(config: Path | None) -> Iterator[Api | None]:
    """Give the API of the host that is up on this project's task hub, if one is; it stays up for the block.

    Raises:
        HubUnusable: the task hub's files cannot be opened.
    """
    hub = hub_file(config)
    try:
        lease = Lease(hub) if hub.exists() else None  # without a hub nothing is made beside it
    except OSError as failed:
        raise _unusable(failed) from None
    try:
        live = _live(hub) if lease else None
        if lease and not live:
            lease.end()
        yield live
    finally:
        if lease:
            lease.end()


def _live(hub: Path) -> Api | None:
    """Return the API of the host that is up on a task hub, if one is, with the key from beside the hub."""
    from durable_local import Host

    try:
        url = Host.find(hub)
        return Api(url, Host.key_of(hub)) if url else None
    except OSError as failed:
        raise _unusable(failed) from None


def _unusable(failed: OSError) -> HubUnusable:
    return HubUnusable(f"task hub: {failed.filename}: {failed.strerror}")


def _wait_for_live_api(hub: Path) -> Api | None:
    deadline = time.monotonic() + STARTING
    while not (live := _live(hub)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return live


@contextmanager
def embedded(config: Path | None, *, timers: bool, port: int = 0, resume: bool = True) -> Iterator[Host]:
    """Run the app on an embedded host during the block. Its API requires `host.key`, which is saved beside the hub.

    Raises:
        ConfigError: the configuration is missing or wrong.
        HostBusy: another live host holds the task hub.
        HubUnusable: the task hub's file cannot be opened or written.
        PortTaken: another process uses the port.
    """
    from durable_local import AppLoadError, Host, HubLockedError
    from durable_local.errors import StoreError

    if not (APP_FOLDER / "function_app.py").exists():
        raise NoApp(f"{APP_FOLDER / 'function_app.py'} does not exist")
    os.environ["COMBOI_CONFIG"] = str(config_path(config).resolve())
    hub = hub_file(config)
    keep = timedelta(seconds=load(config).pipeline_file.history.keep)
    host = Host(
        *(APP_FOLDER, hub),
        port=port,
        timers=timers,
        resume=resume,
        shutdown_grace=GRACE,
        keyed=True,
        strict=True,
        keep=keep,
    )
    try:
        make_private(hub.parent)
        host.start()
        gc.freeze()  # as in `commands.main`
    except HubLockedError as locked:
        raise HostBusy(str(locked)) from None
    except AppLoadError as broken:
        raise AppBroken(str(broken)) from None
    except StoreError as unusable:
        raise HubUnusable(f"task hub: {unusable}") from None
    except OSError as failed:
        if failed.filename is not None:  # a file; errors of ports have no filename
            raise _unusable(failed) from None
        raise PortTaken(str(failed)) from None
    try:
        yield host
    finally:
        host.stop()
