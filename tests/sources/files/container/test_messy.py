"""What people and programs write is read from a container as from a folder: encodings, preambles, types, archives."""

from __future__ import annotations

import gzip
import io
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from comboi_core.domain.errors import UnsupportedValue

pytestmark = pytest.mark.few(2)

ROWS = [{"id": 1, "v": "café 😀"}, {"id": 2, "v": "x"}]
TEXT = "id,v\n1,café 😀\n2,x\n"


def written(column: pa.Array, **how: Any) -> bytes:
    """A Parquet file with a column `v`."""
    file = io.BytesIO()
    parquet.write_table(pa.table({"id": range(1, 1 + len(column)), "v": column}), file, **how)
    return file.getvalue()


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("skip", [0, 2])
@pytest.mark.parametrize(
    ("encoding", "mark", "codec"),
    [("utf-16", b"\xff\xfe", "utf-16-le"), ("utf-16", b"\xfe\xff", "utf-16-be"), ("utf-16-be", b"", "utf-16-be"),
     ("utf-32", b"\xff\xfe\x00\x00", "utf-32-le"), ("utf-8", b"\xef\xbb\xbf", "utf-8")],
)  # fmt: skip
def test_unicode_in_any_form_and_a_preamble(incoming, table, encoding, mark, codec, skip, end, zipped):
    text = 'a "preamble\nof two lines"\n' * bool(skip) + TEXT
    content = mark + text.replace("\n", end).encode(codec)
    name = "a.csv.gz" if zipped else "a.csv"
    incoming.put(name, gzip.compress(content) if zipped else content)
    assert table(path=name, options={"encoding": encoding, "skip": skip}).load() == ROWS


@pytest.mark.slow
@pytest.mark.parametrize("size", [10, 200_000])
def test_a_file_of_windows_with_mixed_line_ends_is_read_as_declared_and_named_otherwise(incoming, table, size):
    rows = "".join(f"{number},é\r\n" for number in range(size))
    incoming.put("a.csv", ("id,v\n" + rows + "-1,é\n").encode("cp1252"))
    found = table(options={"encoding": "cp1252", "mixed_line_ends": True}).load()
    assert len(found) == size + 1 and {row["v"] for row in found} == {"é"}
    with pytest.raises(UnsupportedValue, match=r"s\.t: a\.csv.*utf-8|s\.t: a\.csv, line \d+: .*") as caught:
        table().load()
    assert "encoding" in caught.value.remedy


def test_parquet_with_whole_microseconds_lands_and_one_nanosecond_is_refused_with_its_row(incoming, table):
    moments = pa.array([1_000, 2_000], pa.timestamp("ns", tz="UTC"))
    incoming.put("a.parquet", written(moments))
    orders = table(path="*.parquet")
    assert [row["v"] for row in orders.load()] == [
        datetime(1970, 1, 1, microsecond=micros, tzinfo=UTC) for micros in (1, 2)
    ]
    incoming.put("b.parquet", written(pa.array([3_000, 4_001], pa.timestamp("ns", tz="UTC"))))
    says = r"s\.t: b\.parquet: column v is TIMESTAMPTZ in nanoseconds and has a value with nanoseconds in row 2"
    with pytest.raises(UnsupportedValue, match=says):
        orders.load()


@pytest.mark.parametrize("kind", ["int96", "time"])
def test_parquet_of_other_types_with_nanoseconds_is_refused(incoming, table, kind):
    times = pa.array([1_000, 2_001], pa.time64("ns") if kind == "time" else pa.timestamp("ns"))
    incoming.put("a.parquet", written(times, use_deprecated_int96_timestamps=kind == "int96"))
    with pytest.raises(UnsupportedValue, match=r"s\.t: a\.parquet: column v is .* nanoseconds in row 2"):
        table(path="*.parquet").load()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.csv.gz", "a.jsonl.gz"])
def test_what_a_zipped_file_unzips_to_has_a_limit(incoming, table, name):
    lines = ['{"id": 1}\n'] if "json" in name else ["id\n", "1\n"]
    content = "".join(lines[:-1]) + lines[-1] * 100_000
    incoming.put(name, gzip.compress(content.encode()))
    with pytest.raises(UnsupportedValue, match=rf"s\.t: {name} unzips to more than 100,000 bytes") as caught:
        table(path=name, max_unzipped=100_000).load()
    assert "max_unzipped" in caught.value.remedy
    assert len(table(path=name, max_unzipped=len(content)).load()) == 100_000


@pytest.mark.parametrize("name", ["a.csv.gz", "a.jsonl.gz"])
def test_a_zipped_file_that_was_cut_off_is_refused(incoming, table, name):
    content = gzip.compress(('{"id": 1}\n' if "json" in name else "id\n").encode() + b" " * 300_000)
    incoming.put(name, content[:-9])
    with pytest.raises(UnsupportedValue, match=rf"s\.t: {name} is cut off"):
        table(path=name).load()


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"\n\n", b" \r\n"])
def test_a_blank_file_is_ignored_until_something_is_in_it(incoming, table, content):
    orders = table()
    incoming.put("a.csv", TEXT)
    incoming.put("b.csv", content)
    assert orders.load() == ROWS
    incoming.put("b.csv", "id,v\n3,y\n")
    assert orders.load() == [*ROWS, {"id": 3, "v": "y"}]


def test_parquet_decimals_of_more_digits_land_as_declared_text(incoming, table, con):
    many = Decimal("1234567890123456789012345678901234567890.12")
    incoming.put("a.parquet", written(pa.array([many, None], pa.decimal256(42, 2))))
    with pytest.raises(UnsupportedValue, match=rf"s\.t: a\.parquet: column v is .* \(its first value is {many}\)"):
        table(path="*.parquet").load()
    found = table(path="*.parquet", types={"v": "VARCHAR"}).load()
    assert [row["v"] for row in found] == [str(many), None]
    spill = Path(con.execute("SELECT current_setting('temp_directory')").fetchone()[0])
    assert not list(spill.rglob("copies-*/*"))
