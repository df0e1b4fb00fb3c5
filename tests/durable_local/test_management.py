"""The REST interface: statuses, lists with paging, waiting, bounds, and the SDK's client on top of it."""

from __future__ import annotations

import json
import uuid

import pytest
from durable_local_helpers import client, http, manage, run, start, until

TOKEN = "x-ms-continuation-token"


def test_status_codes_follow_the_status(host):
    done, failed, waiting = (
        start(host, "chain", {"n": 1}),
        start(host, "passes", {"activity": "boom"}),
        start(host, "waits"),
    )
    host.wait(done), host.wait(failed)
    assert manage(host, "GET", f"/instances/{done}").status == 200
    assert manage(host, "GET", f"/instances/{failed}").status == 200
    assert manage(host, "GET", f"/instances/{failed}?returnInternalServerErrorOnFailure=true").status == 500
    running = manage(host, "GET", f"/instances/{waiting}")
    assert (running.status, running.headers["Retry-After"]) == (202, "5")
    assert running.headers["Location"].startswith(host.url)
    missing = manage(host, "GET", "/instances/nobody")
    assert (missing.status, missing.text) == (404, "")


def test_start_answers_with_usable_urls(host):
    reply = manage(host, "POST", "/orchestrators/waits/with-urls")
    assert (reply.status, reply.headers["Retry-After"], reply.json["id"]) == (202, "10", "with-urls")
    http("POST", reply.json["terminatePostUri"].replace("{text}", "by%20url"))
    assert host.wait("with-urls")["output"] == "by url"
    assert http("GET", reply.json["statusQueryGetUri"]).json["runtimeStatus"] == "Terminated"


def test_start_can_wait_for_the_end(host):
    wait = "timeout=100&pollingInterval=1"
    done = manage(host, "POST", f"/orchestrators/chain?{wait}", '{"n": 2}')
    assert (done.status, done.json) == (200, 256)
    failed = manage(host, "POST", f"/orchestrators/passes?{wait}", json.dumps({"activity": "boom"}))
    assert (failed.status, failed.json["runtimeStatus"]) == (200, "Failed")
    late = manage(host, "POST", "/orchestrators/waits?timeout=0.05&pollingInterval=0.05")
    assert (late.status, "statusQueryGetUri" in late.json) == (202, True)
    alone = manage(host, "POST", "/orchestrators/waits?timeout=3000")
    assert alone.status == 202
    wrong = manage(host, "POST", "/orchestrators/waits?timeout=1&pollingInterval=2")
    assert (wrong.status, "should be bigger than" in wrong.json["Message"]) == (400, True)


def test_ids_are_encoded_in_links_as_net_does(host):
    reply = manage(host, "POST", "/orchestrators/waits/a%20b~c!%C3%A9%2B")
    assert reply.json["id"] == "a b~c!\u00e9+"
    assert "/instances/a+b%7Ec!%C3%A9%2B?" in reply.headers["Location"]
    assert "rewindPostUri" not in reply.json
    assert http("GET", reply.json["statusQueryGetUri"]).json["instanceId"] == "a b~c!\u00e9+"


@pytest.mark.parametrize(
    "bad", ["@entity", "a%23b", "a%3Fb", "a%5Cb", "x" * 257, "a%09b", "a%7Fb", "a%C2%85b", "%F0%9F%90%8D" * 129]
)
def test_bad_instance_ids_are_refused(host, bad):
    reply = manage(host, "POST", f"/orchestrators/chain/{bad}")
    assert (reply.status, "instance ids" in reply.json["ExceptionMessage"]) == (400, True)


def test_a_body_that_is_not_json_is_refused(host):
    assert manage(host, "POST", "/orchestrators/chain", b"{not json").status == 400


def test_a_raw_json_object_is_an_input_too(host):
    assert run_raw(host, b'{"n": 3}')["output"] == 6561


def run_raw(host, body: bytes) -> dict:
    return host.wait(manage(host, "POST", "/orchestrators/chain", body).json["id"])


def test_history_is_shown_on_demand(host):
    instance_id = start(host, "chain", {"n": 2})
    host.wait(instance_id)
    assert "historyEvents" not in manage(host, "GET", f"/instances/{instance_id}").json
    events = manage(host, "GET", f"/instances/{instance_id}?showHistory=true").json["historyEvents"]
    assert [event["EventType"] for event in events] == [
        "ExecutionStarted",
        *["TaskCompleted"] * 3,
        "ExecutionCompleted",
    ]
    assert events[1]["FunctionName"] == "square" and "ScheduledTime" in events[1] and "Result" not in events[1]
    events = manage(host, "GET", f"/instances/{instance_id}?showHistory=True&showHistoryOutput=True").json[
        "historyEvents"
    ]
    assert [event["Result"] for event in events[1:]] == [4, 16, 256, 256]


def test_history_shows_inputs_timers_and_entities_as_azure_does(host):
    instance_id = start(host, "calls_and_sleeps", ["counter", "shown", "add", 2])
    host.wait(instance_id)
    path = f"/instances/{instance_id}?showHistory=true"
    events = manage(host, "GET", path).json["historyEvents"]
    assert [event["EventType"] for event in events] == [
        *("ExecutionStarted", "EventSent", "EventRaised", "TimerCreated", "TimerFired", "TaskCompleted"),
        "ExecutionCompleted",
    ]
    started, sent, raised, created, fired, squared, ended = events
    assert started["Input"] == json.dumps(json.dumps(["counter", "shown", "add", 2]))
    assert (sent["Name"], sent["InstanceId"]) == ("op", "@counter@shown")
    assert raised["Name"] == json.loads(sent["Input"])["id"] == str(uuid.UUID(raised["Name"]))
    assert created.keys() == fired.keys() == {"EventType", "Timestamp", "FireAt"}
    assert squared["Input"] == '["3"]' and "Result" not in ended
    hidden = manage(host, "GET", f"{path}&showInput=false").json["historyEvents"]
    assert not any("Input" in event for event in hidden)


def test_input_is_shown_unless_refused(host):
    instance_id = start(host, "chain", {"n": 2})
    assert manage(host, "GET", f"/instances/{instance_id}?showInput=false").json["input"] is None
    assert manage(host, "GET", f"/instances/{instance_id}").json["input"] == '{"n": 2}'


def test_lists_page_with_a_continuation_token(new_host):
    host = new_host()
    ids = {start(host, "chain", {"n": 1}, f"page-{index:03}") for index in range(25)}
    start(host, "waits", None, "other")
    seen: list[str] = []
    pages, token = 0, ""
    while True:
        headers = {"x-ms-continuation-token": token} if token else {}
        reply = manage(host, "GET", "/instances?top=10&instanceIdPrefix=page-", headers=headers)
        seen += [entry["instanceId"] for entry in reply.json]
        pages, token = pages + 1, reply.headers.get("x-ms-continuation-token", "")
        if not token:
            break
    assert (pages, sorted(seen)) == (3, sorted(ids))
    assert manage(host, "GET", "/instances", headers={"x-ms-continuation-token": "%%"}).status == 400
    assert manage(host, "GET", "/instances?top=0").status == 400


def test_lists_of_instances_hold_entities(new_host):
    host = new_host()
    run(host, "chain", {"n": 1}, "a1")
    manage(host, "POST", "/entities/Counter/K?op=add", "3")
    until(lambda: manage(host, "GET", "/entities/counter/K").status == 200)
    everything = manage(host, "GET", "/instances").json
    assert [(one["instanceId"], one["name"], one["runtimeStatus"]) for one in everything] == [
        ("@counter@K", "@counter", "Running"),
        ("a1", "chain", "Completed"),
    ]
    assert everything[0]["input"] == {"exists": True, "state": "3", "sorter": {}}
    assert everything[0]["customStatus"] == {"entityExists": True}
    pages = manage(host, "GET", "/instances?top=1")
    rest = manage(host, "GET", "/instances?top=1", headers={TOKEN: pages.headers[TOKEN]})
    assert [one["instanceId"] for one in pages.json + rest.json] == ["@counter@K", "a1"]
    for query, found in (("runtimeStatus=Running", 1), ("instanceIdPrefix=@counter@", 1), ("runtimeStatus=1", 1)):
        assert len(manage(host, "GET", f"/instances?{query}").json) == found
    one = manage(host, "GET", "/instances/@counter@K")
    assert (one.status, one.json["instanceId"]) == (202, "@counter@K")
    assert manage(host, "GET", "/instances/@counter@other").status == 404
    assert manage(host, "DELETE", "/instances/@counter@K").json == {"instancesDeleted": 1}
    assert manage(host, "GET", "/entities/counter/K").status == 404


def test_filters_repeat_and_are_case_sensitive_in_values_alone(new_host):
    host = new_host()
    run(host, "chain", {"n": 1}, "a1")
    run(host, "passes", {"activity": "boom"}, "a2")
    start(host, "waits", None, "b1")

    def found(query: str) -> list[str]:
        return [one["instanceId"] for one in manage(host, "GET", f"/instances?{query}").json]

    assert found("runtimeStatus=Completed&RUNTIMESTATUS=Failed") == ["a1", "a2"]
    assert found("runtimeStatus=Completed,%20Failed,nonsense") == ["a1", "a2"]
    assert found("runtimeStatus=completed") == ["a1", "a2", "b1"]
    assert found("createdTimeFrom=never&top=x&instanceIdPrefix=a") == ["a1", "a2"]
    assert found("top=1&top=1&instanceIdPrefix=a") == ["a1", "a2"]


def test_the_sdk_lists_and_filters(new_host):
    host = new_host()
    run(host, "chain", {"n": 1}, "a1")
    run(host, "passes", {"activity": "boom"}, "a2")
    start(host, "waits", None, "b1")
    everything = client(host, "get_status_all")["result"]
    assert {entry["instanceId"] for entry in everything} == {"a1", "a2", "b1"}
    failed = client(host, "get_status_by", runtime_status=["Failed", "Terminated"])["result"]
    assert [entry["instanceId"] for entry in failed] == ["a2"]
    prefixed = client(host, "get_status_by", instance_id_prefix="a")["result"]
    assert [entry["instanceId"] for entry in prefixed] == ["a1", "a2"]
    assert client(host, "get_status_by", created_time_from="2100-01-01T00:00:00")["result"] == []


def test_the_sdk_starts_and_reads(host):
    started = client(host, "start_new", orchestration_function_name="chain", client_input={"n": 2}, version="7")
    host.wait(started["result"])
    status = client(host, "get_status", instance_id=started["result"], show_history=True)["result"]
    assert (status["runtimeStatus"], status["output"]) == ("Completed", 256)
    assert status["historyEvents"][0]["FunctionName"] == "chain"
    assert client(host, "get_status", instance_id="nobody") == {"result": None}
    unknown = client(host, "start_new", orchestration_function_name="chan")
    assert "Did you mean 'chain'?" in unknown["error"]
    version = client(host, "start_new", orchestration_function_name="no_yield", version="7")["result"]
    assert host.wait(version)["output"]["version"] == "7"


def test_two_starters_of_one_id_get_one_instance(host):
    client(host, "start_new", orchestration_function_name="waits", instance_id="single")
    second = client(host, "start_new", orchestration_function_name="waits", instance_id="single")
    assert "already exists" in second["error"]


def test_unknown_endpoints_are_404(host):
    assert manage(host, "GET", "/nothing/here").status == 404
    assert manage(host, "POST", "/instances/x/explode").status == 404
    assert manage(host, "POST", "/makeprimary").status == 200


def test_bodies_are_bounded(host):
    assert manage(host, "POST", "/orchestrators/chain", b'"' + b"x" * 5_000_000 + b'"').status == 413


def test_only_this_machines_own_clients_are_answered(host):
    port = host.url.rsplit(":", 1)[1]
    assert manage(host, "GET", "/instances", headers={"Host": f"evil.example:{port}"}).status == 403
    assert manage(host, "GET", "/instances", headers={"Origin": "http://evil.example"}).status == 403
    assert manage(host, "GET", "/instances", headers={"Origin": host.url}).status == 200
    assert manage(host, "GET", "/instances", headers={"Host": f"localhost:{port}"}).status == 200


def test_pending_instances_become_running(host):
    instance_id = start(host, "waits")
    until(lambda: manage(host, "GET", f"/instances/{instance_id}").json["runtimeStatus"] == "Running")
