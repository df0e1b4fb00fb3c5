"""Activities, retries, children, timers and the SDK's replay quirks, through a real host."""

from __future__ import annotations

from datetime import timedelta

from durable_local_helpers import WAIT, http, manage, run, start

from durable_local import TravelClock


def history(host, instance_id: str) -> list[dict]:
    reply = manage(host, "GET", f"/instances/{instance_id}?showHistory=true&showHistoryOutput=true")
    return reply.json["historyEvents"]


def raw_history(host, instance_id: str) -> list[str]:
    return [event["EventType"] for event in history(host, instance_id)]


def test_chain_of_activities(host):
    status = run(host, "chain", {"n": 2})
    assert (status["runtimeStatus"], status["output"], status["input"]) == ("Completed", 256, '{"n": 2}')


def test_fan_out_and_custom_status(host):
    status = run(host, "fan", {"n": 30})
    assert status["output"] == {"sum": sum(i * i for i in range(30))}
    assert status["customStatus"] == {"phase": "done"}


def test_async_renamed_and_context_activities(host):
    assert run(host, "passes", {"activity": "async_square", "input": 7})["output"] == 49
    assert run(host, "passes", {"activity": "renamedactivity", "input": [1]})["output"] == {"got": [1]}
    assert run(host, "passes", {"activity": "with_context"})["output"] == "with_context"


def test_retry(host):
    assert run(host, "retries", {"key": "a", "failures": 1})["output"] == [4, 2, 9]


def test_children(host):
    assert run(host, "parent", {"children": [0, 1, 2]})["output"] == [0, 1, 256, 256]


def test_entities(host):
    assert run(host, "calls_entity", "k1")["output"] == [7, 17]


def test_timer(new_host):
    clock = TravelClock()
    running = new_host(clock=clock)
    instance_id = start(running, "sleeps", {"days": 30})
    clock.advance(timedelta(days=31))
    clock.advance(timedelta(days=31))
    assert WAIT and http
