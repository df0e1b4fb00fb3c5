"""Folders as they come: each file is read as it is meant, or named with what to do. Nothing is lost in silence."""

from __future__ import annotations

import codecs
import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from comboi_core.domain.errors import ComboiError, SchemaDrift, SourceObjectMissing, UnsupportedValue
from tests.support.landing import Landing, lake_in

pytestmark = pytest.mark.few(2)

OLD = 1_700_000_000
ROWS = [{"id": 1, "v": "café"}, {"id": 2, "v": "x"}]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "incoming"
    made.mkdir()
    return made


@pytest.fixture
def put(folder: Path) -> Callable[..., Path]:
    def write(name: str, content: str | bytes | pa.Table, **how: Any) -> Path:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, pa.Table):
            pq.write_table(content, path, **how)
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        os.utime(path, (OLD, OLD))
        return path

    return write


@pytest.fixture
def table(con: Any, tmp_path: Path, folder: Path) -> Callable[..., Landing]:
    def make(path: str = "*.csv", **table: Any) -> Landing:
        return Landing(con, lake_in(tmp_path), "files", {"path": str(folder)}, {"path": path} | table)

    return make


@pytest.fixture(autouse=True)
def nothing_stays(con: Any):
    yield
    spill = Path(con.execute("SELECT current_setting('temp_directory')").fetchone()[0])
    assert not list(spill.rglob("copies-*/*"))


@pytest.mark.parametrize(
    ("preamble", "lines"),
    [
        ('"Report A\n', 1),
        ('Report "A\nsaid "so\n', 2),
        ('"a,b\nc",d\n', 2),
        ("\n\n", 2),
        ('5" discs\r\n', 1),
        ("x" * 50_000 + "\n", 1),
    ],
)
@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_a_preamble_is_so_many_lines_whatever_quotes_are_in_it(put, table, preamble, lines, name):
    text = (preamble + "id,v\n1,café\n2,x\n").encode()
    put(name, gzip.compress(text) if name.endswith("gz") else text)
    orders = table("a.csv*", format="csv", options={"skip": lines})
    assert orders.load() == ROWS
    put("b.csv", (preamble + "id,v\n1,café\n2\n").encode())
    with pytest.raises(UnsupportedValue, match=rf"b\.csv, line {lines + 3}: .*Expected Number of Columns"):
        table("b.csv", options={"skip": lines}, types={"id": "BIGINT"}).load()


@pytest.mark.parametrize(
    ("encoding", "mark", "codec"),
    [
        ("utf-16", codecs.BOM_UTF16_BE, "utf-16-be"),
        ("utf-16", codecs.BOM_UTF16_LE, "utf-16-le"),
        ("utf-16-le", b"", "utf-16-le"),
        ("utf-16-be", b"", "utf-16-be"),
        ("utf-16-be", codecs.BOM_UTF16_BE, "utf-16-be"),
        ("utf-32", codecs.BOM_UTF32_LE, "utf-32-le"),
        ("utf-32-be", b"", "utf-32-be"),
        ("utf-8", codecs.BOM_UTF8, "utf-8"),
        ("utf-8", b"", "utf-8"),
    ],
)
@pytest.mark.parametrize("skip", [0, 1])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_unicode_in_any_form_is_read_to_the_last_character(put, table, encoding, mark, codec, skip, end):
    lines = ['"made by'] * skip + ["id,v", "1,é😀𝄞", '2,"日\n本"', "3,"]
    put("a.csv", mark + end.join(lines).encode(codec))
    found = table(options={"encoding": encoding, "skip": skip}).load()
    assert found == [{"id": 1, "v": "é😀𝄞"}, {"id": 2, "v": "日\n本"}, {"id": 3, "v": None}]


@pytest.mark.parametrize(
    ("encoding", "content", "says", "remedy"),
    [
        ("utf-16", "id\n1\n".encode("utf-16-le"), r"a\.csv has no byte order mark", "utf-16-le"),
        ("utf-16-le", codecs.BOM_UTF16_BE + "id\n".encode("utf-16-be"), r"begins with the mark of utf-16-be", "utf-16"),
        ("utf-8", codecs.BOM_UTF16_LE + "id\n".encode("utf-16-le"), r"begins with the mark of utf-16-le", "utf-16"),
        ("cp1252", codecs.BOM_UTF8 + b"id\n1\n", r"begins with the mark of utf-8", "utf-8"),
        ("cp1252", b"id,v\n1,x\n2,\x81\n", r"a\.csv, line 3: not cp1252", "encoding"),
        ("cp1252", b"id,v\n" + b"1,x\n" * 50_000 + b"2,\x81\n", r"a\.csv, line 50002: not cp1252", "encoding"),
        ("utf-16", codecs.BOM_UTF16_LE + "id\n1\n".encode("utf-16-le") + b"\x00\xd8\n\x00", r"line 3: not utf", "enc"),
        ("utf-8", b"id,v\n1,caf\xe9\n", r"a\.csv, line 2: .*not utf-8", "cp1252"),
        ("utf-8", b"id,caf\xe9\n1,2\n", r"a\.csv: the first line is not utf-8", "cp1252"),
    ],
)
def test_another_encoding_than_the_declared_one_is_named(put, table, encoding, content, says, remedy):
    put("a.csv", content)
    with pytest.raises(UnsupportedValue, match=f"(?s)s\\.t: .*{says}") as caught:
        table(options={"encoding": encoding}).load()
    assert remedy in caught.value.remedy


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1"])
def test_the_encodings_of_the_west(put, table, encoding):
    put("a.csv", "id;v\r\n1;café €\r\n".replace("€", "€" if encoding == "cp1252" else "x").encode(encoding))
    assert table(options={"encoding": encoding, "delimiter": ";"}).load()[0]["v"].startswith("café")


@pytest.mark.parametrize(
    "content",
    [
        "\nid,v\n1,café\n2,x\n",
        "\r\n  \r\nid,v\r\n1,café\r\n2,x\r\n",
        "\ufeff\n\nid,v\n1,café\n2,x\n",
        "\ufeffid,v\n1,café\n2,x\n",
        "id,v\r\n1,café\n2,x\r\n",
        "id,v\n1,café\r\n2,x",
        'id,v\r1,"café"\n2,x\r\n',
        '"id", "v"\n"1", "café"\n2, "x"\n',
        '"id", "v"\r\n1,"café"\n\n2,x\n\n',
    ],
)
def test_what_people_and_spreadsheets_write_is_read_as_it_is_meant(put, table, content):
    put("a.csv", content)
    assert table().load() == ROWS


def test_line_breaks_within_quotes_stay_in_a_file_of_mixed_ends(put, table):
    put("a.csv", 'id,v\r\n1,"a\r\nb\rc\nd"\n2,x\r\n')
    assert [row["v"] for row in table().load()] == ["a\r\nb\rc\nd", "x"]


@pytest.mark.slow
def test_another_line_end_late_in_a_file_is_named_and_an_option_reads_it(put, table):
    lines = [f"{n},x\n" for n in range(60_000)]
    lines[50_000] = "50000,x\r\n"
    put("a.csv", "id,v\n" + "".join(lines))
    with pytest.raises(UnsupportedValue, match=r"s\.t: a\.csv, line 50002: the line ends otherwise") as caught:
        table(types={"id": "BIGINT", "v": "VARCHAR"}).load()
    assert "mixed_line_ends: true" in caught.value.remedy
    assert len(table(options={"mixed_line_ends": True}).load()) == 60_000


BLANK = {
    "blank.csv": b"\n\n",
    "marked.csv": codecs.BOM_UTF8,
    "blanks.csv": b"  \r\n",
    "zipped.csv.gz": gzip.compress(b""),
    "none.csv": b"",
}


@pytest.mark.parametrize("mode", ["append", "full"])
def test_files_without_anything_in_them_are_like_none_until_something_is(put, table, mode):
    for name, content in BLANK.items():
        put(name, content)
    orders = table("*.csv*", format="csv", mode=mode)
    with pytest.raises(SourceObjectMissing, match="nothing is in any file"):
        orders.load()
    put("good.csv", "id,v\n1,café\n2,x\n")
    assert orders.load() == ROWS
    assert [file.path for file in orders.manifest.inputs] == ["good.csv"]
    assert orders.load() == ROWS and orders.said.unchanged
    os.utime(put("blank.csv", "id,v\n3,y\n"), (OLD + 1, OLD + 1))
    assert len(orders.load()) == 3


def test_json_lines_of_a_messy_folder(put, table):
    put("a.jsonl", codecs.BOM_UTF8 + b'{"id": 1, "v": "caf\xc3\xa9"}\r\n')
    put("b.jsonl", b'\n{"id": 2, "v": "x"}\n\n')
    put("blank.jsonl", b"\n \n")
    put("marked.jsonl", codecs.BOM_UTF8)
    put("zipped.jsonl.gz", gzip.compress(b""))
    put("marked.jsonl.gz", gzip.compress(codecs.BOM_UTF8 + b'{"id": 3, "v": null}\n'))
    orders = table("*.jsonl*", format="json")
    assert orders.load() == [*ROWS, {"id": 3, "v": None}]
    assert orders.load() and orders.said.unchanged


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"a.jsonl": '{"id": 1}\n{"id": 2, "ID": 3}\n'}, r"a\.jsonl, line \d has the key '(id|ID)'"),
        ({"a.jsonl": '{"ID": 1}\n', "b.jsonl": '{"v": 0}\n{"id": 2}\n'}, r"b\.jsonl, line 2 has the key 'id'.*'ID'"),
    ],
)
def test_json_keys_that_only_case_tells_apart_are_named(put, table, files, says):
    for name, text in files.items():
        put(name, text)
    with pytest.raises(UnsupportedValue, match=f"s\\.t: {says}"):
        table("*.jsonl").load()


@pytest.mark.parametrize("said", [{}, {"primary_key": ["id"]}, {"columns": ["id", "name"], "mode": "full"}])
def test_json_keys_in_another_case_than_their_column_are_that_column(put, table, said):
    orders = table("*.jsonl", **said)
    put("a.jsonl", '{"id": 1, "name": "x"}\n')
    orders.load()
    (put("a.jsonl", "") if said.get("mode") == "full" else put("blank.jsonl", "\n"))
    put("b.jsonl", '{"NAME": "y"}\n')
    put("c.jsonl", '{"ID": 2, "NAME": "z"}\n')
    before = [] if said.get("mode") == "full" else [{"id": 1, "name": "x"}]
    assert orders.load() == [*before, {"id": 2, "name": "z"}, {"id": None, "name": "y"}]
    assert not any("new column" in told or "gone" in told for told in orders.said.schema_changes)


def test_json_keys_are_those_that_the_configuration_names_whatever_their_case(put, table):
    put("a.jsonl", '{"ID": 1, "Amount": 0.1}\n')
    named = {"primary_key": ["id"], "types": {"amount": "DECIMAL(9,2)"}}
    assert table("*.jsonl", **named).load() == [{"id": 1, "amount": Decimal("0.10")}]


def test_a_json_number_that_no_double_is_is_named_whatever_the_case_of_its_key(put, table):
    put("a.jsonl", '{"ID": 1, "Amount": 12345678901234567.12}\n')
    with pytest.raises(UnsupportedValue, match=r"a\.jsonl, line 1: column Amount holds 12345678901234567\.12"):
        table("*.jsonl", types={"amount": "DECIMAL(38,2)"}).load()


def test_a_json_value_that_does_not_fit_is_named_whatever_the_case_of_its_key(put, table):
    orders = table("*.jsonl")
    put("a.jsonl", '{"id": 1}\n')
    orders.load()
    put("b.jsonl", '{"ID": 2}\n{"ID": "x"}\n')
    with pytest.raises(UnsupportedValue, match=r"b\.jsonl, line 2: column id holds"):
        orders.load()


@pytest.mark.parametrize("first", ["ID,Name", "id,name"])
@pytest.mark.parametrize("columns", [None, ["ID", "Name"]])
@pytest.mark.parametrize("loads", [1, 2])
def test_names_of_csv_columns_in_another_case_are_the_same_columns(put, table, first, columns, loads):
    orders = table(**({"columns": columns} if columns else {}))
    put("a.csv", f"{first}\n1,x\n")
    if loads == 2:
        orders.load()
    put("b.csv", "name,id\ny,2\n" if first == "ID,Name" else "Name,ID\ny,2\n")
    called = columns or first.split(",")
    assert orders.load() == [dict(zip(called, row, strict=True)) for row in ((1, "x"), (2, "y"))]
    assert not any("new column" in told or "gone" in told for told in orders.said.schema_changes)


def test_parquet_columns_in_another_case_are_the_same_and_two_in_one_file_are_refused(put, table):
    orders = table("*.parquet", primary_key=["ID"])
    put("a.parquet", pa.table({"ID": [1], "Ünï": ["x"]}))
    put("b.parquet", pa.table({"ünï": ["y"], "id": [2]}))
    assert orders.load() == [{"ID": 1, "Ünï": "x"}, {"ID": 2, "Ünï": "y"}]
    put("c.parquet", pa.table([pa.array([1]), pa.array([2])], names=["ID", "id"]))
    with pytest.raises(UnsupportedValue, match=r"c\.parquet has the column 'id' and 'ID', which only case tells apart"):
        orders.load()


KEYLESS = [{"id": None, "v": "a"}, {"id": None, "v": "b"}, {"id": None, "v": "c"}, {"id": 1, "v": "x"}]


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
def test_rows_without_a_key_all_land(put, table, name):
    ids, values = [1, None, None, None], ["x", "a", "b", "c"]
    if name == "a.csv":
        put(name, "id,v\n1,x\n,a\n,b\n,c\n")
    elif name == "a.jsonl":
        put(name, "".join(json.dumps({"id": i, "v": v}) + "\n" for i, v in zip(ids, values, strict=True)))
    else:
        put(name, pa.table({"id": ids, "v": values}))
    orders = table(f"*.{name[2:]}", primary_key=["id"])
    orders.load()
    assert sum(file.rows for file in orders.manifest.files) == 4


def test_rows_with_a_part_of_the_key_all_land(put, table):
    put("a.csv", "a,b,v\n1,,x\n1,,y\n1,1,old\n1,1,new\n")
    orders = table(primary_key=["a", "b"])
    assert [row["v"] for row in orders.load()] == ["new", "x", "y"]


def test_a_key_that_no_row_has(put, table):
    put("a.parquet", pa.table({"id": pa.nulls(3), "v": [1, 2, 3]}))
    orders = table("*.parquet", primary_key=["id"])
    orders.load()
    assert sum(file.rows for file in orders.manifest.files) == 3


FINE = {
    "u64": (pa.array([2**64 - 1], pa.uint64()), 2**64 - 1),
    "f16": (pa.array([1.5], pa.float16()), 1.5),
    "d38": (pa.array([Decimal("1.10")], pa.decimal128(38, 2)), Decimal("1.10")),
    "dict": (pa.array(["a"]).dictionary_encode(), "a"),
    "naive": (pa.array([1_000], pa.timestamp("ns")), datetime(1970, 1, 1, 0, 0, 0, 1)),
    "zoned": (pa.array([1_000], pa.timestamp("ns", "UTC")), datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=UTC)),
    "duration": (pa.array([7], pa.duration("ns")), 7),
    "fixed": (pa.array([b"ab"], pa.binary(2)), b"ab"),
}


@pytest.mark.parametrize("name", FINE)
def test_parquet_types_that_are_held_exactly(put, table, name):
    array, value = FINE[name]
    put("a.parquet", pa.table({"v": array}))
    assert table("*.parquet").load() == [{"v": value}]


INEXACT = {
    "decimal(40,2)": pa.array([Decimal("1.50")], pa.decimal256(40, 2)),
    "time": pa.array([1], pa.time64("ns")),
    "zoned": pa.array([1], pa.timestamp("ns", "UTC")),
    "in a struct": pa.array([{"x": Decimal(1)}], pa.struct([("x", pa.decimal256(50, 10))])),
    "in a list": pa.array([[1_000, 1]], pa.list_(pa.timestamp("ns", "UTC"))),
    "in a map": pa.array([[("a", 1)]], pa.map_(pa.string(), pa.time64("ns"))),
}


@pytest.mark.parametrize("name", INEXACT)
def test_parquet_values_that_duckdb_would_change_are_refused_and_named(put, table, name):
    put("a.parquet", pa.table({"id": [1], "v": INEXACT[name]}))
    with pytest.raises(UnsupportedValue, match=r"s\.t: a\.parquet: column v[a-z_.]* is ") as caught:
        table("*.parquet").load()
    assert "columns:" in caught.value.remedy
    assert table("*.parquet", columns=["id"]).load() == [{"id": 1}]


def test_int96_is_read_where_it_holds_microseconds_and_refused_where_it_does_not(put, table):
    far = [datetime(2020, 1, 1, 0, 0, 0, 5), None, datetime(9999, 12, 31), datetime(1, 1, 1)]
    put("a.parquet", pa.table({"v": pa.array(far, pa.timestamp("us"))}), use_deprecated_int96_timestamps=True)
    assert sorted(filter(None, (row["v"] for row in table("*.parquet").load()))) == sorted(filter(None, far))
    put(
        "b.parquet", pa.table({"v": pa.array([1_000, 1_001], pa.timestamp("ns"))}), use_deprecated_int96_timestamps=True
    )
    with pytest.raises(UnsupportedValue, match=r"b\.parquet: column v is INT96 .* in row 2;"):
        table("*.parquet").load()


def test_keys_a_nanosecond_apart_are_two_rows_or_refused(put, table):
    put("a.parquet", pa.table({"id": pa.array([1, 2], pa.timestamp("ns")), "v": [1, 2]}))
    orders = table("*.parquet", primary_key=["id"])
    orders.load()
    assert sum(file.rows for file in orders.manifest.files) == 2
    put("a.parquet", pa.table({"id": pa.array([1, 2], pa.timestamp("ns", "UTC")), "v": [1, 2]}))
    with pytest.raises(UnsupportedValue, match="column id is TIMESTAMPTZ in nanoseconds"):
        table("*.parquet", primary_key=["id"]).load()


@pytest.mark.parametrize("name", ["file_row_number", "FILE_ROW_NUMBER", "_load", "_comboi_file"])
def test_names_that_readers_use_themselves_are_refused_with_a_way_out(put, table, name):
    put("a.parquet", pa.table({"id": [1, 1], name: [7, 8], "v": ["old", "new"]}))
    with pytest.raises(UnsupportedValue, match=rf"a\.parquet has a column '{name}'") as caught:
        table("*.parquet").load()
    assert "Rename" in caught.value.remedy and "columns:" in caught.value.remedy
    assert table("*.parquet", primary_key=["id"], columns=["v"]).load() == [{"id": 1, "v": "new"}]


@pytest.mark.parametrize("name", ["filename", "file_index", "rowid", "index", "position"])
def test_names_that_duckdb_has_a_meaning_for_are_names(put, table, name):
    put("a.parquet", pa.table({name: [7]}))
    put("b.parquet", pa.table({"v": [1]}))
    assert table("*.parquet").load() == [{name: 7, "v": None}, {name: None, "v": 1}]
    put("year=1999/a.csv", f"year,{name}\n2026,x\n")
    assert table("*/*.csv").load() == [{"year": 2026, name: "x"}]


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize(
    ("first", "second", "kind"),
    [
        (pa.nulls(1), pa.array(["x"]), "VARCHAR"),
        (pa.nulls(1), pa.array([datetime(2026, 1, 1)]), "TIMESTAMP"),
        (pa.nulls(1), pa.array([{"a": 1}]), "STRUCT"),
        (pa.array(["x"]), pa.nulls(1), "VARCHAR"),
        (pa.array([2**53]), pa.array([1.5]), "DOUBLE"),
        (pa.array([1.5]), pa.array([2**53]), "DOUBLE"),
        (pa.array([1]), pa.array([Decimal("1.55")]), "DECIMAL(21,2)"),
        (pa.array([-1]), pa.array([2**64 - 1], pa.uint64()), "DECIMAL(20,0)"),
        (pa.array([{"a": 1}]), pa.array([{"b": "q", "a": 2}]), "STRUCT"),
        (pa.array([[{"a": 1}]]), pa.array([[{"a": 2, "b": "q"}]]), "STRUCT"),
        (pa.array([1], pa.int8()), pa.array([2**40]), "BIGINT"),
    ],
)
def test_types_widen_within_a_load_and_across_loads(put, table, first, second, kind, together):
    orders = table("*.parquet")
    put("a.parquet", pa.table({"id": [1], "v": first}))
    if not together:
        assert orders.load() == [{"id": 1, "v": first[0].as_py()}]
    put("b.parquet", pa.table({"id": [2], "v": second}))
    rows = orders.load()

    def padded(value: Any) -> Any:
        if isinstance(value, list):
            return [padded(one) for one in value]
        return {"a": value["a"], "b": value.get("b")} if isinstance(value, dict) and "STRUCT" in kind else value

    given = [first[0].as_py(), second[0].as_py()]
    wants_b = "b" in str(given)
    assert [row["v"] for row in rows] == [padded(one) if wants_b else one for one in given]
    assert orders.types()["v"].startswith(kind)
    assert orders.load(full_refresh=True) == rows


def test_a_number_that_a_double_cannot_hold_fails_a_load_and_text_holds_it(put, table):
    put("a.parquet", pa.table({"v": [2**53 + 1]}))
    put("b.parquet", pa.table({"v": [1.5]}))
    with pytest.raises(UnsupportedValue, match=r"a\.parquet: column v holds '9007199254740993', which is no DOUBLE"):
        table("*.parquet").load()
    assert table("*.parquet", types={"v": "VARCHAR"}).load() == [{"v": "1.5"}, {"v": "9007199254740993"}]


def test_a_column_of_another_type_without_a_value_says_nothing(put, table):
    put("a.parquet", pa.table({"v": pa.array([None], pa.int32())}))
    put("b.parquet", pa.table({"v": ["x"]}))
    put("c.parquet", pa.table({"v": pa.array([None], pa.float64())}))
    assert [row["v"] for row in table("*.parquet").load()] == ["x", None, None]
    put("d.parquet", pa.table({"v": [True]}))
    with pytest.raises(SchemaDrift, match=r"d\.parquet: column v is BOOLEAN, in earlier files VARCHAR"):
        table("*.parquet").load()


def test_a_column_that_held_nothing_is_told_of_once_it_does_and_never_drifts(put, table):
    orders = table("*.parquet", schema_policy="evolve")
    put("a.parquet", pa.table({"id": [1], "v": pa.nulls(1)}))
    orders.load()
    put("b.parquet", pa.table({"id": [2], "v": ["x"]}))
    orders.load()
    assert orders.said.schema_changes == ("column v changed from unknown to VARCHAR",)
    put("c.parquet", pa.table({"id": [3], "v": pa.nulls(1)}))
    orders.load()
    assert orders.said.schema_changes == ()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.csv.gz", "a.jsonl.gz"])
def test_what_a_zipped_file_unzips_to_has_a_limit(put, table, name):
    line = b'{"v": "' + b"a" * 5_000 + b'"}\n' if "json" in name else b"a" * 5_000 + b"\n"
    put(name, gzip.compress((b"" if "json" in name else b"v\n") + line * 4_000))
    orders = table(f"*.{name[2:]}", max_unzipped="10MB")
    with pytest.raises(UnsupportedValue, match=rf"s\.t: {name} unzips to more than 10,000,000 bytes") as caught:
        orders.load()
    assert "max_unzipped" in caught.value.remedy and orders.manifest is None
    assert len(orders.load(max_unzipped="30MB")) == 4_000


@pytest.mark.slow
def test_planning_does_not_unzip_more_of_a_csv_file_than_its_beginning(put, table, monkeypatch):
    from comboi_core.sources.files import gzip as files_gzip

    monkeypatch.setattr(files_gzip, "_measured", None)  # whoever unzips to the end fails
    put("a.csv.gz", gzip.compress(b"v\n" + b"a" * 5_000 + b"\n" + (b"a" * 5_000 + b"\n") * 40_000))
    assert table("*.csv.gz").plan().columns[0].type == "VARCHAR"


WIDE = """
import sys
from pathlib import Path
from comboi_core.duckdb.engine import open_duckdb
from comboi_core.lake.local import LocalLake
from tests.support.landing import Landing
folder = sys.argv[1]
with open_duckdb(memory_limit="1GB", threads=2, temp_directory=folder) as con:
    table = Landing(con, LocalLake(Path(folder) / "lake"), "files", {"path": folder}, {"path": "*.csv"})
    plan = table.plan()
print(len(plan.columns), {column.type for column in plan.columns[:3]})
# Not ru_maxrss, which a child inherits from the process that it was forked from.
(peak,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
print(int(peak.split()[1]) // 1024)
"""


@pytest.mark.slow
@pytest.mark.parametrize("rows", [1, 3_000])
def test_a_file_of_2000_columns_is_planned_in_less_than_300_mb_of_the_whole_process(put, folder, rows):
    header = ",".join(f"c{number}" for number in range(2_000))
    row = ",".join(("17", "2026-01-01", "some text")[number % 3] for number in range(2_000))
    put("a.csv", f"{header}\n" + f"{row}\n" * rows)
    run = subprocess.run([sys.executable, "-c", WIDE, str(folder)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    said, peak = run.stdout.splitlines()[-2:]
    assert said.startswith("2002 ") and all(kind in said for kind in ("BIGINT", "DATE", "VARCHAR"))
    assert int(peak) < 300


def test_the_errors_of_a_messy_folder_are_ours(put, table):
    for name, content in {"a.csv": "id,v\n1,x\n", "b.csv": "id,v\n1,x,y\n", "c.csv": 'id,v\n1,"x\n'}.items():
        put(name, content)
        try:
            table(name).load()
        except ComboiError as error:
            assert error.message.startswith(f"s.t: {name}, line 2: ") and "strict_mode" not in error.message
