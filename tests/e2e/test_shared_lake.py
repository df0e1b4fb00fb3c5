"""Two pipelines in one lake: each sees its own runs, and writes its own tables and datasets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.till import Till


@pytest.fixture
def till(tmp_path: Path) -> Till:
    return Till.make(tmp_path / "till")


@pytest.fixture
def zoo(tmp_path: Path, till: Till) -> Till:
    """Another pipeline, with a source and a table of its own, that writes to the same lake."""
    other = Till.make(tmp_path / "zoo")
    other.table(source="zoo")
    other.dataset(source="zoo", name="animals", strategy="merge", unique_key=["id"])
    stages = {name: {"data_lake": {"path": str(till.folder / "lake" / name)}} for name in ("bronze", "silver", "gold")}
    other.configure(pipeline="zoo", stages=stages)
    return other


def listed(project: Till, *arguments: str) -> list[str]:
    shown = project.comboi(*arguments, "--json")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    return [run["run_id"] for run in json.loads(shown.stdout)]


def test_each_pipeline_sees_its_own_runs_newest_first(till: Till, zoo: Till):
    nothing = till.comboi("status")
    assert nothing.returncode == 1 and "no run of the pipeline shop" in nothing.stdout + nothing.stderr
    first = till.run("bronze")["run_id"]
    foreign = zoo.run("bronze")["run_id"]
    assert listed(till, "runs") == [first]
    assert json.loads(till.comboi("status", "--json").stdout)["run_id"] == first
    second = till.run("bronze")["run_id"]
    assert (listed(till, "runs"), listed(zoo, "runs")) == ([second, first], [foreign])
    assert listed(till, "runs", "--status", "succeeded") == [second, first], "asked of a host"
    other = till.comboi("status", foreign)
    assert other.returncode == 0
    assert "this run belongs to the pipeline zoo; this project is the pipeline shop" in other.stdout
    assert "this run belongs" not in till.comboi("status", first).stdout


@pytest.mark.slow
def test_a_renamed_pipeline_is_not_shown_the_runs_of_its_former_name(till: Till):
    till.run("bronze")
    till.configure(pipeline="store")
    told = till.comboi("status")
    assert told.returncode == 1
    assert "no run of the pipeline store has been recorded yet; the lake has runs of shop only" in told.stderr
    assert listed(till, "runs") == []


@pytest.mark.slow
def test_a_table_of_another_pipeline_is_neither_loaded_nor_rebuilt(till: Till, zoo: Till):
    till.run("bronze")
    before = till.rows()
    zoo.table()
    stages = {name: {"data_lake": {"path": str(till.folder / "lake" / name)}} for name in ("bronze", "silver", "gold")}
    zoo.configure(pipeline="zoo", stages=stages)
    zoo.dataset(strategy="merge", unique_key=["id"])
    zoo.sql("UPDATE sales SET status = 'zoo', version = 9")
    for command in (
        ("plan", "bronze"),
        ("run", "bronze"),
        ("run", "bronze", "--full-refresh"),
        ("checkpoints", "rebuild"),
    ):
        refused = zoo.comboi(*command)
        said = "".join((refused.stdout + refused.stderr).split())
        assert refused.returncode == 1, command
        assert "belongstothepipelineshop;thispipelineiszoo" in said and "takes_over:[shop]" in said, refused.stdout
    assert till.rows() == before
    till.run("bronze")


@pytest.mark.slow
def test_a_dataset_of_another_pipeline_is_neither_built_nor_read(till: Till, zoo: Till):
    till.run()
    before = till.contents()["seen"]
    zoo.dataset(source="zoo", strategy="merge", unique_key=["id"])
    refused = zoo.comboi("run")
    said = " ".join(refused.stdout.split())
    assert refused.returncode == 1 and "✗ seen: [not_owner] seen in the lake" in said
    assert "belongs to the pipeline shop; this pipeline is zoo" in said and "Rename the dataset" in said
    assert till.contents()["seen"] == before
    top = "gold:\n- {name: top, inputs: [{alias: s, dataset: seen}]}\n"
    path = zoo.folder / "configs" / "transformations.yml"
    path.write_text(path.read_text() + top)
    zoo.write("transformations/top.sql", "SELECT * FROM s")
    assert "belongs to the pipeline shop" in zoo.comboi("run", "gold").stdout
    till.run()


@pytest.mark.slow
def test_an_erasure_leaves_what_another_pipeline_has_and_says_so(till: Till, zoo: Till):
    till.run()
    before = till.contents()["seen"]
    asked = ("erase", "--key", "1", "--yes")
    zoo.dataset(source="zoo", strategy="merge", unique_key=["id"])
    assert zoo.comboi("run", "bronze").returncode == 0
    done = zoo.comboi(*asked, "--table", "zoo.sales")
    said = " ".join(done.stdout.split())
    assert done.returncode == 0, done.stdout + done.stderr
    assert "seen: not erased: it belongs to the pipeline shop; this pipeline is zoo" in said
    assert till.contents()["seen"] == before and "1 files rewritten" in said
    zoo.table()
    stages = {name: {"data_lake": {"path": str(till.folder / "lake" / name)}} for name in ("bronze", "silver", "gold")}
    zoo.configure(pipeline="zoo", stages=stages)
    zoo.dataset(strategy="merge", unique_key=["id"])
    refused = zoo.comboi(*asked, "--table", "till.sales")
    assert refused.returncode == 1 and "belongs to the pipeline shop; this pipeline is zoo" in refused.stderr
    assert till.contents()["seen"] == before


@pytest.mark.slow
def test_a_renamed_pipeline_takes_over_what_it_had(till: Till):
    till.run()
    till.sql("INSERT INTO sales VALUES (3, 4, 'new')")
    till.configure(pipeline="store")
    refused = till.comboi("run")
    assert refused.returncode == 1 and "takes_over: [shop]" in " ".join(refused.stdout.split())
    till.configure(takes_over=["shop"])
    rebuilt = till.comboi("checkpoints", "rebuild")
    assert rebuilt.returncode == 0 and "till.sales: load 1" in rebuilt.stdout
    record = till.run()
    assert (record["tables"][0]["rows"], till.contents()["seen"][-1]) == (1, (3, 4, "new"))
    till.configure(takes_over=[])
    till.sql("INSERT INTO sales VALUES (4, 5, 'new')")
    till.run()
    till.configure(pipeline="shop")
    assert "belongs to the pipeline store; this pipeline is shop" in " ".join(till.comboi("run").stdout.split())
