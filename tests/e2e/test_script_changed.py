"""A dataset that grows from build to build, whose script or settings change: whose rows are whose is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.till import Till

CHANGE = "UPDATE sales SET version = 3, status = 'paid' WHERE id = 2; INSERT INTO sales VALUES (3, 4, 'new')"
NEXT = "UPDATE sales SET version = 5, status = 'gone' WHERE id = 3"
MERGE = {"strategy": "merge", "unique_key": ["id"]}
BEFORE, AFTER = "SELECT id, status FROM sales", "SELECT id, upper(status) AS status FROM sales"


@pytest.fixture
def till(tmp_path: Path) -> Till:
    return Till.make(tmp_path / "till")


def seen(record: dict[str, Any]) -> list[dict[str, Any]]:
    return record["datasets"][0].get("shortfalls", [])


@pytest.mark.slow
def test_rows_of_a_former_script_are_told_until_the_dataset_is_built_anew(till: Till):
    till.dataset(BEFORE, **MERGE)
    assert seen(till.run()) == []
    till.dataset(AFTER, **MERGE)
    planned = till.comboi("plan", "silver")
    assert planned.returncode == 0 and "seen: `script` has changed; its 2 rows were built before that" in planned.stdout
    till.sql(CHANGE)
    (told,) = seen(till.run())
    assert (told["code"], told["rows"]) == ("script_changed", 1)
    assert "`script` has changed" in told["message"]
    assert "comboi run silver --select seen --full-refresh" in told["remedy"]
    assert till.contents()["seen"] == [(1, "new"), (2, "PAID"), (3, "NEW")]
    till.sql(NEXT)
    (later,) = seen(till.run())
    assert "`script` changed in an earlier build" in later["message"] and later["rows"] is None
    assert seen(till.run("silver")) != [], "also where nothing is new"
    till.dataset(BEFORE, **MERGE)
    assert seen(till.run("silver")) != [], "the former script does not make the rows of the latter its own"
    till.dataset(AFTER, **MERGE)
    assert seen(till.run("silver", "--select", "seen", "--full-refresh")) == []
    assert till.contents()["seen"] == [(1, "NEW"), (2, "PAID"), (3, "GONE")]
    assert seen(till.run()) == []


@pytest.mark.slow
def test_a_build_that_makes_every_row_once_more_leaves_none_of_the_former_script(till: Till):
    till.dataset(BEFORE, view="current", **MERGE)
    till.run()
    till.dataset(AFTER, view="current", **MERGE)
    assert seen(till.run()) == [] and till.contents()["seen"] == [(1, "NEW"), (2, "NEW")]
    assert seen(till.run()) == []


@pytest.mark.parametrize(
    ("first", "second", "part"),
    [
        ({"strategy": "append"}, {"strategy": "append", "script": AFTER}, "`script` has changed"),
        (MERGE, {"strategy": "append"}, "`materialization` was 'strategy: merge"),
        (MERGE, {**MERGE, "view": "current"}, "`inputs` was 'sales: till.sales (changes)'"),
        (
            MERGE,
            {**MERGE, "more": {"quality_checks": [{"not_null": {"columns": ["status"], "on_fail": "quarantine"}}]}},
            "`quarantine` was not set",
        ),
        (
            {"strategy": "scd2", "unique_key": ["id"]},
            {"strategy": "scd2", "unique_key": ["id"], "script": AFTER},
            "`script` has changed",
        ),
        (
            {"strategy": "delete+insert", "incremental_key": "id"},
            {"strategy": "delete+insert", "incremental_key": "id", "script": AFTER},
            "`script` has changed",
        ),
    ],
    ids=["append", "strategy", "view", "quarantine", "scd2", "delete+insert"],
)
@pytest.mark.slow
def test_whatever_makes_the_rows_counts(till: Till, first: dict, second: dict, part: str):
    till.dataset(**{"script": BEFORE, **first, "more": {"on_change": "refuse", **first.get("more", {})}})
    till.run()
    before = till.contents()["seen"]
    till.sql(CHANGE)
    till.dataset(**{"script": BEFORE, **second, "more": {"on_change": "refuse", **second.get("more", {})}})
    refused = till.comboi("run")
    said = " ".join(refused.stdout.split())
    assert refused.returncode == 1 and "[script_changed] seen: " in said and part in said
    assert "comboi run silver --select seen --full-refresh" in said and "on_change: warn" in said
    assert till.contents()["seen"] == before
    assert seen(till.run("silver", "--select", "seen", "--full-refresh")) == []


def test_comments_blanks_and_what_is_only_checked_change_nothing(till: Till):
    till.dataset("SELECT id,  status FROM sales", more={"on_change": "refuse"}, **MERGE)
    till.run()
    till.sql(CHANGE)
    checks = [{"not_null": "id"}, {"row_count": {"min": 1}}]
    more = {"on_change": "refuse", "quality_checks": checks, "description": "what it is", "allow_empty": True}
    till.dataset("-- all of them\nSELECT id, status\nFROM sales /* so far */", more=more, **MERGE)
    assert seen(till.run()) == []


@pytest.mark.slow
def test_a_dataset_may_be_built_anew_whenever_its_script_changes(till: Till):
    till.dataset(BEFORE, more={"on_change": "reload"}, **MERGE)
    till.run()
    till.sql(CHANGE)
    till.dataset(AFTER, more={"on_change": "reload"}, **MERGE)
    assert seen(till.run()) == []
    assert till.contents()["seen"] == [(1, "NEW"), (2, "PAID"), (3, "NEW")]


@pytest.mark.slow
def test_a_column_that_the_script_makes_no_more_is_told(till: Till):
    till.dataset("SELECT id, version, status FROM sales", **MERGE)
    till.run()
    till.dataset(BEFORE, **MERGE)
    till.sql("INSERT INTO sales VALUES (3, 4, 'new')")
    (told,) = seen(till.run())
    assert told["code"] == "script_changed" and "`version` is not made any more: NULL in new rows" in told["message"]
    till.dataset(BEFORE, view="current", strategy="replace")
    (gone,) = seen(till.run())
    assert gone["code"] == "column_gone" and "no column version any more" in gone["message"]
    assert seen(till.run()) == []


@pytest.mark.slow
def test_python_scripts_count_with_what_they_import_of_the_project(till: Till):
    code = (
        "from transformations.shared.words import louder\n"
        "def transform(con, inputs):\n"
        "    return louder(inputs['sales'])\n"
    )
    helper = "def louder(view):\n    return f'SELECT id, {0}(status) AS status FROM {{view}}'\n"
    till.dataset(BEFORE, more={"on_change": "refuse"}, **MERGE)
    (till.folder / "transformations" / "seen.sql").unlink()
    till.write("transformations/seen.py", code)
    (till.folder / "transformations" / "shared").mkdir()
    till.write("transformations/shared/words.py", helper.format("upper"))
    till.run(PYTHONPATH=f"{till.environment()['PYTHONPATH']}:{till.folder}")
    till.write("transformations/shared/words.py", helper.format("lower"))
    refused = till.comboi("run", PYTHONPATH=f"{till.environment()['PYTHONPATH']}:{till.folder}")
    assert refused.returncode == 1 and "`transformations/shared/words.py` has changed" in refused.stdout


@pytest.mark.slow
def test_an_asset_counts_with_its_header_variables_and_macros(till: Till):
    asset = (
        "/* @bruin\nname: refined.seen\ntype: duckdb.sql\ndepends: [till.sales]\n"
        "materialization: {{type: table, strategy: append}}\n{more}@bruin */\n"
        "SELECT id, {word}('{{{{ var.mark }}}}') AS mark FROM till.sales\n"
    )
    till.write("configs/transformations.yml", "silver: []\n")
    (till.folder / "transformations" / "seen.sql").unlink()
    variables = "name: shop\nvariables:\n  mark: {type: string, default: %s}\n"
    till.write("transformations/pipeline.yml", variables % "one")
    (till.folder / "transformations" / "macros").mkdir()
    till.write("transformations/macros/words.sql", "{% macro twice(x) %}{{ x }}{{ x }}{% endmacro %}\n")
    till.write("transformations/seen.sql", asset.format(more="", word="upper"))
    till.run()
    for file, text, part in (
        ("transformations/pipeline.yml", variables % "two", "`variables`"),
        ("transformations/macros/words.sql", "{% macro twice(x) %}{{ x }}-{{ x }}{% endmacro %}\n", "`macros`"),
        ("transformations/seen.sql", asset.format(more="", word="lower"), "`script`"),
        (
            "transformations/seen.sql",
            asset.format(more="hooks: {pre: [{query: SET VARIABLE x = 1}]}\n", word="lower"),
            "`hooks`",
        ),
    ):
        till.write(file, text)
        (told,) = seen(till.run("silver"))
        assert part in told["message"], told


@pytest.mark.slow
def test_a_file_without_the_fields_takes_the_present_script(till: Till):
    """What comboi wrote before: a dataset's file whose metadata has none of the later fields."""
    import duckdb

    till.dataset(BEFORE, **MERGE)
    till.run()
    path = till.folder / "lake" / "silver" / "refined" / "seen.parquet"
    with duckdb.connect() as con:
        found = con.execute(
            "SELECT decode(value) FROM parquet_kv_metadata(?) WHERE key = encode('comboi')", [str(path)]
        ).fetchone()
        said = json.loads(found[0])
        assert said["owner"] == "shop" and set(said["made_with"]) == {"script", "materialization", "inputs"}
        old = {key: said[key] for key in ("build", "run_id", "fence", "built_at", "inputs", "details")}
        other = path.with_name("old.parquet")
        text = json.dumps(old).replace("'", "''")
        con.execute(
            f"COPY (FROM read_parquet('{path}')) TO '{other}' (FORMAT parquet, KV_METADATA {{comboi: '{text}'}})"
        )
    other.replace(path)
    till.sql(CHANGE)
    till.dataset(AFTER, **MERGE)
    assert seen(till.run()) == [], "nothing is known of before"
    till.sql(NEXT)
    till.dataset(BEFORE, **MERGE)
    assert len(seen(till.run())) == 1


@pytest.mark.slow
def test_a_script_that_changes_in_the_middle_of_a_run_ends_it(till: Till):
    script = till.folder / "transformations" / "seen.sql"
    till.write(
        "transformations/first.py",
        "from pathlib import Path\n"
        "def transform(con, inputs):\n"
        f"    Path({str(script)!r}).write_text('SELECT id FROM sales')\n"
        "    return 'SELECT * FROM s'\n",
    )
    config = (
        "silver:\n- {name: first, inputs: [{alias: s, source: till, table: sales}]}\n"
        "- {name: seen, inputs: [{alias: sales, source: till, table: sales}, {alias: f, dataset: first}]}\n"
    )
    till.write("configs/transformations.yml", config)
    refused = till.comboi("run")
    assert refused.returncode == 1
    assert "[config_changed] seen: its script, or a file that it imports, has changed" in " ".join(
        refused.stdout.split()
    )


ASSET = """/* @bruin
name: seen
type: duckdb.sql
meta: {on_change: POLICY}
materialization: {type: table, strategy: merge}
columns: [{name: id, type: bigint, primary_key: true}, {name: status, type: varchar, update_on_merge: true}]
@bruin */
"""


@pytest.mark.parametrize("policy", ["refuse", "reload"])
@pytest.mark.slow
def test_an_asset_of_bruin_has_the_same_policies(till: Till, policy: str):
    (till.folder / "configs/transformations.yml").unlink()
    query = "SELECT id, status FROM till.sales WHERE id <> 2"
    till.write("transformations/seen.sql", ASSET.replace("POLICY", policy) + "SELECT id, status FROM till.sales")
    till.run()
    till.write("transformations/seen.sql", ASSET.replace("POLICY", policy) + query)
    done = till.comboi("run")
    assert (done.returncode, "[script_changed] seen: `script` has changed" in done.stdout) == (
        (1, True) if policy == "refuse" else (0, False)
    )
    assert till.contents()["seen"] == [(1, "new"), *([(2, "new")] if policy == "refuse" else [])]
