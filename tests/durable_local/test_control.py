"""External events, terminate, suspend, resume, rewind, restart, purge."""

from __future__ import annotations

import json
import shutil
import threading

import pytest
from durable_local_helpers import APPS, JSON, WAIT, client, history, manage, run, running_status, start, until

from durable_local import AppLoadError, Host, HostStoppedError


def test_events_wait_for_their_waiter_in_order(host):
    instance_id = start(host, "waits")
    for value in ("first", "second"):
        assert manage(host, "POST", f"/instances/{instance_id}/raiseEvent/go", value).status == 202
    assert host.wait(instance_id)["output"] == ["first", "second"]


def test_an_event_from_the_client_arrives_as_text_and_from_the_webhook_decoded(host):
    instance_id = start(host, "waits")
    assert client(host, "raise_event", instance_id=instance_id, event_name="go", event_data={"a": 1}) == {
        "result": None
    }
    until(lambda: any(event["EventType"] == "EventRaised" for event in history(host, instance_id)))
    manage(host, "POST", f"/instances/{instance_id}/raiseEvent/go", {"a": 1})
    assert host.wait(instance_id)["output"] == ['{"a": 1}', {"a": 1}]


def test_events_to_nobody(host):
    done = start(host, "chain", {"n": 1})
    host.wait(done)
    assert manage(host, "POST", "/instances/nobody/raiseEvent/go", 1).status == 404
    assert manage(host, "POST", f"/instances/{done}/raiseEvent/go", 1).status == 410
    running = start(host, "waits")
    assert manage(host, "POST", f"/instances/{running}/raiseEvent/go", b"not json", headers=JSON).status == 400
    assert "gone" in client(host, "raise_event", instance_id=done, event_name="go")["error"]


@pytest.mark.filterwarnings("ignore:Potential duplicate")
def test_continue_as_new_keeps_the_events_that_follow_in_the_same_batch(host):
    instance_id = start(host, "sums_events")
    until(lambda: running_status(host, instance_id) == "Running")
    manage(host, "POST", f"/instances/{instance_id}/suspend")
    until(lambda: running_status(host, instance_id) == "Suspended")
    for value in range(1, 6):
        manage(host, "POST", f"/instances/{instance_id}/raiseEvent/add", value)
    manage(host, "POST", f"/instances/{instance_id}/resume")
    assert host.wait(instance_id, 30)["output"] == [1, 2, 3, 4, 5]


@pytest.mark.filterwarnings("ignore:Potential duplicate")
def test_continue_as_new_drops_unconsumed_events(host):
    instance_id = start(host, "drops_events")
    until(lambda: running_status(host, instance_id) == "Running")
    manage(host, "POST", f"/instances/{instance_id}/suspend")
    until(lambda: running_status(host, instance_id) == "Suspended")
    manage(host, "POST", f"/instances/{instance_id}/raiseEvent/extra", "early")
    manage(host, "POST", f"/instances/{instance_id}/raiseEvent/go", 1)
    manage(host, "POST", f"/instances/{instance_id}/resume")
    until(lambda: manage(host, "GET", f"/instances/{instance_id}").json["input"] == "2")
    assert running_status(host, instance_id) == "Running"
    manage(host, "POST", f"/instances/{instance_id}/raiseEvent/extra", "late")
    assert host.wait(instance_id)["output"] == "late"


def test_terminate(host):
    instance_id = start(host, "waits")
    assert client(host, "terminate", instance_id=instance_id, reason="enough of it") == {"result": None}
    status = host.wait(instance_id)
    assert (status["runtimeStatus"], status["output"]) == ("Terminated", "enough of it")
    assert manage(host, "POST", f"/instances/{instance_id}/terminate?reason=again").status == 410
    assert manage(host, "POST", "/instances/nobody/terminate").status == 404


def test_a_terminated_child_fails_its_parent(host):
    parent = start(host, "failing_parent_of_waiting_child", None, "with-waiting-child")
    until(lambda: manage(host, "GET", "/instances/with-waiting-child-child").status == 202)
    manage(host, "POST", "/instances/with-waiting-child-child/terminate?reason=stop%20it")
    assert "stop it" in host.wait(parent)["output"]


def test_suspended_instances_keep_their_messages_until_resumed(host):
    instance_id = start(host, "waits")
    # Suspended before its first episode, an instance has no history that could say so.
    until(lambda: running_status(host, instance_id) == "Running")
    client(host, "suspend", instance_id=instance_id, reason="a break")
    until(lambda: running_status(host, instance_id) == "Suspended")
    assert manage(host, "GET", f"/instances/{instance_id}").json["output"] == "a break"
    for value in (1, 2):
        manage(host, "POST", f"/instances/{instance_id}/raiseEvent/go", value)
    assert running_status(host, instance_id) == "Suspended"
    client(host, "resume", instance_id=instance_id, reason="go on")
    status = host.wait(instance_id)
    assert (status["runtimeStatus"], status["output"]) == ("Completed", [1, 2])
    kinds = [event["EventType"] for event in history(host, instance_id)]
    assert kinds.index("ExecutionSuspended") < kinds.index("EventRaised") < kinds.index("ExecutionResumed")


def test_terminate_while_suspended(host):
    instance_id = start(host, "waits")
    manage(host, "POST", f"/instances/{instance_id}/suspend?reason=x")
    until(lambda: running_status(host, instance_id) == "Suspended")
    manage(host, "POST", f"/instances/{instance_id}/terminate?reason=over")
    assert host.wait(instance_id)["output"] == "over"


def test_rewind_runs_only_what_failed(host):
    spec = {"key": "rewound", "failures": 1}
    instance_id = start(host, "square_then_flaky", spec)
    assert host.wait(instance_id)["runtimeStatus"] == "Failed"
    assert client(host, "rewind", instance_id=instance_id, reason="again") == {"result": None}
    status = host.wait(instance_id)
    assert (status["runtimeStatus"], status["output"]) == ("Completed", [4, 2])


def test_rewind_after_retries_repeats_the_last_attempt(host):
    instance_id = start(host, "retry_only", {"key": "rewound-retry", "failures": 3})
    assert host.wait(instance_id)["runtimeStatus"] == "Failed"
    assert manage(host, "POST", f"/instances/{instance_id}/rewind?reason=x").status == 202
    assert host.wait(instance_id)["output"] == 4


def test_rewind_reaches_into_failed_children(host):
    instance_id = start(host, "parent_of_flaky", {"key": "rewound-child", "failures": 1})
    assert host.wait(instance_id)["runtimeStatus"] == "Failed"
    manage(host, "POST", f"/instances/{instance_id}/rewind?reason=x")
    assert host.wait(instance_id)["output"] == 2


def test_rewind_wants_a_failed_instance(host):
    done, waiting = start(host, "chain", {"n": 1}), start(host, "waits")
    host.wait(done)
    assert manage(host, "POST", f"/instances/{done}/rewind?reason=x").status == 410
    refused = manage(host, "POST", f"/instances/{waiting}/rewind?reason=x")
    assert (refused.status, "only supported on failed" in refused.json["ExceptionMessage"]) == (500, True)
    assert manage(host, "POST", "/instances/nobody/rewind?reason=x").status == 404


def test_only_what_runs_can_be_suspended_and_only_what_is_suspended_resumed(host):
    instance_id = start(host, "waits")
    until(lambda: running_status(host, instance_id) == "Running")
    refused = manage(host, "POST", f"/instances/{instance_id}/resume?reason=x")
    assert (refused.status, refused.json["ExceptionMessage"]) == (
        500,
        f"Cannot resume the orchestration instance {instance_id} because instance is in the Running state.",
    )
    assert "500" in client(host, "resume", instance_id=instance_id, reason="x")["error"]
    manage(host, "POST", f"/instances/{instance_id}/suspend?reason=x")
    until(lambda: running_status(host, instance_id) == "Suspended")
    refused = manage(host, "POST", f"/instances/{instance_id}/suspend?reason=x")
    assert (refused.status, "in the Suspended state" in refused.json["ExceptionMessage"]) == (500, True)


def test_an_event_comes_as_json_and_says_so(host):
    instance_id = start(host, "waits")
    for headers in ({}, {"Content-Type": "text/plain"}):
        refused = manage(host, "POST", f"/instances/{instance_id}/raiseEvent/go", b"1", headers=headers)
        assert (refused.status, "Only application/json" in refused.json["Message"]) == (400, True)
    for body, kind in ((b"1", "application/json; charset=utf-8"), (b"2", "Application/JSON")):
        headers = {"Content-Type": kind}
        assert manage(host, "POST", f"/instances/{instance_id}/raiseEvent/go", body, headers=headers).status == 202
    assert host.wait(instance_id)["output"] == [1, 2]


def test_restart_with_a_new_and_with_the_same_id(host):
    instance_id = start(host, "chain", {"n": 3})
    host.wait(instance_id)
    fresh = manage(host, "POST", f"/instances/{instance_id}/restart?restartWithNewInstanceId=True")
    assert (fresh.status, fresh.json["id"] != instance_id) == (202, True)
    assert host.wait(fresh.json["id"])["output"] == 6561
    same = manage(host, "POST", f"/instances/{instance_id}/restart?restartWithNewInstanceId=false")
    assert same.json["id"] == instance_id
    assert host.wait(instance_id)["output"] == 6561
    waiting = start(host, "waits")
    assert manage(host, "POST", f"/instances/{waiting}/restart?restartWithNewInstanceId=false").status == 500
    assert manage(host, "POST", "/instances/nobody/restart").status == 400
    ended = manage(host, "POST", f"/instances/{instance_id}/restart?timeout=100&pollingInterval=1")
    assert (ended.status, ended.json) == (200, 6561)


def test_purge_takes_terminal_instances_only(host):
    done, waiting = start(host, "chain", {"n": 1}), start(host, "waits")
    host.wait(done)
    assert client(host, "purge_instance_history", instance_id=done) == {"result": 1}
    assert manage(host, "GET", f"/instances/{done}").status == 404
    assert client(host, "purge_instance_history", instance_id=done) == {"result": 0}
    assert manage(host, "DELETE", f"/instances/{waiting}").status == 412
    assert running_status(host, waiting) in ("Pending", "Running")


SINCE = "2000-01-01T00:00:00+00:00"


def test_purge_by_time_and_status(new_host):
    host = new_host()
    run(host, "chain", {"n": 1})
    run(host, "passes", {"activity": "boom"})
    waiting = start(host, "waits")
    assert manage(host, "DELETE", "/instances/").status == 400
    failed = client(host, "purge_instance_history_by", created_time_from=SINCE, runtime_status=["Failed"])
    ended = [manage(host, "DELETE", f"/instances?createdTimeFrom={SINCE[:-6]}Z&{ENDED}").status for _ in range(2)]
    assert (failed, ended) == ({"result": 1}, [200, 404])
    assert manage(host, "GET", f"/instances/{waiting}").status == 202


ENDED = "runtimeStatus=Completed&runtimeStatus=Failed,Terminated"


def test_purge_without_a_status_takes_what_runs_and_entities(new_host):
    host = new_host()
    waiting = start(host, "waits")
    manage(host, "POST", "/entities/counter/a?op=add", "1")
    until(lambda: manage(host, "GET", "/entities/counter/a").status == 200)
    waiter = threading.Thread(target=lambda: ends.append(pytest.raises(HostStoppedError, host.wait, waiting, WAIT)))
    ends: list = []
    waiter.start()
    assert client(host, "purge_instance_history_by", created_time_from=SINCE) == {"result": 2}
    waiter.join(WAIT)
    assert len(ends) == 1
    assert manage(host, "GET", f"/instances/{waiting}").status == 404
    assert manage(host, "GET", "/entities/counter/a").status == 404
    assert manage(host, "POST", f"/instances/{waiting}/raiseEvent/go", 1).status == 404
    manage(host, "POST", "/entities/counter/a?op=add", "5")
    until(lambda: manage(host, "GET", "/entities/counter/a").text == "5")
    assert client(host, "purge_instance_history_by", created_time_from=SINCE, runtime_status=["Running"]) == {
        "result": 1
    }


def test_a_status_in_another_case_is_no_status_and_purges_everything(new_host, caplog):
    host = new_host()
    start(host, "waits")
    assert manage(host, "DELETE", "/instances?createdTimeFrom=2000-01-01&runtimeStatus=completed").status == 200
    assert "runtimeStatus 'completed' is no status and is ignored" in caplog.text


def test_starting_on_a_live_id_conflicts_and_on_a_terminal_id_replaces(host):
    start(host, "waits", None, "one-id")
    reply = manage(host, "POST", "/orchestrators/chain/one-id", '{"n": 1}')
    assert reply.status == 500
    assert reply.json["ExceptionMessage"].endswith("already exists.")
    manage(host, "POST", "/instances/one-id/terminate?reason=x")
    host.wait("one-id")
    assert run(host, "chain", {"n": 2}, "one-id")["output"] == 256


def test_any_state_can_be_overridden_if_host_json_says_so(tmp_path):
    app = tmp_path / "app"
    shutil.copytree(APPS / "core", app)
    setting = {"overridableExistingInstanceStates": "anystate"}
    (app / "host.json").write_text(json.dumps({"extensions": {"durableTask": setting}}))
    with Host(app, tmp_path / "hub.db", shutdown_grace=5) as host:
        start(host, "waits", None, "one-id")
        assert run(host, "chain", {"n": 2}, "one-id")["output"] == 256
    setting["overridableExistingInstanceStates"] = "Some"
    (app / "host.json").write_text(json.dumps({"extensions": {"durableTask": setting}}))
    with pytest.raises(AppLoadError, match="NonRunningStates or AnyState"):
        Host(app, tmp_path / "hub.db").start()
