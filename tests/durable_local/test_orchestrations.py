"""Activities, retries, children, timers and the SDK's replay quirks, through a real host."""

from __future__ import annotations

import json
import re
import sqlite3
from datetime import timedelta

import pytest
from durable_local_helpers import history, manage, run, running_status, start, until

from durable_local import TravelClock


def test_chain_of_activities(host):
    status = run(host, "chain", {"n": 2})
    assert (status["runtimeStatus"], status["output"], status["input"]) == ("Completed", 256, '{"n": 2}')


def test_fan_out_and_custom_status(host):
    status = run(host, "fan", {"n": 30})
    assert status["output"] == {"sum": sum(i * i for i in range(30))}
    assert status["customStatus"] == {"phase": "done"}


def test_empty_fan_out_completes(host):
    assert run(host, "fan", {"n": 0})["runtimeStatus"] == "Failed"  # the SDK gives None for task_all([])


def test_async_renamed_and_context_activities(host):
    assert run(host, "passes", {"activity": "async_square", "input": 7})["output"] == 49
    assert run(host, "passes", {"activity": "renamedactivity", "input": [1]})["output"] == {"got": [1]}
    assert run(host, "passes", {"activity": "with_context"})["output"] == "with_context"


def test_a_function_without_yield_completes_at_once(host):
    status = run(host, "no_yield", {"a": 1})
    assert status["output"] == {"input": {"a": 1}, "version": None, "parent": None}


def test_guids_are_the_same_on_each_replay(host):
    guids = run(host, "guids")["output"]
    assert len(set(guids)) == 4


def test_retry_until_success_keeps_the_numbering(host):
    instance_id = start(host, "retries", {"key": "once", "failures": 1})
    assert host.wait(instance_id)["output"] == [4, 2, 9]
    assert scheduled(host, instance_id) == [(4, 0), (4, 1), (10, 2), (4, 3), (4, 4)]


def test_retry_that_never_succeeds_burns_one_more_timer(host):
    instance_id = start(host, "retries", {"key": "never", "failures": 99})
    first, text, last = host.wait(instance_id)["output"]
    assert (first, last) == (4, 9)
    assert "attempt 3" in text
    kinds = [
        (event["EventType"], event["EventId"]) for event in raw(host, instance_id) if event["EventType"] in (4, 10)
    ]
    assert kinds == [(4, 0), (4, 1), (10, 2), (4, 3), (10, 4), (4, 5), (10, 6), (4, 7)]


def test_retries_in_parallel(host):
    assert run(host, "retries_in_parallel", [f"p{i}" for i in range(9)])["output"] == [1, 2, 3] * 3


def test_children_with_made_and_given_ids(host):
    instance_id = start(host, "parent", {"children": [0, 1, 2]})
    assert host.wait(instance_id)["output"] == [0, 1, 256, 256]
    assert manage(host, "GET", f"/instances/{instance_id}-named").json["runtimeStatus"] == "Completed"


def test_a_childs_failure_reaches_the_parent_as_text(host):
    text = run(host, "failing_parent")["output"]
    assert text.startswith("Orchestrator function 'passes' failed: Activity function 'boom' failed:  ValueError: inner")


def test_child_with_retry(host):
    assert run(host, "retries_child", {"key": "child", "failures": 2})["output"] == 3


def test_a_child_on_a_running_id_fails_the_parent(host):
    start(host, "waits", None, "taken-named")
    status = run(host, "parent", {"children": []}, "taken")
    assert status["runtimeStatus"] == "Failed"
    assert "already exists" in status["output"]


def test_durable_timer_fires_when_the_clock_says_so(new_host):
    clock = TravelClock()
    host = new_host(clock=clock)
    instance_id = start(host, "sleeps", {"hours": 5})
    until(lambda: "TimerCreated" in history_names(host, instance_id))
    clock.advance(timedelta(hours=5))
    assert host.wait(instance_id)["output"] >= 5 * 3600


def test_long_timers_go_in_steps(new_host):
    clock = TravelClock()
    host = new_host(clock=clock)
    instance_id = start(host, "sleeps", {"days": 8})
    for step, wait in enumerate((timedelta(days=3), timedelta(days=5)), 1):
        until(lambda step=step: len(timers(host, instance_id)) == step)
        assert running_status(host, instance_id) == "Running"
        clock.advance(wait)
    assert host.wait(instance_id)["output"] >= 8 * 86400


def test_completion_waits_for_an_uncancelled_timer(new_host):
    clock = TravelClock()
    host = new_host(clock=clock)
    cancelled = start(host, "race", {"cancel": True})
    assert host.wait(cancelled)["output"] == 25
    kept = start(host, "race", {"cancel": False})
    until(lambda: "TaskCompleted" in history_names(host, kept))
    assert running_status(host, kept) == "Running"
    clock.advance(timedelta(hours=1))
    assert host.wait(kept)["output"] == 25


def test_task_any_over_a_scheduled_task_waits_for_the_new_child_alone(host):
    instance_id = start(host, "any_twice", None, "any-twice")
    until(lambda: "TaskCompleted" in history_names(host, instance_id))
    manage(host, "POST", f"/instances/{instance_id}/raiseEvent/left", "one")
    # The SDK has gone on to its last activity; the extension's shim still waits for `right`, so it is not scheduled.
    until(lambda: history_names(host, instance_id).count("EventRaised") == 1)
    assert running_status(host, instance_id) == "Running"
    assert history_names(host, instance_id).count("TaskCompleted") == 1
    manage(host, "POST", f"/instances/{instance_id}/raiseEvent/right", "two")
    assert host.wait(instance_id)["output"] == [4, "one", 9]


def test_continue_as_new_resets_history_and_keeps_the_id(host):
    instance_id = start(host, "counts_down", {"left": 5, "sum": 0})
    status = host.wait(instance_id)
    assert status["output"] == 25 + 16 + 9 + 4 + 1
    assert status["input"] == '{"left": 0, "sum": 55}'
    assert status["customStatus"] == {"left": 0}
    assert history_names(host, instance_id).count("TaskCompleted") == 1


def test_many_instances_at_once(host):
    ids = [start(host, "chain", {"n": 2}) for _ in range(60)]
    assert [host.wait(instance_id)["output"] for instance_id in ids] == [256] * 60


@pytest.mark.parametrize("status", [200, 503])
def test_call_http_gives_status_headers_and_content(host, web_server, status):
    response = run(host, "calls_http", f"{web_server}/echo/{status}")["output"]
    assert response["statusCode"] == status
    assert response["content"] == 'POST {"a": 1} yes text/plain; charset=utf-8'
    assert response["headers"]["X-Reply"] == ["there", "again"]
    assert not {"content-length", "content-type", "expires"} & {name.lower() for name in response["headers"]}


def test_call_http_that_cannot_connect_fails_the_task(host, free_port):
    status = run(host, "calls_http", f"http://127.0.0.1:{free_port}/")
    assert status["runtimeStatus"] == "Failed"
    assert "BuiltIn::HttpActivity" in status["output"]


def history_names(host, instance_id: str) -> list[str]:
    return [event["EventType"] for event in history(host, instance_id)]


def timers(host, instance_id: str) -> list[str]:
    return [name for name in history_names(host, instance_id) if name == "TimerCreated"]


def raw(host, instance_id: str) -> list[dict]:
    """The stored events of an instance."""
    with sqlite3.connect(host.store_path) as db:
        rows = db.execute("SELECT body FROM history WHERE instance_id=? ORDER BY idx", (instance_id,)).fetchall()
    return [json.loads(body) for (body,) in rows]


def scheduled(host, instance_id: str) -> list[tuple[int, int]]:
    """Kind (4 activity, 10 timer) and sequence number of what was scheduled."""
    return [(event["EventType"], event["EventId"]) for event in raw(host, instance_id) if event["EventType"] in (4, 10)]


def test_a_context_has_a_trace_and_the_retry_of_a_first_attempt(host):
    one, two = (run(host, "passes", {"activity": "shows_context"})["output"] for _ in range(2))
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-00", one[0]) and one[0] != two[0]
    assert one[1:] == ["", {}, 0, 0]
