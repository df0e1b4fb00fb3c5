"""The embedding API, the fault switches, and the manners of a host in somebody else's process."""

from __future__ import annotations

import logging
import sqlite3
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import pytest
from durable_local_helpers import APPS, WAIT, client, http, manage, run, running_status, start, until

from durable_local import AppLoadError, Faults, Host, HostStoppedError, UnknownInstanceError
from durable_local.errors import StoreError


def test_wait_times_out_and_knows_unknown_ids(host):
    waiting = start(host, "waits")
    with pytest.raises(TimeoutError):
        host.wait(waiting, 0.05)
    with pytest.raises(UnknownInstanceError):
        host.wait("nobody", 1)


def test_stop_ends_waits_and_is_idempotent(new_host):
    host = new_host()
    waiting = start(host, "waits")
    raised: list[BaseException] = []

    def wait() -> None:
        try:
            host.wait(waiting)
        except HostStoppedError as error:
            raised.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    host.stop()
    host.stop()
    thread.join(WAIT)
    assert len(raised) == 1


def test_unfinished_are_the_top_level_instances(new_host):
    host = new_host()
    start(host, "failing_parent_of_waiting_child", None, "top")
    until(lambda: manage(host, "GET", "/instances/top-child").status == 202)
    run(host, "chain", {"n": 1})
    host.stop()
    again = new_host()
    assert again.unfinished == ["top"]
    manage(again, "POST", "/instances/top-child/terminate?reason=x")
    assert again.wait("top")["runtimeStatus"] == "Completed"


def test_stop_leaves_a_hanging_activity_after_the_grace_and_redelivers_it(new_host, tmp_path):
    spec = {"started": str(tmp_path / "started"), "release": str(tmp_path / "release")}
    host = new_host(shutdown_grace=0.2)
    instance_id = start(host, "holds", spec)
    until((tmp_path / "started").exists)
    host.stop()
    (tmp_path / "release").touch()
    again = new_host()
    assert again.wait(instance_id)["output"] == "released"


def test_stop_lets_a_short_activity_finish(new_host, tmp_path):
    spec = {"started": str(tmp_path / "started"), "release": str(tmp_path / "release")}
    host = new_host(shutdown_grace=WAIT)
    start(host, "holds", spec, "short")
    until((tmp_path / "started").exists)
    threading.Timer(0.1, (tmp_path / "release").touch).start()
    host.stop()
    with sqlite3.connect(tmp_path / "hub.db") as db:
        assert db.execute("SELECT count(*) FROM activities").fetchone() == (0,)


def test_a_failed_start_leaves_nothing_behind(tmp_path, free_port):
    before = threading.active_count()
    with pytest.raises(AppLoadError):
        Host(tmp_path, tmp_path / "hub.db").start()
    with Host(APPS / "core", tmp_path / "one.db", port=free_port), pytest.raises(OSError, match=str(free_port)):
        Host(APPS / "core", tmp_path / "hub.db", port=free_port).start()
    (tmp_path / "bad.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(StoreError):
        Host(APPS / "core", tmp_path / "bad.db").start()
    until(lambda: threading.active_count() <= before)


def test_two_hosts_in_one_process_share_nothing_but_the_loop(new_host):
    one, two = new_host(store="one.db"), new_host(store="two.db")
    assert client(one, "start_new", orchestration_function_name="chain", instance_id="x", client_input={"n": 2})
    assert one.wait("x")["output"] == 256
    assert client(two, "get_status", instance_id="x") == {"result": None}
    one.stop()
    assert client(two, "start_new", orchestration_function_name="chain", client_input={"n": 1})["result"]


def test_host_json_bounds_concurrent_activities(tmp_path):
    app = tmp_path / "app"
    app.mkdir()
    (app / "host.json").write_text('{"extensions": {"durabletask": {"maxconcurrentactivityfunctions": 2}}}')
    (app / "function_app.py").write_text(
        """
import threading, time
import azure.durable_functions as df
app = df.DFApp()
running, most, guard, pair = 0, 0, threading.Lock(), threading.Barrier(2)

@app.activity_trigger(input_name="x")
def work(x):
    global running, most
    with guard:
        running += 1
        most = max(most, running)
    pair.wait(120)  # there are two, however slow the machine is
    time.sleep(0.02)  # time for a third one to begin
    with guard:
        running -= 1
    return most

@app.orchestration_trigger(context_name="context")
def fan(context):
    results = yield context.task_all([context.call_activity("work", i) for i in range(12)])
    return max(results)
"""
    )
    with Host(app, tmp_path / "hub.db") as host:
        assert run(host, "fan")["output"] == 2


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_double_activities_keep_one_completion(new_host, seed):
    host = new_host(faults=Faults(double_activities=True, replay_twice=True, shuffle_seed=seed))
    app = sys.modules["function_app"]
    app.calls.clear()
    assert run(host, "fan", {"n": 20})["output"] == {"sum": sum(i * i for i in range(20))}
    assert app.calls["square"] == 40
    assert run(host, "parent", {"children": [2, 1]})["output"] == [256, 1, 256]
    assert run(host, "calls_entity", "k")["output"] == [7, 17]


def test_replay_twice_finds_hidden_state(new_host, tmp_path):
    app = tmp_path / "app"
    app.mkdir()
    (app / "function_app.py").write_text(
        """
import itertools
import azure.durable_functions as df
app = df.DFApp()
counter = itertools.count()

@app.activity_trigger(input_name="x")
def work(x):
    return x

@app.orchestration_trigger(context_name="context")
def counts(context):
    yield context.call_activity("work", next(counter))
"""
    )
    with Host(app, tmp_path / "hub.db", faults=Faults(replay_twice=True)) as host:
        status = run(host, "counts")
    assert status["runtimeStatus"] == "Failed"
    assert "two replays of one history gave different actions" in status["output"]


@pytest.mark.parametrize("options", [[], ["-W", "default"]])
def test_nothing_reaches_the_terminal(tmp_path, options):
    """A process that runs, waits and stops writes nothing but what it prints itself."""
    script = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from pathlib import Path
from durable_local import Host
import urllib.request, json
with Host(Path({str(APPS / "core")!r}), Path({str(tmp_path / "hub.db")!r})) as host:
    body = json.dumps({{"orchestration_function_name": "fan", "client_input": {{"n": 3}}}}).encode()
    reply = json.load(urllib.request.urlopen(host.url + "/api/client/start_new", body))
    print(host.wait(reply["result"])["output"])
"""
    done = subprocess.run([sys.executable, *options, "-c", script], capture_output=True, text=True, timeout=WAIT)
    assert (done.returncode, done.stdout, done.stderr) == (0, "{'sum': 5}\n", "")


def test_levels_that_the_user_chose_are_kept(new_host):
    logger = logging.getLogger("azure")
    before = logger.level
    logger.setLevel(logging.DEBUG)
    try:
        new_host()
        assert logger.level == logging.DEBUG
    finally:
        logger.setLevel(before)


def test_a_duplicate_completion_is_ignored(new_host, tmp_path):
    """The same completion twice in the inbox, as an at-least-once queue may deliver it."""
    host = new_host()
    instance_id = start(host, "waits_after_square")
    until(lambda: running_status(host, instance_id) == "Running")
    until(lambda: '"EventType":5' in stored_history(tmp_path))
    host.stop()
    with sqlite3.connect(tmp_path / "hub.db") as db:
        (body,) = db.execute("SELECT body FROM history WHERE body LIKE '%\"EventType\":5,%'").fetchone()
        (execution,) = db.execute("SELECT execution_id FROM instances").fetchone()
        db.execute(
            "INSERT INTO inbox(instance_id, execution_id, kind, visible_at, body) VALUES(?,?,5,0,?)",
            (instance_id, execution, body),
        )
    again = new_host()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        manage(again, "POST", f"/instances/{instance_id}/raiseEvent/go", 1)
        assert again.wait(instance_id)["output"] == [9, 1, 16]


def stored_history(folder: Path) -> str:
    with sqlite3.connect(folder / "hub.db") as db:
        return "\n".join(body for (body,) in db.execute("SELECT body FROM history"))


VERSIONS = """
import azure.durable_functions as df
app = df.DFApp()

@app.activity_trigger(input_name="x")
def work(x):
    return x

@app.activity_trigger(input_name="x")
def other(x):
    return x

@app.orchestration_trigger(context_name="context")
def NAME(context):
    yield context.call_activity("ACTIVITY", 1)
    yield context.wait_for_external_event("go")
"""


@pytest.mark.parametrize(
    ("name", "activity", "complaint"),
    [
        ("changed", "other", "Non-Deterministic workflow detected"),
        # Of another length: Python takes a file of the same size and second for the one that it compiled before.
        ("renamed_since", "work", "Known orchestrator functions: 'renamed_since'"),
    ],
)
def test_code_that_changed_under_a_running_instance_fails_it_loudly(tmp_path, name, activity, complaint):
    app = tmp_path / "app"
    app.mkdir()
    (app / "function_app.py").write_text(VERSIONS.replace("NAME", "changed").replace("ACTIVITY", "work"))
    with Host(app, tmp_path / "hub.db") as host:
        instance_id = start(host, "changed")
        until(lambda: '"EventType":5' in stored_history(tmp_path))
    (app / "function_app.py").write_text(VERSIONS.replace("NAME", name).replace("ACTIVITY", activity))
    with Host(app, tmp_path / "hub.db") as host:
        manage(host, "POST", f"/instances/{instance_id}/raiseEvent/go", 1)
        status = host.wait(instance_id)
    assert status["runtimeStatus"] == "Failed"
    assert complaint in status["output"]


def test_an_app_with_a_blueprint_in_a_module_can_be_hosted_again(tmp_path, monkeypatch: pytest.MonkeyPatch):
    app = tmp_path / "app"
    app.mkdir()
    (app / "blueprint_of_this_test.py").write_text(
        "import azure.durable_functions as df\n"
        "bp = df.Blueprint()\n"
        "@bp.route(route='hello')\n"
        "@bp.durable_client_input(client_name='client')\n"
        "async def hello(req, client):\n    return 'hello'\n"
        "@bp.orchestration_trigger(context_name='context')\n"
        "def orchestrate(context):\n    return 1\n"
    )
    (app / "function_app.py").write_text(
        "import azure.durable_functions as df\nfrom blueprint_of_this_test import bp\n"
        "app = df.DFApp()\napp.register_functions(bp)\n"
    )
    for _ in range(2):
        with Host(app, tmp_path / "hub.db") as host:
            assert run(host, "orchestrate")["output"] == 1
            assert http("GET", f"{host.url}/api/hello").text == "hello"
    assert str(app) not in sys.path


def test_a_step_that_cannot_be_stored_is_tried_again(new_host, monkeypatch: pytest.MonkeyPatch):
    host = new_host()
    store = host._running().store
    complete, failures = store.complete_activity, iter([True])

    def fails_once(*arguments):
        if next(failures, False):
            raise sqlite3.OperationalError("disk I/O error")
        return complete(*arguments)

    monkeypatch.setattr(store, "complete_activity", fails_once)
    assert run(host, "chain", {"n": 2})["output"] == 256
