"""Erasures: which keys a request means, which datasets are touched and how, and what is kept of it."""

from __future__ import annotations

import json
import traceback
from pathlib import Path
from typing import Any

import pytest

from comboi_core.app import runfiles
from comboi_core.app.answers import answer
from comboi_core.app.workspace import Workspace
from comboi_core.domain.equal_texts import Texts
from comboi_core.domain.errors import CheckpointLost, InternalError, LakeUnavailable, NotOwner, RequestInvalid
from comboi_core.domain.load import Column
from comboi_core.domain.manifest import Manifest
from comboi_core.erasure.datasets import erase_dataset, open_dataset, outcome_path
from comboi_core.erasure.files import Sought
from comboi_core.erasure.keys import downstream, forget_erasure, keep_keys, read_keys, settle_keys, unspoken
from comboi_core.erasure.records import erase_records, key_test, record_erasure
from comboi_core.lake.bronze import write_manifest
from comboi_core.lake.published import Published, read_published, write_options
from comboi_core.runs.records import record_path

RUN = "sales-20261123T060000Z-7f3a91"
EARLIER, LATER = "sales-20261122T060000Z-000000", "sales-20261123T070000Z-000000"
SOUGHT = Sought(("id",), ("INTEGER",), (("7",),))
ERROR = {"code": "check_failed", "message": "a check failed", "remedy": "Look.", "transient": False}


def landed(workspace: Workspace, *columns: Column, key: tuple[str, ...] = (), sequence: int = 3) -> str:
    """Put a manifest of shop.orders in place."""
    manifest = Manifest("shop", "orders", sequence, 1, "r", "full", key, None, None, columns, ())
    return write_manifest(workspace.lake("bronze"), manifest)


def columns(*names: str, masked: str = "", kind: str = "INTEGER") -> tuple[Column, ...]:
    return tuple(Column(name, kind.lower(), kind, masked) for name in names)


def settled(workspace: Workspace, manifest: str | None, *keys: Any, columns: tuple[str, ...] = ()) -> Sought:
    return settle_keys(workspace, "shop", "orders", manifest, {"keys": list(keys), "columns": list(columns)})


def test_a_table_is_searched_by_its_primary_key(workspace):
    manifest = landed(workspace, *columns("Id", "payer"), key=("Id",))
    expected = Sought(("Id",), ("INTEGER",), (("7",), ("8",)), texts=(Texts("number"),))
    assert settled(workspace, manifest, "7", "8", "7") == expected
    assert settled(workspace, manifest, {"id": "7"}).keys == (("7",),)


def test_a_named_column_that_the_table_has_takes_the_place_of_the_key_and_others_are_further_names(workspace):
    manifest = landed(workspace, *columns("id", "payer"), key=("id",))
    publish(workspace, "c", "SELECT 7 AS Client")
    found = settled(workspace, manifest, "7", columns=("PAYER", "client"))
    assert (found.columns, found.aliases) == (("payer",), ("client",))
    found = settled(workspace, manifest, "7", columns=("client",))
    assert (found.columns, found.names) == (("id",), (("id", "client"),))


def test_keys_of_several_columns_are_read_in_any_order_and_hold_anything(workspace):
    manifest = landed(workspace, *columns("a", "b", kind="VARCHAR"), key=("a", "b"))
    found = settled(workspace, manifest, "b=x=1,y,A=2", {"a": "1", "B": "2"})
    assert found.keys == (("2", "x=1,y"), ("1", "2"))


@pytest.mark.parametrize(
    "key",
    [
        "7",
        "a=7",
        "a=1,c=2",
        "b=1,b=2",
        {"a": "1"},
        {"a": "1", "c": "2"},
        "x,a=1,b=2",
        "a=,b=2",
        "a=1,b=\ud800",
        "a=1,b=\0",
    ],
)
def test_a_key_that_does_not_fit_is_refused_and_not_repeated(workspace, key):
    manifest = landed(workspace, *columns("a", "b"), key=("a", "b"))
    with pytest.raises(RequestInvalid, match="key 2") as refused:
        settled(workspace, manifest, "a=1,b=2", key)
    assert "7" not in refused.value.message and "c=" not in refused.value.message


def test_what_cannot_be_searched_is_refused(workspace):
    bare = landed(workspace, *columns("id"))
    with pytest.raises(RequestInvalid, match="no primary key and no column 'ids' .did you mean 'id'"):
        settled(workspace, bare, "7", columns=("ids",))
    masked = landed(workspace, *columns("id"), *columns("mail", masked="redact"), key=("id",))
    with pytest.raises(RequestInvalid, match="masked with redact"):
        settled(workspace, masked, "x@example.com", columns=("mail",))
    both = landed(workspace, *columns("a", "b"), key=("a", "b"))
    with pytest.raises(RequestInvalid, match="its primary key has several columns"):
        settled(workspace, both, "7", columns=("client",))
    with pytest.raises(CheckpointLost):
        settled(workspace, None, "7")


def test_a_column_that_is_nowhere_is_refused_with_the_name_that_was_meant(workspace):
    manifest = landed(workspace, *columns("id", "payer"), key=("id",))
    publish(workspace, "b", "SELECT 7 AS stranger")  # of another table
    publish(workspace, "c", "SELECT 7 AS client_number")
    publish(workspace, "a", "SELECT 7 AS record", beside=".quarantine")
    with pytest.raises(RequestInvalid, match="neither shop.orders nor .* has a column 'nosuch'$") as refused:
        settled(workspace, manifest, "7", columns=("nosuch",))
    assert "shop.orders has id, payer" in refused.value.remedy
    for mistyped, meant in (("payr", "payer"), ("client_numbr", "client_number"), ("recrd", "record")):
        with pytest.raises(RequestInvalid, match=f"'{mistyped}' .did you mean '{meant}'"):
            settled(workspace, manifest, "7", columns=("client_number", mistyped))
    with pytest.raises(RequestInvalid, match="'stranger'"):
        settled(workspace, manifest, "7", columns=("payer", "stranger"))
    assert settled(workspace, manifest, "7", columns=("RECORD",)).aliases == ("RECORD",)


@pytest.mark.parametrize(
    ("kind", "key"),
    [("INTEGER", "abc"), ("INTEGER", "42.4"), ("BIGINT", "99999999999999999999"), ("DECIMAL(9,2)", "1.001"),
     ("DATE", "2026-02-30"), ("UUID", "7041993")],
)  # fmt: skip
def test_a_key_that_is_no_value_of_its_column_is_refused_with_the_type_and_not_repeated(workspace, kind, key):
    manifest = landed(workspace, *columns("a", kind="VARCHAR"), *columns("b", kind=kind), key=("b",))
    publish(workspace, "a", f"SELECT CAST(NULL AS {kind}) AS b")
    with pytest.raises(RequestInvalid) as refused:
        settled(workspace, manifest, key)
    assert refused.value.message == f"key 1: no value of shop.orders.b, which has the type {kind}"
    assert key not in refused.value.remedy
    both = landed(workspace, *columns("a", kind="VARCHAR"), *columns("b", kind=kind), key=("a", "b"))
    with pytest.raises(RequestInvalid, match="key 1: no value of shop.orders.b"):
        settled(workspace, both, {"a": "x", "b": key})


def test_a_key_may_be_a_value_of_the_column_in_a_dataset(workspace):
    manifest = landed(workspace, *columns("id"), key=("id",))
    publish(workspace, "a", "SELECT 'C-7' AS client")
    assert settled(workspace, manifest, "C-7", columns=("client",)).keys == (("C-7",),)
    with pytest.raises(RequestInvalid, match="key 2: no value of shop.orders.id, which has the type INTEGER"):
        settled(workspace, manifest, "7", "C-7")


def test_a_table_that_was_never_loaded_holds_nobody(workspace):
    with pytest.raises(RequestInvalid, match="never been loaded"):
        settled(workspace, None, "7")


def test_datasets_made_of_a_table_come_after_those_that_they_are_made_of(workspace):
    assert [item.name for item in downstream(workspace, "shop.orders")] == ["a", "c", "top"]
    assert [item.name for item in downstream(workspace, "shop.items")] == ["top"]
    assert downstream(workspace, "shop.customers") == []


def test_keys_are_kept_in_a_file_of_their_own_until_they_are_forgotten(workspace):
    path = keep_keys(workspace, RUN, SOUGHT, {"by": "me", "at": "now"})
    assert read_keys(workspace, path) == SOUGHT
    others = [name for name in workspace.lake("bronze").list("") if name != path]
    assert b'"7"' not in b"".join(map(workspace.lake("bronze").read, others))
    forget_erasure(workspace, {"run_id": RUN})
    assert workspace.lake("bronze").list("work") == []
    with pytest.raises(RequestInvalid, match="gone"):
        read_keys(workspace, path)


@pytest.mark.parametrize("error", [ValueError("at 'o''7041'"), LakeUnavailable("no o'7041 here")])
def test_no_error_holds_a_key_nor_does_its_traceback(error):
    quoted = Sought(("id",), ("VARCHAR",), (("o'7041",),))
    with pytest.raises((InternalError, LakeUnavailable)) as failed, unspoken(quoted):
        raise error
    assert "***" in failed.value.message
    assert "7041" not in "".join(traceback.format_exception(failed.value))


def publish(workspace: Workspace, name: str, select: str, beside: str = "", **state: Any) -> str:
    """Publish a dataset by a SELECT; return the path of its file on disk."""
    stage, _ = workspace.project.dataset(name)
    path = workspace.project.dataset_path(name).replace(".parquet", f"{beside}.parquet")
    with workspace.duckdb() as con, workspace.lake(stage).stage(path) as staged:
        con.execute(f"COPY ({select}) TO '{staged}' ({write_options(Published(**state))})")
    return f"{workspace.lake(stage).describe()}/{path}"


def rows(workspace: Workspace, path: str) -> list[tuple]:
    with workspace.duckdb() as con:
        return con.execute("SELECT * FROM read_parquet(?) ORDER BY ALL", [path]).fetchall()


def erasing(workspace: Workspace, built: Any = None, *, versions: tuple[int, int] = (3, 4)) -> list[dict]:
    """Erase key 7 from each dataset made of shop.orders, with the same answer of each build; return the outcomes."""
    lake = workspace.lake("bronze")
    datasets = [
        {"name": item.name, "stage": workspace.project.dataset(item.name)[0], "tables": []}
        for item in downstream(workspace, "shop.orders")
    ]
    runfiles.write_json(lake, "work/plan.json", {"datasets": datasets})
    job = {"run_id": RUN, "pipeline": "sales", "fence": 9, "plan": "work/plan.json"}
    job |= {"keys": keep_keys(workspace, RUN, SOUGHT, {}), "versions": {"shop.orders": list(versions)}}
    for index in range(len(datasets)):
        opened = open_dataset(workspace, {**job, "index": index})
        assert "error" not in opened
        erase_dataset(workspace, {**job, "opened": opened, "built": built if opened["rebuild"] else None})
    return [runfiles.read_json(lake, outcome_path(RUN, item["name"])) for item in datasets]


def strategy(**how: Any):
    """Return a change that gives the dataset `a` a materialization."""

    def change(_: dict[str, Any], datasets: dict[str, Any]) -> None:
        next(item for item in datasets["silver"] if item["name"] == "a")["materialization"] = how

    return change


def test_what_is_built_anew_is_rewritten_where_its_build_fails_if_a_column_tells(workspace):
    path = publish(
        workspace, "a", "FROM (VALUES (7, 'x'), (8, 'y'), (NULL, 'z')) AS t(ID, v)", inputs={"shop.orders": 3}
    )
    (outcome, *_) = erasing(workspace, {"status": "failed", "error": ERROR})
    assert rows(workspace, path) == [(8, "y"), (None, "z")]
    assert (outcome["status"], outcome["how"], outcome["removed"]) == ("succeeded", "rows taken out", 1)
    assert "a check failed" in outcome["warnings"][0]


def test_where_the_build_fails_and_no_column_tells_the_erasure_fails(workspace):
    path = publish(workspace, "a", "SELECT 'x' AS v", inputs={"shop.orders": 3})
    publish(workspace, "c", "SELECT 'x' AS v", inputs={"a": 0})
    outcomes = erasing(workspace, {"status": "failed", "error": ERROR})
    assert rows(workspace, path) == [("x",)]
    assert [item["status"] for item in outcomes] == ["failed", "succeeded", "skipped"]
    assert outcomes[0]["error"] == ERROR and outcomes[0]["not_erased"]
    assert outcomes[1]["not_erased"] and "made of a" in outcomes[1]["reason"], "it may have it from there"


def test_an_input_that_was_never_published_is_no_obstacle(workspace):
    path = publish(workspace, "c", "FROM (VALUES (7), (8)) AS t(id)", inputs={"a": 2})
    outcomes = erasing(workspace, {"status": "failed", "error": ERROR})
    assert [item["status"] for item in outcomes] == ["skipped", "succeeded", "skipped"]
    assert rows(workspace, path) == [(8,)]


def test_what_is_up_to_date_and_without_the_key_is_left_as_it_is(workspace):
    path = publish(workspace, "a", "SELECT 8 AS id", build=5, inputs={"shop.orders": 4})
    before = Path(path).read_bytes()
    (outcome, *_) = erasing(workspace)
    assert (outcome["how"], outcome["removed"]) == ("left as it is", 0)
    assert Path(path).read_bytes() == before


def test_a_dataset_that_grows_is_rewritten_and_says_what_it_said_under_a_new_number(make):
    workspace = make(strategy(strategy="merge", unique_key=["id"]))
    state = {"build": 5, "run_id": "r", "fence": 2, "built_at": "t", "inputs": {"shop.orders": 3, "other": 8}}
    path = publish(workspace, "a", "FROM (VALUES (7, 'x'), (8, 'y')) AS t(id, v)", **state)
    (outcome, *_) = erasing(workspace)
    assert rows(workspace, path) == [(8, "y")] and outcome["removed"] == 1
    with workspace.duckdb() as con:
        now = read_published(con, workspace.lake("silver"), workspace.project.dataset_path("a"))
    assert now == Published(6, "r", 9, "t", {"shop.orders": 4, "other": 8}, "", 1)


def test_an_execution_that_comes_after_another_one_tells_the_same(make):
    workspace = make(strategy(strategy="append"))
    publish(workspace, "a", "FROM (VALUES (7, 'x'), (7, 'y')) AS t(id, v)", build=5, inputs={"shop.orders": 3})
    (first, *_) = erasing(workspace)
    (second, *_) = erasing(workspace)
    assert (first["removed"], first["how"]) == (second["removed"], second["how"]) == (2, "rows taken out")


def test_a_dataset_that_appends_takes_over_the_new_number_without_a_row_removed(make):
    workspace = make(strategy(strategy="append"))
    path = publish(workspace, "a", "SELECT 'x' AS v", build=5, inputs={"shop.orders": 3})
    (outcome, *_) = erasing(workspace)
    assert outcome["how"] == "not erased" and "--full-refresh" in outcome["remedy"]
    with workspace.duckdb() as con:
        now = read_published(con, workspace.lake("silver"), workspace.project.dataset_path("a"))
    assert now.inputs == {"shop.orders": 4} and rows(workspace, path) == [("x",)]


def test_one_that_lags_behind_keeps_its_number_so_that_it_sees_the_news(make):
    workspace = make(strategy(strategy="append"))
    publish(workspace, "a", "FROM (VALUES (7), (8)) AS t(id)", build=5, inputs={"shop.orders": 2})
    erasing(workspace)
    with workspace.duckdb() as con:
        now = read_published(con, workspace.lake("silver"), workspace.project.dataset_path("a"))
    assert now.inputs == {"shop.orders": 2} and now.rows == 1


def test_a_replaced_dataset_that_reads_changes_is_not_built_anew(make):
    """Its build would see what has changed since the last one only: nothing."""

    def changes(_: dict[str, Any], datasets: dict[str, Any]) -> None:
        next(item for item in datasets["silver"] if item["name"] == "a")["inputs"][0]["view"] = "changes"

    workspace = make(changes)
    path = publish(workspace, "a", "FROM (VALUES (7), (8)) AS t(id)", build=5, inputs={"shop.orders": 3})
    (outcome, *_) = erasing(workspace)
    assert outcome["how"] == "rows taken out" and rows(workspace, path) == [(8,)]


def test_files_beside_a_dataset_follow_the_same_rule_and_a_report_goes(make):
    workspace = make(strategy(strategy="merge", unique_key=["id"]))
    publish(workspace, "a", "SELECT 8 AS id", inputs={"shop.orders": 3})
    crosswalk = publish(
        workspace, "a", "FROM (VALUES (7, 6, 6), (8, 7, 8), (9, 9, 9)) AS t(id, cluster_id, survivor_id)", ".crosswalk"
    )
    quarantine = publish(workspace, "a", "SELECT 'x' AS v", ".quarantine")
    silver = workspace.lake("silver")
    silver.write("refined/a.report.html", b"7")
    silver.write("refined/ab.report.html", b"another dataset's")
    (outcome, *_) = erasing(workspace)
    assert rows(workspace, crosswalk) == [(9, 9, 9)] and rows(workspace, quarantine) == [("x",)]
    assert (outcome["removed"], outcome["removed_beside"], outcome["not_erased"]) == (0, 2, True)
    assert "a.quarantine.parquet: has no column" in outcome["warnings"][0]
    assert [path for path in silver.list("") if path.endswith("html")] == ["refined/ab.report.html"]


@pytest.mark.parametrize(
    "key, type_name, row, has",
    [
        ("7", "INTEGER", {"ID": 7}, True),
        ("7", "INTEGER", {"id": "7"}, True),
        ("7", "INTEGER", {"id": 7.0}, True),
        ("7", "INTEGER", {"id": 77, "other": 7}, False),
        ("7", "INTEGER", {"id": None}, False),
        ("7", "DECIMAL(10,2)", {"id": "7.00"}, True),
        ("x" * 300, "VARCHAR", {"id": "x" * 199 + "…"}, True),
        ("…", "VARCHAR", {"id": "…"}, True),
        ("", "VARCHAR", {"id": "…"}, False),
    ],
)
def test_failing_rows_with_the_key_are_told_from_others(workspace, key, type_name, row, has):
    with workspace.duckdb() as con:
        assert key_test(con, Sought(("id",), (type_name,), ((key,),)))(row) is has


def test_failing_rows_go_from_records_of_datasets_that_are_made_of_the_table(workspace):
    lake = workspace.lake("bronze")
    datasets = [
        {"name": name, "checks": [{"name": "k", "sample": [{"id": 7}, {"id": 8}]}]} for name in ("a", "b", "gone")
    ]
    runfiles.write_json(lake, record_path(EARLIER), {"run_id": EARLIER, "datasets": datasets})
    lake.write("runs/notes.json", b"no JSON")
    for run in (EARLIER, LATER, RUN, "other-20261122T060000Z-000000"):
        lake.write(f"work/{run}/x.json", b"{}")
    runfiles.write_json(lake, "work/plan.json", {"datasets": [{"name": "a"}]})
    job = {"run_id": RUN, "pipeline": "sales", "plan": "work/plan.json", "after": ""}
    job["keys"] = keep_keys(workspace, RUN, SOUGHT, {})
    assert erase_records(workspace, job) == {"after": None, "samples": 2, "left": {}}
    found = runfiles.read_json(lake, record_path(EARLIER))["datasets"]
    assert [len(item["checks"][0]["sample"]) for item in found] == [1, 2, 1]
    left = {path.split("/")[1] for path in lake.list("work")}
    assert left == {RUN, LATER, "other-20261122T060000Z-000000", "plan.json"}, "those that have not ended"
    assert erase_records(workspace, job)["samples"] == 0


def test_records_of_another_pipeline_are_left_and_their_rows_counted(make):
    lake = make().lake("bronze")
    sample = {"name": "a", "checks": [{"name": "k", "sample": [{"id": 7}, {"id": 8}]}]}
    for pipeline in ("zoo", "former"):
        run = f"{pipeline}-20261122T060000Z-000000"
        runfiles.write_json(lake, record_path(run), {"run_id": run, "datasets": [sample]})
    runfiles.write_json(lake, "work/plan.json", {"datasets": [{"name": "a"}]})
    workspace = make(lambda pipeline, _: pipeline.update(takes_over=["former"]))
    job = {"run_id": RUN, "pipeline": "sales", "plan": "work/plan.json", "after": ""}
    job["keys"] = keep_keys(workspace, RUN, SOUGHT, {})
    assert erase_records(workspace, job) == {"after": None, "samples": 1, "left": {"zoo": 1}}
    kept = runfiles.read_json(lake, record_path("zoo-20261122T060000Z-000000"))["datasets"]
    assert kept == [sample]


def test_a_table_of_another_pipeline_is_refused(workspace):
    manifest = Manifest("shop", "orders", 3, 1, "r", "full", ("id",), None, None, columns("id"), (), owner="zoo")
    path = write_manifest(workspace.lake("bronze"), manifest)
    for known in (path, None, landed(workspace, *columns("id"), key=("id",), sequence=2)):
        with pytest.raises(
            NotOwner, match="shop.orders in the lake .* belongs to the pipeline zoo; this pipeline is sales"
        ):
            settled(workspace, known, "7")


def test_a_dataset_of_another_pipeline_is_left_and_that_is_told(workspace):
    path = publish(workspace, "a", "FROM (VALUES (7), (8)) AS t(id)", build=5, owner="zoo", inputs={"shop.orders": 3})
    below = publish(workspace, "c", "SELECT 'x' AS v", inputs={"a": 5}, owner="sales")
    before = Path(path).read_bytes()
    outcome, after, _ = erasing(workspace, {"status": "failed", "error": ERROR})
    assert Path(path).read_bytes() == before
    assert (outcome["status"], outcome["how"], outcome["not_erased"]) == ("skipped", "not erased", True)
    assert "belongs to the pipeline zoo; this pipeline is sales" in outcome["reason"] and "zoo" in outcome["remedy"]
    assert after["not_erased"] and "made of a" in after["reason"] and rows(workspace, below) == [("x",)]


def test_the_record_is_written_once_and_the_keys_go(workspace):
    lake = workspace.lake("bronze")
    job = {"run_id": RUN, "pipeline": "sales", "trigger": "erase", "source": "shop", "table": "orders", "by": "me"}
    job |= {"keys": keep_keys(workspace, RUN, SOUGHT, {"by": "me", "at": "then"}), "fence": 9, "error": ERROR}
    job |= {"started_at": "2026-11-23T06:00:00+00:00", "finished_at": "2026-11-23T06:00:02+00:00"}
    job["done"] = {"table": {"status": "failed", "removed": 0, "error": ERROR}}
    first = record_erasure(workspace, job)
    assert lake.list("work") == []
    assert record_erasure(workspace, job | {"error": None}) == first
    record = json.loads(lake.read(record_path(RUN)))
    assert (record["status"], record["seconds"], record["erasure"]["requested"]["by"]) == ("failed", 2.0, "me")
    assert first["summary"]["error"] == ERROR


def test_an_activity_whose_keys_are_gone_says_so(workspace):
    job = {"run_id": RUN, "pipeline": "sales", "plan": "work/plan.json", "after": "", "keys": "work/gone.json"}
    assert answer(erase_records, job)["error"]["code"] == "request_invalid"
