"""What roles and databases may have set: row-level security, and settings that change what is read or printed."""

from __future__ import annotations

import pytest

from comboi_core.domain.errors import ConfigError, SourceChanged, SourceFiltered
from comboi_core.domain.load import Checkpoint
from comboi_core.sources.postgres import connection as postgres_connection

pytestmark = pytest.mark.few(2)

HOSTILE = {
    "standard_conforming_strings": "off",
    "quote_all_identifiers": "on",
    "DateStyle": "'German'",
    "IntervalStyle": "sql_standard",
    "extra_float_digits": "-15",
    "bytea_output": "escape",
    "TimeZone": "'Asia/Kolkata'",
    "statement_timeout": "'100ms'",
    "gin_fuzzy_search_limit": "1",
    "row_security": "on",
    "default_transaction_isolation": "serializable",
    "idle_in_transaction_session_timeout": "'50ms'",
}


@pytest.fixture
def hostile(shop, pg):
    shop.run(
        "GRANT USAGE ON SCHEMA {s} TO comboi;"
        + "".join(f"ALTER ROLE comboi SET {n} = {v};" for n, v in HOSTILE.items())
    )
    yield shop
    shop.run("ALTER ROLE comboi RESET ALL")


TYPES = """
CREATE TABLE {s}.orders (
    id text PRIMARY KEY, f float8, d date, t timestamptz, i interval, b bytea, tags text[], n numeric
);
INSERT INTO {s}.orders SELECT 'k' || n || '\\', 0.1::float8 + 0.2, '2026-02-01', '2026-02-01 10:00+00',
    '1 day 02:03:04', '\\x00ff', ARRAY['a'], 1.50 FROM generate_series(1, 50) n;
CREATE INDEX ON {s}.orders USING gin (tags); GRANT SELECT ON {s}.orders TO comboi;
"""


def test_a_role_s_own_settings_change_nothing(hostile, pg):
    hostile.run(TYPES)
    table = {"primary_key": ["id"], "chunk_rows": 10, "where": "tags @> ARRAY['a']"}
    load, expected, _ = hostile.land(**table)
    same, rows, _ = hostile.land(uri=pg.tcp_uri(), **table)
    assert rows == expected and len(rows) == 50
    assert len(load.chunks) > 3 and (same.chunks, same.columns) == (load.chunks, load.columns)


def test_a_pooler_that_drops_the_settings_is_named(hostile, pg, monkeypatch):
    """As PgBouncer does with `ignore_startup_parameters = options`: nothing of `options` reaches the server."""
    timeouts = ("statement_timeout", "idle_in_transaction_session_timeout")
    hostile.run(TYPES + "".join(f"ALTER ROLE comboi RESET {name};" for name in timeouts))
    monkeypatch.setattr(postgres_connection, "_ADDED", {"application_name": "comboi", "client_encoding": "UTF8"})
    real = postgres_connection.with_parameters
    monkeypatch.setattr(
        postgres_connection, "with_parameters",
        lambda text, added: real(text, {key: value for key, value in added.items() if key != "options"}),
    )  # fmt: skip
    with pytest.raises(ConfigError, match="does not have comboi's settings: .*row_security is on") as caught:
        hostile.plan(uri=pg.tcp_uri())
    assert "PgBouncer" in caught.value.remedy
    role = "".join(f"ALTER ROLE comboi SET {name} = {value};" for name, value in postgres_connection.SESSION.items())
    hostile.run(role.replace("ISO,YMD", "'ISO, YMD'"))
    assert len(hostile.land(uri=pg.tcp_uri())[1]) == 50, "the role's own settings do as well"


@pytest.fixture
def filtered(shop):
    shop.run(
        "GRANT USAGE ON SCHEMA {s} TO comboi; CREATE TABLE {s}.orders (id integer PRIMARY KEY, tenant text);"
        "INSERT INTO {s}.orders VALUES (1, 'a'), (2, 'b'); GRANT SELECT ON {s}.orders TO comboi;"
        "CREATE VIEW {s}.seen AS SELECT * FROM {s}.orders; GRANT SELECT ON {s}.seen TO comboi;"
        "CREATE VIEW {s}.invoked WITH (security_invoker) AS SELECT * FROM {s}.orders;"
        "GRANT SELECT ON {s}.invoked TO comboi"
    )
    return shop


SOURCES = {"table": {}, "view": {"table": "{s}.invoked"}, "query": {"query": "SELECT * FROM {s}.orders"}}


@pytest.mark.parametrize("of", SOURCES)
def test_rows_that_policies_hide_are_an_error_with_a_remedy(filtered, pg, of):
    assert len(filtered.land(uri=pg.tcp_uri(), **SOURCES[of])[1]) == 2
    filtered.run("ALTER TABLE {s}.orders ENABLE ROW LEVEL SECURITY")
    with pytest.raises(SourceFiltered, match="orders") as caught:
        filtered.plan(uri=pg.tcp_uri(), **SOURCES[of])
    assert "BYPASSRLS" in caught.value.remedy and "row_security: apply" in caught.value.remedy


def test_a_view_whose_owner_sees_every_row_is_read_whole(filtered, pg):
    filtered.run("ALTER TABLE {s}.orders ENABLE ROW LEVEL SECURITY")
    assert len(filtered.land(uri=pg.tcp_uri(), table="{s}.seen")[1]) == 2


def test_policies_that_come_between_plan_and_read_are_an_error_as_well(filtered, pg):
    adapter = filtered.open(uri=pg.tcp_uri())
    load = adapter.plan(Checkpoint(), full_refresh=False)
    filtered.run("ALTER TABLE {s}.orders ENABLE ROW LEVEL SECURITY")
    with pytest.raises(Exception, match="row-level security") as caught:
        filtered.con.execute(adapter.select(load, load.chunks[0])).fetchall()
    assert isinstance(adapter.translate(caught.value), SourceFiltered)


@pytest.fixture
def applying(filtered, pg):
    filtered.run("CREATE POLICY own ON {s}.orders FOR SELECT TO comboi USING (tenant = 'a')")
    filtered.connection = {"conn_str": pg.tcp_uri(), "row_security": "apply"}
    return filtered


@pytest.mark.parametrize("before", ["DISABLE", "ENABLE"])
@pytest.mark.parametrize("change", ["ALTER TABLE {s}.orders {other} ROW LEVEL SECURITY", "ALTER POLICY own ON "
                                    "{s}.orders USING (tenant = 'b')"])  # fmt: skip
@pytest.mark.parametrize("of", SOURCES)
def test_policies_that_change_between_plan_and_read_are_noticed(applying, of, before, change):
    applying.run(f"ALTER TABLE {{s}}.orders {before} ROW LEVEL SECURITY")
    adapter = applying.open(**SOURCES[of])
    load = adapter.plan(Checkpoint(), full_refresh=False)
    applying.run(change.replace("{other}", "ENABLE" if before == "DISABLE" else "DISABLE"))
    if before == "DISABLE" and "POLICY" in change:
        adapter.confirm(load)  # a policy that does not apply
        return
    with pytest.raises(SourceChanged, match="orders was defined anew, or its policies were changed"):
        adapter.confirm(load)


@pytest.mark.parametrize("setting", ["shop.tenant = 'b'", "role = 'tenant'"])
def test_who_asks_and_what_is_set_for_it_are_part_of_what_a_policy_shows(applying, setting):
    """A policy may look at both, and roles and databases set them for sessions that begin later."""
    applying.run(
        "DROP ROLE IF EXISTS tenant; CREATE ROLE tenant; GRANT tenant TO comboi; GRANT USAGE ON SCHEMA {s} TO tenant;"
        "GRANT SELECT ON {s}.orders TO tenant; ALTER TABLE {s}.orders ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY set ON {s}.orders FOR SELECT USING (tenant = current_setting('shop.tenant', true))"
    )
    try:
        load = applying.open().plan(Checkpoint(), full_refresh=False)
        applying.open().confirm(load)
        applying.run(f"ALTER ROLE comboi SET {setting}")
        with pytest.raises(SourceChanged, match="its policies were changed"):
            applying.open().confirm(load)
    finally:
        applying.run("ALTER ROLE comboi RESET ALL; DROP OWNED BY tenant CASCADE; DROP ROLE tenant")


def test_a_role_that_becomes_another_one_at_login_is_refused_where_policies_hide_rows(filtered, pg):
    filtered.run(
        "DROP ROLE IF EXISTS tenant; CREATE ROLE tenant; GRANT tenant TO comboi; ALTER ROLE comboi BYPASSRLS;"
        "GRANT USAGE ON SCHEMA {s} TO tenant; GRANT SELECT ON {s}.orders TO tenant;"
        "ALTER TABLE {s}.orders ENABLE ROW LEVEL SECURITY"
    )
    try:
        load = filtered.open(uri=pg.tcp_uri()).plan(Checkpoint(), full_refresh=False)
        filtered.run("ALTER ROLE comboi SET role = 'tenant'")
        adapter = filtered.open(uri=pg.tcp_uri())
        with pytest.raises(Exception, match="row-level security") as caught, adapter.reading(load):
            filtered.con.execute(adapter.select(load, load.chunks[0])).fetchall()
        assert isinstance(adapter.translate(caught.value), SourceFiltered)
    finally:
        filtered.run(
            "ALTER ROLE comboi RESET ALL; ALTER ROLE comboi NOBYPASSRLS; DROP OWNED BY tenant; DROP ROLE tenant"
        )


@pytest.mark.parametrize("of", ["{s}.invoked", "{s}.seen"])
def test_policies_are_told_through_views_as_well_for_who_is_checked(applying, of):
    applying.run(
        "DROP ROLE IF EXISTS tenant; CREATE ROLE tenant; GRANT USAGE ON SCHEMA {s} TO tenant;"
        "GRANT SELECT ON {s}.orders TO tenant; ALTER VIEW {s}.seen OWNER TO tenant;"
        "ALTER TABLE {s}.orders ENABLE ROW LEVEL SECURITY"
    )
    try:
        (warning,) = applying.plan(table=of).warnings
    finally:
        applying.run("DROP OWNED BY tenant CASCADE; DROP ROLE tenant")
    assert warning.endswith(applying.filled("{s}.orders (policy own)"))


def test_who_asks_for_the_policies_gets_what_they_let_the_role_see(filtered, pg):
    filtered.run(
        "ALTER TABLE {s}.orders ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY own ON {s}.orders FOR SELECT TO comboi USING (tenant = 'a')"
    )
    filtered.connection = {"conn_str": pg.tcp_uri(), "row_security": "apply"}
    load, rows, _ = filtered.land()
    assert rows == [("1", "a")]
    (warning,) = load.warnings
    assert warning.endswith(filtered.filled("let the role see are landed, of {s}.orders (policy own)"))
