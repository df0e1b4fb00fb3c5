"""PostgreSQL with Entra ID: an access token in the place of the password, from azure-identity, over TLS only."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from comboi_core.domain.errors import ConfigError, SourceAuthFailed, SourceUnreachable
from comboi_core.domain.redaction import redactor
from comboi_core.sources.common.entra import forget_identities
from comboi_core.sources.postgres.config import PostgresConnection, PostgresSource
from comboi_core.sources.postgres.connection import login
from comboi_core.sources.postgres.errors import translate
from comboi_core.sources.postgres.facts import sizes
from comboi_core.sources.postgres.session import PostgresSession
from tests.doubles.identity import IdentityDouble, a_token, signed_in
from tests.sources.conftest import Shop, data_folder
from tests.support.entra import ROLE, EntraPostgres, entra_postgres

SCOPE = "https://ossrdbms-aad.database.windows.net/.default"
RESOURCE = SCOPE.removesuffix("/.default")
REFUSED = 'IO Error: Unable to connect to Postgres at "***": connection to server at "h", port 5432 failed: FATAL:  '
PID = "SELECT pg_backend_pid()::text AS pid"


@pytest.fixture(scope="module")
def entra() -> Iterator[EntraPostgres]:
    with data_folder() as folder, entra_postgres(folder) as started:
        yield started


@pytest.fixture
def identity(monkeypatch: pytest.MonkeyPatch, entra: EntraPostgres) -> Iterator[IdentityDouble]:
    """A managed identity whose tokens the server takes."""
    forget_identities()
    with signed_in(monkeypatch) as double:
        entra.takes(double.token)
        yield double
    forget_identities()


@pytest.fixture
def shop(con, entra: EntraPostgres) -> Iterator[Shop]:
    entra.server.psql("CREATE SCHEMA s; CREATE TABLE s.orders AS SELECT generate_series(1, 5) AS id; ANALYZE s.orders")
    made = Shop(con, entra.server.uri, "s", entra.server.psql)
    made.connection = entra.connection
    yield made
    made.close()
    entra.server.psql("DROP SCHEMA s CASCADE")


class TestLogin:
    def test_a_token_of_any_length_lands_rows_over_tls(self, shop, identity, entra):
        for bytes_more in (0, 1500):
            identity.token += "x" * bytes_more
            forget_identities()
            entra.takes(identity.token)
            assert [row[0] for row in shop.land(mode="full")[1]] == ["1", "2", "3", "4", "5"]
        assert len(identity.token) > 3500
        assert set(identity.asked) == {(RESOURCE, None)}

    def test_one_token_serves_many_connections(self, shop, identity):
        for _ in range(3):
            shop.open(mode="full")
        assert len(identity.asked) == 1

    def test_a_keyword_string_and_a_user_assigned_identity(self, con, shop, identity, entra):
        front = entra.front
        server = f"host=localhost port={front.port} dbname=postgres sslrootcert='{front.certificate}'"
        connection = {"conn_str": f"{server} user={ROLE}", "authentication": "managed_identity", "client_id": "abc"}
        assert PostgresSession(con, connection, "a.b").rows(PID)
        assert identity.asked == [(RESOURCE, "abc")]

    def test_sizes_are_asked_for_with_the_same_login(self, con, shop, identity):
        table = {"name": "orders", "table": "s.orders", "mode": "full"}
        source = PostgresSource(name="shop", type="postgres", connection=shop.connection, tables=[table])
        assert sizes(con, source, shop.connection) == {"orders": 5}

    @pytest.mark.parametrize(
        ("host", "scope"),
        [
            ("x.postgres.database.azure.com", SCOPE),
            ("x.postgres.database.usgovcloudapi.net", "https://ossrdbms-aad.database.usgovcloudapi.net/.default"),
            ("X.Postgres.Database.ChinaCloudApi.cn", "https://ossrdbms-aad.database.chinacloudapi.cn/.default"),
        ],
    )
    def test_each_cloud_has_its_own_scope(self, identity, host, scope):
        login({"conn_str": f"postgresql://u@{host}/d", "authentication": "managed_identity"}, "a.b")
        login({"conn_str": f"user=u host={host}", "authentication": "managed_identity"}, "a.b")
        assert identity.asked[0] == (scope.removesuffix("/.default"), None)


class TestTls:
    @pytest.mark.parametrize("mode", ["disable", "allow", "prefer"])
    def test_a_mode_that_may_go_without_is_refused_before_a_token_is_asked_for(self, shop, identity, mode):
        text = shop.connection["conn_str"].replace("verify-full", mode)
        for conn_str in (text, f"host=h user=u sslmode={mode}"):
            with pytest.raises(ConfigError, match=f"sslmode={mode} could send the access token unencrypted"):
                login({"conn_str": conn_str, "authentication": "managed_identity"}, "a.b")
        assert not identity.asked

    @pytest.mark.parametrize("conn_str", ["postgresql://u@h/d", "postgresql://u@h/d?sslmode=", "host=h user=u"])
    def test_without_a_mode_tls_is_required_whatever_the_environment_says(self, identity, monkeypatch, conn_str):
        monkeypatch.setenv("PGSSLMODE", "disable")
        found = login({"conn_str": conn_str, "authentication": "managed_identity"}, "a.b")
        assert "sslmode=require" in found.conn_str.replace("'", "")

    def test_a_server_without_tls_gets_no_token(self, con, shop, identity, entra, monkeypatch):
        monkeypatch.setenv("PGSSLMODE", "disable")
        connection = shop.connection | {"conn_str": f"postgresql://{ROLE}@127.0.0.1:{entra.server.port}/postgres"}
        with pytest.raises(SourceUnreachable, match="SSL"):
            PostgresSession(con, connection, "a.b")

    def test_a_server_with_another_s_certificate_gets_no_token(self, con, shop, identity):
        connection = shop.connection | {"conn_str": shop.connection["conn_str"].replace("localhost", "127.0.0.1")}
        with pytest.raises(SourceUnreachable, match="certificate"):
            PostgresSession(con, connection, "a.b")


class TestSecrecy:
    def test_the_token_is_in_no_view_of_the_server_no_log_and_no_text(self, con, shop, identity, entra, caplog):
        caplog.set_level(logging.DEBUG)
        session = PostgresSession(con, shop.connection, "a.b")
        seen = session.rows("SELECT a::text AS seen FROM pg_stat_activity a WHERE pid = pg_backend_pid()")[0]["seen"]
        assert ROLE in seen and identity.token not in seen
        assert identity.token not in caplog.text + repr(session) + repr(vars(session))
        assert redactor.text(f"a {identity.token} b") == "a *** b"

    def test_a_refused_login_says_which_role_is_missing_and_shows_no_token(self, con, shop, identity, entra):
        entra.takes("another one")
        with pytest.raises(SourceAuthFailed, match="password authentication failed") as caught:
            PostgresSession(con, shop.connection, "shop.orders")
        error = caught.value
        assert f"pgaadauth_create_principal('{ROLE}', false, false)" in error.remedy and not error.transient
        for piece in (identity.token, *identity.token.split(".")):
            assert piece not in json.dumps(error.record())
        assert error.__cause__ is None and error.__context__ is None

    def test_a_string_that_libpq_cannot_read_shows_no_token(self, con, shop, identity):
        connection = shop.connection | {"conn_str": shop.connection["conn_str"] + "&nonsense=1"}
        with pytest.raises(ConfigError, match="cannot be parsed") as caught:
            PostgresSession(con, connection, "a.b")
        assert identity.token not in json.dumps(caught.value.record())


class TestExpiry:
    def test_a_connection_that_opens_after_the_token_s_end_uses_a_new_one(self, con, shop, identity, entra):
        identity.lifetime = 30
        session = PostgresSession(con, shop.connection, "a.b")
        pid = session.rows(PID)[0]["pid"]
        identity.token, identity.lifetime = a_token(), 86_400
        entra.takes(identity.token)
        entra.end(pid)

        assert session.rows(PID)[0]["pid"] != pid
        assert session.describe("SELECT 1::int AS x") == [("x", "INTEGER")]
        assert len(identity.asked) > 1

    def test_an_open_connection_outlives_its_token(self, con, shop, identity, entra):
        identity.lifetime = 30
        adapter = shop.open(mode="full")
        con.begin()
        pid = con.execute(f"SELECT pid FROM {adapter._session.query(PID)}").fetchone()
        identity.status = 500
        entra.takes("another one")
        assert con.execute(f"SELECT pid FROM {adapter._session.query(PID)}").fetchone() == pid
        con.commit()

    def test_a_token_that_lives_is_not_asked_for_again(self, con, shop, identity, entra):
        session = PostgresSession(con, shop.connection, "a.b")
        asked = len(identity.asked)
        forget_identities()
        session.rows(PID)
        assert len(identity.asked) == asked


class TestNoIdentity:
    def test_an_identity_that_gets_no_token_is_told_with_what_to_do(self, con, shop, identity):
        identity.status = 400
        with pytest.raises(SourceAuthFailed, match=f"shop.orders: no token for {SCOPE}") as caught:
            PostgresSession(con, shop.connection, "shop.orders")
        assert "managed identity" in caught.value.remedy and "az login" in caught.value.remedy

    @pytest.mark.parametrize("status", [400, 401, 403, 429, 500, 503])
    def test_a_busy_endpoint_is_worth_another_attempt_and_a_refusal_is_not(self, identity, monkeypatch, status):
        monkeypatch.setattr("azure.core.pipeline.policies.RetryPolicy.sleep", lambda *_, **__: None)
        identity.status = status
        with pytest.raises((SourceAuthFailed, SourceUnreachable), match=f"{status}, no identity") as caught:
            login({"conn_str": "postgresql://u@h/d", "authentication": "managed_identity"}, "a.b")
        assert caught.value.transient == (status >= 429)

    def test_an_endpoint_that_is_away_is_worth_another_attempt(self, identity, monkeypatch):
        monkeypatch.setattr("azure.core.pipeline.policies.RetryPolicy.sleep", lambda *_, **__: None)
        monkeypatch.setenv("IDENTITY_ENDPOINT", "http://127.0.0.1:1/msi/token")
        with pytest.raises(SourceUnreachable, match="at the moment") as caught:
            login({"conn_str": "postgresql://u@h/d", "authentication": "managed_identity"}, "a.b")
        assert caught.value.transient

    def test_each_attempt_asks_anew_after_a_failure(self, identity, monkeypatch):
        monkeypatch.setattr("azure.core.pipeline.policies.RetryPolicy.sleep", lambda *_, **__: None)
        identity.lifetime = 30
        connection = {"conn_str": "postgresql://u@h/d", "authentication": "managed_identity"}
        login(connection, "a.b")
        for status, kind in ((500, SourceUnreachable), (400, SourceAuthFailed)):
            identity.status = status
            with pytest.raises(kind):
                login(connection, "a.b")
        identity.status = 200
        assert login(connection, "a.b").expires_on
        identity.close()
        with pytest.raises(SourceUnreachable, match="Entra ID does not answer"):
            login(connection, "a.b")

    def test_a_user_without_a_token_is_told_before_the_server_is_asked(self, con, identity):
        connection = {"conn_str": "postgresql://no-such-host.invalid/d", "authentication": "managed_identity"}
        with pytest.raises(ConfigError, match="names no user"):
            PostgresSession(con, connection, "a.b")
        assert not identity.asked


@pytest.mark.parametrize(
    "said",
    [
        "The access token does not have a valid audience claim. Please acquire a new token",
        "Service Principals cannot generate AAD_AUTH_TOKENTYPE_APP_USER tokens for role[id-comboi]",
        'password authentication failed for user "id-comboi"',
        'role "id-comboi" does not exist',
    ],
)
def test_what_azure_says_of_tokens_and_roles_is_a_refused_login(said):
    error = translate(Exception(REFUSED + said), "s.t", (), refused="make a role")
    assert (type(error), error.message, error.remedy) == (SourceAuthFailed, f"s.t: {said}", "make a role")


def test_a_firewall_s_refusal_is_not_taken_for_a_missing_role():
    said = 'no pg_hba.conf entry for host "203.0.113.7", user "id-comboi", database "d", no encryption'
    error = translate(Exception(REFUSED + said), "s.t", (), refused="make a role")
    assert type(error) is SourceAuthFailed and error.remedy != "make a role"


class TestConfiguration:
    @pytest.mark.parametrize(
        "conn_str",
        [
            "postgresql://id-comboi@h/d",
            "postgresql://id-comboi@h/d?sslmode=verify-full",
            "postgresql://me%40example.com@h/d?sslmode=require",
            "host=h dbname=d user=me@example.com sslmode=verify-ca",
            "{{env:DATABASE}}",
            "postgresql://{{env:ROLE}}@{{env:HOST}}/d?sslmode={{env:MODE}}",
        ],
    )
    def test_a_connection_string_names_the_user_only(self, conn_str):
        PostgresConnection(conn_str=conn_str, authentication="managed_identity", client_id="abc")

    @pytest.mark.parametrize(
        ("conn_str", "says"),
        [
            ("postgresql://u:p@h/d", "has a password"),
            ("postgresql://u@h/d?password=p", "has a password"),
            ("host=h user=u password='p q'", "has a password"),
            ("postgresql://u:@h/d", "has a password"),
            ("postgresql://h/d", "names no user"),
            ("host=h user=''", "names no user"),
            ("", "names no user"),
            ("postgresql://u@h/d?sslmode=prefer", "sslmode=prefer could send"),
            ("host=h user=u sslmode = 'disable'", "sslmode=disable could send"),
        ],
    )
    def test_what_cannot_go_with_a_token_is_refused_without_showing_a_password(self, conn_str, says):
        with pytest.raises(ValueError, match=says):
            PostgresConnection(conn_str=conn_str, authentication="managed_identity")

    @pytest.mark.parametrize("authentication", [None, "password"])
    def test_a_client_id_without_entra_id_is_a_mistake(self, authentication):
        with pytest.raises(ValueError, match="works only with authentication: managed_identity"):
            PostgresConnection(conn_str="postgresql://u:p@h/d", authentication=authentication, client_id="abc")
