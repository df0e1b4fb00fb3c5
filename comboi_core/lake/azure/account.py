"""A storage account: where it is and how one signs in, from any of the ways to configure it."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from comboi_core.config.lakes import LakeConfig
from comboi_core.domain.errors import ConfigError

EMULATOR = "devstoreaccount1"
_EMULATOR_ENDPOINT = f"http://127.0.0.1:10000/{EMULATOR}"
_EMULATOR_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Published by Microsoft; every Azurite takes it."""
_SUFFIX = "core.windows.net"


@dataclass(frozen=True)
class Account:
    """A storage account; without key and SAS, the identity signs in.

    Attributes:
        endpoint: The blob service, without a slash at the end.
    """

    name: str
    endpoint: str
    key: str | None = field(default=None, repr=False)
    sas: str | None = field(default=None, repr=False)

    @property
    def is_emulator(self) -> bool:
        """Whether this is Azurite, where containers are made as needed."""
        return self.name == EMULATOR

    @property
    def has_secret(self) -> bool:
        """Whether key or SAS sign; without, the identity signs in."""
        return bool(self.key or self.sas)

    def address(self, container: str) -> str:
        """Return how DuckDB calls a container: with its account's host, where its secret cannot tell the endpoint."""
        return f"az://{container}" if self.has_secret else f"az://{urlsplit(self.endpoint).netloc}/{container}"

    def connection_string(self) -> str:
        """Return endpoint and credential in one; for an account with key or SAS."""
        signed = f"AccountKey={self.key}" if self.key else f"SharedAccessSignature={self.sas}"
        return f"AccountName={self.name};BlobEndpoint={self.endpoint};{signed}"

    def scrubbed(self, text: str) -> str:
        """Return a text without the account's secrets."""
        for secret in (self.key, self.sas):
            text = text.replace(secret, "***") if secret else text
        return text


def account_of(config: LakeConfig) -> Account:
    """Return the account of a lake in Azure, references resolved.

    Raises:
        ConfigError: the connection string, the key or the endpoint is none; the message holds no secret.
    """
    if config.connection_string is not None:
        return _from_connection_string(config.connection_string)
    endpoint = config.account_url or f"https://{config.account_name}.blob.{_SUFFIX}"
    return _account(config.account_name, endpoint, config.credential, config.sas_token)


def _from_connection_string(text: str) -> Account:
    pairs = [piece.partition("=") for piece in text.strip().strip(";").split(";")]
    parts = {key.strip().lower(): value.strip() for key, _, value in pairs}
    if parts.get("usedevelopmentstorage", "").lower() == "true":
        return Account(EMULATOR, _EMULATOR_ENDPOINT, key=_EMULATOR_KEY)
    name, endpoint = parts.get("accountname"), parts.get("blobendpoint")
    if not endpoint and name:
        protocol = parts.get("defaultendpointsprotocol", "https")
        endpoint = f"{protocol}://{name}.blob.{parts.get('endpointsuffix') or _SUFFIX}"
    key, sas = parts.get("accountkey"), parts.get("sharedaccesssignature")
    if not endpoint or not (key or sas):
        raise ConfigError(
            "connection_string is not that of a storage account: it needs AccountName and AccountKey, "
            "or BlobEndpoint and SharedAccessSignature",
            remedy="Copy it from the portal: storage account, `Access keys` or `Shared access signature`.",
        )
    return _account(name, endpoint, key, None if key else sas)


def _account(name: str | None, endpoint: str, key: str | None, sas: str | None) -> Account:
    try:
        parts = urlsplit(endpoint)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.username:
        raise ConfigError(f"account_url is not a blob endpoint; write https://NAME.blob.{_SUFFIX}")
    # The same account under its other endpoint, which the blob protocol is not spoken at.
    host = host.replace(".dfs.", ".blob.")
    path = parts.path.strip("/")
    clean = f"{parts.scheme}://{host}{f':{port}' if port else ''}{f'/{path}' if path else ''}"
    if key is not None:
        _check_key(key)
    name = name or path.partition("/")[0] or host.partition(".")[0]
    return Account(name, clean, key, (sas or "").lstrip("?") or None)


def _check_key(key: str) -> None:
    try:
        base64.b64decode(key, validate=True)
        return
    except (binascii.Error, ValueError):
        pass
    raise ConfigError(
        "credential is not the key of a storage account, which has 88 characters of base64",
        remedy="Copy key1 from the portal (storage account, `Access keys`); put a signature into sas_token:.",
    )
