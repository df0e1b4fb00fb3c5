"""A Key Vault at the wire, on loopback."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from comboi_core.secrets.vault import forget_vaults
from tests.doubles.vault import HOST, FakeCredential, VaultDouble


@pytest.fixture(scope="session")
def vault_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VaultDouble]:
    """The double, for all tests."""
    double = VaultDouble(tmp_path_factory.mktemp("vault"))
    yield double
    double.close()


@pytest.fixture
def vault(vault_server: VaultDouble, monkeypatch: pytest.MonkeyPatch) -> Iterator[VaultDouble]:
    """The double as the SDK finds it: by its name, behind a trusted certificate, with an identity, impatient."""
    vault_server.reset()
    look_up = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *rest, **more: look_up("127.0.0.1" if host == HOST else host, *rest, **more)
    )
    for proxy in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(proxy, raising=False)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(vault_server.certificate))
    monkeypatch.setattr("azure.identity.DefaultAzureCredential", FakeCredential)
    monkeypatch.setattr("azure.core.pipeline.policies.RetryPolicy.sleep", lambda *_, **__: None)
    forget_vaults()
    yield vault_server
    forget_vaults()
