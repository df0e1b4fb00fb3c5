"""The overview: every table and dataset against the latest runs, from entities and run records alone."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from comboi_core.app import runfiles
from comboi_core.domain.errors import LakeUnavailable
from comboi_core.runs.records import record_path
from comboi_core.web.overview import HISTORY, overview
from tests.support.monitor_site import Site, make_project

NOW = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
ERROR = {"code": "source_unreachable", "message": "no", "remedy": "do", "transient": True}


@pytest.fixture
def site(tmp_path):
    tables = [
        {"name": "orders", "primary_key": ["id"], "incremental_column": "at", "freshness": "2h"},
        {"name": "items", "incremental_column": "at"},
        {"name": "kinds"},
    ]
    return Site(make_project(tmp_path / "project", tables, ["orders_clean"], ["sums"]))


def ask(site: Site) -> dict:
    return asyncio.run(overview(site, site.workspace, now=NOW))


def items(answer: dict) -> dict[str, dict]:
    return {item["name"]: item for item in answer["items"]}


def run(site: Site, hours_ago: float, status: str, tables: list[dict], datasets: list[dict] = (), **extra) -> str:
    run_id = site.begin(NOW - timedelta(hours=hours_ago))
    site.finish(run_id, status, [dict(table) for table in tables], [dict(one) for one in datasets], **extra)
    return run_id


def test_a_pipeline_that_never_ran_shows_what_is_configured(site):
    answer = ask(site)

    assert [(item["layer"], item["name"], item["history"]) for item in answer["items"]] == [
        ("bronze", "shop.orders", []),
        ("bronze", "shop.items", []),
        ("bronze", "shop.kinds", []),
        ("silver", "orders_clean", []),
        ("gold", "sums", []),
    ]
    assert (answer["holder"], answer["runs"], answer["problems"]) == (None, [], [])
    assert [item["name"] for item in answer["items"] if item.get("stale")] == ["shop.orders"], (
        "never loaded, with a target"
    )


def test_outcomes_stand_beside_their_runs_newest_first(site):
    run(site, 3, "succeeded", [{"table": "orders", "rows": 5}, {"table": "items", "rows": 0}])
    check = {"name": "unique", "severity": "error", "passed": False, "failed_rows": 2, "sample": [], "message": ""}
    warned = check | {"severity": "warn"}
    clean = {"name": "orders_clean", "status": "failed", "error": ERROR, "rows": None, "checks": [check, warned]}
    run(site, 1, "failed", [{"table": "orders", "status": "failed", "error": ERROR, "rows": None}], [clean])

    found = items(ask(site))

    assert (found["shop.orders"]["history"], found["shop.orders"]["rows"]) == (["failed", "succeeded"], [None, 5])
    assert (found["shop.items"]["history"], found["shop.items"]["rows"]) == ([None, "succeeded"], [None, 0])
    assert found["shop.kinds"]["history"] == [None, None]
    assert found["orders_clean"]["checks"] == {"passed": 0, "warned": 1, "failed": 1}
    assert found["sums"]["checks"] is None


def test_a_table_is_as_old_as_the_last_run_that_read_it_well(site):
    """A run that found nothing new commits nothing, and yet the table is fresh."""
    site.commit("orders", NOW - timedelta(days=3))
    site.commit("orders", NOW - timedelta(hours=1), mode="compaction")
    assert items(ask(site))["shop.orders"]["as_of"] == (NOW - timedelta(days=3)).isoformat(), "by its last load"
    run(site, 1.9, "succeeded", [{"table": "orders", "rows": 0}])
    run(site, 0.5, "failed", [{"table": "orders", "status": "failed", "error": ERROR}])

    orders = items(ask(site))["shop.orders"]

    assert orders["as_of"] == (NOW - timedelta(hours=1.9)).isoformat()
    assert (orders["freshness"], orders["stale"]) == (7200.0, False)


def test_a_table_past_its_target_is_stale_and_one_without_a_target_never_is(site):
    run(site, 2.1, "succeeded", [{"table": "orders"}, {"table": "items"}])

    found = items(ask(site))

    assert (found["shop.orders"]["stale"], found["shop.items"]["stale"]) == (True, False)


@pytest.mark.parametrize(
    "extra", [{"backfill": {"from": "2026-01-01", "to": "2026-01-02"}}, {"erasure": {"removed": 1}}]
)
def test_what_reads_nothing_new_does_not_make_a_table_fresh(site, extra):
    run(site, 5, "succeeded", [{"table": "orders"}])
    run(site, 1, "succeeded", [{"table": "orders"}], **extra)

    orders = items(ask(site))["shop.orders"]

    assert (orders["stale"], orders["as_of"]) == (True, (NOW - timedelta(hours=5)).isoformat())


def test_only_what_a_range_can_be_read_of_again_is_offered_for_backfill(site):
    assert {name: item["backfill"] for name, item in items(ask(site)).items() if item["layer"] == "bronze"} == {
        "shop.orders": True,
        "shop.items": False,
        "shop.kinds": False,
    }


def test_the_run_that_is_on_holds_the_lease_and_has_no_outcomes_yet(site):
    run_id = site.begin(NOW)

    answer = ask(site)

    assert answer["holder"]["run_id"] == run_id and answer["runs"][0]["status"] == "running"
    assert items(answer)["shop.orders"]["history"] == [None]


def test_the_history_ends_after_thirty_runs_and_no_instance_is_looked_at(site, monkeypatch):
    async def refused(instance_id):
        raise AssertionError(f"{instance_id} was looked at")

    for number in range(40, 0, -1):
        run(site, number, "succeeded", [{"table": "orders"}])
    monkeypatch.setattr(site, "status", refused)

    assert len(items(ask(site))["shop.orders"]["history"]) == len(ask(site)["runs"]) == HISTORY


def test_records_are_read_once(site, monkeypatch):
    for number in range(3, 0, -1):
        run(site, number, "succeeded", [{"table": "orders"}])
    before = ask(site)
    read = []
    monkeypatch.setattr(runfiles, "read_json", lambda lake, path: read.append(path))

    assert ask(site) == before and read == []


def test_a_record_that_is_gone_leaves_a_gap(site):
    run_id = run(site, 2, "succeeded", [{"table": "orders"}])
    run(site, 1, "succeeded", [{"table": "orders"}])
    site.workspace.lake("bronze").delete([record_path(run_id)])

    assert items(ask(site))["shop.orders"]["history"] == ["succeeded", None]


def test_a_lake_that_does_not_answer_is_told_beside_what_the_entities_know(site, monkeypatch):
    run(site, 1, "failed", [{"table": "orders"}])

    def down(lake, path):
        raise LakeUnavailable("the lake at x does not answer")

    monkeypatch.setattr(runfiles, "read_json", down)
    answer = ask(site)

    assert [problem["code"] for problem in answer["problems"]] == ["lake_unavailable"]
    assert answer["runs"][0]["status"] == "failed" and len(answer["items"]) == 5


def test_the_timer_is_the_environments(site, monkeypatch):
    monkeypatch.setenv("COMBOI_TIMER_SCHEDULE", "0 0 6 * * *")
    assert ask(site)["timer"] == {"schedule": "0 0 6 * * *", "next": "2026-11-24T06:00:00+00:00"}


def test_a_broken_record_is_a_problem_and_leaves_its_runs_column_empty(site):
    first = run(site, 3, "succeeded", [{"table": "orders"}])
    second = run(site, 2, "succeeded", [{"table": "orders"}])
    run(site, 1, "succeeded", [{"table": "orders"}])
    for number, broken in enumerate((first, second)):
        site.workspace.lake("bronze").write(record_path(broken), [b'{"tables": [', b"{}"][number])

    answer = ask(site)

    assert items(answer)["shop.orders"]["history"] == ["succeeded", None, None]
    assert [problem["code"] for problem in answer["problems"]] == ["record_unreadable"] * 2
    assert record_path(second) in answer["problems"][0]["message"]


def test_a_success_with_shortfalls_is_no_plain_one_but_renews_the_table(site):
    shortfall = {"code": "future_cursor", "message": "3 rows wait", "remedy": "Mend the clock.", "rows": 3}
    run(site, 1, "succeeded", [{"table": "orders", "shortfalls": [shortfall]}, {"table": "items"}], shortfalls=1)

    answer = ask(site)

    assert (items(answer)["shop.orders"]["history"], items(answer)["shop.items"]["history"]) == (
        ["short"],
        ["succeeded"],
    )
    assert items(answer)["shop.orders"]["as_of"] and not items(answer)["shop.orders"]["stale"]
    assert answer["runs"][0]["shortfalls"] == 1
