"""The worker dies or is missing: the host takes that for the result of what ran, as the Durable extension does."""

from __future__ import annotations

import json

import pytest
from durable_local_helpers import WAIT, http, manage, run, running_status, start, until

from durable_local import Faults, WorkerDeath

MISSING = "Did not find any initialized language workers"
DIED = "python exited with code 137 (0x89)"


def test_an_orchestrator_that_finds_no_worker_fails_for_good(new_host):
    host = new_host(faults=Faults(worker_death=WorkerDeath(0, refused=1)))
    status = run(host, "chain", {"n": 1})
    assert status["runtimeStatus"] == "Failed"
    assert status["output"] == f"Orchestrator function 'chain' failed: One or more errors occurred. ({MISSING})"
    assert run(host, "chain", {"n": 2})["output"] == 256


@pytest.mark.parametrize(
    ("kind", "task"),
    [
        ("activity", "an activity task with sequence ID 0 and name 'square' (version '')"),
        (
            "child",
            "a sub-orchestration task with sequence ID 0 and name 'chain' (version '', instance ID 'p-child-c')",
        ),
        ("timer", "a timer task with sequence ID 0"),
        (
            "signal",
            "a send event task with sequence ID 0, type 'EventSent' name 'op', instance ID '@counter@waits'",
        ),
    ],
)
def test_an_orchestrator_with_a_past_seems_to_have_changed(host, kind, task):
    instance_id = start(host, "waits_after", kind, f"p-{kind}")
    until(lambda: manage(host, "GET", f"/instances/{instance_id}").json["customStatus"] == "waits")
    host.kill_worker(refused=None)
    manage(host, "POST", f"/instances/{instance_id}/raiseEvent/go", 1)
    status = host.wait(instance_id, WAIT)
    host.start_worker()
    assert (status["runtimeStatus"], status["output"]) == (
        "Failed",
        f"Non-Deterministic workflow detected: A previous execution of this orchestration scheduled {task}, but the "
        "current replay execution hasn't (yet?) scheduled this task. Was a change made to the orchestrator code after "
        "this instance had already started running?",
    )


def test_a_child_that_dies_with_the_worker_fails_its_parent(new_host):
    # The parent's first episode is the first call, so a child's is the second.
    host = new_host(faults=Faults(worker_death=WorkerDeath(2, refused=0)))
    status = run(host, "parent", {"children": [1]})
    assert status["runtimeStatus"] == "Failed"
    assert f"Orchestrator function 'chain' failed: One or more errors occurred. ({DIED})" in status["output"]


def test_an_activity_under_which_the_worker_dies_has_run_and_failed(new_host, tmp_path):
    host = new_host(faults=Faults(worker_death=WorkerDeath(2, refused=0)))
    line = {"file": str(tmp_path / "trace"), "line": "done"}
    caught = run(host, "catches", {"activity": "append_line", "input": line})
    assert caught["output"]["text"].startswith(f"Activity function 'append_line' failed: {DIED} \n {{")
    assert (tmp_path / "trace").read_text() == "done\n"


def test_calls_that_find_no_worker_do_not_run(new_host, tmp_path):
    host = new_host(faults=Faults(worker_death=WorkerDeath(2, refused=None)))
    trace = tmp_path / "trace"
    assert run(host, "appends", {"file": str(trace)})["runtimeStatus"] == "Failed"
    assert len(trace.read_text().splitlines()) == 1
    assert http("GET", f"{host.url}/api/default_route").status == 500
    host.start_worker()
    assert http("GET", f"{host.url}/api/default_route").text == "default_route"
    # Activities of the failed run may still be queued; they run now. So this run writes to a file of its own.
    again = tmp_path / "again"
    assert run(host, "appends", {"file": str(again)})["runtimeStatus"] == "Completed"
    assert len(again.read_text().splitlines()) == 20


def test_what_runs_when_the_worker_is_killed_is_lost(new_host, tmp_path):
    host = new_host()
    spec = {"started": str(tmp_path / "started"), "release": str(tmp_path / "release")}
    held = start(host, "catches", {"activity": "hold", "input": spec})
    until((tmp_path / "started").exists)
    host.kill_worker()
    (tmp_path / "release").touch()
    assert host.wait(held, WAIT)["output"]["text"].startswith(f"Activity function 'hold' failed: {DIED}")
    assert run(host, "chain", {"n": 2})["output"] == 256


@pytest.mark.parametrize(("lost_batch", "answer", "state"), [("fail", f"error: {DIED}", None), ("repeat", 7, 7)])
def test_callers_of_a_lost_entity_batch(new_host, lost_batch, answer, state):
    # The orchestrator's call comes first, so the entity's is the second.
    host = new_host(faults=Faults(worker_death=WorkerDeath(2, refused=0), lost_batch=lost_batch))
    assert run(host, "calls_any_entity", ["counter", "k", "add", 7])["output"] == answer
    found = manage(host, "GET", "/entities/counter/k")
    assert (json.loads(found.text) if found.status == 200 else None) == state


def test_an_entity_batch_can_be_lost_without_an_answer(new_host, caplog):
    host = new_host(faults=Faults(worker_death=WorkerDeath(2, refused=0), lost_batch="lose"))
    instance_id = start(host, "calls_any_entity", ["counter", "k", "add", 1])
    until(lambda: "loses 1 operation(s) without an answer" in caplog.text)
    assert running_status(host, instance_id) == "Running"
    assert run(host, "calls_any_entity", ["counter", "k", "add", 5])["output"] == 5


def test_a_lost_signal_leaves_the_state_as_it_was(new_host, caplog):
    host = new_host(faults=Faults(worker_death=WorkerDeath(0, refused=1)))
    manage(host, "POST", "/entities/counter/k?op=add", 1)
    until(lambda: f"drops 1 operation(s): {MISSING}" in caplog.text)
    manage(host, "POST", "/entities/counter/k?op=add", "5")
    until(lambda: manage(host, "GET", "/entities/counter/k").text == "5")


def test_faults_from_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DURABLE_LOCAL_FAULTS", "worker_death=12/5,lost_batch=lose")
    assert Faults.from_environment() == Faults(worker_death=WorkerDeath(12, 5), lost_batch="lose")
    monkeypatch.setenv("DURABLE_LOCAL_FAULTS", "worker_death=12")
    assert Faults.from_environment() == Faults(worker_death=WorkerDeath(12, 3))
    monkeypatch.setenv("DURABLE_LOCAL_FAULTS", "lost_batch=explode")
    with pytest.raises(ValueError, match="lost_batch=explode"):
        Faults.from_environment()
