"""A lake in Azure: its account, what DuckDB is told of it, names, memory, and what it leaves alone."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from comboi_core.config.lakes import LakeConfig
from comboi_core.domain.errors import ConfigError, LakeRefused, LakeUnavailable
from comboi_core.domain.sql import literal
from comboi_core.duckdb.engine import open_duckdb
from comboi_core.lake.azure import client as adls_client
from comboi_core.lake.azure import duckdb as adls_duckdb
from comboi_core.lake.azure import lake as adls
from comboi_core.lake.azure.account import EMULATOR, Account, account_of
from comboi_core.lake.azure.lake import AzureLake
from comboi_core.lake.registry import open_lake
from tests.doubles.azurite import Azurite

KEY = "c2VjcmV0" * 11
ROOT = Path(__file__).resolve().parents[3]


def account(**keys: str) -> Account:
    return account_of(LakeConfig(file_system="lake", **keys))


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"account_name": "acme"}, Account("acme", "https://acme.blob.core.windows.net")),
        (
            {"account_name": "acme", "credential": KEY},
            Account("acme", "https://acme.blob.core.windows.net", key=KEY),
        ),
        (
            {"account_name": "acme", "sas_token": "?sv=1&sig=x"},
            Account("acme", "https://acme.blob.core.windows.net", sas="sv=1&sig=x"),
        ),
        (
            {"account_url": "https://acme.dfs.core.chinacloudapi.cn/", "credential": KEY},
            Account("acme", "https://acme.blob.core.chinacloudapi.cn", key=KEY),
        ),
        (
            {"account_url": f"http://127.0.0.1:10000/{EMULATOR}", "credential": KEY},
            Account(EMULATOR, f"http://127.0.0.1:10000/{EMULATOR}", key=KEY),
        ),
        (
            {"connection_string": f"DefaultEndpointsProtocol=https;AccountName=acme;AccountKey={KEY};"
             "EndpointSuffix=core.windows.net"},
            Account("acme", "https://acme.blob.core.windows.net", key=KEY),
        ),
        (
            {"connection_string": f" accountname = acme ; ACCOUNTKEY = {KEY} ; BlobEndpoint=https://a.example.com/"},
            Account("acme", "https://a.example.com", key=KEY),
        ),
        (
            {"connection_string": "BlobEndpoint=https://acme.blob.core.windows.net/;SharedAccessSignature=sv=1&sig=x%3D"},
            Account("acme", "https://acme.blob.core.windows.net", sas="sv=1&sig=x%3D"),
        ),
    ],
)  # fmt: skip
def test_the_ways_to_name_an_account(keys, expected):
    assert account(**keys) == expected


@pytest.mark.parametrize(
    "keys",
    [
        {"connection_string": f"AccountKey={KEY}"},
        {"connection_string": "AccountName=acme"},
        {"connection_string": KEY},
        {"connection_string": "postgresql://u:c2VjcmV0@h/d"},
        {"connection_string": f"AccountName=acme;AccountKey={KEY}!"},
        {"account_name": "acme", "credential": KEY[:-1]},
        {"account_name": "acme", "credential": "c2VjcmV0 c2VjcmV0"},
        {"account_url": "acme.blob.core.windows.net", "credential": KEY},
        {"account_url": "ftp://acme", "credential": KEY},
        {"account_url": "https://u:c2VjcmV0@acme"},
        {"account_url": "https://acme:port"},
    ],
)
def test_what_is_no_account_is_refused_without_showing_secrets(keys):
    with pytest.raises(ConfigError) as caught:
        account(**keys)
    assert "c2VjcmV0" not in caught.value.message + caught.value.remedy and caught.value.__context__ is None


def test_an_account_shows_no_secret():
    for keys in ({"credential": KEY}, {"sas_token": KEY}):
        assert "c2Vj" not in repr(account(account_name="acme", **keys))


@pytest.mark.parametrize("path", ["a\\b", "a./b", "a/b.", "a\nb", "a?versionid=1", "a" * 1025])
def test_names_that_azure_would_change_are_refused(path):
    with pytest.raises(ConfigError, match="cannot be a blob's name"):
        AzureLake(account(account_name="acme"), "lake").write(path, b"")


def test_a_lake_tells_where_it_is():
    lake = open_lake(LakeConfig(account_name="acme", file_system="lake", folder="a/b", credential=KEY), base=Path())
    assert lake.describe() == "https://acme.blob.core.windows.net/lake/a/b"


def test_nothing_heavy_is_loaded_before_a_lake_in_azure_is_used():
    program = (
        "import sys; from pathlib import Path; from comboi_core.config.lakes import LakeConfig\n"
        "from comboi_core.lake.registry import open_lake\n"
        "open_lake(LakeConfig(path='x'), base=Path('nowhere')).list('')\n"
        f"open_lake(LakeConfig(account_name='a', file_system='lake', credential={KEY!r}), base=Path()).uri('x')\n"
        "print([name for name in ('adlfs', 'fsspec', 'azure', 'aiohttp', 'duckdb') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_variables_that_adlfs_knows_do_not_overrule_the_configuration(storage, monkeypatch):
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", f"AccountName=other;AccountKey={KEY}")
    monkeypatch.setenv("AZURE_STORAGE_CLIENT_ID", "someone")
    monkeypatch.setenv("AZURE_STORAGE_ANON", "true")
    lake = AzureLake(storage.account, "variables")
    adls_client.file_system.cache_clear()
    lake.write("a", b"1")
    assert lake.read("a") == b"1"


def parquet(lake: AzureLake, number: int) -> None:
    with open_duckdb(memory_limit="128MB", threads=1) as con, lake.stage("x.parquet") as staged:
        con.execute(f"COPY (SELECT {number} AS x) TO {literal(str(staged))} (FORMAT parquet)")


def test_duckdb_reads_lakes_side_by_side_each_with_its_own_credential(storage: Azurite):
    adls_client.file_system(storage.other).create_container("side-other")
    lakes = [
        AzureLake(storage.account, "side-one"),
        AzureLake(storage.account, "side-one", "below"),
        AzureLake(storage.other, "side-other"),
    ]
    for number, lake in enumerate(lakes):
        parquet(lake, number)
    with open_duckdb(memory_limit="128MB", threads=1) as con:
        for lake in lakes:
            lake.attach(con)
        uris = ", ".join(literal(lake.uri("x.parquet")) for lake in lakes)
        assert con.execute(f"FROM read_parquet([{uris}]) ORDER BY x").fetchall() == [(0,), (1,), (2,)]
        with pytest.raises(ConfigError, match="different accounts"):
            AzureLake(storage.other, "side-one").attach(con)


def test_a_credential_that_duckdb_does_not_take_is_not_shown(monkeypatch):
    monkeypatch.setattr(adls_duckdb, "_signing", lambda of: f"UNKNOWN {literal(of.connection_string())}")
    with open_duckdb(memory_limit="128MB", threads=1) as con, pytest.raises(LakeRefused) as caught:
        AzureLake(account(account_name="acme", credential=KEY), "lake").attach(con)
    assert "c2Vj" not in caught.value.message and caught.value.__context__ is None


def test_without_duckdb_s_extension_files_are_downloaded_and_read(storage, monkeypatch):
    lake = AzureLake(storage.account, "downloads", "a [b]")
    with lake.stage("load=00000007/it's 1.parquet") as staged, open_duckdb(memory_limit="128MB", threads=1) as con:
        con.execute(f"COPY (SELECT 7 AS x) TO {literal(str(staged))} (FORMAT parquet)")
    monkeypatch.setattr(adls_duckdb, "_PACKAGE", "no_such_package")
    with open_duckdb(memory_limit="128MB", threads=1) as con:
        lake.attach(con)
        uri = lake.uri("load=00000007/it's 1.parquet")
        found = con.execute(f"SELECT x, filename FROM read_parquet({literal(uri)}, filename = true)").fetchall()
        assert found[0][0] == 7 and found[0][1].endswith("/load=00000007/it's 1.parquet")
        assert Path(found[0][1]).exists() and lake.uri("load=00000007/it's 1.parquet") == uri
    assert not Path(found[0][1]).exists(), "it goes away with the connection"


def test_a_disk_that_is_full_while_staging_is_told_with_the_folder(storage, tmp_path, monkeypatch):
    lake = AzureLake(storage.account, "full", temp_directory=str(tmp_path / "t"))

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(adls.tempfile, "mkdtemp", refuse)
    with pytest.raises(LakeUnavailable, match="No space left") as caught, lake.stage("a"):
        raise AssertionError
    assert "engine.temp_directory" in caught.value.remedy and str(tmp_path / "t") in caught.value.remedy


def test_what_duckdb_cannot_stage_is_told_as_the_lake_s_trouble(storage, tmp_path):
    lake = AzureLake(storage.account, "staging", temp_directory=str(tmp_path / "t"))
    with (
        open_duckdb(memory_limit="128MB", threads=1) as con,
        pytest.raises(LakeUnavailable, match="s/a.parquet"),
        lake.stage("s/a.parquet") as staged,
    ):
        con.execute(f"COPY (SELECT 1 AS x) TO {literal(str(staged / 'no' / 'where'))} (FORMAT parquet)")
    assert list((tmp_path / "t").iterdir()) == []


UPLOAD = """
import sys, threading
import psutil
from comboi_core.lake.azure.lake import AzureLake
from comboi_core.lake.azure.account import Account
lake = AzureLake(Account(*sys.argv[1:4]), "memory", temp_directory=sys.argv[4])
lake.write("warm", b"x")
done, process = threading.Event(), psutil.Process()
sizes = [process.memory_info().rss]
def watch():
    while not done.wait(0.005):
        sizes.append(process.memory_info().rss)
watcher = threading.Thread(target=watch)
watcher.start()
with lake.stage("big") as staged, staged.open("wb") as file:
    file.truncate(300 * 2**20)
done.set()
watcher.join()
print((max(sizes) - sizes[0]) // 2**20)
"""


@pytest.mark.slow
def test_the_memory_of_an_upload_does_not_grow_with_the_file(storage, tmp_path):
    account = storage.account
    done = subprocess.run(
        [sys.executable, "-c", UPLOAD, account.name, account.endpoint, account.key, str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert 8 < int(done.stdout) < 120, "MiB more than after a small upload"
    assert AzureLake(account, "memory")._files.properties("memory", "big").size == 300 * 2**20
