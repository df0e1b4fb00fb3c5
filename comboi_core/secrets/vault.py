"""Azure Key Vault: values are kept for a while, read again when they are old or a login with them was refused."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from comboi_core.domain.errors import ComboiError, ReferenceMissing, VaultUnavailable

if TYPE_CHECKING:
    from azure.keyvault.secrets import SecretClient

LIFETIME = 300.0
"""Seconds for which a value is taken as it was read; a rotated one is seen after that, or once a login failed."""
_PATIENCE = {"retry_total": 3, "connection_timeout": 10, "read_timeout": 20}
"""The SDK's own ten attempts take minutes; what is transient is tried again by the orchestration."""
_BUSY = (408, 429, 500, 502, 503, 504)
_ROLE = "Give the identity the role `Key Vault Secrets User` on the vault."

_VAULT_URL = 'Correct `key_vault: {vault_url: "https://NAME.vault.azure.net/"}`.'
_REMEDIES = {
    "ForbiddenByRbac": _ROLE,
    "ForbiddenByPolicy": "Add an access policy with the secret permission `Get` for the identity to the vault.",
    "ForbiddenByFirewall": "Let this network through in the vault's firewall, or connect by a private endpoint.",
    "SecretDisabled": "Enable the secret's current version in the vault, or set a new one.",
    "SecretExpired": "Set a new version of the secret in the vault, with a later expiry date.",
}
"""The vault's own reason for a refusal -> what to do."""


@dataclass(frozen=True)
class _Value:
    text: str
    read_at: float


class Vault:
    """One Key Vault, with the process's identity (azure-identity's DefaultAzureCredential).

    Several threads may ask at once; for one name only one of them goes to the vault.

    Args:
        url: E.g. `https://NAME.vault.azure.net/`.
        lifetime: Seconds for which a value is kept.

    Attributes:
        changes: How often a value was another one when it was read again.
    """

    def __init__(self, url: str, *, lifetime: float = LIFETIME) -> None:
        self.url = url
        self._lifetime = lifetime
        self.changes = 0
        self._values: dict[str, _Value] = {}
        self._reading: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()
        self._client: SecretClient | None = None

    def value(self, name: str) -> str:
        """Return a secret's value, LIFETIME old at most.

        Raises:
            ReferenceMissing: the vault has no such secret, or refuses the identity.
            VaultUnavailable: the vault does not answer, or not now.
        """
        with self._lock_of(name):
            kept = self._values.get(name)
            if kept is None or time.monotonic() - kept.read_at >= self._lifetime:
                kept = self._refreshed(name)
            return kept.text

    def renew(self) -> None:
        """Read every value again that is kept; one that cannot be read at the moment stays as it is."""
        for name in list(self._values):
            try:
                with self._lock_of(name):
                    self._refreshed(name)
            except VaultUnavailable:
                return  # the next one would wait in vain as well
            except ReferenceMissing:
                continue

    def _refreshed(self, name: str) -> _Value:
        fresh = _Value(self._read(name), time.monotonic())
        with self._guard:
            kept = self._values.get(name)
            self.changes += kept is not None and kept.text != fresh.text
            self._values[name] = fresh
        return fresh

    def _lock_of(self, name: str) -> threading.Lock:
        with self._guard:
            return self._reading.setdefault(name, threading.Lock())

    def _connected(self) -> SecretClient:
        with self._guard:
            if self._client is None:
                from azure.identity import DefaultAzureCredential
                from azure.keyvault.secrets import SecretClient

                self._client = SecretClient(self.url, DefaultAzureCredential(), **_PATIENCE)
            return self._client

    def _read(self, name: str) -> str:
        from azure.core.exceptions import AzureError

        where = f"{{{{keyvault:{name}}}}} in {self.url}"
        try:
            value = self._connected().get_secret(name).value
        except AzureError as error:
            failed = _translated(error, where)
        except ValueError as unusable:  # the SDK's word for a URL that is none
            failed = ReferenceMissing(f"{where}: {unusable}", remedy=_VAULT_URL)
        else:
            if value:
                return value
            # As for the environment: a driver would fall back to its defaults, perhaps to another database.
            failed = ReferenceMissing(f"{where}: the secret is empty", remedy="Set a new version of it in the vault.")
        raise failed


def _translated(error: Exception, where: str) -> ComboiError:
    from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError

    if isinstance(error, ResourceNotFoundError):
        return ReferenceMissing(
            f"{where}: there is no such secret",
            remedy="Create it: `az keyvault secret set --vault-name ... --name ...`.",
        )
    if isinstance(error, ClientAuthenticationError):
        return ReferenceMissing(
            f"{where}: no identity to sign in with",
            remedy="Sign in with `az login`, or give the function app a managed identity.",
        )
    if not isinstance(error, HttpResponseError):
        return VaultUnavailable(f"{where}: the vault cannot be reached: {type(error).__name__}")
    if error.status_code in _BUSY:
        return VaultUnavailable(f"{where}: the vault answers {error.status_code}")
    reason = _reason(error)
    said = f"{error.status_code}{f' {reason}' if reason else ''}"
    return ReferenceMissing(f"{where}: the vault answers {said}", remedy=_REMEDIES.get(reason, _ROLE))


def _reason(error: Any) -> str:
    """The vault's name of the error; the inner one where there is one, since `Forbidden` alone says little."""
    code, inner = "", getattr(error.error, "code", None)
    nested = getattr(error.error, "innererror", None)
    if isinstance(nested, dict):
        code = nested.get("code") or ""
    return str(code or inner or "")


@lru_cache(maxsize=16)
def vault_at(url: str) -> Vault:
    """Return the process's one Vault for a URL, so that values and connections are shared by all activities."""
    vault = Vault(url)
    _VAULTS.append(vault)
    return vault


_VAULTS: list[Vault] = []


def secrets_version() -> int:
    """Return a number that grows whenever a value turns out to have been rotated."""
    return sum(vault.changes for vault in list(_VAULTS))


def secrets_renewed(*, since: int) -> bool:
    """Tell whether a value has changed since `secrets_version()` was `since`, so that a refused login is worth a retry.

    Where none has, as far as is known, every value is read again. With a number from before the login, several that are
    refused at once all learn of the rotation, whoever of them finds it.
    """
    if secrets_version() == since:
        for vault in list(_VAULTS):
            vault.renew()
    return secrets_version() != since


def forget_vaults() -> None:
    """Forget every vault with its values and connections."""
    vault_at.cache_clear()
    _VAULTS.clear()
