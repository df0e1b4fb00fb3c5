"""Starting runs: what a request may say, and who gets the lease."""

from __future__ import annotations

import asyncio
import json

import pytest

from comboi_core.app import runfiles
from comboi_core.domain.errors import RequestInvalid, RunRefused, SelectionEmpty
from comboi_core.domain.names import RUN_ID_PATTERN
from comboi_core.runs.records import record_path
from comboi_core.web import starting
from comboi_core.web.answers import problem
from comboi_core.web.bodies import MAX_BODY, BodyTooLarge
from comboi_core.web.starting import KeyReused, Started, parse_key, parse_request, start_run

HELD = "sales-20261123T050000Z-aaaaaa"
EVERYTHING = {"stage": None, "select": [], "full_refresh": False, "backfill": None, "interval": None}


def start(hub, workspace, request=EVERYTHING) -> str:
    return asyncio.run(start_run(hub, workspace, request, "http")).run_id


def keyed(hub, workspace, value="a key", request=EVERYTHING) -> Started:
    return asyncio.run(start_run(hub, workspace, request, "http", parse_key(value)))


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Wait for what does not come no longer than a moment."""
    monkeypatch.setattr(starting, "PATIENCE", 0.05)


@pytest.mark.parametrize("body", [b"", b"  \n", b"{}", b'{"stage": null, "select": null, "full_refresh": null}'])
def test_an_empty_request_asks_for_everything(body):
    assert parse_request(body) == EVERYTHING


def test_a_full_request_is_read():
    body = json.dumps({"stage": "bronze", "select": ["ä", "shop.orders"], "full_refresh": True}).encode()

    assert parse_request(body) == {
        "stage": "bronze",
        "select": ["ä", "shop.orders"],
        "full_refresh": True,
        "backfill": None,
        "interval": None,
    }


def test_a_backfill_is_read_with_its_range():
    body = {"stage": "bronze", "select": ["orders"], "backfill": {"from": "1", "to": "2"}}

    assert parse_request(json.dumps(body).encode())["backfill"] == {"from": "1", "to": "2"}


@pytest.mark.parametrize(
    "change",
    [
        {"stage": None},
        {"select": []},
        {"full_refresh": True},
        {"backfill": {"from": "1"}},
        {"backfill": {"from": 1, "to": "2"}},
        {"backfill": {"from": "1", "to": "2", "on": "x"}},
    ],
)
def test_a_backfill_that_cannot_be_meant_is_refused(change: dict):
    body = {"stage": "bronze", "select": ["orders"], "backfill": {"from": "1", "to": "2"}} | change

    with pytest.raises(RequestInvalid, match="backfill"):
        parse_request(json.dumps(body).encode())


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{", "not a JSON object"),
        (b"\xff\xfe\x00", "not a JSON object"),
        (b"nul", "not a JSON object"),
        (b"[" * 50_000, "not a JSON object"),
        (b"9" * 5000, "not a JSON object"),
        (b"[]", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b'"x"', "not a JSON object"),
        (b"5", "not a JSON object"),
        (b'{"stages": "bronze"}', "unknown field 'stages' (did you mean 'stage'?)"),
        (b'{"run_id": "x"}', "unknown field 'run_id'"),
        (b'{"": 1}', "unknown field ''"),
        (b'{"stage": ["bronze"]}', "stage: expected the name of a stage, got list"),
        (b'{"stage": true}', "stage: expected the name of a stage, got bool"),
        (b'{"select": "orders"}', "select: expected a list of names, got str"),
        (b'{"select": [1]}', "select: expected a list of names"),
        (b'{"select": [["orders"]]}', "select: expected a list of names"),
        (b'{"select": {"a": 1}}', "select: expected a list of names, got dict"),
        (b'{"full_refresh": "yes"}', "full_refresh: expected true or false"),
        (b'{"full_refresh": 1}', "full_refresh: expected true or false"),
    ],
)
def test_a_malformed_request_is_refused_with_the_field(body, says):
    with pytest.raises(RequestInvalid) as caught:
        parse_request(body)
    assert says in caught.value.message
    assert problem(caught.value).status == 400


@pytest.mark.parametrize("body", [b'{"select": ["' + b"a" * MAX_BODY + b'"]}', b" " * (MAX_BODY + 1)])
def test_a_body_that_is_too_large_is_refused_as_such(body):
    with pytest.raises(BodyTooLarge) as caught:
        parse_request(body)
    assert problem(caught.value).status == 413


@pytest.mark.parametrize("body", [b'{"\\ud800": 1}', b'{"\\u0000": 1}', b'{"\\u202e": 1}'])
def test_a_field_of_hostile_characters_can_be_answered(body):
    with pytest.raises(RequestInvalid) as caught:
        parse_request(body)
    assert json.loads(problem(caught.value).text.encode())["code"] == "request_invalid"


def test_a_run_is_started_with_an_id_of_its_own_and_what_was_asked_for(hub, workspace):
    run_id = start(hub, workspace, EVERYTHING | {"select": ["orders"]})

    assert RUN_ID_PATTERN.match(run_id) and run_id.startswith("sales-")
    request = EVERYTHING | {"select": ["orders"], "run_id": run_id, "pipeline": "sales", "trigger": "http"}
    request |= {"keyed": False}
    assert hub.started == [("run_pipeline", run_id, request)]


@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        ({"stage": "platinum"}, RequestInvalid),
        ({"select": ["nowhere"]}, SelectionEmpty),
        ({"stage": "gold"}, SelectionEmpty),
    ],
)
def test_a_wrong_name_is_refused_before_a_run_is_made_of_it(hub, workspace, request_, kind):
    with pytest.raises(kind):
        start(hub, workspace, EVERYTHING | request_)
    assert hub.started == []


def test_while_a_run_is_on_a_second_one_is_refused_and_told_who_it_is(hub, workspace):
    hub.begins(HELD)

    with pytest.raises(RunRefused) as caught:
        start(hub, workspace)

    answer = problem(caught.value)
    assert (answer.status, answer.body["holder"]["run_id"]) == (409, HELD)
    assert HELD in answer.body["detail"] and hub.started == []


@pytest.mark.parametrize("runtime", ["Pending", "Running", "ContinuedAsNew", "Suspended"])
def test_a_run_that_may_go_on_keeps_its_lease(hub, workspace, runtime):
    hub.begins(HELD, runtime)

    with pytest.raises(RunRefused):
        start(hub, workspace)
    assert hub.entities["pipeline", "sales"]["holder"]["run_id"] == HELD


@pytest.mark.parametrize("runtime", ["Completed", "Failed", "Terminated", "Canceled"])
def test_a_run_that_ended_without_giving_its_lease_back_is_noted_and_the_next_one_starts(hub, workspace, runtime):
    hub.begins(HELD, runtime)

    run_id = start(hub, workspace)

    state = hub.entities["pipeline", "sales"]
    assert state["holder"]["run_id"] == run_id and state["fence"] == 2
    dead = state["runs"][1]
    assert (dead["run_id"], dead["status"]) == (HELD, "failed") and runtime in dead["error"]["message"]


def test_a_run_whose_history_was_purged_does_not_keep_the_lease_for_ever(hub, workspace):
    hub.begins(HELD)
    hub.instances.clear()

    start(hub, workspace)

    assert "purged" in hub.entities["pipeline", "sales"]["runs"][1]["error"]["message"]


def test_of_two_starts_at_once_the_one_that_comes_second_to_the_lease_is_refused(hub, workspace):
    winner = {"run_id": HELD, "since": "2026-11-23T05:00:00+00:00"}

    def lose(run_id, request):
        hub.instance(run_id, "Completed", customStatus={"phase": "refused", "holder": winner})

    hub.on_start = lose

    with pytest.raises(RunRefused) as caught:
        start(hub, workspace)
    assert caught.value.context["holder"] == winner and len(hub.started) == 1


@pytest.mark.parametrize("shown", [None, {"phase": "bronze", "fence": 1}])
def test_a_start_that_is_slow_to_begin_still_gives_the_id(hub, workspace, shown):
    hub.on_start = lambda run_id, request: hub.instance(run_id, "Pending", customStatus=shown)

    assert start(hub, workspace) == hub.started[0][1]


def test_a_release_that_takes_its_time_ends_in_the_orchestrations_own_refusal(hub, workspace):
    hub.begins(HELD, "Terminated")

    async def lost(*_):
        """A signal that arrives later."""

    hub.signal = lost
    holder = hub.entities["pipeline", "sales"]["holder"]
    hub.on_start = lambda run_id, _: hub.instance(
        run_id, "Completed", customStatus={"phase": "refused", "holder": holder}
    )

    with pytest.raises(RunRefused):
        start(hub, workspace)


@pytest.mark.parametrize("value", ["", " ", "ä", "a\n", "\x00", "k" * 256, "\ud800"])
def test_an_idempotency_key_that_is_none_is_a_bad_request(value):
    with pytest.raises(RequestInvalid, match="Idempotency-Key"):
        parse_key(value)


def test_the_same_key_gives_the_same_run_while_it_is_on_and_after(hub, workspace):
    first = keyed(hub, workspace)
    hub.instances[first.run_id]["input"] = dict(hub.started[0][2])
    on = keyed(hub, workspace)
    hub.finishes(first.run_id)
    after = keyed(hub, workspace)

    assert not first.replayed and on == after == Started(first.run_id, replayed=True)
    assert len(hub.started) == 1 and RUN_ID_PATTERN.match(first.run_id)


def test_another_key_is_another_run_and_refused_like_any(hub, workspace):
    first = keyed(hub, workspace)

    with pytest.raises(RunRefused):
        keyed(hub, workspace, "another key")
    hub.finishes(first.run_id)
    assert keyed(hub, workspace, "another key").run_id != first.run_id


def test_a_key_is_known_by_the_lake_when_the_pipeline_has_forgotten_its_run(hub, workspace):
    first = keyed(hub, workspace)
    runfiles.write_json(workspace.lake("bronze"), record_path(first.run_id), {"run_id": first.run_id})
    hub.entities.clear()
    hub.instances.clear()

    assert keyed(hub, workspace) == Started(first.run_id, replayed=True)


def test_a_key_of_another_pipeline_in_the_lake_starts_a_run(hub, workspace):
    other = f"zoo-20261123T050000Z-{parse_key('a key')}"
    runfiles.write_json(workspace.lake("bronze"), record_path(other), {"run_id": other})

    assert not keyed(hub, workspace).replayed


def test_a_key_that_belongs_to_another_request_is_refused(hub, workspace):
    first = keyed(hub, workspace)
    hub.instances[first.run_id]["input"] = dict(hub.started[0][2])

    with pytest.raises(KeyReused, match=first.run_id) as caught:
        keyed(hub, workspace, request=EVERYTHING | {"stage": "bronze"})
    assert problem(caught.value).status == 422


def test_of_two_requests_with_one_key_at_once_the_one_that_comes_second_gets_the_others_run(hub, workspace):
    digits = parse_key("a key")
    winner = {"run_id": f"sales-20261123T050000Z-{digits}", "since": "2026-11-23T05:00:00+00:00"}
    hub.on_start = lambda run_id, _: hub.instance(
        run_id, "Completed", customStatus={"phase": "refused", "holder": winner}
    )

    assert keyed(hub, workspace) == Started(winner["run_id"], replayed=True)


def test_a_start_that_fails_is_not_taken_for_one_that_was_sent_twice(hub, workspace):
    def refuse(*_):
        raise OSError("no hub")

    hub.on_start = refuse
    with pytest.raises(OSError, match="no hub"):
        keyed(hub, workspace)
