"""How to log in to Azure SQL: the configured connection as the driver takes it, and which secrets it holds."""

from __future__ import annotations

import re
import socket
import struct
from dataclasses import dataclass, field
from typing import Any

from comboi_core.domain.errors import ConfigError, SourceUnreachable
from comboi_core.sources.entra import access_token

ACCESS_TOKEN = 1256
"""The driver's attribute for an Entra ID token."""
LOGIN_SECONDS = 30
_PORT = 1433

_SCOPES = {
    ".database.usgovcloudapi.net": "https://database.usgovcloudapi.net/.default",
    ".database.chinacloudapi.cn": "https://database.chinacloudapi.cn/.default",
}
_SCOPE = "https://database.windows.net/.default"
_NO_IDENTITY = (
    "Give the function app a managed identity (and `client_id:` of a user-assigned one), or sign in with `az login`; "
    "the database needs a user for it: CREATE USER [name] FROM EXTERNAL PROVIDER."
)

# Spellings that other drivers and the Azure portal use; None: comboi's own business.
_KEYS: dict[str, str | None] = {
    **dict.fromkeys(("server", "data source", "addr", "address", "network address"), "Server"),
    **dict.fromkeys(("database", "initial catalog"), "Database"),
    **dict.fromkeys(("uid", "user", "user id", "username"), "UID"),
    **dict.fromkeys(("pwd", "password"), "PWD"),
    **dict.fromkeys(("trustservercertificate", "trust server certificate"), "TrustServerCertificate"),
    "encrypt": "Encrypt",
    "authentication": "Authentication",
    **dict.fromkeys(("connection timeout", "connect timeout", "login timeout", "timeout"), None),
    **dict.fromkeys(("driver", "app", "application name", "persist security info", "multipleactiveresultsets"), None),
}
_ENCRYPT = {
    **dict.fromkeys(("yes", "true", "mandatory"), "yes"),
    **dict.fromkeys(("no", "false", "optional"), "no"),
    "strict": "strict",
}
_ENTRA = ("activedirectorymsi", "activedirectorymanagedidentity", "activedirectorydefault")
_PAIR = re.compile(r"\s*([^=;{}]+?)\s*=\s*(?:\{((?:[^}]|\}\})*)\}|([^;{]*))\s*(?:;|\Z)")


@dataclass(frozen=True)
class Login:
    """What the driver is called with.

    Attributes:
        server: As the driver takes it.
        conn_str: The ODBC connection string, the password included.
        attributes: What is set before it connects: the token.
        secrets: What must not appear in a message, the longest first.
    """

    server: str
    conn_str: str = field(repr=False)
    attributes: dict[int, bytes] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)


def login(connection: dict[str, Any], place: str) -> Login:
    """Return how to log in; with Entra ID, a token is asked for.

    Args:
        connection: The model `AzureSqlConnection` as a dict, its references resolved.
        place: What errors name: `source.table`.

    Raises:
        ConfigError: the connection string cannot be read, or wants what comboi does not do.
        SourceAuthFailed: there is no identity to sign in with.
        SourceUnreachable: Entra ID does not answer.
    """
    keys = _keys(connection, place)
    if keys.pop("entra"):
        if keys["Encrypt"] == "no":
            raise ConfigError(
                f"{place}: Encrypt=no would send the access token in clear",
                remedy="Leave `encrypt:` out; for a self-signed certificate set `trust_server_certificate: true`.",
            )
        client = connection.get("client_id") or keys.pop("UID", None)
        token = access_token(_scope(keys["Server"]), client_id=client, place=place, remedy=_NO_IDENTITY).text
        encoded = token.encode("utf-16-le")
        attributes = {ACCESS_TOKEN: struct.pack("<I", len(encoded)) + encoded}
        return Login(
            keys["Server"], _conn_str({k: v for k, v in keys.items() if k not in ("UID", "PWD")}), attributes, (token,)
        )
    conn_str, password = _conn_str(keys), keys.get("PWD", "")
    spellings = {password, password.replace("}", "}}"), repr(password)[1:-1], connection.get("dsn", ""), conn_str}
    return Login(keys["Server"], conn_str, {}, tuple(sorted(filter(None, spellings), key=len, reverse=True)))


def _keys(connection: dict[str, Any], place: str) -> dict[str, Any]:
    keys: dict[str, Any] = parse(connection["dsn"], place) if connection.get("dsn") else {}
    given = {
        "Server": connection.get("server"),
        "Database": connection.get("database"),
        "UID": connection.get("user"),
        "PWD": connection.get("password"),
        "Encrypt": connection.get("encrypt"),
        "TrustServerCertificate": {True: "yes", False: "no"}.get(connection.get("trust_server_certificate")),
    }
    keys |= {key: value for key, value in given.items() if value is not None}
    encrypt = str(keys.get("Encrypt", "yes")).lower()
    if encrypt not in _ENCRYPT:
        raise ConfigError(f"{place}: Encrypt={encrypt} is not possible; write yes, no or strict")
    keys["Encrypt"] = _ENCRYPT[encrypt]
    named = str(keys.pop("Authentication", "")).lower()
    if named not in ("", "sqlpassword", *_ENTRA):
        raise ConfigError(
            f"{place}: Authentication={named} is not among what comboi does",
            remedy="Set `authentication: managed_identity`: it signs in as whatever azure-identity finds, be it a "
            "managed identity, a service principal in AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET, or "
            "who did `az login`.",
        )
    chosen = connection.get("authentication")
    keys["entra"] = chosen == "managed_identity" or (chosen is None and (named in _ENTRA or "PWD" not in keys))
    if not keys["entra"] and not ("UID" in keys and "PWD" in keys):
        raise ConfigError(f"{place}: SQL authentication needs a user and a password")
    if "Server" not in keys:
        raise ConfigError(f"{place}: the connection string names no server")
    return keys


def reach(server: str, place: str) -> None:
    """Knock at the server's port, for the driver knocks for as long as a login may take, and then gives a number.

    Args:
        server: As ODBC takes it: `tcp:host,port`; a named instance, whose port the driver finds out, is passed over.

    Raises:
        SourceUnreachable: nobody answers; the message says where and why.
    """
    host, _, port = server.removeprefix("tcp:").partition(",")
    host = "localhost" if host.lower() in (".", "(local)") else host.strip()
    if "\\" in host or ":" in host or not (port.strip() or "1433").isdecimal():
        return
    try:
        socket.create_connection((host, int(port or _PORT)), timeout=LOGIN_SECONDS).close()
        return
    except (OSError, OverflowError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    raise SourceUnreachable(f"{place}: {host} does not answer at port {port or _PORT}: {reason}")


def parse(dsn: str, place: str) -> dict[str, str]:
    """Return the keys of an ODBC connection string in the driver's spelling; the first of two counts.

    Raises:
        ConfigError: it is not one; the message does not show it.
    """
    found: dict[str, str] = {}
    rest = dsn.strip().rstrip(";")
    while rest.strip(" ;"):
        match = _PAIR.match(rest)
        if match is None:
            raise ConfigError(
                f"{place}: dsn: cannot be read as KEY=value;KEY=value",
                remedy="Put a value with ; = { or } in braces, and double each } in it; or give `user:` and "
                "`password:` beside `dsn:`, where every character is possible.",
            )
        word = match[1].lower()
        key = _KEYS.get(word, match[1])
        if key is not None:
            found.setdefault(key, match[2].replace("}}", "}") if match[2] is not None else match[3].strip())
        rest = rest[match.end() :]
    return found


def _conn_str(keys: dict[str, Any]) -> str:
    return ";".join(f"{key}={{{str(value).replace('}', '}}')}}}" for key, value in keys.items())


def _scope(server: str) -> str:
    host = server.removeprefix("tcp:").partition(",")[0].lower()
    return next((scope for suffix, scope in _SCOPES.items() if host.endswith(suffix)), _SCOPE)
