"""Where the values of references come from: the environment, and Azure Key Vault."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from comboi_core.config.references import Reference, find, substitute
from comboi_core.domain.errors import ReferenceMissing, VaultUnavailable

BUSY = (408, 429, 500, 502, 503, 504)

Store = Callable[[str], str]
"""Gives the value of a name; raises ReferenceMissing."""


def environment(name: str) -> str:
    """Return an environment variable (in Azure: an app setting)."""
    value = os.environ.get(name)
    if not value:  # an empty one would let the driver fall back to its defaults, perhaps another database
        raise ReferenceMissing(
            f"{{{{env:{name}}}}}: the environment variable {name} is {'not set' if value is None else 'empty'}",
            remedy=f"Set {name}: `export {name}=...` here, an app setting in Azure.",
        )
    return value


def no_vault(name: str) -> str:
    """Stand in for a Key Vault where none is configured."""
    raise ReferenceMissing(
        f"{{{{keyvault:{name}}}}}: the configuration names no key vault",
        remedy='Add `key_vault: {vault_url: "https://NAME.vault.azure.net/"}` to the configuration.',
    )


def key_vault(vault_url: str) -> Store:
    """Return a store over a Key Vault; the identity is azure-identity's DefaultAzureCredential.

    Raises (from the store):
        ReferenceMissing: the vault has no such secret, or refuses the identity.
        VaultUnavailable: the vault does not answer, or not now.
    """

    def value(name: str) -> str:
        from azure.core.exceptions import (
            AzureError,
            ClientAuthenticationError,
            HttpResponseError,
            ResourceNotFoundError,
        )
        from azure.identity import DefaultAzureCredential
        from azure.keyvault.secrets import SecretClient

        where = f"{{{{keyvault:{name}}}}} in {vault_url}"
        try:
            with DefaultAzureCredential() as credential, SecretClient(vault_url, credential) as client:
                return client.get_secret(name).value or ""
        except ResourceNotFoundError:
            raise ReferenceMissing(f"{where}: there is no such secret") from None
        except ClientAuthenticationError:
            raise ReferenceMissing(
                f"{where}: no identity to sign in with",
                remedy="Sign in with `az login`, or give the function app a managed identity.",
            ) from None
        except HttpResponseError as refused:
            if refused.status_code in BUSY:
                raise VaultUnavailable(f"{where}: the vault answers {refused.status_code}") from None
            raise ReferenceMissing(
                f"{where}: the vault answers {refused.status_code}",
                remedy="Give the identity the role `Key Vault Secrets User` on the vault.",
            ) from None
        except AzureError as unreachable:
            raise VaultUnavailable(f"{where}: the vault cannot be reached: {type(unreachable).__name__}") from None

    return value


def resolve(value: Any, stores: dict[str, Store]) -> tuple[Any, list[str]]:
    """Put values in the place of every reference in a nested structure.

    Returns:
        The structure with values, and the values themselves, which from then on are secrets.

    Raises:
        ReferenceMissing: a value cannot be had.
    """
    values: dict[Reference, str] = {}
    for reference in find(value):
        if reference not in values:
            values[reference] = stores[reference.store](reference.name)
    return _fill(value, values), list(values.values())


def _fill(value: Any, values: dict[Reference, str]) -> Any:
    if isinstance(value, str):
        return substitute(value, values)
    if isinstance(value, dict):
        return {key: _fill(item, values) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_fill(item, values) for item in value]
    return value
