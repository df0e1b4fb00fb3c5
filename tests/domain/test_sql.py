"""The encoder of identifiers and literals, through the databases themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comboi_core.cli.demo.postgres import EmbeddedPostgres
from comboi_core.domain.folders import Scratch
from comboi_core.domain.sql import identifier, identifiers, literal, qualified
from comboi_core.duckdb.engine import open_duckdb
from comboi_core.sources.postgres.session import extension_path
from comboi_core.sources.postgres.text import parts, relation

TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=40)
NAME = TEXT.filter(lambda name: 0 < len(name.encode()) <= 63)
PROPERTY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def con() -> Iterator[Any]:
    """DuckDB with a PostgreSQL attached as `pg`."""
    with (
        Scratch() as folder,
        EmbeddedPostgres(folder) as server,
        open_duckdb(memory_limit="256MB", threads=1) as opened,
    ):
        opened.execute(f"LOAD {literal(str(extension_path()))}")
        opened.execute(f"ATTACH {literal(server.uri)} AS pg (TYPE postgres)")
        yield opened
        opened.execute("DETACH pg")


@PROPERTY
@given(value=TEXT)
def test_any_text_comes_back_from_both_databases(con, value):
    select = f"SELECT {literal(value)} AS x"
    assert con.execute(select).fetchone() == (value,)
    assert con.execute(f"FROM postgres_query('pg', {literal(select)})").fetchone() == (value,)


@PROPERTY
@given(name=NAME)
def test_any_name_comes_back_from_both_databases(con, name):
    select = f"SELECT q.{identifier(name)} AS x FROM (SELECT 7 AS {identifier(name)}) q"
    assert con.execute(select).fetchone() == (7,)
    assert con.execute(f"FROM postgres_query('pg', {literal(select)})").fetchone() == (7,)


@given(names=st.lists(NAME, min_size=1, max_size=2))
def test_quoted_parts_of_a_table_s_name_are_split_as_they_were_joined(names):
    joined = ".".join(identifier(name) for name in names)
    assert parts(joined) == tuple(names)
    assert relation(joined) == joined


def test_parts_are_split_at_dots():
    assert qualified("a.b") == '"a"."b"' and identifiers(["a", 'b"']) == '"a", "b"""'
    assert parts("Sales.Order Lines") == ("Sales", "Order Lines")


def test_null_is_a_literal_and_nul_is_refused():
    assert literal(None) == "NULL"
    for encode in (literal, identifier):
        with pytest.raises(ValueError, match="NUL"):
            encode("a\x00b")
    with pytest.raises(ValueError, match="empty"):
        identifier("")
