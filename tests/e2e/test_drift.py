"""Columns of the source change, between two loads and inside a run: what readers see, and what the record says."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import duckdb
import pytest
import requests

from comboi_core.cli.demo.postgres import EmbeddedPostgres
from comboi_core.lake.bronze import read_manifest, view_sql
from comboi_core.lake.local import LocalLake
from tests.support.gate import Gate
from tests.support.project import Project


class Served:
    """A project on a host that is up: run it, look at its table `orders`."""

    def __init__(self, project: Project, database: EmbeddedPostgres) -> None:
        self.project, self.database = project, database
        self.server = project.start("serve", "--port", "0")
        assert self.server.stdout
        self.base = self.server.stdout.readline().split(" at ")[1].strip()

    def run(self, change: str = "", **request: Any) -> dict[str, Any]:
        """Change the source, run bronze, and return the record's part on orders."""
        if change:
            self.database.psql(change)
        asked = {"stage": "bronze", "select": ["orders"]} | request
        run_id = requests.post(self.base, json=asked, timeout=300).json()["run_id"]
        while (record := requests.get(f"{self.base}/{run_id}", timeout=300).json())["status"] == "running":
            time.sleep(0.02)
        return record["tables"][0]

    def orders(self) -> dict[int, dict[str, Any]]:
        """Return the table as readers see it now, by id."""
        committed = requests.get(f"{self.base.removesuffix('/runs')}/tables/shop.orders", timeout=300).json()
        lake = LocalLake(self.project.folder / "lake" / "bronze")
        with duckdb.connect() as con:
            found = con.execute(view_sql(lake, read_manifest(lake, committed["manifest"]), "current"))
            names = [column[0] for column in found.description]
            return {row[0]: dict(zip(names, row, strict=True)) for row in found.fetchall()}

    def stop(self) -> None:
        self.server.terminate()
        assert self.server.wait(300) == 0


@pytest.fixture
def served(project: Project, database: EmbeddedPostgres) -> Iterator[Served]:
    database.psql("DELETE FROM shop.orders WHERE order_id > 100")
    host = Served(project, database)
    yield host
    host.stop()


def touched(order: int, day: int, **values: str) -> str:
    """SQL that updates an order so that the next load reads it."""
    sets = "".join(f", {column} = {value}" for column, value in values.items())
    return f"UPDATE shop.orders SET updated_at = '2026-02-{day:02}'{sets} WHERE order_id = {order};"


@pytest.mark.slow
def test_evolve_takes_each_safe_change_and_tells_it_once(served: Served):
    assert served.run()["schema_changes"] == []

    told = served.run("ALTER TABLE shop.orders ADD note text;" + touched(1, 1, note="'hello'"))
    assert told["schema_changes"] == ["new column note (text); earlier rows read NULL"]
    orders = served.orders()
    assert (orders[1]["note"], orders[2]["note"], len(orders)) == ("hello", None, 100)

    told = served.run("ALTER TABLE shop.orders DROP status")
    assert (told["schema_changes"], told["rows"]) == (["column status (text) is gone; new rows read NULL"], 0)
    assert served.run(touched(1, 2))["schema_changes"] == [], "what is gone is told once"
    orders = served.orders()
    assert (orders[1]["status"], orders[2]["status"]) == (None, "sent")

    told = served.run("ALTER TABLE shop.orders RENAME amount TO total;" + touched(3, 3, total="7.50"))
    assert told["schema_changes"] == [
        "new column total (numeric(12,2)); earlier rows read NULL",
        "column amount (numeric(12,2)) is gone; new rows read NULL",
    ]
    orders = served.orders()
    assert (orders[3]["total"], orders[3]["amount"]) == (Decimal("7.50"), None)
    assert (orders[4]["total"], orders[4]["amount"]) == (None, Decimal("4.28"))

    wide = "ALTER TABLE shop.orders ALTER customer_id TYPE bigint, ALTER total TYPE numeric(14,3);"
    told = served.run(wide + touched(5, 4, customer_id="5000000000", total="1.125"))
    assert told["schema_changes"] == [
        "column customer_id changed from integer to bigint",
        "column total changed from numeric(12,2) to numeric(14,3)",
    ]
    orders = served.orders()
    assert (orders[5]["customer_id"], orders[5]["total"]) == (5_000_000_000, Decimal("1.125"))
    assert (orders[3]["customer_id"], orders[3]["total"]) == (4, Decimal("7.500"))

    narrow = touched(5, 5, customer_id="5") + "ALTER TABLE shop.orders ALTER customer_id TYPE int;"
    told = served.run(narrow)
    assert told["schema_changes"] == ["column customer_id changed from bigint to integer; it goes on landing as BIGINT"]
    assert served.run(touched(6, 6, customer_id="-6"))["schema_changes"] == []
    orders = served.orders()
    assert (orders[5]["customer_id"], orders[6]["customer_id"], orders[7]["customer_id"]) == (5, -6, 8)


def test_an_unsafe_change_fails_until_a_full_refresh_and_readers_keep_what_they_have(served: Served):
    served.run()
    before = served.orders()
    change = "ALTER TABLE shop.orders ALTER status TYPE int USING length(status);" + touched(1, 1)
    for _ in range(2):
        failed = served.run(change)
        assert (failed["status"], failed["error"]["code"], failed["attempts"]) == ("failed", "schema_drift", 1)
        assert "column status changed from text to integer" in failed["error"]["message"]
        assert "--full-refresh" in failed["error"]["remedy"]
        assert served.orders() == before
        change = ""
    assert served.run(full_refresh=True)["schema_changes"] == ["column status changed from text to integer"]
    assert served.orders()[1]["status"] == 4


@pytest.mark.slow
def test_discarded_columns_never_land_and_missing_ones_read_null(served: Served):
    served.project.edit(
        "configs/initial.yml", "table: shop.orders", "table: shop.orders\n    schema_policy: discard_columns"
    )
    served.run()
    told = served.run("ALTER TABLE shop.orders ADD note text;" + touched(1, 1, note="'secret'"))
    assert told["schema_changes"] == ["new column note (text) is ignored: schema_policy discard_columns"]
    assert "note" not in served.orders()[1]
    told = served.run("ALTER TABLE shop.orders DROP status;" + touched(1, 2))
    assert "column status (text) is gone; new rows read NULL" in told["schema_changes"]
    orders = served.orders()
    assert (orders[1]["status"], orders[2]["status"]) == (None, "sent") and "note" not in orders[1]


@pytest.mark.slow
def test_a_frozen_table_fails_until_the_change_is_undone(served: Served):
    served.project.edit("configs/initial.yml", "table: shop.orders", "table: shop.orders\n    schema_policy: freeze")
    served.run()
    before = served.orders()
    failed = served.run("ALTER TABLE shop.orders ADD note text;" + touched(1, 1, amount="0"))
    assert failed["error"]["code"] == "schema_drift" and "new column note (text)" in failed["error"]["message"]
    assert served.orders() == before
    landed = served.run("ALTER TABLE shop.orders DROP note")
    assert (landed["status"], landed["rows"], landed["schema_changes"]) == ("succeeded", 1, [])


def test_plan_shows_the_difference_before_a_load(project: Project, database: EmbeddedPostgres):
    project.run("bronze", "--select", "orders")
    database.psql("ALTER TABLE shop.orders ADD note text, DROP status")
    shown = project.comboi("plan", "--select", "orders")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    said = " ".join(shown.stdout.split())
    assert "new column note (text); earlier rows read NULL" in said and "column status (text) is gone" in said


@pytest.mark.parametrize("change", ["ALTER amount TYPE numeric(14,4)", "DROP status", "RENAME status TO state"])
@pytest.mark.slow
def test_a_change_between_two_chunks_of_a_run_lands_nothing_and_the_load_is_planned_anew(
    project: Project, database: EmbeddedPostgres, change: str
):
    with Gate(project, database) as gate:
        host = Served(project, database)
        try:
            record: list[dict[str, Any]] = []
            run = threading.Thread(target=lambda: record.append(host.run()))
            run.start()
            gate.wait()
            # The change waits for the chunk that is being read, and gets ahead of those that are not.
            change_in_source = f"ALTER TABLE shop.orders {change}"
            changing = threading.Thread(target=database.psql, args=(change_in_source,))
            changing.start()
            waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'ALTER%'"
            while database.psql(waiting).strip() != "1":
                assert changing.is_alive(), "the change did not wait for the reader"
            gate.open()
            changing.join()
            run.join()
            landed = record[0]
            assert (landed["status"], landed["rows"], landed["sequence"]) == ("succeeded", 5000, 1)
            (first,) = landed["retried"]
            assert first["code"] in ("schema_drift", "source_changed")
            assert "while the load was read; nothing of it was published" in first["message"]
            orders = host.orders()
            assert len(orders) == 5000
            assert ("status" in orders[1]) == change.startswith("ALTER")
        finally:
            host.stop()
