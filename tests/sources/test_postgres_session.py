"""The session with the server: its name, its limits, what it shows of secrets, and errors in any language."""

from __future__ import annotations

import pytest

from comboi_core.domain.errors import (
    ConfigError,
    SourceAuthFailed,
    SourceObjectMissing,
    SourceQueryFailed,
    SourceUnreachable,
    UnsupportedValue,
)
from comboi_core.sources.postgres_connection import parameters, with_session
from comboi_core.sources.postgres_errors import translate
from tests.sources.conftest import PASSWORD

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
    found = parameters(with_session(given))
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
    ],
)  # fmt: skip
def test_errors_are_told_apart_by_what_the_server_says_not_by_the_query(text, kind, says):
    error = translate(Exception(text), "s.t", ())
    assert (type(error), error.message) == (kind, says)
    assert ("PgBouncer" in error.remedy) == ("startup parameter" in text)
