"""The session with the server: its name, its limits, what it shows of secrets, and errors in any language."""

from __future__ import annotations

import os
import signal
import time

import pytest

from comboi_core.cli.demo.postgres import EmbeddedPostgresError
from comboi_core.domain.errors import (
    ConfigError,
    SourceAuthFailed,
    SourceObjectMissing,
    SourceQueryFailed,
    SourceUnreachable,
    UnsupportedValue,
)
from comboi_core.domain.load import Checkpoint
from comboi_core.sources.postgres.config import PostgresConnection
from comboi_core.sources.postgres.conn_str import uri_problem
from comboi_core.sources.postgres.connection import login, parameters, with_session
from comboi_core.sources.postgres.errors import translate
from tests.sources.conftest import PASSWORD, Shop

pytestmark = pytest.mark.few(2)

HOLDS_EVERYTHING = "SELECT 'row-level security policy: Conversion Error', 'comboi-guard[a]' || \"x\": permission denied"
CLOSED = (
    "server closed the connection unexpectedly\n\tThis probably means the server terminated abnormally\n"
    "\tbefore or while processing the request.\n"
)

SETTING = "SELECT current_setting('{}') AS value"


def setting(adapter, name: str) -> str:
    return adapter._rows(SETTING.format(name))[0]["value"]


def test_the_server_s_view_of_the_session_has_its_name_and_no_password(shop, pg):
    shop.run("CREATE TABLE {s}.orders (id integer); GRANT USAGE ON SCHEMA {s} TO comboi")
    adapter = shop.open(uri=pg.tcp_uri())
    running = "SELECT application_name AS name, a::text AS seen FROM pg_stat_activity a WHERE pid = pg_backend_pid()"
    own = adapter._rows(running)[0]
    seen = shop.run("SELECT application_name, a::text FROM pg_stat_activity a WHERE usename = 'comboi'").splitlines()
    assert seen and all(line.startswith("comboi|") for line in seen)
    assert own["name"] == "comboi" and "pg_backend_pid" in own["seen"]
    assert PASSWORD not in own["seen"] + "".join(seen)
    assert setting(adapter, "transaction_read_only") == "on"
    assert (setting(adapter, "statement_timeout"), setting(adapter, "lock_timeout")) == ("2h", "1min")


@pytest.mark.parametrize(
    "broken",
    [
        "comboi:halfone/halftwo@localhost:5432/shop",  # libpq: port "halfone"
        "comboi:halfone@halftwo/rest@localhost:5432/shop",  # libpq: host "halftwo"
        "comboi:halfone@halftwo@localhost:5432/shop",
        "comboi:halfone?half/two@localhost/shop",
        "comboi:1234/halftwo@localhost/shop",
        "comboi@halfone:halftwo@localhost/shop",
        "comboi:right@localhost:halfone/shop",
        "comboi:right@localhost:99999/shop",
        "comboi:right@first:5432,second:halfone/shop",
        "comboi:right@[::1]:halfone/shop",
    ],
)
def test_a_password_that_ends_its_uri_is_named_and_no_part_of_it_shown(broken):
    uri = f"postgresql://{broken}?sslmode=disable"
    with pytest.raises(ConfigError, match="write @ as %40, / as %2F") as caught:
        login({"conn_str": uri}, "shop.orders")
    assert "half" not in f"{caught.value} {caught.value.record()}" and not caught.value.transient
    with pytest.raises(ValueError, match="is ambiguous"):
        PostgresConnection(conn_str=uri)


@pytest.mark.parametrize(
    "fine",
    [
        "postgresql://comboi:a:b#c?d%40%2F@localhost:5432/shop?sslmode=disable",
        "postgresql://localhost/shop?user=me@server&passfile=/home/x",
        "postgresql:///shop?host=/run/postgresql",
        "postgres://comboi@[::1]:5432,[fe80::1]/shop",
        "postgresql://comboi:x@%2Frun%2Fpostgresql:/shop",
        "postgresql://first:5432,second:5433",
        "host=localhost password=a@b/c user=comboi",
    ],
)
def test_every_uri_that_libpq_tells_apart_is_taken(fine):
    assert uri_problem(fine) is None and PostgresConnection(conn_str=fine).conn_str == fine


def test_the_user_s_own_limits_stay_and_the_session_s_settings_win(shop):
    shop.run("CREATE TABLE {s}.orders (id integer)")
    own = "-c%20statement_timeout%3D250ms%20-c%20TimeZone%3DAsia/Tokyo%20-c%20default_transaction_read_only%3Doff"
    adapter = shop.open(uri=f"{shop.uri}&options={own}&application_name=mine&connect_timeout=3")
    assert [setting(adapter, name) for name in ("statement_timeout", "TimeZone", "transaction_read_only")] == [
        "250ms",
        "UTC",
        "on",
    ]
    assert setting(adapter, "application_name") == "comboi"
    with pytest.raises(SourceUnreachable, match="due to statement timeout"):
        adapter._rows("SELECT pg_sleep(5)::text AS x")


@pytest.mark.parametrize("mode", ["disable", "prefer"])
def test_tls_options_reach_the_driver(shop, pg, mode):
    shop.run("CREATE TABLE {s}.orders (id integer); GRANT USAGE ON SCHEMA {s} TO comboi")
    assert shop.plan(uri=pg.tcp_uri().replace("sslmode=disable", f"sslmode={mode}")).columns


@pytest.mark.parametrize("mode", ["require", "verify-full&sslrootcert=system"])
def test_a_server_without_tls_is_refused_where_tls_is_asked_for(shop, pg, mode):
    with pytest.raises(SourceUnreachable, match="SSL") as caught:
        shop.open(uri=pg.tcp_uri().replace("sslmode=disable", f"sslmode={mode}"))
    assert PASSWORD not in caught.value.message and "p%27w" not in caught.value.message


def test_every_parameter_of_the_user_is_still_there():
    given = "postgresql://u:p@h:5433/d?sslmode=verify-full&sslrootcert=/ca.pem&target_session_attrs=read-write"
    found = parameters(with_session(given, {}))
    assert {name: found[name] for name in ("sslmode", "sslrootcert", "target_session_attrs")} == {
        "sslmode": "verify-full",
        "sslrootcert": "/ca.pem",
        "target_session_attrs": "read-write",
    }


@pytest.mark.parametrize(
    ("text", "kind", "says"),
    [
        ('Failed to prepare COPY "COPY (SELECT fatal_errors)": FEHLER:  Division durch Null\n', SourceQueryFailed,
         "s.t: Division durch Null"),
        ('Failed to execute "FETCH": FATAL:  breche Verbindung ab auf Anweisung des Administrators\n',
         SourceUnreachable, "s.t: breche Verbindung ab auf Anweisung des Administrators"),
        ('Binder Error: Failed to prepare query "SELECT \'x:  y\', \'permission denied for\'": ERROR:  syntax error\n'
         "LINE 1: SELECT\n ^\n\nLINE 1: from postgres_query('permission denied for')", SourceQueryFailed,
         "s.t: syntax error"),
        ('Failed to prepare query "SELECT 1": ERREUR :  la relation « x » n\'existe pas\nLIGNE 1 : SELECT',
         SourceQueryFailed, "s.t: la relation « x » n'existe pas"),
        ('Failed to prepare query "SELECT 1": ERROR:  relation "x" does not exist\n', SourceObjectMissing,
         's.t: relation "x" does not exist'),
        ('IO Error: Unable to connect to Postgres at "***": connection to server at "h", port 1 failed: FATAL:  '
         'password authentication failed for user "u"', SourceAuthFailed,
         's.t: password authentication failed for user "u"'),
        ('IO Error: Unable to connect to Postgres at "***": connection to server at "h", port 6432 failed: FATAL:  '
         "unsupported startup parameter in options: lock_timeout", ConfigError,
         "s.t: unsupported startup parameter in options: lock_timeout"),
        ("Binder Error: Failed to prepare query \"SELECT 'invalid URI\": ERROR:  unterminated quoted string at or near",
         SourceQueryFailed, "s.t: unterminated quoted string at or near"),
        ('IO Error: Unable to connect to Postgres at "***": missing "=" after "ge#heim" in connection info string',
         ConfigError, "s.t: the connection string cannot be parsed"),
        ("Failed to prepare COPY \"SELECT 'comboi-guard[b]'\": FEHLER:  ungültige Eingabesyntax für Typ numeric: "
         '"comboi-guard[a]NaN"\n', UnsupportedValue, "s.t: column a holds NaN, which Parquet cannot hold as this type"),
        (f'IO Error: Failed to execute query "{HOLDS_EVERYTHING}": {CLOSED}', SourceUnreachable,
         "s.t: IO Error: Failed to execute query: server closed the connection unexpectedly"),
        (f'IO Error: Failed to prepare COPY "\nCOPY ({HOLDS_EVERYTHING}) TO STDOUT;\n": no connection to the server\n',
         SourceUnreachable, "s.t: IO Error: Failed to prepare COPY: no connection to the server"),
        (f'IO Error: Failed to prepare COPY "{HOLDS_EVERYTHING}": \n', SourceUnreachable,
         "s.t: IO Error: Failed to prepare COPY:"),
        ('IO Error: Unable to connect to Postgres at "***": timeout expired\n', SourceUnreachable,
         "s.t: cannot connect: timeout expired"),
        (f'Binder Error: Failed to prepare query "{HOLDS_EVERYTHING}": {CLOSED}\n\nLINE 1: SELECT * FROM '
         "postgres_query('comboi_pg_1', 'SELECT ''permission denied for''...\n              ^", SourceUnreachable,
         "s.t: Binder Error: Failed to prepare query: server closed the connection unexpectedly"),
        (f'Failed to execute "{HOLDS_EVERYTHING}": ВАЖНО:  закрытие подключения по команде администратора\n',
         SourceUnreachable, "s.t: закрытие подключения по команде администратора"),
        (f'Failed to execute query "{HOLDS_EVERYTHING}": 致命错误:  由于管理员命令中断联接\n',
         SourceUnreachable, "s.t: 由于管理员命令中断联接"),
        (f'Failed to execute query "{HOLDS_EVERYTHING}": ПАНИКА:  ошибка\n', SourceUnreachable, "s.t: ошибка"),
        (f'Failed to execute query "{HOLDS_EVERYTHING}": ОШИБКА:  отношение "x" не существует\n',
         SourceQueryFailed, 's.t: отношение "x" не существует'),
        ('IO Error: Unable to connect to Postgres at "***": connection to server at "h", port 1 failed: ВАЖНО:  '
         'пользователь "u" не прошёл проверку подлинности (по паролю)', SourceAuthFailed,
         's.t: пользователь "u" не прошёл проверку подлинности (по паролю)'),
        (f'Failed to "{HOLDS_EVERYTHING}": FATAL:  terminating connection due to administrator command\n{CLOSED}',
         SourceUnreachable, "s.t: terminating connection due to administrator command"),
    ],
)  # fmt: skip
def test_errors_are_told_apart_by_what_the_server_says_not_by_the_query(text, kind, says):
    error = translate(Exception(text), "s.t", ())
    assert (type(error), error.message) == (kind, says)
    assert ("PgBouncer" in error.remedy) == ("startup parameter" in text)


def terminated(server) -> None:
    server.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'comboi'")


def killed(server) -> None:
    """The server then ends all sessions and recovers."""
    for pid in server.psql("SELECT pid FROM pg_stat_activity WHERE application_name = 'comboi'").split():
        os.kill(int(pid), signal.SIGKILL)


def stopped(server) -> None:
    server.stop()


def recovered(server) -> None:
    """Wait until it answers again: one that is told to stop while it recovers may take a minute for it."""
    end = time.monotonic() + 120
    while True:
        try:
            server.psql("SELECT 1")
            return
        except EmbeddedPostgresError:
            assert time.monotonic() < end, "the server does not recover"
            time.sleep(0.05)


@pytest.mark.parametrize("how", [terminated, killed, stopped])
@pytest.mark.parametrize("when", ["planned", "begun", "between", "read"])
def test_a_server_that_is_lost_between_two_statements_is_unreachable(server, con, when, how):
    """With nothing open, a session that was ended is replaced by a new one without a word."""
    server.psql(
        'CREATE SCHEMA s; CREATE TABLE s.orders (id integer PRIMARY KEY, "row-level security policy" text);'
        "INSERT INTO s.orders SELECT n, 'permission denied for' FROM generate_series(1, 100) n; ANALYZE s.orders"
    )
    shop = Shop(con, server.uri, "s", server.psql)
    adapter = shop.open(primary_key=["id"], chunk_rows=50)
    load = adapter.plan(Checkpoint(), full_refresh=False)
    places = {"begun": 0, "between": 1, "read": 2}

    def read() -> None:
        if when == "planned":
            how(server)
        with adapter.reading(load):
            for chunk in (*load.chunks, None):
                if places.get(when) == (chunk.index if chunk else 2):
                    how(server)
                if chunk:
                    con.execute(adapter.select(load, chunk)).fetchall()

    if (when, how) == ("planned", terminated):
        read()
        return
    with pytest.raises(Exception) as caught:
        read()
    error = adapter.translate(caught.value)
    assert isinstance(error, SourceUnreachable) and "SELECT" not in error.message
    shop.close()
    if how is killed:
        recovered(server)
