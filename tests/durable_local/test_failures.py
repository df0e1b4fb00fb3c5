"""What fails, how it is worded, and what is refused for its size."""

from __future__ import annotations

import json
import logging

import pytest
from durable_local_helpers import manage, run, start

from durable_local.errors import PayloadTooLargeError
from durable_local.payload import check_custom_status


def test_the_activitys_exception_is_plain_text_for_the_orchestrator(host):
    caught = run(host, "catches", {"activity": "boom", "input": "boom!"})["output"]
    assert caught["type"] == "Exception"
    assert caught["text"].startswith("Activity function 'boom' failed:  ValueError: boom! \n {")


def test_an_uncaught_failure_fails_the_orchestration(host):
    status = run(host, "passes", {"activity": "boom", "input": "x"})
    assert status["runtimeStatus"] == "Failed"
    assert status["output"].startswith(
        "Orchestrator function 'passes' failed: Activity function 'boom' failed:  ValueError"
    )


def test_a_result_that_is_not_json_is_the_activitys_failure(host):
    text = run(host, "catches", {"activity": "not_json"})["output"]["text"]
    assert "ValueError: activity trigger output must be json serializable" in text


def test_an_activity_that_exits_is_a_failure_and_the_host_lives(host):
    assert "SystemExit: 3" in run(host, "catches", {"activity": "quits"})["output"]["text"]
    assert run(host, "chain", {"n": 1})["output"] == 1


def test_an_output_that_is_not_json_fails_the_orchestration(host):
    status = run(host, "bad_output")
    assert (status["runtimeStatus"], "JSON serializable" in status["output"]) == ("Failed", True)


def test_an_unknown_activity_fails_loudly_with_the_known_names(host):
    status = run(host, "missing_activity")
    assert status["runtimeStatus"] == "Failed"
    assert (
        "'sqare'" in status["output"] and "'boom'" in status["output"] and "Did you mean 'square'?" in status["output"]
    )


def test_an_unknown_child_fails_loudly_with_the_known_names(host):
    output = run(host, "missing_child")["output"]
    assert "'chian'" in output and "Did you mean 'chain'?" in output


def test_starting_an_unknown_orchestrator_is_refused_with_the_known_names(host):
    reply = manage(host, "POST", "/orchestrators/chian")
    assert reply.status == 400
    assert "Did you mean 'chain'?" in reply.json["Message"]
    assert reply.json["ExceptionMessage"] == reply.json["Message"]


def test_signalling_an_unknown_entity_is_refused_with_the_known_names(host):
    reply = manage(host, "POST", "/entities/countr/k?op=add")
    assert (reply.status, "Did you mean 'counter'?" in reply.json["Message"]) == (400, True)


def test_calling_an_unknown_entity_is_the_callers_error(host):
    output = run(host, "calls_any_entity", ["countr", "k", "get", None])["output"]
    assert output.startswith("error: ") and "Did you mean 'counter'?" in output


def test_a_custom_status_over_the_extensions_limit_fails(host):
    # 17 * 1,024 bytes of compact UTF-16 are too many: 8,704 characters with the two quotes.
    assert run(host, "big_status", 8701)["runtimeStatus"] == "Completed"
    status = run(host, "big_status", 8702)
    assert (status["runtimeStatus"], "16 KB" in status["output"]) == ("Failed", True)


def test_the_size_of_a_custom_status_counts_as_net_writes_it():
    check_custom_status(json.dumps({"key": ["\u00e9" * 8_600, 1, 2]}))
    check_custom_status(json.dumps([0] * 4_350))
    with pytest.raises(PayloadTooLargeError):
        check_custom_status(json.dumps("\U0001f40d" * 4_352))


def test_large_payloads_are_taken_and_warned_of(host, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING, "durable_local"):
        assert run(host, "passes", {"activity": "big", "input": 50_000})["runtimeStatus"] == "Completed"
        assert len(run(host, "passes", {"activity": "big", "input": 2_000_000})["output"]) == 2_000_000
    assert "the output of activity 'big' is 50002 bytes" in caplog.text
    assert "the output of activity 'big' is 2000002 bytes" in caplog.text
    assert host.wait(start(host, "waits_for_nothing", "x" * 1_100_000))["output"] == 1_100_000


def test_what_json_does_not_have_arrives_as_text(host):
    assert run(host, "passes", {"activity": "no_numbers"})["output"] == ["NaN", "Infinity", "-Infinity", "NaN", 1.5]


def test_code_that_differs_between_replays_is_found(host):
    status = run(host, "hidden_state")
    assert status["runtimeStatus"] == "Failed"
    assert "Non-Deterministic workflow detected" in status["output"]
