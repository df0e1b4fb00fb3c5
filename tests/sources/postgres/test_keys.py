"""Keys are compared as PostgreSQL compares them: another spelling of a key that is equal is no other row."""

from __future__ import annotations

from dataclasses import replace

import pytest

from comboi_core.domain.errors import SchemaDrift
from comboi_core.domain.load import Column
from tests.support.citext import citext
from tests.support.landing import Landing, lake_in

pytestmark = pytest.mark.few(2)

EQUAL = [
    ("numeric", "2.0", "2.00", "2"),
    ("numeric", "'NaN'", "'NaN'", "NaN"),
    ("numeric", "'Infinity'", "'Infinity'", "Infinity"),
    ("numeric", "100", "100.000", "100"),
    ("double precision", "'0'", "'-0'", "0.0"),
    ("real", "'-0'", "'0'", "0.0"),
    ("interval", "'24:00:00'", "'1 day'", "1 day"),
    ("interval", "'1 mon'", "'30 days'", "1 mon"),
    ("char(5)", "'a'", "'a  '", "a"),
]
CURSORS = [{"cursor": "xmin"}, {"incremental_column": "at"}]


@pytest.mark.parametrize("cursor", CURSORS, ids=lambda cursor: next(iter(cursor)))
@pytest.mark.parametrize(("kind", "before", "after", "landed"), EQUAL)
def test_an_equal_key_in_another_spelling_lands_as_it_did_before(shop, cursor, kind, before, after, landed):
    shop.run(
        f"CREATE TABLE {{s}}.orders (id {kind} PRIMARY KEY, note text, at timestamptz DEFAULT now() - interval '1 h')"
    )
    shop.run(f"INSERT INTO {{s}}.orders (id, note) VALUES ({before}, 'first')")
    load, first, checkpoint = shop.land(primary_key=["id"], columns=["id", "note"], **cursor)
    shop.run(f"UPDATE {{s}}.orders SET id = {after}, note = 'second', at = now() - interval '1 min'")

    load, second, _ = shop.land(checkpoint, primary_key=["id"], columns=["id", "note"], **cursor)

    assert load.mode == "merge"
    assert (first[0][0], second[0][0]) == (landed, landed)
    assert (first[0][1], second[0][1]) == ("first", "second")


def test_a_table_that_was_landed_as_it_is_written_keeps_its_spelling_until_it_is_read_anew(shop):
    shop.run("CREATE TABLE {s}.orders (id numeric PRIMARY KEY, at timestamptz DEFAULT now() - interval '1 h')")
    shop.run("INSERT INTO {s}.orders (id) VALUES (2.00)")
    settings = {"primary_key": ["id"], "incremental_column": "at"}
    _, _, checkpoint = shop.land(**settings)
    earlier = tuple(replace(column, canonical=False) for column in checkpoint.columns)
    checkpoint = replace(checkpoint, columns=earlier, watermark="2020-01-01 00:00:00+00")

    load, rows, _ = shop.land(checkpoint, **settings)
    assert not any(column.canonical for column in load.columns) and rows[0][0] == "2.00"

    load, rows, _ = shop.land(checkpoint, full_refresh=True, **settings)
    assert [column.canonical for column in load.columns] == [True, False] and rows[0][0] == "2"


def test_columns_of_earlier_manifests_are_written_as_they_are():
    assert Column("id", "numeric", "VARCHAR").canonical is False


OPEN = {
    "jsonb": "",
    "numeric[]": "",
    "interval[]": "",
    "char(3)[]": "",
    "numrange": "",
    "{s}.citext": "",
    "{s}.citext[]": "",
    "{s}.money_in": "CREATE TYPE {s}.money_in AS (amount numeric, currency text)",
    "{s}.trip": "CREATE TYPE {s}.leg AS (lasts interval); CREATE TYPE {s}.trip AS (legs {s}.leg[])",
    "{s}.spans": "CREATE TYPE {s}.spans AS RANGE (subtype = interval)",
    "{s}.prices": "CREATE DOMAIN {s}.prices AS numeric[] CHECK (cardinality(VALUE) > 0)",
    'text COLLATE {s}."any case"': "",
    'varchar(9) COLLATE {s}."any case"': "",
    "{s}.label": 'CREATE TYPE {s}.label AS (name text COLLATE {s}."any case")',
}
"""Type -> what makes it."""
CLOSED = {
    "text": "",
    "integer[]": "",
    "tstzrange": "",
    "int4range": "",
    "inet": "",
    "{s}.place": "CREATE TYPE {s}.place AS (street text, number int)",
    "{s}.mood": "CREATE TYPE {s}.mood AS ENUM ('sad', 'glad')",
    "{s}.price": "CREATE DOMAIN {s}.price AS numeric CHECK (VALUE > 0)",
    "numeric(12,2)": "",
}
ANY_CASE = """
CREATE COLLATION {s}."any case" (provider = libc, locale = 'C');
UPDATE pg_collation SET collisdeterministic = false WHERE collname = 'any case';
"""
"""What the catalog says of such a collation; a server without ICU cannot make a real one."""


def of_kind(shop, kind: str, made: str) -> None:
    shop.run(citext("{s}") + ANY_CASE)
    shop.run(made)
    shop.run(f"CREATE TABLE {{s}}.orders (id {kind}, at timestamptz)")


@pytest.mark.parametrize("query", [False, True], ids=["table", "query"])
@pytest.mark.parametrize(("kind", "made"), OPEN.items(), ids=OPEN)
def test_a_key_whose_equal_values_have_no_spelling_in_common_is_told(shop, kind, made, query):
    of_kind(shop, kind, made)
    told = {"query": "SELECT id, at FROM {s}.orders", "table": None} if query else {}

    load, _, _ = shop.land(primary_key=["id"], incremental_column="at", **told)

    (shortfall,) = load.shortfalls
    assert shortfall.code == "key_equality" and "compares values of id (" in shortfall.message
    assert ("not deterministic" in shortfall.message) is ("any case" in kind + made)


@pytest.mark.parametrize(("kind", "made"), CLOSED.items(), ids=CLOSED)
def test_a_key_whose_equal_values_look_the_same_is_no_shortfall(shop, kind, made):
    of_kind(shop, kind, made)

    load, _, _ = shop.land(primary_key=["id"], incremental_column="at")

    assert load.shortfalls == ()


def test_a_column_of_another_key_keeps_its_type_whatever_it_is(shop):
    """Of a table that is not merged by it, nothing is told."""
    shop.run("CREATE TABLE {s}.orders (id int PRIMARY KEY, tags jsonb, at timestamptz)")

    assert shop.land(primary_key=["id"], incremental_column="at")[0].shortfalls == ()
    assert shop.land(primary_key=["tags"], mode="full")[0].shortfalls == ()


def test_keys_that_were_landed_as_they_are_written_are_told_until_they_are_not(shop):
    shop.run("CREATE TABLE {s}.orders (id numeric PRIMARY KEY, at timestamptz DEFAULT now() - interval '1 h')")
    shop.run("INSERT INTO {s}.orders (id) VALUES (2.00)")
    settings = {"primary_key": ["id"], "incremental_column": "at"}
    _, _, checkpoint = shop.land(**settings)
    old = replace(checkpoint, columns=tuple(replace(column, canonical=False) for column in checkpoint.columns))

    (told,) = shop.land(old, **settings)[0].shortfalls
    assert "id (numeric) was landed by an earlier comboi" in told.message
    assert "comboi run bronze --select shop.orders --full-refresh" in told.remedy

    (told,) = shop.land(old, full_refresh=True, **settings)[0].shortfalls
    assert "from this load on, id (numeric) lands in one spelling" in told.message
    (told,) = shop.land(old, primary_key=["id"], mode="full")[0].shortfalls
    assert "from this load on" in told.message, "a table that is always whole may be merged by datasets"
    assert shop.land(checkpoint, full_refresh=True, **settings)[0].shortfalls == ()


@pytest.mark.parametrize(
    ("kind", "value", "later"),
    [("numeric", "2.00", "text"), ("interval", "'24:00:00'", "text"), ("inet", "'10.0.0.1'", "text"),
     ("numeric", "2.00", "interval USING '1 day'"), ("numeric", "2.00", "varchar(9)")],
)  # fmt: skip
def test_a_key_that_gets_a_type_with_another_equality_is_refused_until_it_is_read_anew(shop, kind, value, later):
    shop.run(f"CREATE TABLE {{s}}.orders (id {kind} PRIMARY KEY, at timestamptz DEFAULT now() - interval '1 h')")
    shop.run(f"INSERT INTO {{s}}.orders (id) VALUES ({value})")
    settings = {"primary_key": ["id"], "incremental_column": "at"}
    _, before, checkpoint = shop.land(**settings)
    shop.run(f"ALTER TABLE {{s}}.orders ALTER id TYPE {later}")

    with pytest.raises(SchemaDrift, match=f"id of the primary key changed from {kind} to .* would be two"):
        shop.land(checkpoint, **settings)

    if "USING" not in later:
        shop.run(f"ALTER TABLE {{s}}.orders ALTER id TYPE {kind} USING id::{kind}; UPDATE {{s}}.orders SET at = now()")
        load, rows, _ = shop.land(replace(checkpoint, watermark="2020-01-01 00:00:00+00"), **settings)
        assert rows[0][0] == before[0][0] and load.shortfalls == ()


def test_an_appended_key_has_its_one_spelling_back_after_another_type(shop):
    shop.run("CREATE TABLE {s}.orders (id numeric PRIMARY KEY, at timestamptz DEFAULT now() - interval '1 h')")
    shop.run("INSERT INTO {s}.orders (id) VALUES (2.00)")
    settings = {"primary_key": ["id"], "incremental_column": "at", "mode": "append"}
    _, rows, checkpoint = shop.land(**settings)
    assert rows[0][0] == "2"
    checkpoint = replace(checkpoint, watermark="2020-01-01 00:00:00+00")
    for kind, landed in (("text", "2.00"), ("numeric USING id::numeric", "2")):
        shop.run(f"ALTER TABLE {{s}}.orders ALTER id TYPE {kind}")
        load, rows, _ = shop.land(checkpoint, **settings)
        assert rows[0][0] == landed
        checkpoint = replace(checkpoint, columns=load.columns)


def test_a_char_key_that_becomes_text_goes_on(shop):
    shop.run("CREATE TABLE {s}.orders (id char(5) PRIMARY KEY, at timestamptz DEFAULT now() - interval '1 h')")
    shop.run("INSERT INTO {s}.orders (id) VALUES ('a')")
    settings = {"primary_key": ["id"], "incremental_column": "at"}
    _, before, checkpoint = shop.land(**settings)
    shop.run("ALTER TABLE {s}.orders ALTER id TYPE text")
    _, rows, _ = shop.land(replace(checkpoint, watermark="2020-01-01 00:00:00+00"), **settings)
    assert rows[0][0] == before[0][0] == "a"


def test_columns_of_foreign_keys_land_as_the_keys_that_they_refer_to(shop):
    shop.run(
        "CREATE TABLE {s}.customers (id numeric PRIMARY KEY, code char(4) UNIQUE, name text);"
        "INSERT INTO {s}.customers VALUES (2.00, 'a', 'Ann');"
        "CREATE TABLE {s}.orders (n int PRIMARY KEY, customer numeric REFERENCES {s}.customers,"
        " code char(4) REFERENCES {s}.customers (code), price numeric);"
        "INSERT INTO {s}.orders VALUES (1, 2.0, 'a', 7.50)"
    )
    for mode in ({"mode": "full"}, {"cursor": "xmin"}):
        _, customers, _ = shop.land(table="{s}.customers", primary_key=["id"], **mode)
        _, orders, checkpoint = shop.land(primary_key=["n"], **mode)
        assert (customers[0][:2], orders[0][1:4]) == (("2", "a"), ("2", "a", "7.50"))
    shop.run("ALTER TABLE {s}.orders DROP CONSTRAINT orders_customer_fkey; UPDATE {s}.orders SET customer = 2.000")
    _, orders, _ = shop.land(checkpoint, primary_key=["n"], cursor="xmin")
    assert orders[0][1] == "2", "as the earlier rows"


def test_a_column_that_was_landed_before_it_got_its_foreign_key_is_told(shop):
    shop.run(
        "CREATE TABLE {s}.customers (id numeric PRIMARY KEY); INSERT INTO {s}.customers VALUES (2.00);"
        "CREATE TABLE {s}.orders (n int PRIMARY KEY, customer numeric, price numeric);"
        "INSERT INTO {s}.orders VALUES (1, 2.00, 7.50)"
    )
    settings = {"primary_key": ["n"], "cursor": "xmin"}
    load, rows, checkpoint = shop.land(**settings)
    assert (rows[0][1], load.shortfalls) == ("2.00", ())
    shop.run("ALTER TABLE {s}.orders ADD FOREIGN KEY (customer) REFERENCES {s}.customers; UPDATE {s}.orders SET n = 2")

    load, rows, _ = shop.land(checkpoint, **settings)
    (told,) = load.shortfalls
    assert rows[0][1] == "2.00" and "customer (numeric), of a foreign key, was landed as" in told.message

    load, rows, _ = shop.land(checkpoint, full_refresh=True, **settings)
    assert (rows[0][1:], load.shortfalls) == (("2", "7.50"), ())


def landing(shop, tmp_path, **table) -> Landing:
    table = {"table": shop.filled(table.pop("table", "{s}.orders")), "primary_key": ["id"], **table}
    return Landing(shop.con, lake_in(tmp_path), "postgres", {"conn_str": shop.uri}, table)


@pytest.mark.parametrize("cursor", CURSORS, ids=lambda cursor: next(iter(cursor)))
@pytest.mark.parametrize("chunk_rows", [None, 3])
def test_readers_see_one_row_after_each_key_was_written_in_another_way(shop, tmp_path, cursor, chunk_rows):
    shop.run(
        "CREATE TABLE {s}.orders (id numeric, part interval, note text, at timestamptz DEFAULT now() - interval '1 h',"
        " PRIMARY KEY (id, part));"
        "INSERT INTO {s}.orders (id, part, note) SELECT (n / 2 || repeat('.0', n % 2))::numeric,"
        " n % 2 * interval '1 day', 'old' FROM generate_series(2, 41) n; ANALYZE {s}.orders"
    )
    chunks = {"chunk_rows": chunk_rows} if chunk_rows else {}
    orders = landing(shop, tmp_path, primary_key=["id", "part"], **cursor, **chunks)
    assert len(orders.load()) == 40 and (len(orders.said.chunks) > 9) is bool(chunk_rows)
    shop.run(
        "UPDATE {s}.orders SET id = id::numeric(9,2), part = extract(epoch FROM part) * interval '1 s', note = 'new',"
        " at = now() - interval '1 min'"
    )

    rows = orders.load()

    assert (len(rows), {row["note"] for row in rows}, orders.said.shortfalls) == (40, {"new"}, ())
    assert len(orders.manifest.files) > 1


def test_a_table_that_was_whole_and_is_merged_later_keeps_one_row_per_key(shop, tmp_path):
    shop.run("CREATE TABLE {s}.orders (id numeric PRIMARY KEY, note text); INSERT INTO {s}.orders VALUES (2.0, 'old')")
    orders = landing(shop, tmp_path, mode="full")
    assert [row["id"] for row in orders.load()] == ["2"]
    shop.run("UPDATE {s}.orders SET id = 2.00, note = 'new'")
    merged = {"mode": "merge", "cursor": "xmin"}
    assert orders.load(full_refresh=True, **merged) == [{"id": "2", "note": "new"}]
    shop.run("UPDATE {s}.orders SET id = 2.000, note = 'newer'")
    assert orders.load(**merged) == [{"id": "2", "note": "newer"}]
    assert [plan.shortfalls for plan in orders.plans] == [()] * 3
