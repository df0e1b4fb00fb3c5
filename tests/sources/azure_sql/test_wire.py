"""Logins, encryption, tokens, faults and memory, between Microsoft's driver and a double of SQL Server at the wire."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from comboi_core.domain.errors import (
    ConfigError,
    ExtraMissing,
    InternalError,
    SourceAuthFailed,
    SourceObjectMissing,
    SourceQueryFailed,
    SourceUnreachable,
)
from comboi_core.domain.load import Checkpoint, Chunk, Column
from comboi_core.lake.bronze import write_chunk
from comboi_core.lake.local import LocalLake
from comboi_core.sources.azure_sql import batches as azure_sql_batches
from comboi_core.sources.azure_sql import driver as azure_sql_driver
from comboi_core.sources.azure_sql import session as azure_sql_session
from comboi_core.sources.azure_sql.conn_str import parse
from comboi_core.sources.azure_sql.connection import login
from comboi_core.sources.common.entra import forget_identities
from tests.doubles.tds.server import Fault
from tests.support.azure_sql import PASSWORD, TOKEN, USER, AzureShop, on_the_double

pytestmark = pytest.mark.few(2)


@pytest.fixture
def secure(con, doubles, tmp_path):
    """A shop on a double that knows encryption."""
    with on_the_double(con, doubles, certificate=tmp_path) as shop:
        shop.run("CREATE TABLE {s}.orders (id int)", "INSERT INTO {s}.orders VALUES (1)")
        yield shop


@pytest.fixture
def identity(monkeypatch):
    """azure-identity with a token of our own; what it was asked for."""
    import azure.identity
    from azure.core.credentials import AccessToken

    asked = []

    class Credential:
        def __init__(self, **known) -> None:
            asked.append(known)

        def get_token(self, scope):
            asked.append(scope)
            return AccessToken(TOKEN, 0)

    monkeypatch.setattr(azure.identity, "DefaultAzureCredential", Credential)
    forget_identities()
    yield asked
    forget_identities()


def without_secrets(caught, *words: str) -> None:
    error = caught.value
    for word in words:
        assert word in error.message
    for secret in (PASSWORD, TOKEN, "geheim", "PWD", "p;'}"):
        assert secret not in error.message and secret not in error.remedy
    assert error.__cause__ is None and error.__context__ is None


class TestLogin:
    def test_a_password_of_any_characters_over_an_encrypted_connection(self, secure):
        assert len(secure.land()[1]) == 1
        (seen,) = secure.double.log.logins
        assert (seen.user, seen.password, seen.database, seen.encrypted) == (USER, PASSWORD, "crm", True)

    def test_encryption_is_the_default_and_the_certificate_is_verified(self, secure):
        connection = secure.connection | {"trust_server_certificate": None}
        with pytest.raises(ConfigError) as caught:
            secure.open(connection=connection)
        without_secrets(caught, "shop.orders", "certificate")
        assert "trust_server_certificate" in caught.value.remedy and not secure.double.log.logins

    def test_a_server_without_encryption_gets_no_password_unless_a_test_says_so(self, azure):
        with pytest.raises(ConfigError, match="(?i)encryption") as caught:
            azure.open(connection=azure.connection | {"encrypt": "yes"})
        without_secrets(caught)
        assert not azure.double.log.logins

    def test_a_wrong_password(self, secure):
        with pytest.raises(SourceAuthFailed) as caught:
            secure.open(connection=secure.connection | {"password": "geheim"})
        without_secrets(caught, "shop.orders", f"Login failed for user '{USER}'")
        assert not caught.value.transient

    def test_a_database_that_is_not_there(self, secure):
        """4060 is also said while a database fails over: it is tried again, and the remedy names both."""
        with pytest.raises(SourceUnreachable) as caught:
            secure.open(connection=secure.connection | {"database": "nowhere"})
        without_secrets(caught, 'Cannot open database "nowhere"')
        assert caught.value.transient and "correct `database:`" in caught.value.remedy

    def test_nothing_listens(self, azure):
        azure.double.stop()
        with pytest.raises(SourceUnreachable) as caught:
            azure.open()
        without_secrets(caught, "shop.orders: 127.0.0.1 does not answer at port ", "Connection refused")
        assert caught.value.transient

    def test_a_server_s_name_that_leads_nowhere(self, azure):
        with pytest.raises(SourceUnreachable, match=r"no-such-host.invalid does not answer at port 1433"):
            azure.open(connection=azure.connection | {"server": "tcp:no-such-host.invalid"})

    def test_a_connection_string_as_the_portal_shows_it(self, secure):
        dsn = (
            f"Driver={{ODBC Driver 18 for SQL Server}};Server=tcp:{secure.double.address};Database=crm;Uid={USER};"
            f"Pwd={{{PASSWORD.replace('}', '}}')}}};Encrypt=yes;TrustServerCertificate=yes;Connection Timeout=30;"
        )
        assert len(secure.land(connection={"dsn": dsn})[1]) == 1
        beside = f"Server={secure.double.address};Initial Catalog=crm;TrustServerCertificate=yes"
        connection = {"dsn": beside, "user": USER, "password": PASSWORD}
        assert len(secure.land(connection=connection)[1]) == 1
        assert [login.password for login in secure.double.log.logins] == [PASSWORD, PASSWORD]

    @pytest.mark.parametrize(
        "dsn",
        [
            "geheim",
            "Server=s;Pwd={geheim",
            "Server=s;Database=d;Uid=u;Pwd=geheim;Nonsense=1",
            "Database=d;Uid=u;Pwd=geheim",
            "Server=s;Uid=u;Pwd=geheim;Encrypt=perhaps",
            "Server=s;Authentication=ActiveDirectoryPassword;Uid=u;Pwd=geheim",
        ],
    )
    def test_a_connection_string_that_cannot_be_used_is_not_shown(self, azure, dsn):
        with pytest.raises(ConfigError) as caught:
            azure.open(connection={"dsn": dsn.replace("Server=s", f"Server={azure.double.address}")})
        without_secrets(caught, "shop.orders")

    def test_values_in_braces_are_read_as_odbc_has_them(self):
        assert parse("PWD={a;}}=b} ; Server = s ;pwd=c", "x.y") == {"PWD": "a;}=b", "Server": "s"}

    def test_what_is_kept_to_log_in_does_not_show_its_secrets(self):
        found = login({"server": "s", "database": "d", "user": "u", "password": "geheim"}, "x.y")
        assert "geheim" in found.conn_str and "geheim" not in repr(found)


class TestEntraId:
    def connection(self, shop: AzureShop, **more) -> dict:
        return {"server": shop.double.address, "database": "crm", "trust_server_certificate": True} | more

    def test_the_token_of_azure_identity_reaches_the_server_encrypted(self, secure, identity):
        assert len(secure.land(connection=self.connection(secure))[1]) == 1
        (seen,) = secure.double.log.logins
        assert (seen.token, seen.user, seen.password, seen.encrypted) == (TOKEN, "", "", True)
        assert identity == [{}, "https://database.windows.net/.default"]

    def test_a_user_assigned_identity_is_named(self, secure, identity):
        secure.open(connection=self.connection(secure, authentication="managed_identity", client_id="abc"))
        dsn = (
            f"Server={secure.double.address};Database=crm;TrustServerCertificate=yes;Authentication=ActiveDirectoryMsi"
        )
        secure.open(connection={"dsn": f"{dsn};UID=def"})
        assert identity[::2] == [{"managed_identity_client_id": "abc"}, {"managed_identity_client_id": "def"}]
        assert [seen.user for seen in secure.double.log.logins] == ["", ""]

    @pytest.mark.parametrize(
        ("server", "scope"),
        [
            ("x.database.windows.net", "https://database.windows.net/.default"),
            ("tcp:x.database.usgovcloudapi.net,1433", "https://database.usgovcloudapi.net/.default"),
            ("X.Database.ChinaCloudApi.cn", "https://database.chinacloudapi.cn/.default"),
        ],
    )
    def test_each_cloud_has_its_own_scope(self, identity, server, scope):
        login({"server": server, "database": "d"}, "x.y")
        assert identity[1] == scope

    @pytest.mark.parametrize("encrypt", ["no", "Optional", "false"])
    def test_a_token_never_travels_in_clear(self, azure, identity, encrypt):
        dsn = f"Server={azure.double.address};Database=crm;Authentication=ActiveDirectoryMsi;Encrypt={encrypt}"
        with pytest.raises(ConfigError, match="in clear"):
            azure.open(connection={"dsn": dsn})
        assert not identity and not azure.double.log.logins

    def test_a_token_that_the_server_refuses(self, secure, identity, monkeypatch):
        secure.double.set(tokens=())
        with pytest.raises(SourceAuthFailed) as caught:
            secure.open(connection=self.connection(secure))
        without_secrets(caught, "token-identified principal")

    @pytest.mark.parametrize("reached", [True, False])
    def test_no_identity_to_be_had(self, secure, monkeypatch, reached):
        import azure.identity
        from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError

        def refuse(**_):
            raise ClientAuthenticationError("no identity\nwith details") if reached else ServiceRequestError("timeout")

        monkeypatch.setattr(azure.identity, "DefaultAzureCredential", refuse)
        forget_identities()
        with pytest.raises(SourceAuthFailed if reached else SourceUnreachable) as caught:
            secure.open(connection=self.connection(secure))
        without_secrets(caught, "shop.orders")
        assert "details" not in caught.value.message
        assert ("az login" in caught.value.remedy) == reached


class TestFaults:
    def make(self, shop, rows: int = 5000) -> None:
        shop.run("CREATE TABLE {s}.orders (id int NOT NULL PRIMARY KEY, a nvarchar(20))")
        shop.run(f"INSERT INTO {{s}}.orders SELECT value, N'row' FROM GENERATE_SERIES(1, {rows})")

    def landed(self, shop, lake: LocalLake) -> Exception | int:
        """Land one chunk; return its rows, or the typed error."""
        adapter = shop.open(primary_key=["id"])
        try:
            load = adapter.plan(Checkpoint(), full_refresh=False)
            return write_chunk(shop.con, lake, adapter.select(load, Chunk(0)), "a.parquet")[0]
        except Exception as error:
            return adapter.translate(error)
        finally:
            adapter.close()

    @pytest.mark.parametrize("rows", [0, 1, 700, 4999])
    def test_a_connection_cut_while_rows_come(self, azure, tmp_path, rows):
        self.make(azure)
        lake = LocalLake(tmp_path / "lake")
        azure.double.fail(Fault("cut", rows))
        error = self.landed(azure, lake)
        assert isinstance(error, SourceUnreachable) and error.transient and "shop.orders" in error.message
        assert lake.list("") == [], "nothing half is left"
        assert self.landed(azure, lake) == 5000

    @pytest.mark.parametrize("kind", ["cut", "closed"])
    @pytest.mark.parametrize("rows", [1408, 1699, 1999])
    def test_a_connection_that_breaks_between_two_rows_is_no_end_of_the_rows(self, azure, tmp_path, kind, rows):
        """Microsoft's provider says nothing where a packet happens to end with a row; the server's count does.

        1,360 rows of an int fill two packets of the double to the last byte.
        """
        azure.run("CREATE TABLE {s}.orders (id int)")
        azure.run("INSERT INTO {s}.orders SELECT value FROM GENERATE_SERIES(1, 3000)")
        lake = LocalLake(tmp_path / "lake")
        azure.double.fail(Fault(kind, rows))
        error = self.landed(azure, lake)
        assert isinstance(error, SourceUnreachable) and error.transient and lake.list("") == []
        assert self.landed(azure, lake) == 3000

    def test_an_answer_that_breaks_off_is_not_taken_for_whole(self, azure):
        """The columns that the server describes, e.g.: those that did not come would be gone from the table."""
        azure.run(f"CREATE TABLE {{s}}.orders ({', '.join(f'c{number} int' for number in range(600))})")
        for rows in range(50, 600, 25):
            azure.double.fail(Fault("closed", rows, "describe_first"))
            with pytest.raises(SourceUnreachable):
                azure.plan()

    @pytest.mark.parametrize("rows", [0, 700])
    @pytest.mark.parametrize("kind", ["int", "nvarchar(max)"])
    def test_a_server_that_falls_silent_is_not_waited_for_for_ever(self, azure, tmp_path, rows, kind):
        """The driver would: where values are large, with no other Python thread at work meanwhile."""
        azure.run(f"CREATE TABLE {{s}}.orders (id int NOT NULL PRIMARY KEY, a {kind})")
        azure.run(f"INSERT INTO {{s}}.orders SELECT value, CONVERT({kind}, value) FROM GENERATE_SERIES(1, 5000)")
        azure.connection["read_timeout"] = "1s"
        azure.double.fail(Fault("silent", rows))
        error = self.landed(azure, LocalLake(tmp_path / "lake"))
        assert isinstance(error, SourceUnreachable) and error.transient

    @pytest.mark.parametrize("rows", [0, 1, 700])
    def test_an_error_while_rows_come(self, azure, tmp_path, rows):
        self.make(azure)
        lake = LocalLake(tmp_path / "lake")
        azure.double.fail(Fault("error", rows))
        error = self.landed(azure, lake)
        assert isinstance(error, SourceQueryFailed) and "Divide by zero error encountered." in error.message
        assert lake.list("") == [] and not error.transient

    @pytest.mark.parametrize(
        ("number", "message", "kind"),
        [
            (
                1205,
                "Process 7 was deadlocked on lock resources, and chosen as the deadlock victim.",
                SourceUnreachable,
            ),
            (1222, "Lock request time out period exceeded.", SourceUnreachable),
            (40613, "Database 'crm' is not currently available. Please retry the connection later.", SourceUnreachable),
            (40501, "The service is currently busy. Retry the request after 10 seconds.", SourceUnreachable),
            (
                10928,
                "Resource ID : 1. The request limit for it is 60 and has been reached.",
                SourceUnreachable,
            ),
            (40615, "Client with IP address '1.2.3.4' is not allowed to access the server.", SourceAuthFailed),
            (207, "Invalid column name 'x'.", SourceObjectMissing),
            (102, "Incorrect syntax near 'x'.", SourceQueryFailed),
        ],
    )
    def test_what_the_server_says_has_its_type(self, azure, number, message, kind):
        self.make(azure, 1)
        azure.double.fail(Fault("error", 0, "describe_first", number, message))
        with pytest.raises(kind) as caught:
            azure.plan()
        without_secrets(caught, message)
        assert caught.value.transient == (kind is SourceUnreachable)

    def test_the_server_goes_away_between_two_questions(self, azure):
        self.make(azure, 1)
        adapter = azure.open()
        azure.double.stop()
        with pytest.raises(SourceUnreachable) as caught:
            adapter.plan(Checkpoint(), full_refresh=False)
        without_secrets(caught, "shop.orders")
        adapter.close()
        adapter.close()

    def test_a_stream_that_nobody_reads_to_its_end_is_stopped(self, azure):
        self.make(azure, 60_000)
        adapter = azure.open()
        load = adapter.plan(Checkpoint(), full_refresh=False)
        adapter.select(load, Chunk(0))
        assert len(azure.con.execute(adapter.select(load, Chunk(0))).fetchmany(5)) == 5
        adapter.close()
        assert not [name for (name,) in azure.con.execute("SHOW TABLES").fetchall() if name.startswith("comboi_mssql")]

    def test_what_is_not_the_source_s_fault_is_not_blamed_on_it(self, azure):
        self.make(azure, 1)
        adapter = azure.open()
        assert isinstance(adapter.translate(ValueError("something else")), InternalError)


class TestMemory:
    @pytest.mark.parametrize(("columns", "most"), [
        (["int", "nvarchar(50)"], 8192), (["nvarchar(4000)"] * 20, 104), (["int", "varchar(max)"], 32), (["xml"], 32),
    ])  # fmt: skip
    def test_as_many_rows_are_fetched_as_there_is_room_for(self, columns, most):
        """The driver makes room for the longest value that each column may have."""
        made = tuple(Column(f"c{number}", kind, "VARCHAR") for number, kind in enumerate(columns))
        assert azure_sql_batches.most_rows(made) == most

    @pytest.mark.parametrize("width", [1, 40_000])
    def test_batches_weigh_the_same_whatever_the_rows_do(self, azure, monkeypatch, width):
        sizes = []
        monkeypatch.setattr(azure_sql_batches, "BATCH_BYTES", 2**20)
        original = azure_sql_session.AzureSqlSession._batches

        def watching(self, *arguments):
            for batch in original(self, *arguments):
                sizes.append((batch.num_rows, batch.nbytes))
                yield batch

        monkeypatch.setattr(azure_sql_session.AzureSqlSession, "_batches", watching)
        azure.run("CREATE TABLE {s}.orders (id int, a nvarchar(max))")
        azure.run(f"INSERT INTO {{s}}.orders SELECT value, REPLICATE(N'x', {width}) FROM GENERATE_SERIES(1, 1500)")
        _, rows, _ = azure.land()
        assert len(rows) == 1500 and {len(row[1]) for row in rows} == {width}
        assert all(size < 3 * 2**20 for count, size in sizes)
        assert (len(sizes) < 6) == (width == 1)


class TestSystemLibraries:
    def test_what_is_missing_is_named_with_the_command_that_mends_it(self, azure, monkeypatch):
        monkeypatch.delenv(azure_sql_driver.PROVIDER_VARIABLE, raising=False)
        monkeypatch.setattr("mssql_python.ProviderManager.effective", lambda: "msodbcsql18")
        monkeypatch.setattr(azure_sql_driver, "LIBRARIES", {"libno.so.9": "libno9", "libc.so.6": "libc6"})
        with pytest.raises(ConfigError, match=r"libraries that are missing: libno\.so\.9$") as caught:
            azure.open()
        assert "`apt-get install -y libno9`" in caught.value.remedy
        assert "MSSQL_PYTHON_NATIVE_PROVIDER=mssql-odbc" in caught.value.remedy

    def test_the_other_provider_needs_none(self, monkeypatch):
        monkeypatch.setattr("mssql_python.ProviderManager.effective", lambda: "mssql-odbc")
        monkeypatch.setattr(azure_sql_driver, "LIBRARIES", {"libno.so.9": "libno9"})
        assert azure_sql_driver.load().__name__ == "mssql_python"

    def test_a_missing_driver_says_how_to_install_it(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "mssql_python", None)
        with pytest.raises(ExtraMissing, match="needs mssql-python, which is not installed") as caught:
            azure_sql_driver.load()
        assert "pip install 'comboi[azure-sql]'" in caught.value.remedy


def test_several_tables_are_read_at_once_each_over_a_connection_of_its_own(azure, con):
    azure.run("CREATE TABLE {s}.orders (id int)", "INSERT INTO {s}.orders SELECT value FROM GENERATE_SERIES(1, 500)")
    counts: list[int] = []

    def read() -> None:
        with con.cursor() as own:
            adapter = azure.open(con=own)
            load = adapter.plan(Checkpoint(), full_refresh=False)
            counts.append(len(own.execute(adapter.select(load, Chunk(0))).fetchall()))

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert counts == [500] * 4 and len(azure.double.log.logins) == 4


def test_nothing_that_the_driver_writes_holds_a_secret(azure, capfd, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    azure.run("CREATE TABLE {s}.orders (id int)")
    azure.land()
    out, err = capfd.readouterr()
    assert not out and not err and list(tmp_path.iterdir()) == []
