"""A host that was started for a command does not go away while another command uses it."""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest

from comboi_core.cli import hosting
from comboi_core.cli.hosting import Served, live_api, serving
from comboi_core.cli.leases import Lease, unused
from tests.support.project import ROOT
from tests.support.till import Till
from tests.support.waiting import WAIT, until

HOLD = """
import sys
from pathlib import Path
from comboi_core.cli.leases import Lease
lease = Lease(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def config(tmp_path):
    """The configuration of a small project."""
    return Till.make(tmp_path / "till").folder / "configs" / "initial.yml"


@pytest.fixture
def told(monkeypatch) -> list[str]:
    """What a command says to people."""
    said: list[str] = []
    monkeypatch.setattr(hosting.errors, "print", lambda text, **_: said.append(text))
    return said


@contextmanager
def other_command(config):
    """Another command, in a thread, that has a host until the block ends; gives what is done then."""
    up, leave, served = threading.Event(), threading.Event(), []

    def work() -> None:
        with serving(config) as here:
            served.append(here)
            up.set()
            leave.wait(WAIT)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert up.wait(WAIT)
        yield leave.set, served[0]
    finally:
        leave.set()
        thread.join(WAIT)
    assert not thread.is_alive()


def test_a_host_stays_up_until_the_other_command_is_done(config, told):
    with other_command(config) as (leave, host), serving(config) as used:
        assert host.here and not used.here
        leave()
        until(lambda: any("another command uses this host" in text for text in told))
        assert used.api.get("runs")["runs"] == []
        run = used.api.post("runs", {})["run_id"]
        record = until(lambda: ended(used, run))
        assert record["status"] == "succeeded"
    with live_api(config) as live:
        assert live is None


def test_a_host_stays_up_for_a_run_that_its_command_has_left_there(config, told):
    with other_command(config) as (leave, host):
        with serving(config) as used:
            run = used.api.post("runs", {})["run_id"]
        leave()
    with serving(config) as later:
        assert later.here and later.unfinished == []
        assert later.api.get(f"runs/{run}")["status"] == "succeeded"
    assert host.here


def test_a_command_that_comes_while_a_host_stops_waits_and_starts_its_own(config):
    with serving(config):
        pass
    hub, entered = hosting.hub_file(config), threading.Event()

    def work() -> None:
        with serving(config) as served:
            assert served.here
            entered.set()

    thread = threading.Thread(target=work)
    with unused(hub, pytest.fail):
        thread.start()
        assert not entered.is_set()
    assert entered.wait(WAIT)
    thread.join(WAIT)


def test_a_killed_command_uses_no_host_any_more(tmp_path):
    hub, waited = tmp_path / "hub.db", []
    command = [sys.executable, "-c", HOLD, str(hub)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with unused(hub, lambda: waited.append(other.kill())):
            assert waited == [None]


def test_leases_are_shared_and_end(tmp_path):
    hub = tmp_path / "hub.db"
    with Lease(hub), Lease(hub) as second:
        second.end()
        second.end()
    with unused(hub, pytest.fail):
        pass
    assert (tmp_path / "hub.db.clients").stat().st_mode & 0o777 == 0o600


def test_where_no_file_can_be_made_there_is_no_lease(tmp_path):
    with Lease(tmp_path / "nowhere" / "hub.db"):
        assert not (tmp_path / "nowhere").exists()


def ended(served: Served, run: str) -> dict | None:
    """The record of a run that is over."""
    record = served.api.get(f"runs/{run}")
    return record if record["status"] != "running" else None
