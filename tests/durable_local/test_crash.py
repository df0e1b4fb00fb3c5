"""A host that is killed goes on where it was; a second host on one store is refused."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from durable_local_helpers import APPS, WAIT, manage, running_status, start, until

from durable_local import Faults, Host, HubLockedError


@dataclass(frozen=True)
class Served:
    """A host in another process."""

    process: subprocess.Popen
    url: str
    unfinished: list[str]

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    processes: list[subprocess.Popen] = []

    def begin(**environment: str) -> Served:
        script = Path(__file__).with_name("serve_once.py")
        process = subprocess.Popen(
            [sys.executable, str(script), str(APPS / "core"), str(tmp_path / "hub.db")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        processes.append(process)
        url, *unfinished = process.stdout.readline().split()
        return Served(process, url, unfinished)

    yield begin
    for process in processes:
        with process:
            process.kill()


@pytest.mark.slow
def test_killed_at_random_instants_it_ends_with_the_exact_result(serve, tmp_path):
    trace = {"file": str(tmp_path / "trace"), "sleep": 0.03}
    spec = {"chain": 6, "fan": 12, "trace": trace}
    expected = [f"chain {i}" for i in range(6)] + [f"fan {i}" for i in range(12)]
    served = serve()
    ids = [start(served, "traced", spec, f"traced-{index}") for index in range(3)]
    draw = random.Random(20261123)
    for _ in range(5):
        time.sleep(draw.uniform(0.02, 0.35))
        served.kill()
        served = serve()
        assert set(served.unfinished) <= set(ids)
    served.kill()
    with Host(APPS / "core", tmp_path / "hub.db") as host:
        for instance_id in ids:
            status = host.wait(instance_id, WAIT)
            assert status["runtimeStatus"] == "Completed", status
            assert status["output"]["lines"] == expected
            assert status["output"]["children"] == [0, 1, 256, 6561]
            assert status["output"]["total"] == 3
    done = Counter((tmp_path / "trace").read_text().splitlines())
    assert set(done) == set(expected) and min(done.values()) >= len(ids)


def test_no_started_orchestration_is_lost(serve, tmp_path):
    served = serve()
    ids = [start(served, "chain", {"n": index % 3}) for index in range(60)]
    served.kill()
    with Host(APPS / "core", tmp_path / "hub.db") as host:
        assert [host.wait(id_, WAIT)["output"] for id_ in ids] == [(0, 1, 256)[index % 3] for index in range(60)]


def test_entity_operations_in_flight_are_applied_once(serve, tmp_path):
    served = serve()
    for _ in range(200):
        manage(served, "POST", "/entities/counter/hit?op=add", "1")
    served.kill()
    with Host(APPS / "core", tmp_path / "hub.db") as host:
        until(lambda: manage(host, "GET", "/entities/counter/hit").text == "200")


def test_an_activity_in_flight_is_redelivered(serve, tmp_path):
    spec = {"started": str(tmp_path / "started"), "release": str(tmp_path / "release")}
    served = serve()
    instance_id = start(served, "holds", spec)
    until((tmp_path / "started").exists)
    served.kill()
    (tmp_path / "started").unlink()
    served = serve()
    assert served.unfinished == [instance_id]
    until((tmp_path / "started").exists)
    (tmp_path / "release").touch()
    until(lambda: running_status(served, instance_id) == "Completed")


@pytest.mark.slow
def test_killed_under_faults_it_still_ends_right(serve, tmp_path):
    spec = {"chain": 3, "fan": 8, "trace": {"file": str(tmp_path / "trace"), "sleep": 0.02}}
    served = serve(DURABLE_LOCAL_FAULTS="double_activities,replay_twice,shuffle=3")
    instance_id = start(served, "traced", spec)
    for pause in (0.1, 0.2):
        time.sleep(pause)
        served.kill()
        served = serve(DURABLE_LOCAL_FAULTS="double_activities,replay_twice,shuffle=4")
    status = until(lambda: (found := manage(served, "GET", f"/instances/{instance_id}")).status == 200 and found.json)
    assert status["output"]["total"] == 3
    assert status["output"]["lines"] == [f"chain {i}" for i in range(3)] + [f"fan {i}" for i in range(8)]


def test_a_second_host_on_the_store_is_refused_with_the_address(serve, tmp_path):
    served = serve()
    store = tmp_path / "hub.db"
    assert Host.find(store) == served.url
    with pytest.raises(HubLockedError) as refused:
        Host(APPS / "core", store).start()
    assert (refused.value.url, refused.value.pid) == (served.url, served.process.pid)
    held = json.loads((tmp_path / "hub.db.lock").read_text())
    assert held["url"] == served.url and "started_at" in held
    served.kill()
    assert Host.find(store) is None
    with Host(APPS / "core", store) as host:
        assert Host.find(store) == host.url
        with pytest.raises(HubLockedError):
            Host(APPS / "core", store).start()
    assert Host.find(store) is None


def test_find_without_a_store(tmp_path):
    assert Host.find(tmp_path / "never.db") is None


def test_stdin_close_stops_quietly(serve):
    served = serve()
    start(served, "chain", {"n": 2})
    assert served.process.stdin is not None
    served.process.stdin.close()
    assert served.process.wait(WAIT) == 0


def test_faults_from_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DURABLE_LOCAL_FAULTS", "double_activities, replay_twice,shuffle=7")
    assert Faults.from_environment() == Faults(double_activities=True, replay_twice=True, shuffle_seed=7)
    monkeypatch.setenv("DURABLE_LOCAL_FAULTS", "")
    assert Faults.from_environment() == Faults()
    monkeypatch.setenv("DURABLE_LOCAL_FAULTS", "duoble")
    with pytest.raises(ValueError, match="duoble"):
        Faults.from_environment()
