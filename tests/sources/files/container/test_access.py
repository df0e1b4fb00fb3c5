"""What a storage account may refuse to a source of files, and what is told of it."""

from __future__ import annotations

import json
import traceback
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import duckdb
import pytest
from azure.storage.blob import AccountSasPermissions, ResourceTypes, generate_account_sas

from comboi_core.domain.errors import (
    LakeRefused,
    LakeUnavailable,
    SourceAuthFailed,
    SourceObjectMissing,
    SourceUnreachable,
)
from comboi_core.lake.azure import client as adls_client
from comboi_core.lake.azure.account import Account
from comboi_core.lake.azure.source import SourceContainer
from tests.doubles.flaky_storage import flaky_storage
from tests.support.azure_files import ContainerLanding, Incoming
from tests.support.landing import lake_in

WRONG = "A" * 86 + "=="


def test_the_connection_keeps_no_credential_and_reads_one_account_after_the_other(storage, con, tmp_path):
    for account, content in ((storage.account, "id\n1\n"), (storage.other, "id\n2\n")):
        files = adls_client.file_system(account)
        files.create_container("same-name")
        files.upload(content.encode(), "same-name", "a.csv")
        connection = {"connection_string": account.connection_string(), "file_system": "same-name"}
        lake = lake_in(tmp_path / account.name)
        landing = ContainerLanding(con, lake, "files", connection, {"path": "*.csv"})
        assert landing.load() == [{"id": int(content[3])}]
        assert con.execute("SELECT count(*) FROM duckdb_secrets()").fetchall() == [(0,)]


def signed(account: Account, rights: str, *, hours: float = 1) -> str:
    return generate_account_sas(
        account.name,
        account.key,
        resource_types=ResourceTypes(service=True, container=True, object=True),
        permission=AccountSasPermissions.from_string(rights),
        expiry=datetime.now(UTC) + timedelta(hours=hours),
    )


def test_a_signature_to_read_and_list_is_enough(incoming, table):
    account = incoming.storage.account
    incoming.put("a.csv", "id\n1\n")
    orders = table()
    orders.connection = {
        "account_url": account.endpoint, "file_system": incoming.name, "sas_token": signed(account, "rl"),
    } | ({"folder": incoming.folder} if incoming.folder else {})  # fmt: skip
    assert orders.load() == [{"id": 1}]


@pytest.mark.parametrize("wrong", ["key", "expired", "rights"])
def test_a_credential_that_is_refused_is_told_without_it(storage, con, tmp_path, wrong):
    incoming = Incoming.make(storage)
    incoming.put("a.csv", "id\n1\n")
    account = {
        "key": replace(storage.account, key=WRONG),
        "expired": replace(storage.account, key=None, sas=signed(storage.account, "rl", hours=-1)),
        "rights": replace(storage.account, key=None, sas=signed(storage.account, "w")),
    }[wrong]
    connection = {"connection_string": account.connection_string(), "file_system": incoming.name}
    with pytest.raises(SourceAuthFailed, match=r"^s\.t: .* in the container http") as caught:
        ContainerLanding(con, lake_in(tmp_path), "files", connection, {"path": "*.csv"}).load()
    shown = "".join(traceback.format_exception(caught.value)) + json.dumps(caught.value.record())
    assert not caught.value.transient and "answers 403" in shown
    assert WRONG not in shown and (account.sas or WRONG) not in shown and storage.key not in shown
    assert any(says in caught.value.remedy for says in ("Check the key", "needs read and list", "role"))


@pytest.mark.parametrize(("account", "kind"), [("identity", LakeUnavailable), ("key", LakeRefused)])
def test_a_token_that_ends_while_a_file_is_read_is_worth_another_attempt(storage, account, kind):
    """What was listed with a fresh token and cannot be read any more: the token has ended; a key does not end."""
    owner = storage.account if account == "key" else replace(storage.account, key=None)
    said = duckdb.IOException(f"AzureBlobStorageFileSystem Read to az://x/a.csv failed: 401 {storage.key}")
    told = SourceContainer(owner, "x").explain(said)
    assert isinstance(told, kind) and told.transient == (kind is LakeUnavailable)
    assert account == "identity" or storage.key not in told.message


@pytest.mark.parametrize("account", ["account", "other"])
def test_a_container_that_is_missing_is_named(storage, con, tmp_path, account):
    account = getattr(storage, account)
    connection = {"connection_string": account.connection_string(), "file_system": "never-made"}
    with pytest.raises(SourceObjectMissing, match=f"{account.endpoint}/never-made: .*ContainerNotFound") as caught:
        ContainerLanding(con, lake_in(tmp_path), "files", connection, {"path": "*.csv"}).load()
    assert caught.value.remedy == "Create the container, or correct connection.file_system."


@pytest.mark.slow
def test_what_passes_is_waited_out_and_what_lasts_is_transient(storage, con, tmp_path):
    incoming = Incoming.make(storage)
    incoming.put_all({f"{number}.csv": f"id\n{number}\n" for number in range(4)})
    with flaky_storage(storage.port) as flaky:
        through = Incoming(storage.through(flaky.port), incoming.name)
        table = ContainerLanding(con, lake_in(tmp_path), "files", through.connection, {"path": "*.csv", "lag": "0s"})
        flaky.every(5, 503)
        assert len(table.load()) == 4 and len(flaky.faults) > 3
        flaky.decide = lambda method, path: 503
        with pytest.raises(SourceUnreachable, match="answers 503") as caught:
            table.plan()
    assert caught.value.transient


def test_reading_that_fails_is_the_account_s_trouble_and_transient(storage, con, tmp_path):
    incoming = Incoming.make(storage)
    incoming.put("a.csv", "id\n1\n")
    with flaky_storage(storage.port) as flaky:
        through = Incoming(storage.through(flaky.port), incoming.name)
        table = ContainerLanding(con, lake_in(tmp_path), "files", through.connection, {"path": "*.csv", "lag": "0s"})
        adapter = table.open()
        plan = adapter.plan(table.checkpoint, full_refresh=False)
        select = adapter.select(plan, plan.chunks[0])
        flaky.decide = lambda method, path: 503
        with pytest.raises(Exception, match=r".") as caught:
            con.execute(select).fetchall()
        told = adapter.translate(caught.value)
        adapter.close()
    assert isinstance(told, SourceUnreachable) and told.transient and storage.key not in told.message
