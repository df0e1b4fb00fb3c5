"""The shim replay on hand-made histories, without an SDK."""

from __future__ import annotations

import pytest

from durable_local.errors import NonDeterminismError
from durable_local.events import Kind, event
from durable_local.replay import Outcome, Shim

BEGIN = [event(Kind.ORCHESTRATOR_STARTED, 0), event(Kind.EXECUTION_STARTED, 0)]


def activity(name: str = "a") -> dict:
    return {"actionType": 0, "functionName": name, "input": "1"}


def retried(attempts: int) -> dict:
    options = {"firstRetryIntervalInMilliseconds": 5, "maxNumberOfAttempts": attempts}
    return {"actionType": 12, "compoundActions": [{**activity(), "actionType": 1, "retryOptions": options}]}


def scheduled(seq: int, name: str = "a") -> dict:
    return event(Kind.TASK_SCHEDULED, 0, seq, Name=name)


def completed(seq: int) -> dict:
    return event(Kind.TASK_COMPLETED, 0, TaskScheduledId=seq, Result="1")


def failed(seq: int) -> dict:
    return event(Kind.TASK_FAILED, 0, TaskScheduledId=seq, Reason="r", Details="d")


def timer_created(seq: int) -> dict:
    return event(Kind.TIMER_CREATED, 0, seq, FireAt="x")


def timer_fired(seq: int) -> dict:
    return event(Kind.TIMER_FIRED, 0, TimerId=seq, FireAt="x")


def replay(actions: list[dict], *history: dict) -> Outcome:
    return Shim("i", "e", actions).replay([*BEGIN, *history])


def numbers(outcome: Outcome) -> list[tuple[int, str]]:
    return [(work.seq, work.kind) for work in outcome.pending]


def test_new_actions_are_numbered_in_order():
    outcome = replay([{"actionType": 12, "compoundActions": [activity(), activity()]}, activity()])
    assert (numbers(outcome), outcome.settled) == ([(0, "activity"), (1, "activity")], False)


def test_the_walk_goes_on_when_an_action_finishes_even_if_it_failed():
    outcome = replay([activity(), activity("b")], scheduled(0), failed(0))
    assert [work.name for work in outcome.pending] == ["b"]


def test_retry_numbers_attempts_and_timers_with_one_timer_after_the_last_attempt():
    one = replay([retried(2)], scheduled(0), failed(0))
    assert numbers(one) == [(1, "timer")] and not one.pending[0].last_retry
    history = [scheduled(0), failed(0), timer_created(1), timer_fired(1), scheduled(2), failed(2)]
    two = replay([retried(2), activity()], *history)
    assert numbers(two) == [(3, "timer")] and two.pending[0].last_retry
    done = replay([retried(2), activity()], *history, timer_created(3), timer_fired(3))
    assert numbers(done) == [(4, "activity")]


def test_a_retry_after_more_than_six_days_is_warned_of(caplog):
    options = {"firstRetryIntervalInMilliseconds": 6 * 86_400_000 + 1, "maxNumberOfAttempts": 2}
    for _ in range(2):
        replay([{**activity("weekly"), "actionType": 1, "retryOptions": options}])
    assert caplog.text.count("'weekly' is retried after more than six days") == 1


def test_events_after_continue_as_new_belong_to_the_next_generation():
    wait, onward = {"actionType": 6, "externalEventName": "go"}, {"actionType": 4, "input": "1"}
    first, second = (event(Kind.EVENT_RAISED, 0, Name="go", Input=text) for text in ("1", "2"))
    outcome = replay([wait, onward], first, second)
    assert (outcome.settled, outcome.carried) == (True, (second,))


def test_duplicate_and_unknown_completions_are_ignored():
    outcome = replay([activity(), activity()], scheduled(0), completed(0), completed(0), completed(7), failed(0))
    assert numbers(outcome) == [(1, "activity")]


def test_a_completion_of_another_kind_is_ignored():
    outcome = replay([activity(), activity()], scheduled(0), timer_fired(0))
    assert (numbers(outcome), outcome.open_tasks) == ([], 1)


def test_cancelled_timers_keep_their_number_and_do_not_hold_the_end():
    timer = {"actionType": 5, "fireAt": "2026-01-01T00:00:00.000000Z", "isCanceled": True}
    outcome = replay([timer, activity()], timer_created(0), scheduled(1), completed(1))
    assert (outcome.pending, outcome.settled) == ([], True)


def test_events_are_buffered_first_in_first_out_and_waiters_stacked_last_in_first_out():
    wait = {"actionType": 6, "externalEventName": "go"}
    raised = event(Kind.EVENT_RAISED, 0, Name="go", Input="1")
    assert replay([activity(), wait, wait], scheduled(0), raised, raised, completed(0)).settled
    both = {"actionType": 12, "compoundActions": [wait, wait]}
    assert not replay([both], raised).settled
    assert replay([both], raised, raised).settled


def test_waits_for_events_and_entities_take_no_part_in_open_tasks():
    call = {"actionType": 7, "instanceId": "@c@k", "operation": "get", "input": "null"}
    outcome = replay([call])
    assert (outcome.open_tasks, outcome.awaited_answers, outcome.walked) == (0, 1, False)
    again = replay([call])
    assert again.pending[0].request_id == outcome.pending[0].request_id
    answer = event(Kind.EVENT_RAISED, 0, Name=outcome.pending[0].request_id, Input="{}")
    assert replay([call], event(Kind.EVENT_SENT, 0, 0, Name="get"), answer).settled


def test_signals_take_a_number():
    signal = {"actionType": 9, "instanceId": "@c@k", "operation": "add", "input": "1"}
    assert numbers(replay([signal, activity()])) == [(0, "message"), (1, "activity")]


def test_child_ids_come_from_the_execution_and_the_number():
    child = {"actionType": 2, "functionName": "c", "input": "1", "instanceId": None}
    assert replay([child]).pending[0].target == "e:0"


def test_when_any_of_nothing_new_does_not_block():
    outcome = replay([{"actionType": 11, "compoundActions": []}, activity()])
    assert numbers(outcome) == [(0, "activity")]


def test_nested_compounds():
    inner = {"actionType": 11, "compoundActions": [activity(), activity()]}
    outcome = replay([{"actionType": 12, "compoundActions": [inner, activity()]}, activity("last")])
    assert len(outcome.pending) == 3
    history = [scheduled(0), scheduled(1), scheduled(2), completed(1), completed(2)]
    late = replay([{"actionType": 12, "compoundActions": [inner, activity()]}, activity("last")], *history)
    assert [work.name for work in late.pending] == ["last"]


@pytest.mark.parametrize(
    "recorded", [scheduled(0, "other"), timer_created(0), scheduled(5), event(Kind.CHILD_CREATED, 0, 0, Name="a")]
)
def test_contradictions_are_found(recorded):
    with pytest.raises(NonDeterminismError, match="Non-Deterministic workflow detected"):
        replay([activity()], recorded)


def test_continue_as_new():
    outcome = replay([{"actionType": 4, "input": '{"n": 1}'}])
    assert (outcome.settled, outcome.continues, outcome.continue_input) == (True, True, '{"n": 1}')
