"""All chunks that one execution reads show the table at one moment."""

from __future__ import annotations

from comboi_core.cli.demo.postgres import EmbeddedPostgres
from tests.support.gate import Gate
from tests.support.project import Project


def test_what_happens_between_two_chunks_is_seen_by_none_of_them(project: Project, database: EmbeddedPostgres):
    project.edit("configs/initial.yml", "chunk_rows: 2000", "chunk_rows: 1000\n    mode: full\n    parallel_chunks: 1")
    before = int(database.psql("SELECT sum(order_id) FROM shop.orders"))
    with Gate(project, database) as gate:
        run = project.start("run", "bronze", "--select", "orders", "--json")
        gate.wait()  # the third of five chunks is being read: one row of those read goes, and one of those to come
        database.psql("DELETE FROM shop.orders WHERE order_id IN (100, 4900)")
        gate.open()
        output, _ = run.communicate(timeout=120)
    assert run.returncode == 0, output
    landed = project.contents()["shop.orders"]
    assert len(list((project.folder / "lake/bronze/shop/orders").glob("load=*/*.parquet"))) > 2
    assert sum(row[0] for row in landed) == before, "4900 is gone although 100 is there"
