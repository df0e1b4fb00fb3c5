"""The catalogue: what it knows with and without a lake, and pages in which nothing but text is text."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import duckdb
import pytest

from comboi_core.app import runfiles
from comboi_core.app.workspace import Workspace
from comboi_core.devtools.catalogue.files import write_site
from comboi_core.devtools.catalogue.gather import catalogue
from comboi_core.devtools.catalogue.pages import site
from comboi_core.domain.errors import RequestInvalid
from comboi_core.domain.load import Column, Window
from comboi_core.domain.manifest import DataFile, Manifest
from comboi_core.lake.bronze import write_manifest
from comboi_core.runs.records import record_path

HOSTILE = "<img src=x onerror=alert(1)>\"'&]]>\x01\x9f"
PASSWORD = "hunter2-secret"


def land(workspace: Workspace, source: str, table: str, columns: tuple[Column, ...], **more: Any) -> None:
    """Commit a load of one file with three rows; the file's content is not looked at."""
    lake = workspace.lake("bronze")
    file = DataFile(f"{source}/{table}/load=00000007/00000-a.parquet", 7, 3, 1234)
    lake.write(file.path, b"PAR1")
    fields = {"primary_key": (), "window": None, "watermark": None} | more
    write_manifest(
        lake,
        Manifest(
            source=source, table=table, sequence=7, fence=1, run_id="sales-20261123T060000Z-abcd", mode="full",
            columns=columns, files=(file,), **fields,
        ),
    )  # fmt: skip


def publish(workspace: Workspace, name: str, select: str, *beside: str) -> None:
    stage, _ = workspace.project.dataset(name)
    lake, path = workspace.lake(stage), workspace.project.dataset_path(name)
    with lake.stage(path) as staged, duckdb.connect() as con:
        con.execute(f"COPY ({select}) TO '{staged}' (FORMAT parquet)")
    for kind in beside:
        lake.write(f"{path.removesuffix('.parquet')}.{kind}", b"x")


def record(workspace: Workspace, number: int, **more: Any) -> None:
    run_id = f"sales-20261123T06000{number}Z-abcd"
    base = {"run_id": run_id, "status": "succeeded", "trigger": "cli", "seconds": 1.25, "tables": [], "datasets": []}
    base["started_at"] = f"2026-11-23T06:00:0{number}.123456+00:00"
    runfiles.write_json(workspace.lake("bronze"), record_path(run_id), base | more)


def checked(passed: bool, **more: Any) -> dict[str, Any]:
    check = {
        "name": "not_null(id)",
        "severity": "error",
        "passed": passed,
        "failed_rows": 1,
        "sample": [],
        "message": "",
    }
    return {"stage": "silver", "name": "a", "status": "succeeded", "rows": 5, "seconds": 0.5, "checks": [check | more]}


def shown(page: str) -> str:
    """Return a page's text; strictly parsed."""
    return " ".join("".join(ElementTree.fromstring(page).itertext()).split())


def test_without_a_lake_there_are_pages_for_everything_and_nothing_to_note(workspace):
    found = catalogue(workspace)

    pages = site(found)
    assert set(pages) == {
        "index.html",
        *(f"tables/shop.{name}.html" for name in ("orders", "items", "customers")),
        "tables/crm.customers.html",
        *(f"datasets/{name}.html" for name in ("a", "b", "c", "top")),
    }
    assert not found.notes
    assert "They appear after a run" in shown(pages["datasets/a.html"])
    assert "No run has been recorded yet" in shown(pages["index.html"])


def test_a_landed_table_shows_its_columns_with_both_types_its_key_and_what_is_gone(workspace):
    columns = (Column("id", "bigint", "BIGINT"), Column("seen", "date", "DATE"), Column("old", "", "VARCHAR"))
    window = Window("seen", "date", None, "2026-11-22")
    land(workspace, "shop", "orders", columns, primary_key=("id",), window=window, watermark="2026-11-22")

    entry = catalogue(workspace).entries["table:shop.orders"]

    assert [(column.name, column.type, column.source_type, column.remarks) for column in entry.columns] == [
        ("id", "BIGINT", "bigint", ("primary key",)),
        ("seen", "DATE", "date", ("cursor",)),
        ("old", "VARCHAR", None, ("no longer in the source",)),
    ]
    facts = dict(entry.facts)
    assert (facts["rows in the lake"], facts["watermark"]) == ("3", "2026-11-22")


def test_a_published_dataset_shows_the_files_types_the_notes_and_what_lies_beside(make):
    def noted(_pipeline, datasets):
        note = {"name": "ID", "description": "the key", "sensitive": True}
        datasets["silver"][1] |= {"description": "Orders.", "columns": [note, {"name": "lost", "type": "DATE"}]}

    workspace = make(noted)
    publish(workspace, "a", "SELECT 1::DECIMAL(9,2) AS id, [1] AS list", "crosswalk.parquet", "quality.html")
    publish(workspace, "b", "SELECT 1 AS x WHERE false")

    found = catalogue(workspace)

    entry = found.entries["dataset:a"]
    assert [(column.name, column.type, column.description, column.remarks) for column in entry.columns] == [
        ("id", "DECIMAL(9,2)", "the key", ("sensitive",)),
        ("list", "INTEGER[]", None, ()),
        ("lost", "DATE", None, ("not in the published file",)),
    ]
    assert entry.files == ("refined/a.crosswalk.parquet", "refined/a.quality.html")
    assert dict(found.entries["dataset:b"].facts)["rows"] == "0"
    assert found.entries["dataset:b"].files == ()


def test_the_latest_build_that_ran_a_check_says_how_it_went(make):
    def check(_pipeline, datasets):
        datasets["silver"][1]["quality_checks"] = [{"not_null": ["id", "other"]}]

    workspace = make(check)
    record(workspace, 1, datasets=[checked(True)])
    record(workspace, 2, datasets=[checked(False, message="1 row has no value in id", sample=[{"id": PASSWORD}])])
    record(workspace, 3, datasets=[{"stage": "silver", "name": "a", "status": "skipped", "reason": "no input"}])

    found = catalogue(workspace)

    entry = found.entries["dataset:a"]
    assert [(one.name, one.passed) for one in entry.checks] == [("not_null(id)", False), ("not_null(other)", None)]
    assert [outcome.status for outcome in entry.outcomes] == ["skipped", "succeeded", "succeeded"]
    assert entry.outcomes[0].said == "no input"
    pages = "".join(site(found).values())
    assert "1 row has no value in id" in pages and PASSWORD not in pages


def test_only_the_newest_runs_are_looked_at(workspace):
    for number in range(5):
        record(workspace, number)

    assert [run["run_id"][20] for run in catalogue(workspace, runs=2).runs] == ["4", "3"]
    assert catalogue(workspace, runs=0).runs == ()


def test_what_cannot_be_read_is_noted_and_the_rest_is_there(workspace):
    publish(workspace, "b", "SELECT 1 AS x")
    workspace.lake("silver").write("refined/a.parquet", b"no parquet")
    workspace.lake("bronze").write(record_path("sales-20261123T060000Z-abcd"), b"{")
    record(workspace, 1)

    found = catalogue(workspace)

    assert found.entries["dataset:a"].columns is None and found.entries["dataset:b"].columns is not None
    assert len(found.runs) == 1
    assert sorted(note.split(":")[0] for note in found.notes) == [
        record_path("sales-20261123T060000Z-abcd"),
        "silver",
    ]
    assert "These could not be read" in shown(site(found)["index.html"])


def test_a_lake_that_cannot_be_opened_leaves_the_configuration(make):
    def unset(pipeline, _datasets):
        for stage in pipeline["stages"].values():
            stage["data_lake"] = {"account_name": "{{env:CATALOGUE_TEST_UNSET}}", "file_system": "lake"}

    found = catalogue(make(unset))

    assert len(found.entries) == 8
    assert all("CATALOGUE_TEST_UNSET" in note for note in found.notes) and len(found.notes) == 4


def test_nothing_that_people_or_sources_wrote_becomes_markup(make):
    def hostile(_pipeline, datasets):
        item = datasets["silver"][1]
        item |= {"description": HOSTILE, "columns": [{"name": HOSTILE, "type": HOSTILE, "description": HOSTILE}]}
        item["quality_checks"] = [{"pattern": {"column": HOSTILE, "regex": HOSTILE}}]

    workspace = make(hostile)
    (workspace.project.transformations_folder / "a.sql").write_text(f"SELECT 1 -- {HOSTILE} </pre></script>")
    land(workspace, "shop", "orders", (Column(HOSTILE, HOSTILE, "VARCHAR"),), watermark=HOSTILE)
    failed = {"code": HOSTILE, "message": HOSTILE, "remedy": "", "transient": False}
    record(workspace, 1, trigger=HOSTILE, datasets=[checked(False) | {"status": HOSTILE, "error": failed}])

    pages = site(catalogue(workspace))

    for path, text in pages.items():
        names = {part.tag for part in ElementTree.fromstring(text).iter()}
        assert not names & {"img", "iframe"}, path
        assert text.count("<script") == 1 and "onerror=alert(1)>" not in text, path
    assert "<img src=x onerror=alert(1)>" in shown(pages["datasets/a.html"])


class _Links(HTMLParser):
    """Collects what a page refers to."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.ids: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.found += [given[key] or "" for key in ("href", "src", "action", "data") if key in given]
        self.ids += [given["id"] or ""] if "id" in given else []


def test_every_link_leads_to_a_page_of_the_site_and_nothing_leads_out(workspace, tmp_path):
    pages = site(catalogue(workspace))
    write_site(tmp_path / "out", pages)

    for path, text in pages.items():
        links = _Links(text)
        assert len(set(links.ids)) == len(links.ids)
        for link in links.found:
            target, _, mark = link.partition("#")
            assert not target or (tmp_path / "out" / path).parent.joinpath(target).resolve().is_file(), (path, link)
            assert not mark or mark in links.ids
        bare = text.replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|url\((?!#)|@import", bare), path


def test_pages_whose_names_differ_by_case_only_have_files_of_their_own(make):
    def alike(pipeline, datasets):
        pipeline["sources"][0]["tables"].append({"name": "Orders", "table": "x"})
        datasets["gold"].append({"name": "A", "inputs": [{"alias": "i0", "dataset": "a"}]})

    paths = list(site(catalogue(make(alike))))

    assert len({path.lower() for path in paths}) == len(paths) == 11


def test_connections_are_nowhere_in_the_pages(make):
    def secret(pipeline, datasets):
        pipeline["sources"][0]["connection"]["conn_str"] = f"postgresql://u:{PASSWORD}@db.example/x"
        pipeline["sources"][0]["tables"][0] = {"name": "orders", "query": f"SELECT 'password={PASSWORD}'"}

    workspace = make(secret)
    script = workspace.project.transformations_folder / "a.sql"
    script.write_text(f"-- postgresql://u:{PASSWORD}@db/x\nSELECT 1")

    pages = "".join(site(catalogue(workspace)).values())

    assert PASSWORD not in pages and "db.example" not in pages


def test_pages_of_datasets_that_are_gone_are_removed_and_other_files_are_not(workspace, tmp_path):
    pages = site(catalogue(workspace))
    write_site(tmp_path, pages)
    (tmp_path / "datasets" / "mine.html").write_text("<p>mine</p>")
    (tmp_path / "notes.txt").write_text("mine")

    write_site(tmp_path, {path: text for path, text in pages.items() if path != "datasets/a.html"})

    there = {file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*.html")}
    assert "datasets/a.html" not in there and {"datasets/mine.html", "datasets/b.html"} <= there
    assert (tmp_path / "notes.txt").exists()


def test_a_folder_with_someone_elses_index_is_left_alone(workspace, tmp_path):
    (tmp_path / "index.html").write_text("<p>my site</p>")

    with pytest.raises(RequestInvalid, match="was not written by comboi docs"):
        write_site(tmp_path, site(catalogue(workspace)))

    assert [file.name for file in tmp_path.glob("*.html")] == ["index.html"]
    assert (tmp_path / "index.html").read_text() == "<p>my site</p>"


def test_a_file_in_the_place_of_the_folder_is_an_error_with_a_name(workspace, tmp_path: Path):
    (tmp_path / "taken").write_text("x")

    with pytest.raises(RequestInvalid, match="taken"):
        write_site(tmp_path / "taken", {"index.html": "x"})


def test_search_text_holds_names_descriptions_and_columns(make):
    def described(_pipeline, datasets):
        datasets["silver"][1] |= {"description": "Every ORDER", "columns": [{"name": "Größe", "description": "Size"}]}

    pages = site(catalogue(make(described)))

    rows = ElementTree.fromstring(pages["index.html"]).iter("tr")
    texts = [row.get("data-text") for row in rows if row.get("data-text")]
    assert any("every order" in text and "größe size" in text for text in texts)
    assert len(texts) == 8


def test_records_of_other_shapes_do_not_stop_the_catalogue(workspace):
    lake = workspace.lake("bronze")
    lake.write(record_path("sales-20261123T060000Z-abcd"), json.dumps({"run_id": None, "status": "failed"}).encode())
    lake.write(record_path("sales-20261123T060001Z-abcd"), b"[]")

    found = catalogue(workspace)

    assert [run["status"] for run in found.runs] == ["failed"]
    site(found)
