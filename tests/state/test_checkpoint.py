"""A table's checkpoint under doubled, late and interleaved operations."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comboi_core.state import checkpoint
from comboi_core.state.checkpoint import COMMITS_KEPT, OPERATIONS, initial


def commit_of(sequence: int, fence: int, manifest: str | None = None, watermark: str | None = "w") -> dict[str, Any]:
    return {
        "sequence": sequence,
        "fence": fence,
        "run_id": f"run-{fence}",
        "watermark": watermark,
        "manifest": manifest or f"{sequence:08d}-{fence:08d}.json",
        "rows": 1,
        "bytes": 10,
        "mode": "merge",
        "committed_at": "2026-11-23T06:00:00+00:00",
    }


def apply(state: Any, operation: str, request: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Apply an operation, and make sure that neither state nor request were changed in place."""
    before = copy.deepcopy((state, request))
    after, result = OPERATIONS[operation](state, request)
    assert (state, request) == before
    return after, result


def committed(loads: int, fence: int = 1) -> Any:
    state, _ = apply(initial(), "open", {"fence": fence})
    for sequence in range(1, loads + 1):
        state, _ = apply(state, "commit", commit_of(sequence, fence))
    return state


def test_a_new_table_has_an_empty_checkpoint():
    _, result = apply(initial(), "get", {"v": 0})

    assert result == {"checkpoint": {"sequence": 0, "watermark": None, "manifest": None, "reload": False}}


def test_a_commit_moves_the_checkpoint_and_keeps_the_watermark_as_text():
    watermark = "2026-11-23 05:59:59.123456789+00"
    state, result = apply(committed(0), "commit", commit_of(1, 1, "m.json", watermark))

    assert result == {"checkpoint": {"sequence": 1, "watermark": watermark, "manifest": "m.json", "reload": False}}
    assert state["commits"][0]["rows"] == 1


def test_a_doubled_commit_answers_as_the_first_and_changes_nothing():
    state = committed(3)

    after, result = apply(state, "commit", commit_of(3, 1))

    assert after == state and result["checkpoint"]["sequence"] == 3


def test_a_doubled_commit_is_recognised_after_a_newer_run_has_opened_the_table():
    state, _ = apply(committed(3, fence=1), "open", {"fence": 2})

    after, result = apply(state, "commit", commit_of(3, 1))

    assert after == state and "error" not in result


def test_another_load_for_a_committed_sequence_is_refused():
    state = committed(3)

    after, result = apply(state, "commit", commit_of(3, 1, "other.json"))

    assert after == state and result["error"]["code"] == "commit_conflict"


@pytest.mark.parametrize("sequence", [-1, 0, 2, 5, 99])
def test_a_load_that_does_not_follow_the_last_one_is_refused(sequence):
    state = committed(3)

    after, result = apply(state, "commit", commit_of(sequence, 1, "other.json"))

    assert after == state and result["error"]["code"] == "commit_conflict"


def test_a_run_that_lost_its_lease_can_neither_commit_nor_open():
    state, _ = apply(committed(3, fence=1), "open", {"fence": 2})

    for operation, request in (("commit", commit_of(4, 1)), ("open", {"fence": 1})):
        after, result = apply(state, operation, request)
        assert after == state and result["error"]["code"] == "lease_lost" and not result["error"]["transient"]


def test_opening_again_with_the_same_fence_gives_the_same_checkpoint():
    state = committed(2)

    assert apply(state, "open", {"fence": 1}) == apply(apply(state, "open", {"fence": 1})[0], "open", {"fence": 1})


def test_a_commit_with_a_newer_fence_that_never_opened_shuts_the_older_ones_out():
    state, _ = apply(committed(1, fence=1), "commit", commit_of(2, 7))

    assert apply(state, "commit", commit_of(3, 6))[1]["error"]["code"] == "lease_lost"


def test_the_latest_commits_are_kept_and_no_more():
    state = committed(COMMITS_KEPT + 5)

    assert [commit["sequence"] for commit in state["commits"]] == list(range(COMMITS_KEPT + 5, 5, -1))


def test_the_first_load_is_committed_once_even_without_a_manifest_of_another_name():
    state, _ = apply(initial(), "commit", commit_of(1, 1))

    assert apply(state, "commit", commit_of(1, 1))[0] == state


# Two runs, each of which opens, loads what follows the checkpoint it was given, and commits; any step may be repeated.
STEPS = st.lists(
    st.tuples(st.sampled_from([1, 2, 3]), st.sampled_from(["open", "commit", "commit again"])), min_size=1, max_size=60
)


@given(steps=STEPS)
def test_however_runs_interleave_no_sequence_is_committed_twice_and_no_old_run_after_a_new_one(steps):
    state = initial()
    seen: dict[int, int] = {}
    last: dict[int, dict[str, Any]] = {}
    accepted: list[dict[str, Any]] = []
    highest = 0
    for fence, step in steps:
        if step == "open":
            state, result = apply(state, "open", {"fence": fence})
            assert ("error" in result) == (fence < highest)
            if "error" not in result:
                highest = fence
                seen[fence] = result["checkpoint"]["sequence"]
            continue
        if step == "commit" and fence in seen:
            last[fence] = commit_of(seen[fence] + 1, fence)
        if fence not in last:
            continue
        before = state
        state, result = apply(state, "commit", last[fence])
        assert state["sequence"] >= before["sequence"] and state["fence"] >= before["fence"]
        if state != before:
            assert fence == highest, "an older run committed after a newer one had opened the table"
            accepted.append(last[fence])
    assert [commit["sequence"] for commit in accepted] == list(range(1, len(accepted) + 1))
    assert state["sequence"] == len(accepted)
    assert checkpoint.get(state, {})[1]["checkpoint"]["manifest"] == (accepted[-1]["manifest"] if accepted else None)


def test_a_reset_asks_for_a_reload_until_a_load_that_read_the_whole_table_commits():
    state, result = apply(committed(3), "reset", {"at": "2026-11-23T06:00:00Z", "by": "cli"})
    assert result["checkpoint"]["reload"] is True and result["checkpoint"]["sequence"] == 3

    state, result = apply(state, "commit", commit_of(4, 1, "m4.json"))
    assert result["checkpoint"]["reload"] is True, "a load that was under way does not count"
    state, result = apply(state, "commit", commit_of(5, 1, "m5.json") | {"reloaded": True})
    assert result["checkpoint"]["reload"] is False
    assert [(entry["what"], entry["by"]) for entry in state["audit"]] == [("reset", "cli")]


def test_a_restored_checkpoint_never_moves_backwards():
    found = {
        "sequence": 9,
        "fence": 7,
        "watermark": "w",
        "manifest": "m9.json",
        "at": "2026-11-23T06:00:00Z",
        "by": "cli",
    }
    state, result = apply(initial(), "restore", found)
    assert (state["fence"], result["checkpoint"]["sequence"], result["checkpoint"]["watermark"]) == (7, 9, "w")

    after, result = apply(state, "restore", found | {"sequence": 8, "manifest": "m8.json"})
    assert after == state and result["checkpoint"]["manifest"] == "m9.json"


def test_an_erasure_is_noted_in_the_audit_without_its_key():
    state = committed(1)
    erasure = commit_of(2, 1) | {"mode": "erasure", "by": "ann", "removed": 3}
    state, _ = apply(state, "commit", erasure)
    assert state["audit"] == [{"what": "erasure", "at": erasure["committed_at"], "by": "ann", "removed": 3}]
    assert state["sequence"] == 2
