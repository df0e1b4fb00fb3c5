"""Files in a container of a storage account as a source: which are read, once each, and what is said of wrong ones."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from comboi_core.domain.errors import (
    ComboiError,
    SourceFileChanged,
    SourceObjectMissing,
    UnsupportedValue,
)
from comboi_core.lake.azure import client as adls_client
from comboi_core.lake.azure import duckdb as adls_duckdb
from comboi_core.lake.azure.source import SourceContainer
from tests.support.azure_files import ContainerLanding, Incoming
from tests.support.landing import lake_in

pytestmark = pytest.mark.few(2)


def test_a_load_reads_the_files_that_are_new(incoming, table):
    orders = table(path="in/**/*.csv")
    incoming.put("in/a.csv", "id,v\n1,x\n")
    incoming.put("out/z.csv", "id,v\n9,z\n")
    assert orders.load() == [{"id": 1, "v": "x"}]
    incoming.put("in/deep/er/b.csv", "id,v\n2,y\n")
    assert orders.load() == [{"id": 1, "v": "x"}, {"id": 2, "v": "y"}]
    assert [file.path for file in orders.said.chunks[0].files] == ["in/deep/er/b.csv"]
    assert orders.load() and orders.said.unchanged


@pytest.mark.parametrize(
    "name",
    [
        "a b.csv", "it's.csv", 'q"q.csv', "[1].csv", "a*b.csv", "a?b.csv", "{a,b}.csv", "Ōsaka 日本 é.csv",
        "%20$x;--.csv", "50%25.csv", "a#b.csv", "a+b&c.csv", "load=1.csv",
    ],
)  # fmt: skip
def test_any_name_is_read_as_it_is(incoming, table, name):
    decoys = ["1.csv", "aXb.csv", "a.csv", "50%.csv", " 20$x;--.csv"]
    orders = table()
    incoming.put(name, "id\n1\n")
    orders.load()
    for decoy in decoys:
        incoming.put(decoy, "id\n22\n")
    assert orders.load() == [{"id": 1}, *[{"id": 22}] * len(decoys)]
    assert name in {file.path for file in orders.manifest.inputs}


@pytest.mark.parametrize("incoming", [None], ids=["container"], indirect=True)
def test_a_change_that_neither_size_nor_second_shows_is_not_missed(waiting, incoming, table):
    countries = table(mode="full")
    for content in ("id\n1\n", "id\n2\n", "id\n3\n"):
        incoming.put("a.csv", content)
        assert countries.load() == [{"id": int(content[3])}]


@pytest.mark.parametrize("mode", [{"mode": "full"}, {"primary_key": ["id"]}])
def test_other_content_of_the_same_size_within_the_same_second_is_read(incoming, table, mode):
    orders = table(**mode)
    for value in "abcd":
        incoming.put("a.csv", f"id,v\n1,{value}\n")
        assert orders.load() == [{"id": 1, "v": value}]
        assert orders.load() and orders.said.unchanged


def test_other_content_of_the_same_size_within_the_same_second_is_refused_by_append(incoming, table):
    orders = table()
    incoming.put("a.csv", "id\n1\n")
    orders.load()
    incoming.put("a.csv", "id\n2\n")
    with pytest.raises(SourceFileChanged, match=r"s\.t: a\.csv changed after being landed"):
        orders.plan()


def test_files_that_an_earlier_comboi_landed_go_by_size_and_time(incoming, table):
    orders = table()
    incoming.put("a.csv", "id\n1\n")
    orders.load()
    orders.manifest = replace(
        orders.manifest, inputs=tuple(replace(file, version="") for file in orders.manifest.inputs)
    )
    assert orders.load() == [{"id": 1}] and orders.said.unchanged


def test_a_young_file_waits_for_the_next_run(incoming, table):
    orders = table(path="**/*.csv")
    incoming.put("old/a.csv", "id\n1\n")
    orders.load()
    incoming.put("b.csv", "id\n2\n")
    assert orders.load(lag="1h") == [{"id": 1}] and orders.said.unchanged
    assert "2 files are still being written to" in orders.said.warnings[0] and "b.csv" in orders.said.warnings[0]
    assert orders.load() == [{"id": 1}, {"id": 2}]


def test_append_refuses_and_merge_takes_a_file_that_changed(incoming, table):
    orders, customers = table(), table(primary_key=["id"])
    customers.lake = lake_in(Path(orders.lake.describe()))
    incoming.put("a.csv", "id,v\n1,x\n2,y\n")
    assert orders.load() == customers.load() == [{"id": 1, "v": "x"}, {"id": 2, "v": "y"}]
    incoming.put("a.csv", "id,v\n1,changed\n")
    with pytest.raises(SourceFileChanged, match=r"s\.t: a\.csv changed after being landed"):
        orders.plan()
    assert customers.load() == [{"id": 1, "v": "changed"}, {"id": 2, "v": "y"}]


def test_files_that_were_archived_stay_landed_and_leave_a_full_table(incoming, table):
    orders, countries = table(), table(mode="full")
    countries.lake = lake_in(Path(orders.lake.describe()))
    incoming.put("a.csv", "id\n1\n")
    incoming.put("b.csv", "id\n22\n")
    assert orders.load() == countries.load() == [{"id": 1}, {"id": 22}]
    incoming.drop("b.csv")
    assert orders.load() == [{"id": 1}, {"id": 22}] and orders.said.unchanged
    assert countries.load() == [{"id": 1}]


@pytest.mark.parametrize(("change", "says"), [("drop", "was deleted"), ("grow", "changed")])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_file_that_is_not_what_it_was_at_planning_fails_the_load(incoming, table, change, when, says):
    orders = table()
    incoming.put("a.csv", "id\n1\n")
    adapter = orders.open()
    plan = adapter.plan(orders.checkpoint, full_refresh=False)
    if when == "after":
        orders.con.execute(adapter.select(plan, plan.chunks[0])).fetchall()
    incoming.drop("a.csv") if change == "drop" else incoming.put("a.csv", "id\n1\n2\n")
    with pytest.raises(SourceFileChanged, match=rf"s\.t: a\.csv {says} after the load was planned"):
        adapter.select(plan, plan.chunks[0]) if when == "before" else adapter.confirm(plan)
    adapter.close()


def test_a_file_that_goes_while_it_is_read_fails_the_load(incoming, table):
    orders = table()
    incoming.put("a.csv", "id\n1\n")
    adapter = orders.open()
    plan = adapter.plan(orders.checkpoint, full_refresh=False)
    select = adapter.select(plan, plan.chunks[0])
    incoming.drop("a.csv")
    with pytest.raises(Exception, match="404|No files found|NotFound") as caught:
        orders.con.execute(select).fetchall()
    told = adapter.translate(caught.value)
    assert isinstance(told, SourceFileChanged) and "it was deleted or changed" in told.message
    adapter.close()


def test_a_reader_gives_one_version_of_a_file(incoming, table):
    container = SourceContainer(incoming.storage.account, incoming.name, incoming.folder)
    incoming.put("a.csv", b"1" * 200_000)
    with container.open("a.csv") as reader:
        assert reader.read(10) == b"1" * 10
        incoming.put("a.csv", b"2" * 200_000)
        with pytest.raises(ComboiError) as caught:
            reader.read()
    told = table().open().translate(caught.value)
    assert isinstance(told, SourceFileChanged)
    with container.open("a.csv") as reader:
        assert reader.read() == b"2" * 200_000


def test_hidden_and_empty_files_and_folders_are_left_alone(incoming, table):
    for name in (".part.csv", ".tmp/a.csv", "x/.b.csv"):
        incoming.put(name, "id\n0\n")
    incoming.put("empty.csv", "")
    blob = incoming.files.service_client.get_blob_client(incoming.name, incoming._place("folder.csv"))
    adls_client.sync(incoming.files.loop, blob.upload_blob, b"x", metadata={"Hdi_isfolder": "true"})
    incoming.put("a.csv", "id\n1\n")
    assert table(path="**/*.csv").load() == [{"id": 1}]


def test_a_folder_may_have_a_name_like_a_pattern(storage, con, tmp_path):
    incoming = Incoming.make(storage, "a [b]*?/c")
    incoming.put("a.csv", "id\n1\n")
    Incoming(storage, incoming.name, "a b/c").put("a.csv", "id\n2\n")
    table = ContainerLanding(con, lake_in(tmp_path), "files", incoming.connection, {"path": "**/*.csv", "lag": "0s"})
    assert table.load() == [{"id": 1}]


@pytest.mark.parametrize("name", ["x//a.csv", "a\nb.csv", "a?versionid=1.csv"])
def test_names_that_cannot_be_used_are_refused_and_not_passed_over(incoming, table, name):
    incoming.put("fine.csv", "id\n1\n")
    incoming.put(name, "id\n1\n")
    with pytest.raises(UnsupportedValue, match="the name of the file .* cannot be used"):
        table(path="**/*.csv").plan()


def test_no_file_says_so(incoming, table):
    with pytest.raises(SourceObjectMissing, match=r"no file matches \*\.csv"):
        table().plan()


def test_json_lines_and_parquet_plain_and_zipped(incoming, table, con, tmp_path):
    incoming.put("a.jsonl", '{"id": 1, "v": "x"}\n')
    incoming.put("b.jsonl.gz", gzip.compress(b'{"id": 2, "n": {"k": 1}}\n'))
    incoming.put("c.csv.gz", gzip.compress(b"id,v\n1,x\n"))
    con.execute(f"COPY (SELECT 1::SMALLINT AS i, [1, NULL] AS l) TO '{tmp_path}/x.parquet' (FORMAT parquet)")
    incoming.put("a.parquet", (tmp_path / "x.parquet").read_bytes())
    con.execute(f"COPY (SELECT 70000 AS i, 'y' AS new) TO '{tmp_path}/x.parquet' (FORMAT parquet)")
    incoming.put("b.parquet", (tmp_path / "x.parquet").read_bytes())
    rows = {name: table(path=name).load() for name in ("*.jsonl", "*.jsonl.gz", "*.csv.gz")}
    assert rows == {
        "*.jsonl": [{"id": 1, "v": "x"}], "*.jsonl.gz": [{"id": 2, "n": '{"k":1}'}], "*.csv.gz": [{"id": 1, "v": "x"}],
    }  # fmt: skip
    typed = table(path="*.parquet")
    assert typed.load() == [{"i": 1, "l": [1, None], "new": None}, {"i": 70000, "l": None, "new": "y"}]
    assert typed.types()["i"] == "INTEGER"


@pytest.mark.parametrize(
    ("options", "content"),
    [
        ({"encoding": "utf-16"}, "id,v\n1,caf\xe9\n".encode("utf-16")),
        ({"encoding": "latin-1"}, "id,v\n1,caf\xe9\n".encode("latin-1")),
        ({"skip": 1}, "made by\nid,v\n1,café\n".encode()),
        ({}, b"\xef\xbb\xbf" + "id,v\n1,café\n".encode()),
    ],
)
def test_options_say_how_a_csv_file_is_written(incoming, table, options, content):
    incoming.put("a.csv", content)
    assert table(options=options).load() == [{"id": 1, "v": "café"}]


def test_each_row_tells_its_file(incoming, table, con):
    from comboi_core.lake.bronze import view_sql

    orders = table(path="**/*.csv")
    incoming.put("deep/er [1]/a.csv", "id\n1\n")
    orders.load()
    read = f"SELECT _file, now() - _modified < INTERVAL 1 HOUR FROM ({view_sql(orders.lake, orders.manifest, 'log')})"
    assert con.execute(read).fetchall() == [("deep/er [1]/a.csv", True)]


def csv_with(bad: str, lines: int = 60_000) -> str:
    return "id,v\n" + "".join(f"{n},{n}\n" for n in range(lines)) + bad


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("in/a.csv", csv_with("1,no\n"), r"s\.t: in/a\.csv, line 60002: column v holds 'no', which is no BIGINT"),
        ("in/a.csv.gz", gzip.compress(csv_with("1,no\n").encode(), mtime=0), r"in/a\.csv\.gz, line 60002: column v"),
        ("in/a.csv", csv_with("1\n"), r"s\.t: in/a\.csv, line 60002: .*Expected Number of Columns: 2 Found: 1"),
        ("in/a.csv.gz", "id\n1\n", r"in/a\.csv\.gz cannot be unzipped: it is no gzip file"),
        ("in/a.csv.gz", gzip.compress(csv_with("").encode(), mtime=0)[:-300], r"s\.t: in/a\.csv\.gz is cut off"),
        ("in/a.jsonl.gz", gzip.compress(b'{"id": 1}\n', mtime=0)[:-1], r"s\.t: in/a\.jsonl\.gz is cut off"),
        ("in/a.csv", "id,id\n1,2\n", r"in/a\.csv has the column 'id' twice"),
        ("in/a.jsonl", '{"id": 1}\n{"id":\n', r"s\.t: in/a\.jsonl, line 2: "),
        ("in/a.jsonl", '{"id": 1}\n[2]\n', r"s\.t: in/a\.jsonl, line 2 is not one JSON object"),
        ("in/a.parquet", "no such thing at all", r"s\.t: in/a\.parquet: "),
    ],
)
def test_what_is_wrong_in_a_file_is_told_with_file_and_line(incoming, table, name, content, says):
    incoming.put(name, content)
    with pytest.raises(UnsupportedValue, match=f"(?s){says}") as caught:
        table(path=f"in/*.{name.partition('.')[2]}", types={"v": "BIGINT"} if "v\n" in str(content)[:9] else {}).load()
    assert "az://" not in caught.value.message


@pytest.mark.slow
def test_planning_fetches_no_more_than_the_beginning_of_a_large_file(incoming, table, monkeypatch):
    pieces: list[int] = []
    fetch = SourceContainer.piece

    def piece(self: SourceContainer, *of: Any) -> Any:
        found = fetch(self, *of)
        pieces.append(len(found.data))
        return found

    monkeypatch.setattr(SourceContainer, "piece", piece)
    incoming.put("a.csv", csv_with("", lines=300_000))
    orders = table(types={"id": "BIGINT", "v": "BIGINT"})
    assert len(orders.load()) == 300_000
    assert pieces and sum(pieces) <= 64 * 2**10


@pytest.mark.slow
def test_many_files_make_a_few_chunks(storage, con, tmp_path):
    incoming = Incoming.make(storage)
    given = {"path": "in/**/*.csv", "lag": "0s"}
    orders = ContainerLanding(con, lake_in(tmp_path), "files", incoming.connection, given)
    incoming.put_all({f"in/{number % 7}/{number:05d}.csv": f"id,v\n{number},x\n" for number in range(600)})
    assert len(orders.load()) == 600 and len(orders.said.chunks) == 2
    incoming.put("in/new.csv", "id,v\n3000,x\n")
    assert len(orders.load()) == 601 and [len(chunk.files) for chunk in orders.said.chunks] == [1]


def test_a_glob_without_folders_lists_no_folder(incoming):
    container = SourceContainer(incoming.storage.account, incoming.name, incoming.folder)
    incoming.put_all(dict.fromkeys(("a.csv", "ab.csv", "a/b.csv", "c/d/e.csv"), "x"))
    assert {file.path for file in container.files("a", deep=False)} == {"a.csv", "ab.csv"}
    assert {file.path for file in container.files("", deep=True)} == {"a.csv", "ab.csv", "a/b.csv", "c/d/e.csv"}


def test_without_duckdb_s_extension_files_are_downloaded_and_nothing_stays(incoming, table, con, monkeypatch):
    monkeypatch.setattr(adls_duckdb, "_PACKAGE", "no_such_package")
    customers = table(path="**/*.csv", primary_key=["id"])
    incoming.put("x/it's [1].csv", "id,v\n1,a\n")
    assert customers.load() == [{"id": 1, "v": "a"}]
    incoming.put("x/it's [1].csv", "id,v\n1,changed\n")
    assert customers.load() == [{"id": 1, "v": "changed"}]
    assert [file.path for file in customers.manifest.inputs] == ["x/it's [1].csv"]
    spill = Path(con.execute("SELECT current_setting('temp_directory')").fetchone()[0])
    assert [path for path in spill.rglob("*") if path.is_file()] == []
