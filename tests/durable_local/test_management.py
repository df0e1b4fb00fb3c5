"""The REST interface: statuses, lists with paging, waiting, bounds, and the SDK's client on top of it."""

from __future__ import annotations

import pytest
from durable_local_helpers import client, http, manage, run, start, until


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
    done = manage(host, "POST", "/orchestrators/chain?timeout=30&pollingInterval=1", '{"n": 2}')
    assert (done.status, done.json) == (200, 256)
    late = manage(host, "POST", "/orchestrators/waits?timeout=0.05")
    assert (late.status, "statusQueryGetUri" in late.json) == (202, True)


@pytest.mark.parametrize("bad", ["@entity", "a%23b", "a%3Fb", "a%5Cb", "x" * 257, "a%09b"])
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
