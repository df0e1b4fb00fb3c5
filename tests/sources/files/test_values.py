"""What is in files: values arrive exactly, or the load fails and says where; for CSV, JSON lines and Parquet."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from comboi_core.domain.errors import SchemaDrift, SourceObjectMissing, UnsupportedValue
from tests.support.landing import Landing, lake_in

pytestmark = pytest.mark.few(2)

OLD = 1_700_000_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "incoming"
    made.mkdir()
    return made


@pytest.fixture
def put(folder: Path) -> Callable[..., Path]:
    def write(name: str, text: str | bytes) -> Path:
        path = folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        os.utime(path, (OLD, OLD))
        return path

    return write


@pytest.fixture
def table(con: Any, tmp_path: Path, folder: Path) -> Callable[..., Landing]:
    def make(path: str = "*.csv", **table: Any) -> Landing:
        return Landing(con, lake_in(tmp_path), "files", {"path": str(folder)}, {"path": path} | table)

    return make


@pytest.mark.parametrize(
    ("texts", "kind", "values"),
    [
        (["1", "-2", "0"], "BIGINT", [1, -2, 0]),
        (["9223372036854775807"], "BIGINT", [9223372036854775807]),
        (["9223372036854775808"], "VARCHAR", ["9223372036854775808"]),
        (["007", "1"], "VARCHAR", ["007", "1"]),
        (["+1"], "VARCHAR", ["+1"]),
        (["1.10", "2"], "DOUBLE", [1.1, 2.0]),
        (["0.30000000000000004", "1e5"], "DOUBLE", [0.30000000000000004, 100000.0]),
        (["12345678901234567.89"], "VARCHAR", ["12345678901234567.89"]),
        (["0.1000000000000000055"], "VARCHAR", ["0.1000000000000000055"]),
        (["1e400"], "VARCHAR", ["1e400"]),
        (["NaN", "1.5"], "VARCHAR", ["NaN", "1.5"]),
        (['"1,5"'], "VARCHAR", ["1,5"]),
        (["true", "False"], "BOOLEAN", [True, False]),
        (["2026-02-28"], "DATE", [date(2026, 2, 28)]),
        (["2026-02-30"], "VARCHAR", ["2026-02-30"]),
        (["01/02/2026"], "VARCHAR", ["01/02/2026"]),
        (
            ["2026-02-28 10:00", "2026-02-28T10:00:00.123456"],
            "TIMESTAMP",
            [datetime(2026, 2, 28, 10), datetime(2026, 2, 28, 10, 0, 0, 123456)],
        ),
        (["2026-02-28 10:00:00.1234567"], "VARCHAR", ["2026-02-28 10:00:00.1234567"]),
        (["2026-02-28T10:00:00+02:00"], "TIMESTAMPTZ", [datetime(2026, 2, 28, 8, tzinfo=UTC)]),
        (["2026-02-28T10:00:00Z", "2026-02-28 10:00:00"], "VARCHAR", ["2026-02-28T10:00:00Z", "2026-02-28 10:00:00"]),
        (["", "1"], "BIGINT", [None, 1]),
        (["", ""], "VARCHAR", [None, None]),
        (['""', "1"], "VARCHAR", ["", "1"]),
        (["NULL"], "VARCHAR", ["NULL"]),
        (['"a\nb"', '"say ""x"""', '" , "'], "VARCHAR", ["a\nb", 'say "x"', " , "]),
        (["é日本😀", "#x", "'"], "VARCHAR", ["é日本😀", "#x", "'"]),
    ],
)
def test_a_csv_column_has_the_type_that_loses_nothing(put, table, texts, kind, values):
    put("a.csv", "n,v\n" + "".join(f"{n},{text}\n" for n, text in enumerate(texts)))
    found = table()
    assert [row["v"] for row in found.load()] == values
    assert found.types()["v"] == kind


def test_types_are_fixed_by_the_first_load_and_a_value_that_does_not_fit_is_named(put, table):
    orders = table()
    put("a.csv", "id,v\n1,10\n")
    orders.load()
    put("b.csv", 'v,id\n"a\nb",5\n')
    with pytest.raises(UnsupportedValue, match=r"s\.t: b\.csv, line 3: column v holds 'a\\nb', which is no BIGINT"):
        orders.load()
    put("b.csv", "id,v\n" + "".join(f"{n},{n}\n" for n in range(2, 50_000)) + "50000,007\n")
    with pytest.raises(UnsupportedValue, match=r"b\.csv, line 50000: column v holds '007', which is no BIGINT"):
        orders.load()
    put("b.csv", "id,v\n2,\n")
    assert orders.load() == [{"id": 1, "v": 10}, {"id": 2, "v": None}]


def test_what_a_sample_does_not_show_is_named_and_types_say_it(put, table):
    put("a.csv", "id,v\n" + "".join(f"{n},{n}\n" for n in range(30_000)) + "30000,n/a\n")
    with pytest.raises(UnsupportedValue, match=r"line 30002: column v holds 'n/a'.*") as caught:
        table().load()
    assert "types: {v: VARCHAR}" in caught.value.remedy
    assert len(table(types={"v": "varchar"}).load()) == 30_001


def test_declared_types(put, table):
    types = {"d": "DECIMAL(12, 2)", "t": "TIME", "i": "integer", "x": "DOUBLE", "at": "TIMESTAMP"}
    put("a.csv", "d,t,i,x,at\n-0001.5,10:00,7,0.1000000000000000055,2026-01-01 00:00\n")
    found = table(types=types)
    assert found.load() == [
        {"d": Decimal("-1.50"), "t": time(10), "i": 7, "x": 0.1, "at": datetime(2026, 1, 1)},
    ]
    assert found.types()["d"] == "DECIMAL(12,2)"
    for wrong in ("1.005", "12345678901.00", "1e3"):
        put("a.csv", f"d,t,i,x,at\n{wrong},10:00,7,1,2026-01-01 00:00\n")
        with pytest.raises(UnsupportedValue, match=r"column d holds .* which is no DECIMAL\(12,2\)"):
            found.load(full_refresh=True)
    with pytest.raises(SourceObjectMissing, match="types: names the column nope"):
        table(types={"nope": "DATE"}).load()


@pytest.mark.parametrize("wrong", ["UUID", "DECIMAL(39,2)", "DECIMAL(2,3)", "TEXT; DROP TABLE x", ""])
def test_types_that_files_cannot_have_are_refused(table, wrong):
    with pytest.raises(ValueError, match="is not a known type"):
        table(types={"v": wrong}).open()


def test_another_type_for_a_landed_column_wants_a_full_refresh(put, table):
    orders = table()
    put("a.csv", "v\n10\n")
    orders.load()
    put("b.csv", "v\n20\n")
    with pytest.raises(SchemaDrift, match="column v changed from BIGINT to VARCHAR"):
        orders.load(types={"v": "VARCHAR"})
    assert orders.load(types={"v": "VARCHAR"}, full_refresh=True) == [{"v": "10"}, {"v": "20"}]


def test_a_header_alone_makes_a_table_without_rows(put, table):
    put("a.csv", "id,v\n")
    found = table()
    assert found.load() == [] and found.types() == {"id": "VARCHAR", "v": "VARCHAR"}


def test_a_byte_order_mark_is_no_part_of_the_first_name(put, table):
    put("a.csv", b"\xef\xbb\xbf" + b'"id",v\n1,x\n')
    put("b.csv", "v,id\ny,2\n")
    assert table().load() == [{"id": 1, "v": "x"}, {"id": 2, "v": "y"}]


def test_line_ends_of_windows_and_a_last_line_without_one(put, table):
    put("a.csv", 'id,v\r\n1,"x\r\ny"\r\n2,z')
    assert table().load() == [{"id": 1, "v": "x\r\ny"}, {"id": 2, "v": "z"}]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"delimiter": ";"}, "id;v\n1;x,y\n"),
        ({"delimiter": "\t", "quote": ""}, "id\tv\n1\tx,y\n"),
        ({"skip": 2}, 'made by\nsomeone\nid,v\n1,"x,y"\n'),
        ({"quote": "'", "escape": "\\"}, "id,v\n1,'x,y'\n"),
        ({"header": False}, '1,"x,y"\n'),
        ({"null_text": "-"}, 'id,v,w\n1,"x,y",-\n'),
        ({"encoding": "utf-16"}, 'id,v\n1,"x,y"\n'.encode("utf-16")),
    ],
)
def test_options_say_how_a_csv_file_is_written(put, table, options, text):
    put("a.csv", text)
    (row,) = table(options=options).load()
    assert list(row.values())[:2] == [1, "x,y"] and all(value is None for value in list(row.values())[2:])


def test_quoted_nulls_and_other_encodings(put, table):
    put("a.csv", 'id,v\n"",caf\xe9\n'.encode("latin-1"))
    assert table(options={"encoding": "latin-1", "quoted_nulls": True}).load() == [{"id": None, "v": "café"}]
    with pytest.raises(UnsupportedValue, match=r"a\.csv"):
        table().load()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"sample_size": 1}, "sample_size"),
        ({"delimiter": "\n"}, "line break"),
        ({"delimiter": '"'}, "have to differ"),
        ({"delimiter": "||"}, "at most 1 character"),
    ],
)
def test_options_that_are_not_allowed(table, options, says):
    with pytest.raises(ValueError, match=says):
        table(options=options).open()


@pytest.mark.parametrize("table_config", [{"path": "*.dat"}, {"path": "*.parquet", "options": {}}])
def test_formats_that_do_not_fit(table, table_config):
    with pytest.raises(ValueError, match="add format:|is for CSV"):
        table(**table_config).open()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("id,v\n1,x\n2\n3,z\n", r"a\.csv, line 3: .*Expected Number of Columns: 2 Found: 1"),
        ("id,v\n1,x\n2,y,y\n", r"a\.csv, line 3: .*Expected Number of Columns: 2 Found: 3"),
        ('id,v\n1,"x\n2,y\n', r"a\.csv, line 2: .*unterminated quote"),
        (b"id,v\n1,\xff\n", r"a\.csv, line 2: .*not utf-8"),
        (b"i\xff,v\n1,2\n", r"a\.csv: the first line is not utf-8"),
        ("id,v,\n1,2,3\n", r"a\.csv has a column without a name"),
        ("id,v,v\n1,2,3\n", r"a\.csv has the column 'v' twice"),
        ("id,v\n1," + "x" * 3_000_000 + "\n", r"a\.csv, line 2: .*[Mm]aximum line size"),
    ],
)
def test_a_broken_csv_file_is_named_with_its_line(put, table, text, says):
    put("a.csv", text)
    with pytest.raises(UnsupportedValue, match=f"(?s){says}"):
        table().load()


def test_a_huge_line_is_read_where_it_is_allowed(put, table):
    put("a.csv", "id,v\n1," + "x" * 3_000_000 + "\n")
    assert len(table(options={"max_line_bytes": 4_000_000}).load()[0]["v"]) == 3_000_000


def test_a_bad_row_in_the_middle_of_a_big_file_lands_nothing(put, table):
    lines = [f"{n},{n}\n" for n in range(200_000)]
    lines[150_000] = "150000\n"
    put("a.csv", "id,v\n" + "".join(lines))
    orders = table()
    with pytest.raises(UnsupportedValue, match=r"line 150002"):
        orders.load()
    assert orders.manifest is None and orders.lake.list("s") == []


def test_zipped_and_tabbed_files_are_known_by_their_endings(put, table):
    put("a.csv.gz", gzip.compress(b"id,v\n1,x\n"))
    assert table("*.csv.gz").load() == [{"id": 1, "v": "x"}]
    put("a.tsv", "id\tv\n1\tx\n")
    assert table("*.tsv").load() == [{"id": 1, "v": "x"}]
    put("a.jsonl.gz", gzip.compress(b'{"id": 1}\n'))
    assert table("*.jsonl.gz").load() == [{"id": 1}]


@pytest.mark.parametrize("cut", [1, 8, 9, 300, 20_000])
@pytest.mark.parametrize("name", ["a.csv.gz", "a.jsonl.gz"])
def test_a_zipped_file_that_was_cut_off_is_refused_and_not_read_in_part(put, table, name, cut):
    lines = [f"{n},{n * n}" if "csv" in name else json.dumps({"id": n}) for n in range(20_000)]
    whole = gzip.compress("\n".join(lines).encode())
    put(name, whole[:-cut])
    orders = table(f"*.{name[2:]}", **({"options": {"header": False}} if "csv" in name else {}))
    with pytest.raises(UnsupportedValue, match=rf"s\.t: {name} is cut off") as caught:
        orders.load()
    assert orders.manifest is None and caught.value.remedy == "Write the file again, to its end."
    put(name, whole)
    assert len(orders.load()) == 20_000


@pytest.mark.parametrize(("name", "config"), [("a.csv.gz", {"primary_key": ["id"]}), ("a.jsonl.gz", {})])
@pytest.mark.parametrize("left", [1, 5, 12, 40])
def test_a_zipped_file_that_was_cut_off_before_its_columns_is_told_so(put, table, name, config, left):
    row = {"v" * 5_000: "x", "id": 1}
    text = ",".join(row) + "\nx,1\n" if "csv" in name else json.dumps(row)
    put(name, gzip.compress(text.encode())[:left])
    with pytest.raises(UnsupportedValue, match=rf"s\.t: {name} is cut off"):
        table(f"*.{name[2:]}", **config).load()


def test_zipped_files_that_are_whole_keep_the_error_of_their_content(put, table):
    put("a.jsonl.gz", gzip.compress(b'{"id": 1}\n{"id": \n'))
    with pytest.raises(UnsupportedValue, match=r"a\.jsonl\.gz, line 2: Malformed JSON"):
        table("*.jsonl.gz").load()


@pytest.mark.slow
def test_a_zipped_file_in_parts_is_whole_and_a_damaged_one_is_not(put, table):
    put("a.csv.gz", gzip.compress(b"id,v\n1,x\n") + gzip.compress((b"2," + b"x" * 2_000 + b"\n") * 5_000))
    orders = table("*.csv.gz")
    assert len(orders.load()) == 5_001
    damaged = bytearray(gzip.compress(b"id,v\n1,x\n"))
    damaged[-8] ^= 1
    put("b.csv.gz", bytes(damaged))
    with pytest.raises(UnsupportedValue, match=r"b\.csv\.gz cannot be unzipped: .*incorrect data check"):
        orders.load()


def test_json_lines(put, table):
    put("a.jsonl", '{"id": 1, "v": "x\\ny", "n": {"k": [1, "é"]}, "s": "12"}\n\n{"v": null, "id": 2, "b": true}\n{}\n')
    put("b.jsonl", '{"late": "2026-01-01", "id": 12345678901234567890123}\n')
    found = table("*.jsonl")
    with pytest.raises(UnsupportedValue, match=r"b\.jsonl, line 1: column id holds '12345678901234567890123'"):
        found.load(types={"id": "BIGINT"})
    assert {row["id"]: row for row in found.load()} == {
        "1": {"b": None, "id": "1", "late": None, "n": '{"k":[1,"é"]}', "s": "12", "v": "x\ny"},
        "2": {"b": True, "id": "2", "late": None, "n": None, "s": None, "v": None},
        None: dict.fromkeys(("b", "id", "late", "n", "s", "v")),
        "12345678901234567890123": {
            "b": None, "id": "12345678901234567890123", "late": date(2026, 1, 1), "n": None, "s": None, "v": None,
        },
    }  # fmt: skip
    assert found.types() == {
        "b": "BOOLEAN", "id": "VARCHAR", "late": "DATE", "n": "VARCHAR", "s": "VARCHAR", "v": "VARCHAR",
    }  # fmt: skip


def test_a_json_key_that_is_seen_once_at_the_end_of_a_big_file_is_a_column(put, table):
    put("a.jsonl", "".join(f'{{"id": {n}}}\n' for n in range(60_000)) + '{"id": 60000, "rare": 1}\n')
    assert sum(row["rare"] == "1" for row in table("*.jsonl").load()) == 1


def test_json_types_stay_and_optional_keys_are_no_drift(put, table):
    orders = table("*.jsonl")
    put("a.jsonl", '{"id": 1, "v": 1.5}\n')
    orders.load()
    put("b.jsonl", '{"id": 2}\n')
    assert orders.load(schema_policy="freeze") == [{"id": 1, "v": 1.5}, {"id": 2, "v": None}]
    assert orders.said.schema_changes == ()
    put("c.jsonl", '{"id": 3}\n{"id": "4"}\n')
    with pytest.raises(UnsupportedValue, match=r"""c\.jsonl, line 2: column id holds '"4"', which is no BIGINT"""):
        orders.load()
    put("c.jsonl", '{"id": 3, "new": 1}\n')
    with pytest.raises(SchemaDrift, match="freeze allows no change: new column new"):
        orders.load(schema_policy="freeze")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"id": 1}\n{"id":\n{"id": 2}\n', r"a\.jsonl, line 2: "),
        ('{"id": 1}\n{"id": 2', r"a\.jsonl, line 2: "),
        ('{"id": 1}\n[1, 2]\n', r"a\.jsonl, line 2 is not one JSON object"),
        ('{"id": 1}\n"text"\n', r"a\.jsonl, line 2 is not one JSON object"),
        ('[{"id": 1},\n{"id": 2}]\n', r"a\.jsonl, line 1"),
        ('{"id": 1, "": 2}\n', r"a\.jsonl has a column ''"),
        (b"\xff\xfe" + '{"id": 1}\n'.encode("utf-16-le"), r"a\.jsonl begins with the mark of utf-16-le"),
        (b'{"id": 1}\n{"id": "\xff"}\n', r"a\.jsonl, line 2: "),
        ('{"id": 1, "id": 2}\n', r"a\.jsonl, line 1: .*duplicate key"),
    ],
)
def test_a_broken_json_file_is_named_with_its_line(put, table, text, says):
    put("a.jsonl", text)
    with pytest.raises(UnsupportedValue, match=f"(?s){says}"):
        table("*.jsonl").load()


@pytest.fixture
def parquet(con: Any, folder: Path) -> Callable[[str, str], None]:
    def write(name: str, select: str) -> None:
        con.execute(f"COPY ({select}) TO '{folder / name}' (FORMAT parquet)")
        os.utime(folder / name, (OLD, OLD))

    return write


def test_parquet_keeps_its_types(parquet, table):
    parquet(
        "a.parquet",
        "SELECT 1::SMALLINT AS i, 1.10::DECIMAL(12,2) AS d, [1, NULL] AS l, {'x': 'é'} AS s, NULL::DATE AS n, "
        "'a'::BLOB AS b, TIMESTAMPTZ '2026-01-01 00:00:00+02' AS t, ''::VARCHAR AS e",
    )
    found = table("*.parquet")
    assert found.load() == [
        {
            "i": 1, "d": Decimal("1.10"), "l": [1, None], "s": {"x": "é"}, "n": None, "b": b"a",
            "t": datetime(2025, 12, 31, 22, tzinfo=UTC), "e": "",
        }
    ]  # fmt: skip
    assert found.types()["i"] == "SMALLINT" and found.types()["d"] == "DECIMAL(12,2)"


def test_parquet_types_widen_and_anything_else_is_drift(parquet, table):
    orders = table("*.parquet")
    parquet("a.parquet", "SELECT 1::INTEGER AS v")
    orders.load()
    parquet("b.parquet", "SELECT 5000000000::BIGINT AS v, 'x' AS new")
    parquet("c.parquet", "SELECT 3::SMALLINT AS v")
    assert sorted(orders.load(), key=lambda row: row["v"]) == [
        {"v": 1, "new": None}, {"v": 3, "new": None}, {"v": 5000000000, "new": "x"},
    ]  # fmt: skip
    assert orders.types() == {"v": "BIGINT", "new": "VARCHAR"}
    parquet("d.parquet", "SELECT 'text' AS v")
    with pytest.raises(SchemaDrift, match=r"d\.parquet: column v is VARCHAR, in earlier files BIGINT"):
        orders.load()


def test_a_file_that_is_no_parquet_is_named(put, table):
    put("a.parquet", "hello, this is no such file")
    with pytest.raises(UnsupportedValue, match=r"s\.t: a\.parquet: "):
        table("*.parquet").load()


def test_a_key_twice_in_a_parquet_file_is_the_last_row(parquet, table):
    parquet("a.parquet", "SELECT i % 10 AS id, i AS v FROM range(100000) r(i) ORDER BY i")
    assert table("*.parquet", primary_key=["id"]).load() == [{"id": n, "v": 99_990 + n} for n in range(10)]


def test_errors_hold_json_safe_fields(put, table):
    put("a.csv", "v\n1\n")
    orders = table()
    orders.load()
    put("b.csv", 'v\n"x""]}\\"\n')
    with pytest.raises(UnsupportedValue) as caught:
        orders.load()
    assert caught.value.context["value"] == 'x"]}\\'
    json.dumps(caught.value.record())
