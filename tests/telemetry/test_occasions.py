"""When somebody is told, and when not; what is told of is remembered from run to run."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest

from comboi_core.app.codec import decode
from comboi_core.telemetry.occasions import RUN_ITSELF, Memory, advance, ages

ORDERS, ITEMS, CLEAN = "shop.orders", "shop.items", "orders_clean"
NAMES = frozenset({ORDERS, ITEMS, CLEAN})
NEVER_STALE = {ORDERS: None, ITEMS: None}
ERROR = {"code": "x", "message": "m", "remedy": "r", "transient": False}


def run(hour: int, status: str = "succeeded", error=None, **statuses: str):
    """A finished run; `orders`, `items` and `clean` give what became of each."""
    tables = [
        {"source": "shop", "table": name, "status": statuses[name], "started_at": f"2026-11-23T{hour:02d}:00:10+00:00"}
        for name in ("orders", "items")
        if name in statuses
    ]
    datasets = [{"stage": "silver", "name": CLEAN, "status": statuses["clean"]}] if "clean" in statuses else []
    return {
        "run_id": f"sales-20261123T{hour:02d}0000Z-0000",
        "pipeline": "sales",
        "status": status,
        "started_at": f"2026-11-23T{hour:02d}:00:00+00:00",
        "finished_at": f"2026-11-23T{hour:02d}:10:00+00:00",
        "error": error,
        "tables": tables,
        "datasets": datasets,
    }


def told(*runs, freshness=NEVER_STALE, names=NAMES):
    """Return the occasions of each run in turn."""
    memory, found = Memory(), []
    for record in runs:
        memory = advance(memory, record, freshness, names)
        found.append(memory.occasions)
    return found


def test_the_first_success_is_told_once_also_after_failures():
    first = told(run(1, "failed", orders="failed"), run(2, orders="succeeded"), run(3, orders="succeeded"))

    assert first == [{"failed": [ORDERS]}, {"recovered": [ORDERS], "first_success": []}, {}]


def test_each_failed_run_is_told():
    failing = run(2, "failed", orders="succeeded", clean="failed")

    assert told(run(1, orders="succeeded"), failing, {**failing, "run_id": "other"})[1:] == [{"failed": [CLEAN]}] * 2


def test_a_run_that_succeeds_without_what_had_failed_is_no_recovery():
    runs = [run(1, "partial", orders="failed", clean="failed"), run(2, orders="succeeded"), run(3, clean="succeeded")]

    assert told(*runs) == [{"failed": [ORDERS, CLEAN]}, {"first_success": []}, {"recovered": [CLEAN]}]


def test_what_left_the_configuration_is_not_waited_for():
    runs = [run(1, "failed", orders="failed", items="failed"), run(2, orders="succeeded")]

    assert "recovered" in told(*runs, names=frozenset({ORDERS}))[1]
    assert "recovered" not in told(*runs)[1]


def test_a_run_that_could_not_be_planned_recovers_with_the_next_one():
    runs = [run(1, "failed", ERROR), run(2, orders="succeeded")]

    assert told(*runs) == [{"failed": []}, {"recovered": [RUN_ITSELF], "first_success": []}]


def test_a_cancelled_run_is_neither_a_failure_nor_a_recovery():
    runs = [run(1, "failed", ERROR), run(2, "cancelled", orders="succeeded"), run(3, orders="succeeded")]

    assert told(*runs)[1:] == [{}, {"recovered": [RUN_ITSELF], "first_success": []}]


def test_a_table_is_stale_once_its_last_good_load_began_too_long_ago_and_told_once():
    freshness = {ORDERS: 2 * 3600.0, ITEMS: None}
    runs = [
        run(1, orders="succeeded", items="succeeded"),
        run(2, "failed", orders="failed"),
        run(4, "failed", orders="failed"),
        run(5, "failed", orders="failed"),
        run(6, orders="succeeded"),
        run(9, items="succeeded"),
    ]

    assert ["stale" in occasions for occasions in told(*runs, freshness=freshness)] == [
        False,
        False,
        True,
        False,
        False,
        True,
    ]


def test_a_table_that_never_landed_is_stale_in_time():
    runs = [run(1, items="succeeded"), run(5, items="succeeded")]

    assert told(*runs, freshness={ORDERS: 3600.0, ITEMS: None})[1] == {"stale": [ORDERS]}


def test_ages_count_from_the_start_of_the_last_good_load():
    memory = advance(Memory(), run(1, "failed", orders="succeeded", items="failed"), NEVER_STALE, NAMES)

    assert ages(memory, run(2, orders="failed"), NEVER_STALE) == {ORDERS: 2 * 3600.0 - 3600.0 + 590.0}


def test_the_same_run_taken_in_again_changes_nothing():
    memory = advance(Memory(), run(1, orders="failed", status="failed"), NEVER_STALE, NAMES)

    assert advance(memory, run(1, orders="succeeded"), NEVER_STALE, NAMES) is memory


@pytest.mark.parametrize("memory", [Memory(), Memory("r", {"failed": ["a"]}, "s", True, {"a": "t"}, {"b": "t"}, ["b"])])
def test_memory_survives_json(memory):
    assert decode(Memory, asdict(memory)) == replace(memory)


def short(record, name: str, *codes: str):
    """The run with shortfalls of one table."""
    tables = [
        {**item, "shortfalls": [{"code": code, "message": "m", "remedy": "r", "rows": 1} for code in codes]}
        if item["table"] == name
        else item
        for item in record["tables"]
    ]
    return {**record, "tables": tables}


def test_a_shortfall_is_told_once_as_long_as_it_stays_and_again_after_it_was_gone():
    plain = [run(hour, orders="succeeded", items="succeeded") for hour in range(1, 7)]
    runs = [plain[0], *(short(one, "orders", "future_cursor") for one in plain[1:3]), plain[3]]
    runs += [short(plain[4], "orders", "future_cursor")]

    assert [found.get("warned") for found in told(*runs)] == [None, [ORDERS], None, None, [ORDERS]]


def test_another_shortfall_of_the_same_table_is_told_and_a_failure_between_forgets_nothing():
    first = short(run(1, orders="succeeded"), "orders", "future_cursor")
    both = short(run(3, orders="succeeded"), "orders", "future_cursor", "duplicate_keys")

    found = told(first, run(2, "failed", orders="failed"), {**first, "run_id": "again"}, both)

    assert [one.get("warned") for one in found] == [[ORDERS], None, None, [ORDERS]]
