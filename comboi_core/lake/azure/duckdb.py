"""DuckDB's own way into a storage account: its azure extension, out of a wheel, and a secret per lake."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comboi_core.domain.errors import ConfigError, LakeRefused
from comboi_core.domain.sql import identifier, literal
from comboi_core.lake.azure.account import Account

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_PACKAGE = "duckdb_extension_azure"
_EXTENSION = "azure.duckdb_extension"
_SCOPE = "https://storage.azure.com/.default"


def load_extension(con: DuckDBPyConnection) -> bool:
    """Load the extension; False where this machine cannot: the package is missing, or its binary does not run here."""
    import duckdb

    found = find_spec(_PACKAGE)
    if found is None or not found.submodule_search_locations:
        return False
    folder = Path(found.submodule_search_locations[0]) / "extensions" / f"v{duckdb.__version__}"
    try:
        con.execute(f"LOAD {literal(str(folder / _EXTENSION))}")
        # The default transport knows certificate authorities by one distribution's path only, and fails on the others.
        con.execute("SET azure_transport_option_type = 'curl'")
    except duckdb.Error:
        return False
    return True


def create_secret(con: DuckDBPyConnection, account: Account, scope: str) -> None:
    """Make the connection sign its reads below `scope`; a second call renews the credential.

    Raises:
        ConfigError: `scope` belongs to another account on this connection already.
        LakeRefused: there is no identity to sign in with, or DuckDB does not take the credential.
    """
    import duckdb

    place = _place(scope)
    name = _secret(account, scope)
    others = con.execute(f"SELECT name FROM duckdb_secrets() WHERE starts_with(name, {literal(place)})").fetchall()
    if any(other != name for (other,) in others):
        raise ConfigError(
            f"DuckDB cannot distinguish two lakes of different accounts that both have the address {scope}",
            remedy="Use another `file_system:` for one of them, or a `folder:` in it.",
        )
    try:
        con.execute(f"CREATE OR REPLACE SECRET {identifier(name)} (TYPE azure, {_signing(account)}, "
                    f"SCOPE {literal(scope)})")  # fmt: skip
        return
    except duckdb.Error as error:
        refused = type(error).__name__
    # Outside of the handler: the statement holds the credential, and DuckDB may quote it.
    raise LakeRefused(f"DuckDB does not accept the credential of {account.endpoint} ({refused})")


def drop_secret(con: DuckDBPyConnection, account: Account, scope: str) -> None:
    """Make the connection forget the secret that `create_secret` gave it, if it has it."""
    con.execute(f"DROP SECRET IF EXISTS {identifier(_secret(account, scope))}")


def _place(scope: str) -> str:
    return f"comboi_{_short(scope)}_"


def _secret(account: Account, scope: str) -> str:
    return _place(scope) + _short(account.endpoint)


def _signing(account: Account) -> str:
    if account.has_secret:
        return f"CONNECTION_STRING {literal(account.connection_string())}"
    token = _identity().get_token(_SCOPE).token
    return f"PROVIDER access_token, ACCESS_TOKEN {literal(token)}, ACCOUNT_NAME {literal(account.name)}"


@lru_cache(maxsize=1)
def _identity() -> Any:
    """The process's identity; it keeps its tokens for as long as they are good."""
    from azure.identity import DefaultAzureCredential

    return DefaultAzureCredential()


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
