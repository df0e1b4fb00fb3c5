"""Connection strings of every dialect, transient errors, databases that wake up, and servers without TDS 8."""

from __future__ import annotations

import os
import socket
import ssl
import threading

import pytest

from comboi_core.domain.errors import ConfigError, SourceAuthFailed, SourceUnreachable
from comboi_core.sources.azure_sql import session as azure_sql_session
from comboi_core.sources.azure_sql.conn_str import parse
from comboi_core.sources.azure_sql.connection import login, reach, redirected
from comboi_core.sources.azure_sql.driver import PROVIDER_VARIABLE
from comboi_core.sources.azure_sql.errors import refused, translate
from comboi_core.sources.azure_sql.login import WAKE_SECONDS, awake
from comboi_core.sources.azure_sql.transient import TRANSIENT, by_number, by_text
from tests.doubles.tds.server import Fault, tls_context
from tests.support.azure_sql import PASSWORD, TOKEN, USER, on_the_double

PORTAL = (
    "Server=tcp:{server};Initial Catalog=crm;Persist Security Info=False;User ID=" + USER + ";Password={password};"
    "MultipleActiveResultSets=False;Encrypt={encrypt};TrustServerCertificate={trust};Connection Timeout=30;"
)


class TestConnectionStrings:
    @pytest.mark.parametrize(
        ("dsn", "keys"),
        [
            ("PWD={a;}}=b} ; Server = s ;pwd=c", {"PWD": "a;}=b", "Server": "s"}),
            ("Driver={ODBC Driver 18 for SQL Server};UID=u;PWD=\"q;Server=s", {"UID": "u", "PWD": '"q', "Server": "s"}),
            ('Data Source=s;User ID=u;Password="a;""b\'";', {"Server": "s", "UID": "u", "PWD": "a;\"b'"}),
            ("data source=s;password='it''s {x}';", {"Server": "s", "PWD": "it's {x}"}),
            ("Data Source=s;Password={x}", {"Server": "s", "PWD": "{x}"}),
            ("Data Source=a;Initial Catalog=c;Server=b", {"Server": "b", "Database": "c"}),
            ("jdbc:sqlserver://h:1444;databaseName=d;user=u;password={p;}}1};", {
                "Server": "h,1444", "Database": "d", "UID": "u", "PWD": "p;}1"}),
            ("jdbc:sqlserver://h\\i;trustServerCertificate=true;loginTimeout=30", {
                "Server": "h\\i", "TrustServerCertificate": "true"}),
            ("jdbc:sqlserver://;serverName=h;portNumber=1;instanceName=i", {"Server": "h,1"}),
            ("jdbc:sqlserver://h", {"Server": "h"}),
            ("Server=s;ApplicationIntent=ReadOnly;MultiSubnetFailover=True;Integrated Security=False", {
                "Server": "s", "ApplicationIntent": "ReadOnly", "MultiSubnetFailover": "True"}),
        ],
    )  # fmt: skip
    def test_each_dialect_has_its_own_quotes_and_keys(self, dsn, keys):
        assert parse(dsn, "x.y") == keys

    @pytest.mark.parametrize(
        ("dsn", "named"),
        [
            ("Server=s;Integrated Security=SSPI", "Integrated Security"),
            ("Server=s;Trusted_Connection=Yes", "Trusted_Connection"),
            ("Server=s;Column Encryption Setting=Enabled", "Column Encryption Setting"),
            ("Server=s;Failover Partner=t", "Failover Partner"),
            ("DSN=mine;UID=u", "DSN"),
            ("Server=s;Databse=d", "did you mean 'database'"),
            ("jdbc:sqlserver://s;sslProtocol=TLS", "sslProtocol"),
            ("Server=np:\\\\s\\pipe;UID=u", "TCP only"),
            ("Server=s;Authentication=Active Directory Interactive", "Authentication=Active Directory Interactive"),
            ("Server=s;UID=u;PWD=geheim;TrustServerCertificate=perhaps", "TrustServerCertificate"),
        ],
    )
    def test_what_cannot_be_done_is_named_and_not_tried(self, dsn, named):
        with pytest.raises(ConfigError) as caught:
            login({"dsn": dsn}, "x.y")
        assert named in caught.value.message and not caught.value.transient
        assert "geheim" not in caught.value.message + caught.value.remedy

    @pytest.mark.parametrize("dsn", ["Server=s;UID=u;PWD=ge;heim=1", "Data Source=s;Password=ge;heim=1;Encrypt=True"])
    def test_no_piece_of_an_unquoted_password_is_shown(self, dsn):
        with pytest.raises(ConfigError, match="follows the password") as caught:
            login({"dsn": dsn}, "x.y")
        assert "heim" not in caught.value.message

    @pytest.mark.parametrize(
        "named", ["Active Directory Managed Identity", "ActiveDirectoryMsi", "active directory default"]
    )
    def test_entra_id_under_each_of_its_names(self, named, monkeypatch):
        monkeypatch.setattr("comboi_core.sources.azure_sql.connection.access_token", lambda *_, **known: _Token(known))
        found = login({"dsn": f"Server=s;Database=d;Authentication={named};User Id=me"}, "x.y")
        assert found.secrets == ("me",) and "UID" not in found.conn_str

    def test_the_portal_s_ado_net_string_logs_in(self, con, doubles, tmp_path):
        with on_the_double(con, doubles, certificate=tmp_path) as shop:
            shop.run("CREATE TABLE {s}.orders (id int)")
            password = '"' + PASSWORD.replace('"', '""') + '"'
            dsn = PORTAL.format(server=shop.double.address, password=password, encrypt="True", trust="True")
            assert shop.plan(connection={"dsn": dsn}).chunks
            jdbc = (
                f"jdbc:sqlserver://{shop.double.address.replace(',', ':')};databaseName=crm;user={USER};"
                f"password={{{PASSWORD.replace('}', '}}')}}};encrypt=true;trustServerCertificate=true;loginTimeout=30;"
            )
            assert shop.plan(connection={"dsn": jdbc}).chunks
            assert [seen.password for seen in shop.double.log.logins] == [PASSWORD, PASSWORD]


class _Token:
    def __init__(self, known) -> None:
        self.text = known["client_id"] or TOKEN


# What the server's messages look like, filled as its catalogue of messages has them.
SAID = {
    40613: "Database 'crm' on server 'x' is not currently available.  Please retry the connection later. If the "
    "problem persists, contact customer support, and provide them the session tracing ID of '{A}'.",
    40197: "The service has encountered an error processing your request. Please try again. Error code 40143.",
    40501: "The service is currently busy. Retry the request after 10 seconds. Incident ID: A. Code: 1.",
    4060: 'Cannot open database "crm" requested by the login. The login failed.',
    4221: "Login to read-secondary failed due to long wait on 'HADR_DATABASE_WAIT_FOR_TRANSITION_TO_VERSIONING'.",
    615: "Could not find database ID 5, name 'crm'. The database may be offline. Wait a few minutes and try again.",
    926: "Database 'replicatedmaster' cannot be opened. It has been marked SUSPECT by recovery. See the error log.",
    49918: "Cannot process request. Not enough resources to process request. The service is currently busy.",
    49919: "Cannot process create or update request. Too many create or update operations in progress.",
    49920: 'Cannot process request. Too many operations in progress for subscription "1".',
    10928: "Resource ID : 1. The request limit for the database is 60 and has been reached.",
    10929: "Resource ID: 1. The sessions minimum guarantee is 0, maximum limit is 300 and the current usage is 290. "
    "However, the server is currently too busy to support requests greater than 0 for this database.",
    18401: "Login failed for user 'comboi'. Reason: Server is in script upgrade mode. Only administrator can connect.",
    983: "Unable to access availability database 'crm' because the database replica is not in the PRIMARY role.",
    3961: "Snapshot isolation transaction failed in database 'crm' because the object accessed by the statement has "
    "been modified by a DDL statement in another concurrent transaction since the start of this transaction.",
    3966: "Transaction is rolled back when accessing version store. It was earlier marked as victim when the version "
    "store was shrunk due to insufficient space in tempdb.",
    8645: "A timeout occurred while waiting for memory resources to execute the query in resource pool 'default' (2).",
    8628: "A time out occurred while waiting to optimize the query. Rerun the query.",
    596: "Cannot continue the execution because the session is in the kill state.",
    42109: "The SQL pool is warming up. Please try again.",
    1205: "Transaction (Process ID 7) was deadlocked on lock resources with another process and has been chosen as the "
    "deadlock victim. Rerun the transaction.",
}  # fmt: skip


class TestTransientErrors:
    @pytest.mark.parametrize("number", SAID)
    def test_the_server_s_words_are_enough(self, number):
        error = translate(RuntimeError(f"[Microsoft][SQL Server]{SAID[number]}"), "shop.orders", ())
        assert isinstance(error, SourceUnreachable) and error.transient and SAID[number][:40] in error.message

    @pytest.mark.parametrize("number", [40540, 40143, 40613, 64, 233, 121, 20, 10053, 10054, 10060, *SAID])
    def test_and_so_is_the_number(self, number):
        assert by_number(str(number)).source.startswith("https://learn.microsoft.com/")
        assert by_text(f"TCP Provider: Error code 0x{number:X}") is by_number(number)
        assert refused(str(number), "whatever the language", "shop.orders").transient

    def test_each_number_stands_in_the_table_once(self):
        assert len({entry.number for entry in TRANSIENT}) == len(TRANSIENT)

    @pytest.mark.parametrize(
        "text",
        [
            "Cannot insert into column x decimal(20)",
            "Conversion failed when converting the value '1205' to int.",
        ],
    )
    def test_numbers_of_other_things_are_none(self, text):
        assert by_text(text) is None

    def test_a_wrong_password_stays_final(self):
        assert isinstance(translate(RuntimeError("Login failed for user 'x'."), "a.b", ()), SourceAuthFailed)


class Clock:
    """A clock that sleeping moves on."""

    def __init__(self) -> None:
        self.time, self.naps = 100.0, []

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.time += seconds


class TestWakingUp:
    @pytest.mark.parametrize("asleep", [0, 60, 110])
    def test_a_login_goes_on_until_the_database_is_awake(self, asleep):
        clock = Clock()

        def connect() -> str:
            if clock.time < 100 + asleep:
                raise SourceUnreachable("asleep", number=40613)
            return "in"

        assert awake(connect, now=clock.now, sleep=clock.sleep) == "in"
        assert sum(clock.naps) == asleep

    def test_it_ends_after_two_minutes(self):
        clock = Clock()

        def connect() -> str:
            raise SourceUnreachable("asleep", number=40613)

        with pytest.raises(SourceUnreachable, match="tried for 120 s") as caught:
            awake(connect, now=clock.now, sleep=clock.sleep)
        assert sum(clock.naps) == WAKE_SECONDS and caught.value.transient and caught.value.__context__ is None

    @pytest.mark.parametrize(
        "error", [SourceUnreachable("gone"), SourceAuthFailed("no"), SourceUnreachable("", number=4060)]
    )
    def test_nothing_else_is_waited_for(self, error):
        clock = Clock()

        def connect() -> str:
            raise error

        with pytest.raises(type(error)):
            awake(connect, now=clock.now, sleep=clock.sleep)
        assert not clock.naps

    def test_over_the_wire(self, azure, monkeypatch):
        naps = []
        monkeypatch.setattr(azure_sql_session, "SLEEP", naps.append)
        azure.run("CREATE TABLE {s}.orders (id int)")
        azure.double.fail(*[Fault("error", 0, "LOGIN", 40613, SAID[40613])] * 12)
        assert azure.plan().chunks
        # The provider that needs no system libraries asks a second time by itself before it gives up.
        assert len(naps) == (6 if os.environ.get(PROVIDER_VARIABLE) == "mssql-odbc" else 12)


class TestStrictEncryption:
    def test_a_server_without_tds_8_is_told_at_once(self, azure):
        with pytest.raises(ConfigError, match="encrypt: strict, but 127.0.0.1 does not begin with TLS") as caught:
            azure.open(connection=azure.connection | {"encrypt": "strict"})
        assert "encrypt: yes" in caught.value.remedy and not azure.double.log.logins

    def test_one_that_says_nothing_is_not_waited_for_for_a_minute(self, monkeypatch):
        monkeypatch.setattr("comboi_core.sources.azure_sql.connection.STRICT_SECONDS", 0.1)
        silent = socket.create_server(("127.0.0.1", 0))
        with silent, pytest.raises(SourceUnreachable, match="did not begin TLS"):
            reach(f"127.0.0.1,{silent.getsockname()[1]}", "x.y", strict=True)

    def test_one_that_begins_with_tls_is_gone_on_with(self, tmp_path):
        context = tls_context(tmp_path)
        context.maximum_version = ssl.TLSVersion.TLSv1_3
        context.set_alpn_protocols(["tds/8.0"])
        seen = []
        with socket.create_server(("127.0.0.1", 0)) as server:

            def serve() -> None:
                with context.wrap_socket(server.accept()[0], server_side=True) as peer:
                    seen.append(peer.selected_alpn_protocol())

            thread = threading.Thread(target=serve)
            thread.start()
            reach(f"127.0.0.1,{server.getsockname()[1]}", "x.y", strict=True)
            thread.join()
        assert seen == ["tds/8.0"]

    def test_azure_s_ports_of_redirection_are_named(self):
        assert "11000 to 11999" in redirected("tcp:x.database.windows.net,1433")
        assert redirected("myserver,1433") is None
