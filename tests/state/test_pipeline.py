"""The lease: one run at a time, whatever is repeated, late or lost."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from comboi_core.state.pipeline import HISTORY_LENGTH, OPERATIONS, initial

AT = "2026-11-23T06:00:00+00:00"


def apply(state: Any, operation: str, request: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Apply an operation, and make sure that neither state nor request were changed in place."""
    before = copy.deepcopy((state, request))
    after, result = OPERATIONS[operation](state, request)
    assert (state, request) == before
    return after, result


def begin(state: Any, run_id: str) -> tuple[Any, dict[str, Any]]:
    return apply(state, "begin", {"run_id": run_id, "trigger": "http", "stage": None, "started_at": AT})


def finish(state: Any, run_id: str, status: str = "succeeded") -> tuple[Any, dict[str, Any]]:
    return apply(state, "finish", {"run_id": run_id, "summary": {"status": status, "finished_at": AT}})


def release(state: Any, run_id: str) -> tuple[Any, dict[str, Any]]:
    return apply(state, "release", {"run_id": run_id, "finished_at": AT, "reason": "it was terminated"})


def test_the_first_run_gets_the_lease_and_fence_one():
    state, result = begin(initial(), "a")

    assert result == {"granted": True, "fence": 1}
    assert state["holder"] == {"run_id": "a", "since": AT}
    assert state["runs"][0]["status"] == "running"


def test_a_second_run_is_refused_and_told_who_holds_the_lease():
    state, _ = begin(initial(), "a")

    after, result = begin(state, "b")

    assert after == state and result == {"granted": False, "holder": {"run_id": "a", "since": AT}}


def test_the_holder_that_asks_again_gets_the_same_answer_and_no_second_entry():
    state, first = begin(initial(), "a")

    after, second = begin(state, "a")

    assert after == state and first == second


def test_the_run_after_one_without_a_record_learns_that_its_failure_was_told_and_the_next_one_does_not():
    state, _ = begin(initial(), "a")
    state, _ = apply(state, "finish", {"run_id": "a", "summary": {"status": "failed", "unrecorded": True}})

    state, result = begin(state, "b")
    again = begin(state, "b")[1]
    after = begin(finish(state, "b")[0], "c")[1]

    assert result == again == {"granted": True, "fence": 2, "unrecorded": AT}
    assert after == {"granted": True, "fence": 3}


def test_a_finished_run_gives_the_lease_back_and_the_next_one_gets_a_higher_fence():
    state, result = finish(begin(initial(), "a")[0], "a")
    assert result == {"released": True} and state["holder"] is None

    _, result = begin(state, "b")
    assert result == {"granted": True, "fence": 2}


def test_finishing_twice_changes_nothing_more():
    state, _ = finish(begin(initial(), "a")[0], "a")

    assert finish(state, "a") == (state, {"released": False})


def test_a_run_that_lost_its_lease_notes_its_end_but_leaves_the_successors_lease():
    state, _ = release(begin(initial(), "a")[0], "a")
    state, _ = begin(state, "b")

    state, result = finish(state, "a", "failed")

    assert state["holder"]["run_id"] == "b" and result == {"released": False}
    assert [(run["run_id"], run["status"]) for run in state["runs"]] == [("b", "running"), ("a", "failed")]


def test_a_run_that_nobody_knows_can_be_finished_without_harm():
    state, _ = begin(initial(), "a")

    assert finish(state, "z") == (state, {"released": False})


def test_a_released_run_is_noted_as_failed_with_what_to_do():
    state, result = release(begin(initial(), "a")[0], "a")

    assert result == {"released": True} and state["holder"] is None
    noted = state["runs"][0]
    assert (noted["status"], noted["error"]["code"], noted["error"]["message"]) == (
        "failed",
        "run_ended_unfinished",
        "it was terminated",
    )
    assert noted["error"]["remedy"] and not noted["error"]["transient"]


def test_a_late_release_does_not_touch_another_runs_lease():
    state, _ = begin(finish(begin(initial(), "a")[0], "a")[0], "b")

    assert release(state, "a") == (state, {"released": False})
    assert release(initial(), "a") == (initial(), {"released": False})


def test_the_latest_runs_are_kept_and_no_more():
    state = initial()
    for number in range(HISTORY_LENGTH + 5):
        state, _ = finish(begin(state, f"run{number}")[0], f"run{number}")

    assert [run["run_id"] for run in state["runs"]] == [f"run{n}" for n in range(HISTORY_LENGTH + 4, 4, -1)]


def test_the_state_that_is_shown_is_the_state():
    state, _ = begin(initial(), "a")

    assert apply(state, "get", {})[1] == state


@given(steps=st.lists(st.tuples(st.sampled_from(["begin", "finish", "release"]), st.sampled_from("abcd")), max_size=80))
def test_however_operations_interleave_at_most_one_run_holds_the_lease_and_fences_only_grow(steps):
    state, granted = initial(), {}
    for operation, run_id in steps:
        before = state
        state, result = {"begin": begin, "finish": finish, "release": release}[operation](state, run_id)
        assert state["fence"] >= before["fence"]
        holder = state["holder"] and state["holder"]["run_id"]
        if operation != "begin":
            assert holder in (None, before["holder"] and before["holder"]["run_id"])
            continue
        assert result["granted"] == (holder == run_id)
        assert not (result["granted"] and run_id in granted and before["holder"] is None), "an ended run began again"
        if result["granted"] and before["holder"] is None:
            assert result["fence"] == before["fence"] + 1 and result["fence"] not in granted.values()
        if result["granted"]:
            granted[run_id] = result["fence"]


def test_a_run_is_cancelled_while_it_holds_the_lease_and_who_asked_first_counts():
    state, _ = begin(initial(), "a")

    state, first = apply(state, "cancel", {"run_id": "a", "at": AT, "by": "cli"})
    state, second = apply(state, "cancel", {"run_id": "a", "at": "later", "by": "http"})

    assert first == second == {"cancelled": {"at": AT, "by": "cli"}}
    assert apply(state, "get", {})[1]["holder"]["cancelled"] == first["cancelled"]
    assert begin(state, "a")[1]["granted"], "the run goes on to its end"


def test_a_cancellation_goes_with_the_lease():
    state, _ = begin(initial(), "a")
    state, _ = apply(state, "cancel", {"run_id": "a", "at": AT, "by": "cli"})
    state, _ = finish(state, "a", "cancelled")
    state, _ = begin(state, "b")

    assert "cancelled" not in state["holder"]


def test_only_the_holder_can_be_cancelled():
    request = {"run_id": "a", "at": AT, "by": "cli"}
    assert apply(initial(), "cancel", request) == (initial(), {"cancelled": None})
    state, _ = begin(initial(), "b")
    assert apply(state, "cancel", request) == (state, {"cancelled": None})


def test_a_second_run_of_an_idempotency_key_is_told_the_first():
    first, second = (f"sales-20261123T0{hour}0000Z-{'c' * 12}" for hour in (6, 7))
    state, _ = begin(initial(), first)
    state, _ = finish(state, first)

    after, result = apply(state, "begin", {"run_id": second, "started_at": AT, "keyed": True})

    assert after == state and result == {"granted": False, "holder": {"run_id": first, "since": AT}}
    assert begin(state, second)[1]["granted"], "without a key the digits mean nothing"
