"""The command line: serve, start, status, terminate."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from durable_local_helpers import APPS, WAIT, manage, until

from durable_local import Host

ROOT = Path(__file__).parents[2]
CORE = str(APPS / "core")


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "durable_local", *words]


def cli(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*words), cwd=ROOT, capture_output=True, text=True, timeout=WAIT)


@pytest.mark.slow
def test_start_and_wait_without_a_host(tmp_path):
    store = str(tmp_path / "hub.db")
    done = cli("start", "chain", "--app", CORE, "--store", store, "--input", '{"n": 2}', "--wait")
    assert (done.returncode, json.loads(done.stdout)["output"], done.stderr) == (0, 256, "")
    failed = cli("start", "passes", "--app", CORE, "--store", store, "--input", '{"activity": "boom"}', "--wait")
    assert (failed.returncode, json.loads(failed.stdout)["runtimeStatus"]) == (1, "Failed")


@pytest.mark.slow
def test_start_without_waiting_is_stored_for_the_next_host(tmp_path):
    store = tmp_path / "hub.db"
    words = ("start", "chain", "--app", CORE, "--store", str(store), "--input", '{"n": 3}', "--id", "stored")
    assert json.loads(cli(*words).stdout) == {"instanceId": "stored", "host": None}
    assert "already exists" in cli(*words).stderr
    with Host(APPS / "core", store) as host:
        assert host.unfinished == ["stored"]
        assert host.wait("stored")["output"] == 6561


@pytest.mark.slow
def test_mistakes_are_one_line(tmp_path):
    store = str(tmp_path / "hub.db")
    unknown = cli("start", "chian", "--app", CORE, "--store", store)
    assert unknown.returncode == 1
    assert unknown.stderr.startswith("error: ") and unknown.stderr.endswith("Did you mean 'chain'?\n")
    assert cli("start", "chain", "--app", CORE, "--store", store, "--input", "{").stderr.startswith("error: ")
    assert "no host is running" in cli("status", "x", "--app", CORE, "--store", store).stderr
    assert "no function_app.py" in cli("serve", str(tmp_path), "--store", store).stderr


@pytest.mark.slow
def test_serve_and_talk_to_it(tmp_path):
    store = tmp_path / "hub.db"
    options = ("--app", CORE, "--store", str(store))
    served = subprocess.Popen(
        command("serve", CORE, "--port", "0", "--store", str(store)), cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    try:
        url = until(lambda: Host.find(store))
        live = type("Live", (), {"url": url})
        started = cli("start", "waits", *options, "--id", "w")
        assert json.loads(started.stdout) == {"instanceId": "w", "host": url}
        assert json.loads(cli("status", "w", *options).stdout)["instanceId"] == "w"
        assert "another host holds this store" in cli("serve", CORE, "--store", str(store)).stderr
        assert cli("terminate", "w", "--reason", "over it", *options).returncode == 0
        until(lambda: manage(live, "GET", "/instances/w").json["output"] == "over it")
        finished = cli("start", "chain", *options, "--input", '{"n": 2}', "--wait")
        assert json.loads(finished.stdout)["output"] == 256
    finally:
        os.kill(served.pid, signal.SIGINT)
        _, errors = served.communicate(timeout=WAIT)
    assert (served.returncode, "Traceback" in errors) == (0, False)
