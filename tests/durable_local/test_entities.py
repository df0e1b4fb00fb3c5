"""Entities: calls, signals, batches, and the SDK's quirks, which are not hidden."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections import Counter

from durable_local_helpers import client, manage, run, start, until


def state(host, name: str, key: str):
    reply = manage(host, "GET", f"/entities/{name}/{key}")
    return reply.json if reply.status == 200 else None


def test_signals_and_calls_of_an_orchestrator_share_the_numbering(host):
    assert run(host, "calls_entity", "k1")["output"] == [7, 17]
    assert state(host, "counter", "k1") == 17


def test_a_failing_operation_is_the_callers_exception_and_does_not_roll_back(host):
    assert run(host, "entity_errors", "k2")["output"] == ["entity boom", 1]


def test_names_ignore_case_and_keys_keep_it(host):
    client(host, "signal_entity", entity=["COUNTER", "Key"], operation_name="add", operation_input=3)
    until(lambda: state(host, "Counter", "Key") == 3)
    assert state(host, "counter", "key") is None


def test_the_client_reads_state(host):
    client(host, "signal_entity", entity=["counter", "read"], operation_name="add", operation_input=4)
    until(lambda: state(host, "counter", "read") == 4)
    assert client(host, "read_entity_state", entity=["counter", "read"]) == {"result": {"exists": True, "state": 4}}
    assert client(host, "read_entity_state", entity=["counter", "none"])["result"]["exists"] is False


def test_many_senders_lose_nothing(host):
    def send() -> None:
        for _ in range(25):
            manage(host, "POST", "/entities/counter/busy?op=add", "1")

    senders = [threading.Thread(target=send) for _ in range(4)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    until(lambda: state(host, "counter", "busy") == 100)


def test_a_falsy_signal_input_is_the_operations_error_as_in_the_sdk(host):
    client(host, "signal_entity", entity=["counter", "falsy"], operation_name="add", operation_input=0)
    client(host, "signal_entity", entity=["counter", "falsy"], operation_name="add", operation_input=1)
    until(lambda: state(host, "counter", "falsy") == 1)


def test_a_raw_object_as_input_is_the_operations_error(host):
    manage(host, "POST", "/entities/quirky/raw?op=set", {"a": 1})
    manage(host, "POST", "/entities/quirky/raw?op=set", '{"a": 2}')
    until(lambda: state(host, "quirky", "raw") == {"a": 2})


def test_mutating_the_live_state_persists_without_set_state(host):
    assert run(host, "calls_any_entity", ["quirky", "live", "set", {"a": 1}])["output"] == "was set"
    run(host, "calls_any_entity", ["quirky", "live", "mutate", None])
    assert state(host, "quirky", "live") == {"a": 1, "mutated": True}


def test_destruct_then_set_result_resurrects_with_null_state(host):
    run(host, "calls_any_entity", ["quirky", "zombie", "set", {"a": 1}])
    assert run(host, "calls_any_entity", ["quirky", "zombie", "resurrect", None])["output"] == "gone?"
    reply = manage(host, "GET", "/entities/quirky/zombie")
    assert (reply.status, reply.text) == (200, "null")


def test_is_newly_constructed_is_always_false(host):
    assert run(host, "calls_any_entity", ["quirky", "brand-new", "new?", None])["output"] is False


def test_delete_removes_the_entity(host):
    run(host, "calls_any_entity", ["counter", "short", "add", 1])
    assert manage(host, "DELETE", "/entities/counter/short").status == 202
    until(lambda: state(host, "counter", "short") is None)


def test_poison_is_retried_then_answered_and_the_entity_lives(host):
    run(host, "calls_any_entity", ["quirky", "ill", "set", {"a": 1}])
    output = run(host, "calls_any_entity", ["quirky", "ill", "poison", None])["output"]
    assert output.startswith("error: TypeError")
    assert state(host, "quirky", "ill") == {"a": 1}
    assert run(host, "calls_any_entity", ["quirky", "ill", "read", None])["output"] == {"a": 1}


def test_listing_entities_pages(new_host):
    host = new_host()
    for index in range(5):
        run(host, "calls_any_entity", ["counter", f"e{index}", "add", index])
    run(host, "calls_any_entity", ["quirky", "other", "set", {"a": 1}])
    seen: Counter[str] = Counter()
    token = ""
    while True:
        headers = {"x-ms-continuation-token": token} if token else {}
        reply = manage(host, "GET", "/entities/Counter?top=2&fetchState=true", headers=headers)
        seen.update(f"{entry['entityId']['key']}={entry['state']}" for entry in reply.json)
        token = reply.headers.get("x-ms-continuation-token", "")
        if not token:
            break
    assert seen == Counter([f"e{index}={index}" for index in range(5)])
    everything = manage(host, "GET", "/entities/").json
    assert len(everything) == 6 and "state" not in everything[0]


def test_entity_batches_wait_for_a_host_that_is_down(new_host, tmp_path):
    host = new_host()
    instance_id = start(host, "calls_entity", "later")
    assert host.wait(instance_id)["output"] == [7, 17]
    host.stop()
    again = new_host()
    assert state(again, "counter", "later") == 17


def test_a_queued_batch_is_one_batch_and_results_leak_in_it(new_host, tmp_path):
    """Both calls wait in the store while no host is up: the second gets the first's result, as the SDK has it."""
    host = new_host()
    start(host, "waits", None, "asker")
    until(lambda: manage(host, "GET", "/instances/asker").json["runtimeStatus"] == "Running")
    host.stop()
    with sqlite3.connect(tmp_path / "hub.db") as db:
        (execution,) = db.execute("SELECT execution_id FROM instances").fetchone()
        asked = {"id": "go", "parent": "asker", "parentExecution": execution}
        for operation, value in (("set", json.dumps('{"a": 1}')), ("silent", None)):
            body = json.dumps({"op": operation, "input": value, **asked})
            db.execute("INSERT INTO entity_inbox(sid, body) VALUES('@quirky@leak', ?)", (body,))
    again = new_host()
    assert again.wait("asker")["output"] == [{"result": '"was set"'}, {"result": '"was set"'}]
    assert state(again, "quirky", "leak") == {"a": 1}
