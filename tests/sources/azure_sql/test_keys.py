"""Keys that SQL Server calls equal although they are written differently, and keys of another code page.

On the double, which stands in for SQL Server; `anywhere` on a real server as well, where there is one.
"""

from __future__ import annotations

import pytest

from comboi_core.domain.load import Checkpoint

MERGE = {"incremental_column": "at", "primary_key": ["id"]}
AT = "at datetimeoffset(0) NOT NULL"
ROW = "INSERT INTO {s}.orders VALUES (N'%s', '2026-01-01 00:00:00 +00:00')"


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("nvarchar(20)", "case"),  # the database's collation, Azure's default
        ("varchar(20) COLLATE Latin1_General_100_CS_AI", "accents"),
        ("char(3) COLLATE Latin1_General_100_CI_AI_SC_UTF8", "case and accents"),
        ("varchar(20) COLLATE Latin1_General_100_CS_AS", None),
        ("nchar(3) COLLATE Latin1_General_100_BIN2", None),
        ("int", None),
    ],
)
def test_a_key_whose_spellings_are_equal_for_the_source_is_told(anywhere, kind, told):
    anywhere.run(f"CREATE TABLE {{s}}.orders (id {kind} NOT NULL PRIMARY KEY, {AT})")
    shortfalls = anywhere.plan(**MERGE).shortfalls
    assert [shortfall.code for shortfall in shortfalls] == (["key_equality"] if told else [])
    assert all(f"without regard to {told}:" in shortfall.message for shortfall in shortfalls)
    assert not anywhere.plan(mode="full", primary_key=["id"]).shortfalls, "a full load has no second row"


def test_one_spelling_in_a_query_ends_it(azure):
    azure.run(f"CREATE TABLE {{s}}.orders (id nvarchar(9) NOT NULL, {AT})", ROW % "abc ")
    query = "SELECT o.id COLLATE Latin1_General_100_BIN2 AS id, at FROM {s}.orders AS o"
    assert not azure.plan(table=None, query=query, **MERGE).shortfalls


@pytest.mark.parametrize("kind", ["varchar(9)", "nvarchar(9)", "char(9)", "nchar(9)"])
def test_blanks_at_the_end_of_a_key_make_no_second_row(anywhere, kind):
    anywhere.run(f"CREATE TABLE {{s}}.orders (id {kind}, {AT}, a {kind})")
    anywhere.run(f"INSERT INTO {{s}}.orders VALUES ('{chr(32)}b ', '2026-01-01 00:00:00 +00:00', 'c ')")
    load, ((key, _, _, value),), checkpoint = anywhere.land(**MERGE)
    assert key == " b" and value.startswith("c "), "a column that is no key stays as it is"
    before = Checkpoint(1, None, None, anywhere.plan(mode="full").columns)
    assert anywhere.land(before, **MERGE)[1][0][0].startswith(" b "), "not before the table is read anew"
    assert anywhere.land(checkpoint, full_refresh=True, **MERGE)[0].columns == load.columns


def test_chunks_of_text_are_cut_by_the_column_s_own_code_page(anywhere):
    """CONVERT(varchar, N'...') alone goes by the database's, in which 日 is a question mark."""
    anywhere.run(f"CREATE TABLE {{s}}.orders (id varchar(9) COLLATE Japanese_XJIS_140_BIN2, {AT})")
    for key in ("ア", "日", "本"):
        anywhere.run(ROW % key)
    load, rows, _ = anywhere.land(primary_key=["id"], mode="full", chunk_rows=1)
    assert len(load.chunks) == 3 and sorted(row[0] for row in rows) == ["ア", "日", "本"]
    if anywhere.double:
        bounds = [text for text in anywhere.double.log.statements if "[id] >= CONVERT(varchar(9), N'" in text]
        assert len(bounds) == 2 and all("' COLLATE Japanese_XJIS_140_BIN2)" in text for text in bounds)


def test_a_bound_that_is_text_is_never_without_a_collation(azure):
    azure.run(f"CREATE TABLE {{s}}.orders (id nvarchar(9), {AT})", ROW % "a", ROW % "b")
    azure.land(primary_key=["id"], mode="full", chunk_rows=1)
    asked = [text for text in azure.double.log.statements if "CONVERT(nvarchar(9), N'b'" in text]
    assert asked and all("N'b' COLLATE SQL_Latin1_General_CP1_CI_AS" in text for text in asked)
