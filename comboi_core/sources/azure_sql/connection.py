"""How to log in to Azure SQL: the configured connection as the driver takes it, and which secrets it holds."""

from __future__ import annotations

import socket
import ssl
import struct
from dataclasses import dataclass, field
from typing import Any

from comboi_core.domain.errors import ComboiError, ConfigError, SourceUnreachable
from comboi_core.sources.azure_sql.conn_str import parse
from comboi_core.sources.common.entra import access_token

ACCESS_TOKEN = 1256
"""The driver's attribute for an Entra ID token."""
LOGIN_SECONDS = 30
STRICT_SECONDS = 10
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

_ENCRYPT = {
    **dict.fromkeys(("yes", "true", "mandatory"), "yes"),
    **dict.fromkeys(("no", "false", "optional"), "no"),
    "strict": "strict",
}
_SWITCH = {**dict.fromkeys(("yes", "true", "1"), "yes"), **dict.fromkeys(("no", "false", "0", ""), "no")}
_SQL = ("", "sqlpassword", "notspecified")
_ENTRA = (
    *("activedirectorymsi", "activedirectorymanagedidentity", "activedirectorydefault"),
    "activedirectoryworkloadidentity",
)
"""What azure-identity does, each of them; blanks and case do not count."""


@dataclass(frozen=True)
class Login:
    """What the driver is called with.

    Attributes:
        server: As the driver takes it.
        strict: Whether it has to speak TDS 8.
        conn_str: The ODBC connection string, the password included.
        attributes: What is set before it connects: the token.
        secrets: What must not appear in a message, the longest first.
    """

    server: str
    strict: bool
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
    strict = keys["Encrypt"] == "strict"
    if keys.pop("entra"):
        if keys["Encrypt"] == "no":
            raise ConfigError(
                f"{place}: Encrypt=no would send the access token in clear",
                remedy="Leave `encrypt:` out; for a self-signed certificate set `trust_server_certificate: true`.",
            )
        client = connection.get("client_id") or keys.pop("ClientId", None) or keys.pop("UID", None)
        token = access_token(_scope(keys["Server"]), client_id=client, place=place, remedy=_NO_IDENTITY).text
        encoded = token.encode("utf-16-le")
        attributes = {ACCESS_TOKEN: struct.pack("<I", len(encoded)) + encoded}
        return Login(
            keys["Server"],
            strict,
            _conn_str({k: v for k, v in keys.items() if k not in ("UID", "PWD", "ClientId")}),
            attributes,
            (token,),
        )
    keys.pop("ClientId", None)
    conn_str, password = _conn_str(keys), keys.get("PWD", "")
    spellings = {password, password.replace("}", "}}"), repr(password)[1:-1], connection.get("dsn", ""), conn_str}
    return Login(keys["Server"], strict, conn_str, {}, tuple(sorted(filter(None, spellings), key=len, reverse=True)))


def _keys(connection: dict[str, Any], place: str) -> dict[str, Any]:
    keys: dict[str, Any] = parse(connection["dsn"], place) if connection.get("dsn") else {}
    given = {
        "Server": connection.get("server"),
        "Database": connection.get("database"),
        "UID": connection.get("user"),
        "PWD": connection.get("password"),
        "Encrypt": connection.get("encrypt"),
        "TrustServerCertificate": {True: "yes", False: "no", None: None}[connection.get("trust_server_certificate")],
    }
    keys |= {key: value for key, value in given.items() if value is not None}
    encrypt = str(keys.get("Encrypt", "yes")).strip().lower()
    if encrypt not in _ENCRYPT:
        raise ConfigError(f"{place}: Encrypt={encrypt} is not possible; write yes, no or strict")
    keys["Encrypt"] = _ENCRYPT[encrypt]
    for key in ("TrustServerCertificate", "MultiSubnetFailover"):
        if key in keys:
            value = str(keys[key]).strip().lower()
            if value not in _SWITCH:
                raise ConfigError(f"{place}: {key} is yes or no (True or False)")
            keys[key] = _SWITCH[value]
    written = str(keys.pop("Authentication", ""))
    named = "".join(written.lower().split())
    if named not in (*_SQL, *_ENTRA):
        raise ConfigError(
            f"{place}: Authentication={written} is not among what comboi does",
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


def reach(server: str, place: str, *, strict: bool) -> None:
    """Knock at the server's port, for the driver knocks for as long as a login may take, and then gives a number.

    Args:
        server: As ODBC takes it: `tcp:host,port`; a named instance, whose port the driver finds out, is passed over.
        strict: Whether the server has to begin with TLS, as TDS 8 does (MS-TDS 2.2.6.4, "tds/8.0"); one that does not
            lets the driver wait for a minute.

    Raises:
        SourceUnreachable: nobody answers, or not in time; the message says where and why.
        ConfigError: the server does not speak TDS 8.
    """
    host, _, port = server.removeprefix("tcp:").partition(",")
    host = "localhost" if host.lower() in (".", "(local)") else host.strip()
    if "\\" in host or ":" in host or not (port.strip() or "1433").isdecimal():
        return
    try:
        with socket.create_connection((host, int(port or _PORT)), timeout=LOGIN_SECONDS) as peer:
            if strict:
                _shake(peer, host, place)
        return
    except ssl.SSLError as error:
        reason = f"TLS: {error.reason or 'no answer'}"
    except (OSError, OverflowError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    raise SourceUnreachable(f"{place}: {host} does not answer at port {port or _PORT}: {reason}")


def _shake(peer: socket.socket, host: str, place: str) -> None:
    """Begin TLS as TDS 8 does; the certificate is the driver's business."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["tds/8.0"])
    peer.settimeout(STRICT_SECONDS)
    kind: type[ComboiError]
    try:
        context.wrap_socket(peer, server_hostname=host).close()
        return
    except TimeoutError:
        kind, told = SourceUnreachable, f"did not begin TLS within {STRICT_SECONDS} s"
    except (OSError, EOFError):
        kind, told = ConfigError, "does not begin with TLS"
    raise kind(
        f"{place}: encrypt: strict, but {host} {told}",
        remedy="Write `encrypt: yes`, which encrypts everything too: only SQL Server 2022 and newer, Azure SQL "
        "Database and Managed Instance speak TDS 8.",
    )


def redirected(server: str) -> str | None:
    """Return what else to look at where a login to Azure got no answer although the gateway did answer.

    Microsoft's page `azure-sql/database/connectivity-architecture`, "Connection policy": with the policy Redirect,
    the default within Azure, the gateway at port 1433 names another address with a port between 11000 and 11999.
    """
    if ".database." not in server.lower():
        return None
    return (
        f"{SourceUnreachable.remedy} Azure hands a login on to ports 11000 to 11999 of the region's other addresses "
        "(connection policy Redirect): let those through as well, or set the server's connection policy to Proxy."
    )


def _conn_str(keys: dict[str, Any]) -> str:
    return ";".join(f"{key}={{{str(value).replace('}', '}}')}}}" for key, value in keys.items())


def _scope(server: str) -> str:
    host = server.removeprefix("tcp:").partition(",")[0].lower()
    return next((scope for suffix, scope in _SCOPES.items() if host.endswith(suffix)), _SCOPE)
