"""Looking ahead and repairing: plan, backfill, reset, and checkpoints rebuilt after the task hub was lost."""

from __future__ import annotations

import json
import shutil

import pytest

from comboi_core.cli.demo.postgres import EmbeddedPostgres
from tests.support.project import Project, change


def planned(project: Project, *arguments: str) -> dict[str, dict]:
    done = project.comboi("plan", "--json", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return {table["table"]: table for table in json.loads(done.stdout)["tables"]}


@pytest.mark.slow
def test_plan_says_what_a_run_would_do_and_does_nothing(project: Project, landed: Project, database: EmbeddedPostgres):
    first = planned(project)
    assert first["orders"]["replaces"] is False and first["orders"]["window"]["low"] is None
    assert first["orders"]["estimated_rows"] == 5000 and first["orders"]["chunks"] == 3
    assert not (project.folder / "lake").exists()
    before = landed.commits()
    change(database)
    database.psql("ALTER TABLE shop.customers ADD COLUMN phone text")
    ahead = planned(landed)
    assert ahead["orders"]["window"]["low"] == before["shop.orders"]["watermark"]
    assert ahead["orders"]["estimated_rows"] == 900
    assert any("phone" in text for text in ahead["customers"]["schema_changes"])
    assert landed.commits() == before
    shown = landed.comboi("plan").stdout
    assert "changes" in shown and "then builds" in shown and "phone" in shown


@pytest.mark.slow
def test_a_key_that_nothing_guarantees_is_told_by_the_plan_and_by_the_first_run(project: Project):
    project.edit("configs/initial.yml", "- order_id\n", "- status\n")
    said = planned(project, "bronze")
    (warning,) = said["orders"]["warnings"]
    assert "primary_key: [status] is unique" in warning and not said["events"]["warnings"]
    first = {table["table"]: table for table in project.run("bronze", "--select", "orders")["tables"]}
    assert warning in first["orders"]["warnings"]
    again = project.run("bronze", "--select", "orders")["tables"][0]
    assert warning not in again["warnings"]


def test_plan_shows_each_tables_own_error(project: Project, database: EmbeddedPostgres):
    database.psql("DROP TABLE shop.events")
    done = project.comboi("plan")
    assert done.returncode == 1
    assert "source_object_missing" in done.stdout and "5,000" in done.stdout


def test_a_backfill_reads_a_range_again_and_leaves_the_watermark(landed: Project, database: EmbeddedPostgres):
    before = landed.commits()["shop.orders"]
    database.psql("UPDATE shop.orders SET status = 'corrected' WHERE order_id BETWEEN 100 AND 199")
    landed.run("bronze")
    assert not [row for row in landed.contents()["shop.orders"] if row[3] == "corrected"], "updated_at did not move"
    done = landed.comboi(
        "backfill", "shop.orders", "--from", "2026-01-01 01:39:00+00", "--to", "2026-01-01 03:19:00+00", "--json"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["tables"][0]["rows"] == 100
    after = landed.commits()["shop.orders"]
    assert (after["watermark"], after["sequence"]) == (before["watermark"], before["sequence"] + 1)
    rows = landed.contents()["shop.orders"]
    assert len(rows) == 5000
    assert sorted(row[0] for row in rows if row[3] == "corrected") == list(range(100, 200))


@pytest.mark.slow
def test_a_backfill_that_would_double_rows_is_refused(landed: Project):
    for table, why in (("events", "would land rows twice"), ("customers", "no cursor")):
        done = landed.comboi("backfill", table, "--from", "2026-01-01", "--to", "2026-01-02")
        assert done.returncode == 1 and why in done.stdout and "--full-refresh" in done.stdout
    done = landed.comboi("backfill", "orders", "--from", "2026-01-02", "--to", "2026-01-01 00:00")
    assert done.returncode == 1 and "the range above 2026-01-02" in done.stdout
    done = landed.comboi("backfill", "orders", "--from", "xx", "--to", "2026-01-01", "--json")
    (failed,) = json.loads(done.stdout)["tables"]
    assert done.returncode == 1 and failed["error"]["code"] == "backfill_impossible"
    assert "`from` is 'xx', but the cursor updated_at is timestamp with time zone" in failed["error"]["message"]
    assert len(landed.contents()["shop.events"]) == 3000


@pytest.mark.slow
def test_a_reset_table_is_read_anew_and_replaced(landed: Project, database: EmbeddedPostgres):
    database.psql("DELETE FROM shop.events WHERE event_id <= 1000")
    done = landed.comboi("checkpoints", "reset", "shop.events", "--yes")
    assert done.returncode == 0, done.stderr
    assert len(landed.contents()["shop.events"]) == 3000, "readers see the old rows until the next run"
    assert "reads all next" in landed.comboi("checkpoints", "list").stdout
    landed.run("bronze")
    assert len(landed.contents()["shop.events"]) == 2000
    shown = landed.comboi("checkpoints", "show", "shop.events").stdout
    assert "reset by cli" in shown and "reads all next" not in shown
    assert landed.comboi("checkpoints", "reset", "shop.event", "--yes").returncode == 1


@pytest.mark.slow
def test_checkpoints_are_rebuilt_from_the_lake_after_the_task_hub_was_lost(landed: Project, database: EmbeddedPostgres):
    landed.run()
    change(database)
    landed.run()
    before, contents = landed.commits(), landed.contents()
    shutil.rmtree(landed.folder / ".comboi")

    refused = landed.comboi("run")
    assert refused.returncode == 1
    assert "checkpoint_lost" in refused.stdout and "comboi checkpoints rebuild" in refused.stdout
    done = landed.comboi("checkpoints", "rebuild")
    assert done.returncode == 0, done.stdout + done.stderr
    after = landed.commits()
    for name, checkpoint in before.items():
        for field in ("sequence", "watermark", "manifest"):
            assert after[name][field] == checkpoint[field], name
    assert landed.contents() == contents
    record = landed.run()
    assert {table["table"]: table["rows"] for table in record["tables"]} == {"orders": 0, "events": 0, "customers": 50}
    assert "nothing was changed" in landed.comboi("checkpoints", "rebuild").stdout
