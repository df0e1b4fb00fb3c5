"""A lake in Azure whose network, account or credential fails: what is retried, what is told, what stays intact."""

from __future__ import annotations

import itertools
import json
import os
import socket
import traceback
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from azure.storage.blob import AccountSasPermissions, ResourceTypes, generate_account_sas

from comboi_core.domain.errors import ComboiError, LakeNotFound, LakeRefused, LakeUnavailable
from comboi_core.domain.sql import literal
from comboi_core.duckdb.engine import open_duckdb
from comboi_core.lake.azure import client as adls_client
from comboi_core.lake.azure.account import Account
from comboi_core.lake.azure.errors import lake_reads
from comboi_core.lake.azure.lake import AzureLake
from tests.doubles.azurite import Azurite
from tests.doubles.flaky_storage import FlakyStorage, flaky_storage

pytestmark = pytest.mark.few(2)

BIG = 17 * 2**20  # three blocks
NAMES = (f"faults-{number}" for number in itertools.count())
USES = {
    "read": lambda lake: lake.read("a"),
    "write": lambda lake: lake.write("b", b"x"),
    "exists": lambda lake: lake.exists("a"),
    "list": lambda lake: lake.list(""),
    "delete": lambda lake: lake.delete(["gone"]),
    "stage": lambda lake: stage(lake, "c", b"x"),
}


def stage(lake: AzureLake, path: str, content: bytes) -> None:
    with lake.stage(path) as staged:
        staged.write_bytes(content)


def sas(account: Account, *, hours: float = 1, rights: str = "rwdlc") -> Account:
    """The account with a signature in place of its key."""
    token = generate_account_sas(
        account.name,
        account.key,
        resource_types=ResourceTypes(service=True, container=True, object=True),
        permission=AccountSasPermissions.from_string(rights),
        expiry=datetime.now(UTC) + timedelta(hours=hours),
    )
    return replace(account, key=None, sas=token)


def told(error: ComboiError, *secrets: str | None) -> str:
    """Everything that the error shows, which holds none of the secrets, nor anything that does as its cause."""
    shown = "".join(traceback.format_exception(error)) + json.dumps(error.record()) + repr(error.context)
    assert not [secret for secret in secrets if secret and secret in shown]
    return shown


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adls_client, "_FIRST_WAIT", 0.01)


@pytest.fixture
def flaky(storage: Azurite) -> Iterator[FlakyStorage]:
    with flaky_storage(storage.port) as proxy:
        yield proxy


@pytest.fixture
def direct(storage: Azurite, tmp_path: Path) -> AzureLake:
    """A lake with a file `a` in it."""
    lake = AzureLake(storage.account, next(NAMES), temp_directory=str(tmp_path))
    lake.write("a", b"old")
    return lake


@pytest.fixture
def lake(direct: AzureLake, storage: Azurite, flaky: FlakyStorage, tmp_path: Path) -> AzureLake:
    """The same lake through the flaky network."""
    return AzureLake(storage.through(flaky.port).account, direct._container, temp_directory=str(tmp_path))


@pytest.mark.parametrize("use", USES)
def test_what_passes_is_waited_out(lake, flaky, use):
    flaky.every(2, 503, 429, "reset", 500, "lose")
    for _ in range(6):
        USES[use](lake)
    assert len(flaky.faults) >= 5


@pytest.mark.parametrize("fault", [503, 429, "reset"])
@pytest.mark.parametrize("use", USES)
def test_what_lasts_is_a_transient_error_with_a_remedy(lake, flaky, storage, use, fault, tmp_path):
    flaky.decide = lambda method, path: fault
    with pytest.raises(LakeUnavailable) as caught:
        USES[use](lake)
    shown = told(caught.value, storage.key)
    assert caught.value.transient and lake.describe() in caught.value.message and caught.value.remedy in shown
    assert isinstance(fault, str) or f"answers {fault}" in caught.value.message
    assert len(flaky.faults) >= 6 and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fault", [503, 429, "reset", "lose"])
def test_a_big_upload_outlasts_faults_and_arrives_byte_for_byte(lake, direct, flaky, fault):
    content = os.urandom(BIG)
    flaky.every(2, fault)
    stage(lake, "big", content)
    assert direct.read("big") == content and flaky.faults


def test_an_upload_that_is_cut_off_leaves_the_old_file(lake, direct, flaky):
    flaky.decide = lambda method, path: "reset" if "comp=blocklist" in path else None
    with pytest.raises(LakeUnavailable):
        stage(lake, "a", os.urandom(BIG))
    assert direct.read("a") == b"old" and direct.list("") == ["a"]


@pytest.mark.parametrize("size", [100, BIG])
def test_bytes_that_change_on_the_way_are_noticed_and_never_put_in_place(lake, direct, flaky, size):
    flaky.decide = lambda method, path: "damage" if method == "PUT" and "blocklist" not in path else None
    with pytest.raises(LakeUnavailable, match="Md5Mismatch"):
        stage(lake, "a", os.urandom(size))
    assert direct.read("a") == b"old"


def test_a_commit_that_lost_its_blocks_to_another_writer_uploads_again(lake, direct, flaky):
    """Whoever writes the blob in between drops the uncommitted blocks of everybody."""
    rivals = iter([b"1" * BIG, b"2" * BIG])

    def interfere(method: str, path: str) -> None:
        if "comp=blocklist" in path and (content := next(rivals, None)):
            direct.write("a", content)

    flaky.decide = interfere
    content = os.urandom(BIG)
    stage(lake, "a", content)
    assert direct.read("a") == content and next(rivals, None) is None


def closed_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return bound.getsockname()[1]


@pytest.mark.parametrize("use", USES)
def test_an_account_that_cannot_be_reached_is_named(storage, use, tmp_path):
    account = replace(storage.account, endpoint=f"http://127.0.0.1:{closed_port()}/x")
    with pytest.raises(LakeUnavailable, match="cannot be reached") as caught:
        USES[use](AzureLake(account, "lake", temp_directory=str(tmp_path)))
    assert account.endpoint in told(caught.value, storage.key) and "firewall" in caught.value.remedy


def test_an_account_whose_name_nobody_knows_is_named(storage):
    account = Account("nobody", "https://nobody.blob.comboi.invalid", key=storage.key)
    with pytest.raises(LakeUnavailable, match=r"nobody\.blob\.comboi\.invalid") as caught:
        AzureLake(account, "lake").write("a", b"")
    assert "account's name" in told(caught.value, storage.key)


WRONG = "A" * 86 + "=="


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("wrong", ["key", "expired", "rights"])
def test_a_credential_that_is_refused_is_no_transient_error(direct, storage, use, wrong, tmp_path):
    account = {
        "key": replace(storage.account, key=WRONG),
        "expired": sas(storage.account, hours=-1),
        "rights": sas(storage.account, rights="u"),
    }[wrong]
    with pytest.raises(LakeRefused) as caught:
        USES[use](AzureLake(account, direct._container, temp_directory=str(tmp_path)))
    shown = told(caught.value, account.key, account.sas, account.sas and account.sas.partition("sig=")[2])
    assert not caught.value.transient and "answers 40" in caught.value.message
    assert any(word in shown for word in ("Check the key", "A shared access signature needs", "role"))


def test_a_signature_is_as_good_as_a_key(direct, storage, tmp_path):
    lake = AzureLake(sas(storage.account), direct._container, temp_directory=str(tmp_path))
    with open_duckdb(memory_limit="128MB", threads=1) as con:
        with lake.stage("x.parquet") as staged:
            con.execute(f"COPY (SELECT 7 AS x) TO {literal(str(staged))} (FORMAT parquet)")
        lake.attach(con)
        assert con.execute(f"FROM read_parquet({literal(lake.uri('x.parquet'))})").fetchall() == [(7,)]
    assert lake.list("") == ["a", "x.parquet"] and lake.read("a") == b"old"


@pytest.mark.parametrize("use", ["read", "write", "exists", "stage"])
def test_in_azure_a_container_that_is_missing_is_named_and_never_made(storage, use, tmp_path):
    lake = AzureLake(storage.other, "missing", temp_directory=str(tmp_path))
    with pytest.raises(LakeRefused, match="ContainerNotFound") as caught:
        USES[use](lake)
    assert f"{storage.other.endpoint}/missing" in told(caught.value, storage.key)
    assert caught.value.remedy.startswith("Create the container") and lake.list("") == []


@pytest.mark.parametrize(("fault", "kind"), [(503, LakeUnavailable), (None, LakeNotFound), ("key", LakeRefused)])
def test_what_duckdb_cannot_read_is_told_as_the_lake_s_trouble(lake, direct, flaky, storage, fault, kind):
    if fault == "key":
        lake = AzureLake(replace(storage.account, key=WRONG), direct._container)
    flaky.decide = lambda method, path: fault
    with open_duckdb(memory_limit="128MB", threads=1) as con:
        lake.attach(con)
        with pytest.raises(kind) as caught, lake_reads():
            con.execute(f"FROM read_parquet({literal(lake.uri('gone.parquet'))})").fetchall()
    assert "gone.parquet" in told(caught.value, storage.key, WRONG)


def test_what_duckdb_waits_out(lake, direct, flaky, tmp_path):
    with open_duckdb(memory_limit="128MB", threads=1) as con:
        with direct.stage("x.parquet") as staged:
            con.execute(f"COPY (SELECT range AS x FROM range(1000)) TO {literal(str(staged))} (FORMAT parquet)")
        lake.attach(con)
        flaky.every(2, 503, "reset")
        read = f"SELECT sum(x) FROM read_parquet({literal(lake.uri('x.parquet'))})"
        assert con.execute(read).fetchone() == (499_500,)
    assert flaky.faults
