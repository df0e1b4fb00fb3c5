"""A lake in Azure without key: the identity signs in, for adlfs and for DuckDB alike.

Azurite takes bearer tokens over TLS only and checks what they say, not who signed them. So the certificate is ours, the
token is made here, and names below `localhost` lead to this machine.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from comboi_core.domain.errors import LakeRefused
from comboi_core.domain.sql import literal
from comboi_core.duckdb.engine import open_duckdb
from comboi_core.lake.azure import client as adls_client
from comboi_core.lake.azure import duckdb as adls_duckdb
from comboi_core.lake.azure.account import EMULATOR, Account
from comboi_core.lake.azure.lake import AzureLake
from tests.doubles.azurite import azurite

DOMAIN = "blob.localhost"


def token() -> str:
    now = int(time.time())
    issuer = "https://sts.windows.net/ab1f708d-50f6-404c-a006-d71b2ac7a606/"
    claims = {"aud": "https://storage.azure.com", "iss": issuer, "iat": now - 60, "nbf": now - 60, "exp": now + 3600}
    parts = [json.dumps(part).encode() for part in ({"alg": "none", "typ": "JWT"}, claims)]
    return ".".join([*(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts), "signature"])


class SignedIn:
    """Stands in for DefaultAzureCredential."""

    scopes: list[str] = []

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        self.scopes += scopes
        return AccessToken(token(), int(time.time()) + 3600)


class SignedInAsync(SignedIn):
    """Stands in for the asynchronous one."""

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        return super().get_token(*scopes)

    async def close(self) -> None:
        """Nothing to close."""


class Stranger(SignedInAsync):
    """An identity that nobody gave."""

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        raise ClientAuthenticationError("DefaultAzureCredential failed to retrieve a token")


def certificate(folder: Path) -> tuple[Path, Path]:
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, DOMAIN)])
    names = [x509.DNSName(f"*.{DOMAIN}"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    now, day = datetime.now(UTC), timedelta(days=1)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now - day, now + day)
    made = made.add_extension(x509.SubjectAlternativeName(names), False)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
    files = folder / "certificate.pem", folder / "key.pem"
    files[0].write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    files[1].write_bytes(key.private_bytes(*form))
    return files


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Account, Path]]:
    folder = tmp_path_factory.mktemp("secured")
    cert, key = certificate(folder)
    with azurite(folder, "--oauth", "basic", "--cert", str(cert), "--key", str(key)) as server:
        yield Account(EMULATOR, f"https://{EMULATOR}.{DOMAIN}:{server.port}"), cert


@pytest.fixture
def account(secured: tuple[Account, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    account, cert = secured
    resolve = socket.getaddrinfo

    def resolved(host: Any, *rest: Any, **options: Any) -> Any:
        return resolve("127.0.0.1" if str(host).endswith(DOMAIN) else host, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    monkeypatch.setattr(adls_client, "_Transport", partial(adls_client._Transport, connection_verify=str(cert)))
    monkeypatch.setenv("CURL_CA_INFO", str(cert))
    monkeypatch.setattr("azure.identity.DefaultAzureCredential", SignedIn)
    monkeypatch.setattr("azure.identity.aio.DefaultAzureCredential", SignedInAsync)
    adls_client.file_system.cache_clear()
    adls_duckdb._identity.cache_clear()
    yield account
    adls_client.file_system.cache_clear()
    adls_duckdb._identity.cache_clear()


def test_the_identity_writes_lists_and_reads_for_adlfs_and_duckdb(account):
    lake = AzureLake(account, "identity", "below")
    with open_duckdb(memory_limit="128MB", threads=1) as con:
        with lake.stage("load=00000001/x 1.parquet") as staged:
            con.execute(f"COPY (SELECT 7 AS x) TO {literal(str(staged))} (FORMAT parquet)")
        lake.attach(con)
        lake.attach(con)
        uri = lake.uri("load=00000001/x 1.parquet")
        assert con.execute(f"SELECT x, filename FROM read_parquet({literal(uri)})").fetchall() == [(7, uri)]
        shown = con.execute("SELECT secret_string FROM duckdb_secrets()").fetchall()
    assert lake.list("") == ["load=00000001/x 1.parquet"] and uri.startswith(f"az://{EMULATOR}.{DOMAIN}:")
    assert token().split(".")[0] not in str(shown)
    assert set(SignedIn.scopes) == {"https://storage.azure.com/.default"}


@pytest.mark.slow
def test_nobody_signed_in_is_no_transient_error(account, monkeypatch):
    monkeypatch.setattr("azure.identity.aio.DefaultAzureCredential", Stranger)
    with pytest.raises(LakeRefused, match="no identity") as caught:
        AzureLake(account, "identity").write("a", b"")
    assert "az login" in caught.value.remedy and not caught.value.transient
