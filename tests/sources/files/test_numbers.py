"""Numbers of files arrive digit by digit, or are refused with file, line and column."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from comboi_core.domain.errors import UnsupportedValue
from tests.support.landing import Landing, lake_in

MANY = "1234567890123456789012345678901234567890.12"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "incoming"
    made.mkdir()
    return made


@pytest.fixture
def table(con: Any, tmp_path: Path, folder: Path) -> Callable[..., Landing]:
    def make(path: str, **table: Any) -> Landing:
        return Landing(
            con,
            lake_in(tmp_path),
            "files",
            {
                "path": str(folder),
            },
            {"path": path, "lag": "0s"} | table,
        )

    return make


@pytest.mark.parametrize(
    ("written", "kind", "landed"),
    [
        ("123456789012345678901234567890", "DECIMAL(38,0)", Decimal("123456789012345678901234567890")),
        ('"12345678901234567.12"', "DECIMAL(20,2)", Decimal("12345678901234567.12")),
        ("1234567890123.12", "DECIMAL(20,2)", Decimal("1234567890123.12")),
        ("0.30000000000000004", "DECIMAL(20,17)", Decimal("0.30000000000000004")),
        ("0.30000000000000004", "VARCHAR", "0.30000000000000004"),
        ("123456789012345678901234567890", "VARCHAR", "123456789012345678901234567890"),
        (f'"{MANY}"', "VARCHAR", MANY),
        ("0.12345678901234567890", "DOUBLE", 0.12345678901234568),
    ],
)
def test_a_json_number_arrives_as_it_is_written(folder, table, written, kind, landed):
    (folder / "a.jsonl").write_text(f'{{"id": 1, "v": {written}}}\n')
    assert table("*.jsonl", types={"v": kind}).load() == [{"id": 1, "v": landed}]


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("kind", ["DECIMAL(38,10)", "VARCHAR"])
@pytest.mark.parametrize(
    "written", ["12345678901234567.12", "0.1000000000000000055", "12345678901234567890.0001", "100000000000000000000.5",
                "1e-400", MANY],
)  # fmt: skip
def test_a_json_number_that_no_double_is_is_refused_and_named(folder, table, written, kind, mark, name):
    lines = f'{{"v": 1}}\n\n{{"w": "{written}"}}\n{{"w": 0.5, "V/~": null, "v": {written}}}\n'
    content = (mark + lines).encode()
    (folder / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    with pytest.raises(UnsupportedValue) as caught:
        table(name, types={"v": kind, "V/~": kind}).load()
    assert f"s.t: {name}, line 4: column v holds {written[:50]}" in caught.value.message
    assert '"v": "..."' in caught.value.remedy and caught.value.context["column"] == "v"


def test_a_number_that_no_double_is_is_told_of_the_column_that_needs_its_digits_only(folder, table):
    (folder / "a.jsonl").write_text('{"a/~b": 0.12345678901234567890, "text": "x"}\n{"a/~b": 1.5, "text": "y"}\n')
    assert [row["a/~b"] for row in table("*.jsonl").load()] == [0.12345678901234568, 1.5]
    with pytest.raises(UnsupportedValue, match="line 1: column a/~b holds 0.1234567890123456789"):
        table("*.jsonl", types={"a/~b": "DECIMAL(38,20)"}).load()


def test_a_later_file_is_looked_at_as_well(folder, table):
    orders = table("*.jsonl", types={"v": "DECIMAL(20,2)"})
    (folder / "a.jsonl").write_text('{"v": 1.25}\n')
    assert orders.load() == [{"v": Decimal("1.25")}]
    (folder / "b.jsonl").write_text('{"v": 12345678901234567.12}\n')
    with pytest.raises(UnsupportedValue, match=r"b\.jsonl, line 1: column v"):
        orders.load()


@pytest.mark.parametrize("text", [MANY, f"-{MANY}", "1" * 39, f"0.{'1' * 39}"])
def test_a_decimal_of_more_digits_than_a_column_can_have_is_refused_or_lands_as_declared_text(folder, table, text):
    (folder / "a.csv").write_text(f"id,v\n1,1.50\n2,{text}\n")
    says = r"a\.csv, line 3: column v holds '.*', which is no DECIMAL\(38,2\)"
    with pytest.raises(UnsupportedValue, match=says) as caught:
        table("*.csv", types={"v": "DECIMAL(38,2)"}).load()
    assert "types: {v: VARCHAR}" in caught.value.remedy
    assert [row["v"] for row in table("*.csv", types={"v": "VARCHAR"}).load()] == ["1.50", text]


SMALL = "0.0000000001"
WIDE = [None, Decimal("1.5"), Decimal(MANY), Decimal(SMALL), Decimal(f"-{MANY}")]


def wide(**more: Any) -> Any:
    import pyarrow as pa

    return pa.table({"v": pa.array(WIDE, pa.decimal256(60, 10)), "id": range(5)} | more)


def test_a_decimal_of_more_digits_in_parquet_is_refused_with_its_column_and_a_value(folder, table):
    from pyarrow import parquet

    parquet.write_table(wide(), folder / "a.parquet")
    for declared in ({}, {"v": "DECIMAL(38,2)"}):
        with pytest.raises(UnsupportedValue) as caught:
            table("*.parquet", types=declared).load()
        assert "s.t: a.parquet: column v is DECIMAL(60,10) (its first value is 1.5" in caught.value.message
        assert "types: {v: VARCHAR}" in caught.value.remedy
    assert len(table("*.parquet", columns=["id"]).load()) == 5


@pytest.mark.parametrize("key", [[], ["id"]])
def test_a_decimal_of_more_digits_in_parquet_lands_as_declared_text(folder, table, key, con):
    import pyarrow as pa
    from pyarrow import parquet

    more = {
        "at": pa.array([1, 2, 3, 4, None], pa.timestamp("us", tz="UTC")),
        "s": [{"x": [1.5]}] * 5,
        "b": [b"1", b"", None, b"", b""],
        "d": pa.array([Decimal("1.25")] * 5, pa.decimal128(9, 2)),
    }
    parquet.write_table(wide(**more), folder / "a.parquet", row_group_size=2)
    parquet.write_table(pa.table({"v": ["text"], "id": [5]}), folder / "b.parquet")
    orders = table("*.parquet", types={"V": "VARCHAR"}, primary_key=key)
    found = {row["id"]: row for row in orders.load()}
    spelled = [found[number][next(name for name in found[0] if name.lower() == "v")] for number in range(6)]
    assert spelled == [None, "1.5000000000", f"{MANY}00000000", SMALL, f"-{MANY}00000000", "text"]
    assert found[0]["s"] == {"x": [1.5]} and found[0]["b"] == b"1" and found[0]["d"] == Decimal("1.25")
    assert orders.types()["at"] == "TIMESTAMP WITH TIME ZONE" or orders.types()["at"] == "TIMESTAMPTZ"


def test_a_column_that_would_change_beside_such_a_decimal_is_named(folder, table):
    import pyarrow as pa
    from pyarrow import parquet

    times = {"at": pa.array([1_000] * 5, pa.timestamp("ns"))}
    parquet.write_table(wide(**times), folder / "a.parquet", use_deprecated_int96_timestamps=True)
    with pytest.raises(UnsupportedValue, match=r"a\.parquet: column at \(TIMESTAMP.*\) would change"):
        table("*.parquet", types={"v": "VARCHAR"}).load()
