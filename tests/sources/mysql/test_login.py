"""Logging in, over TLS or not; what goes wrong is named, and no secret with it."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from comboi_core.config.sources import SourceConfig
from comboi_core.domain.errors import (
    ConfigError,
    InternalError,
    SourceAuthFailed,
    SourceChanged,
    SourceObjectMissing,
    SourceQueryFailed,
    SourceUnreachable,
)
from comboi_core.sources.mysql.errors import translate
from comboi_core.sources.mysql.facts import server, sizes
from comboi_core.sources.mysql.transient import TRANSIENT
from tests.support.mariadb import BLIND, PASSWORD

pytestmark = pytest.mark.few(2)

CIPHER = "SELECT VARIABLE_VALUE AS cipher FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'SSL_CIPHER'"


@pytest.fixture
def table(shop):
    shop.run("CREATE TABLE {s}.orders (id int);\nINSERT INTO {s}.orders VALUES (1)")
    return shop


@pytest.mark.parametrize(
    ("tls", "encrypted"),
    [
        ("required", True),
        ("verify_ca", True),
        ("verify_identity", True),
        ("preferred", True),
        ("disabled", False),
        (None, True),
    ],
)
def test_tls_is_as_configured_and_required_by_default(table, db, tls, encrypted):
    table.connection = {key: value for key, value in table.connection.items() if key != "tls"} | (
        {"tls": tls} if tls else {}
    )
    if tls in ("verify_ca", "verify_identity"):
        table.connection |= {"tls_ca": str(db.ca)}
    assert table.land()[1] == [("1",)]
    assert bool(table.open()._rows(CIPHER)[0]["cipher"]) is encrypted


@pytest.mark.parametrize("tls", ["verify_ca", "verify_identity"])
def test_a_certificate_of_another_ca_is_refused(table, tls, tmp_path):
    from tests.support.mariadb import _certificates

    _certificates(tmp_path)
    with pytest.raises(ConfigError) as raised:
        table.open(connection=table.connection | {"tls": tls, "tls_ca": str(tmp_path / "ca.pem")})
    assert "tls_ca" in raised.value.remedy


def test_a_ca_file_that_is_not_there_is_named_as_such(table, tmp_path):
    with pytest.raises(ConfigError) as raised:
        table.open(connection=table.connection | {"tls": "verify_ca", "tls_ca": str(tmp_path / "none.pem")})
    assert "tls_ca" in raised.value.message + raised.value.remedy


WRONG = [
    ({"password": "wrong'\"\\"}, {}, SourceAuthFailed, "Access denied for user"),
    ({"user": "nobody"}, {}, SourceAuthFailed, "Access denied for user"),
    ({"port": 1}, {}, SourceUnreachable, "Can't connect to server"),
    ({"host": "nosuch.invalid"}, {}, SourceUnreachable, "Unknown server host"),
    ({"database": "none"}, {}, SourceObjectMissing, "Unknown database"),
    ({}, {"table": "none"}, SourceObjectMissing, "the source has no table none"),
    ({}, {"table": "a.b.c"}, ConfigError, "cannot be understood"),
    ({}, {"columns": ["idd"]}, SourceObjectMissing, "the source has no column idd"),
    ({}, {"query": "SELECT nope FROM {s}.orders"}, SourceObjectMissing, "Unknown column 'nope'"),
    ({}, {"query": "SELECT * FROM {s}.nope"}, SourceObjectMissing, "doesn't exist"),
    ({}, {"query": "SELEC 1"}, SourceQueryFailed, "error in your SQL syntax"),
    ({}, {"query": "SELECT '{p}' FROM {s}.nope"}, SourceObjectMissing, "doesn't exist"),
]


@pytest.mark.parametrize(("connection", "given", "kind", "said"), WRONG)
def test_what_goes_wrong_is_named_without_a_secret(table, connection, given, kind, said):
    table.connection |= connection
    given = {
        key: value.replace("{p}", "Access denied") if isinstance(value, str) else value for key, value in given.items()
    }
    with pytest.raises(kind, match=said) as raised:
        table.land(**given)
    password = table.connection["password"]
    shown = f"{raised.value.message} {raised.value.remedy} {raised.value.__context__} {raised.value.__cause__}"
    assert raised.value.message.startswith("shop.orders: ")
    assert not [text for text in (password, PASSWORD, password.replace("'", "''")) if text in shown]


def test_a_table_that_the_account_may_not_read_is_missing_for_it(table, db):
    db.run(
        f"CREATE USER IF NOT EXISTS few@'%' IDENTIFIED BY 'few';\nGRANT SELECT (id) ON {table.schema}.orders TO few@'%'"
    )
    table.run("ALTER TABLE {s}.orders ADD secret int")
    table.connection |= {"user": "few", "password": "few"}
    assert table.land(columns=["id"])[1] == [("1",)]
    with pytest.raises(SourceObjectMissing, match="command denied to user"):
        table.land(query="SELECT secret FROM {s}.orders")


def test_nothing_can_be_written_by_a_query(table):
    table.connection |= {"user": "root_over_tcp", "password": "x"}
    table.server.run(
        "CREATE USER IF NOT EXISTS root_over_tcp@'%' IDENTIFIED BY 'x';\nGRANT ALL ON *.* TO root_over_tcp@'%'"
    )
    adapter = table.open()
    with pytest.raises(SourceQueryFailed, match="READ ONLY transaction"):
        adapter._rows("INSERT INTO orders VALUES (2) RETURNING id")
    assert table.run("SELECT count(*) FROM {s}.orders") == [(1,)]


def test_the_environment_says_nothing_of_the_connection(table, monkeypatch):
    for name, value in {
        "MYSQL_HOST": "nosuch.invalid",
        "MYSQL_PWD": "x",
        "MYSQL_UNIX_PORT": "/nosuch",
        "MYSQL_TCP_PORT": "1",
    }.items():
        monkeypatch.setenv(name, value)
    assert table.land()[1] == [("1",)]


SENTENCES = {
    1040: "Too many connections",
    1205: "Lock wait timeout exceeded; try restarting transaction",
    1213: "Deadlock found when trying to get lock; try restarting transaction",
    1053: "Server shutdown in progress",
    1317: "Query execution was interrupted",
    2002: "Can't connect to MySQL server on '10.0.0.1:3306' (110)",
    2006: "MySQL server has gone away",
    2013: "Lost connection to MySQL server during query",
}


@pytest.mark.parametrize(("number", "sentence"), SENTENCES.items())
def test_what_passes_by_itself_is_tried_again(number, sentence):
    echo = 'IO Error: Failed to execute MySQL query "SELECT "Access denied for user": 1 FROM t": '
    failed = translate(RuntimeError(f"{echo}{sentence}\n"), "shop.orders", ())
    assert isinstance(failed, SourceUnreachable) and failed.transient
    assert (failed.message, failed.context) == (f"shop.orders: {sentence}", {"number": number})


def test_each_transient_error_has_its_number_once_and_the_page_that_it_is_from():
    numbers = [one.number for one in TRANSIENT]
    assert len(numbers) == len(set(numbers)) and all(one.source.startswith("https://") for one in TRANSIENT)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (
            'IO Error: Failed to execute MySQL query "x": Table definition has changed, please retry transaction\n',
            SourceChanged,
        ),
        (
            "IO Error: Failed to execute MySQL query \"Lost connection to server\": Unknown column 'a' in 'WHERE'\n",
            SourceObjectMissing,
        ),
        ("Out of Memory Error: failed to allocate", InternalError),
        ("something else", InternalError),
    ],
)
def test_other_errors_are_told_by_the_servers_words_and_not_by_the_querys(text, kind):
    assert type(translate(RuntimeError(text), "shop.orders", ())) is kind


def test_a_lock_that_lasts_is_a_transient_error(table, monkeypatch):
    from comboi_core.sources.mysql import sql

    monkeypatch.setattr(
        sql, "_COMMON", tuple(text.replace("lock_wait_timeout = 60", "lock_wait_timeout = 1") for text in sql._COMMON)
    )
    session = table.server.connect()
    with session.cursor() as cursor:
        cursor.execute(f"LOCK TABLES {table.schema}.orders WRITE")
        with pytest.raises(SourceUnreachable, match="Lock wait timeout exceeded"):
            table.plan(where="id = 1")
    session.close()


_CONFIG: TypeAdapter = TypeAdapter(SourceConfig)
GIVEN = {"host": "h", "database": "d", "user": "u", "password": "{{env:P}}"}


@pytest.mark.parametrize(
    ("connection", "table", "said"),
    [
        ({"tls": "verify_ca"}, {}, "needs tls_ca:"),
        ({"tls_ca": "ca.pem"}, {}, "tls_ca: belongs to"),
        ({"tls": "always"}, {}, "Input should be"),
        ({"port": 70000}, {}, "less than or equal"),
        ({"host": ""}, {}, "empty"),
        ({}, {"cursor": "xmin", "primary_key": ["id"]}, "MySQL shows no version of a row"),
        ({}, {"cursor_zone": "Europe/Berlin", "incremental_column": "at"}, "cursor_zone: is not for MySQL"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_refused(connection, table, said):
    value = {
        "name": "shop",
        "type": "mysql",
        "connection": GIVEN | connection,
        "tables": [{"name": "t", "table": "t"} | table],
    }
    with pytest.raises(ValidationError, match=said):
        _CONFIG.validate_python(value)


def test_doctor_names_what_the_account_does_not_see(db, con):
    for user, remarks in (("comboi", 0), (BLIND, 1)):
        found = server(con, db.connection("mysql", user=user), "source shop")
        assert found.product.startswith("MariaDB 1") and not found.too_old
        assert found.asked[0] - 60 < found.now < found.asked[1] + 60
        assert len(found.remarks) == remarks and all("GRANT PROCESS" in said for said in found.remarks)


def test_sizes_are_the_servers_estimates(table, con):
    table.run("ANALYZE TABLE {s}.orders")
    tables = [
        {"name": "orders", "table": "orders"},
        {"name": "q", "query": "SELECT 1 AS a"},
        {"name": "n", "table": "nope"},
    ]
    source = _CONFIG.validate_python(
        {"name": "shop", "type": "mysql", "connection": table.connection, "tables": tables}
    )
    assert sizes(con, source, table.connection) == {"orders": 1}
    assert sizes(con, source.model_copy(update={"tables": source.tables[1:2]}), table.connection) == {}
