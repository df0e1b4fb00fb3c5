"""Where the values of references come from: the environment, and Azure Key Vault."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from comboi_core.config.project import KeyVaultConfig, is_vault_url
from comboi_core.config.references import Reference, find, substitute
from comboi_core.domain.errors import ComboiError, ConfigError, ReferenceMissing
from comboi_core.secrets.vault import vault_at

AT_ONCE = 8
"""Secrets that are fetched side by side."""

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
    """Return a store over a Key Vault, whose values the process keeps for a while (see `vault.LIFETIME`).

    Raises (from the store):
        ReferenceMissing: the vault has no such secret, or refuses the identity.
        VaultUnavailable: the vault does not answer, or not now.
    """
    return vault_at(vault_url).value


def stores_of(vault: KeyVaultConfig | None) -> dict[str, Store]:
    """Return the stores that a configuration's references are looked up in.

    References in the vault's own address are resolved when the first secret is asked for: a project without secrets
    runs without them.

    Raises (from the vault's store, beside what `key_vault` says):
        ReferenceMissing: a variable in the vault's address has no value.
        ConfigError: the address, its references resolved, is none.
    """
    if vault is None:
        return {"env": environment, "keyvault": no_vault}
    return {"env": environment, "keyvault": lambda name: key_vault(vault_address(vault))(name)}


def vault_address(vault: KeyVaultConfig) -> str:
    """Return the vault's address, its references resolved; an address is no secret.

    Raises:
        ReferenceMissing: a variable has no value.
        ConfigError: what came of it is no address.
    """
    resolved, _ = resolve(vault.vault_url, {"env": environment})
    url = str(resolved)
    if not is_vault_url(url):
        raise ConfigError(
            f"key_vault.vault_url: {vault.vault_url} is '{url}', which is no address of a vault",
            remedy="Give it the form https://NAME.vault.azure.net/: `terraform output vault_url` prints it.",
        )
    return url


def resolve(value: Any, stores: dict[str, Store]) -> tuple[Any, dict[Reference, str]]:
    """Put values in the place of every reference in a nested structure; several are fetched side by side.

    Returns:
        The structure with values, and what each reference stands for.

    Raises:
        ReferenceMissing: values cannot be had; the message names all of them.
        VaultUnavailable: the vault does not answer.
    """
    references = list(dict.fromkeys(find(value)))
    values = dict(zip(references, _fetch(references, stores), strict=True))
    return _fill(value, values), values


def _fetch(references: list[Reference], stores: dict[str, Store]) -> list[str]:
    def one(reference: Reference) -> str | ComboiError:
        try:
            return stores[reference.store](reference.name)
        except ComboiError as error:
            return error

    if sum(reference.store == "keyvault" for reference in references) < 2:
        found = [one(reference) for reference in references]
    else:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(min(AT_ONCE, len(references)), thread_name_prefix="comboi-secrets") as pool:
            found = list(pool.map(one, references))
    errors = [item for item in found if isinstance(item, ComboiError)]
    if errors:
        raise _joined(errors)
    return [item for item in found if isinstance(item, str)]


def _joined(errors: list[ComboiError]) -> ComboiError:
    """One error for all: trying again helps only if it may help each of them."""
    lasting = [error for error in errors if not error.transient] or errors
    if len(lasting) == 1:
        return lasting[0]
    remedies = dict.fromkeys(error.remedy for error in lasting)
    return type(lasting[0])("; ".join(error.message for error in lasting), remedy=" ".join(remedies))


def _fill(value: Any, values: dict[Reference, str]) -> Any:
    if isinstance(value, str):
        return substitute(value, values)
    if isinstance(value, dict):
        return {key: _fill(item, values) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_fill(item, values) for item in value]
    return value
