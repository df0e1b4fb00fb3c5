"""All chunks that one execution reads show the table at one moment; what is not of one moment is told."""

from __future__ import annotations

import json

import pytest

from comboi_core.cli.demo.postgres import EmbeddedPostgres
from tests.support.gate import Gate
from tests.support.project import Project


@pytest.mark.slow
def test_what_happens_between_two_chunks_is_seen_by_none_of_them(project: Project, database: EmbeddedPostgres):
    project.edit("configs/initial.yml", "chunk_rows: 2000", "chunk_rows: 1000\n    mode: full\n    parallel_chunks: 1")
    before = int(database.psql("SELECT sum(order_id) FROM shop.orders"))
    with Gate(project, database) as gate:
        run = project.start("run", "bronze", "--select", "orders", "--json")
        gate.wait()  # the third of five chunks is being read: one row of those read goes, and one of those to come
        database.psql("DELETE FROM shop.orders WHERE order_id IN (100, 4900)")
        gate.open()
        output, _ = run.communicate(timeout=300)
    assert run.returncode == 0, output
    landed = project.contents()["shop.orders"]
    assert len(list((project.folder / "lake/bronze/shop/orders").glob("load=*/*.parquet"))) > 2
    assert sum(row[0] for row in landed) == before, "4900 is gone although 100 is there"


@pytest.mark.parametrize(("mode", "written", "told"), [("full", True, ["mixed_state"]), ("full", False, []),
                                                       ("append", True, [])])  # fmt: skip
@pytest.mark.slow
def test_chunks_that_several_activities_read_in_several_states_are_told(
    project: Project, database: EmbeddedPostgres, mode: str, written: bool, told: list[str]
):
    chunks = f"chunk_rows: 1000\n    mode: {mode}\n    parallel_chunks: 1"
    project.edit("configs/initial.yml", "chunk_rows: 2000", chunks)
    project.edit("configs/initial.yml", "engine:", "engine:\n  soft_deadline: 0.001s")
    with Gate(project, database) as gate:
        run = project.start("run", "bronze", "--select", "orders", "--json")
        gate.wait()
        if written:
            database.psql("UPDATE shop.orders SET amount = amount - 1 WHERE order_id = 100;"
                          "UPDATE shop.orders SET amount = amount + 1 WHERE order_id = 4900")  # fmt: skip
        gate.open()
        output, _ = run.communicate(timeout=300)
    assert run.returncode == 0, output
    (table,) = json.loads(output[output.index("{\n") :])["tables"]
    assert [one["code"] for one in table["shortfalls"]] == told


@pytest.mark.slow
def test_a_table_that_is_found_empty_is_told(project: Project, database: EmbeddedPostgres):
    project.run("bronze", "--select", "customers")
    database.psql("TRUNCATE shop.customers")
    (table,) = project.run("bronze", "--select", "customers")["tables"]
    assert [(one["code"], one["rows"]) for one in table["shortfalls"]] == [("source_empty", 50)]
