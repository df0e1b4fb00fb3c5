"""How to log in to PostgreSQL: the configured connection as libpq takes it, and which secrets it holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus, unquote

from comboi_core.domain.errors import ConfigError
from comboi_core.domain.sql import literal
from comboi_core.sources.common.entra import access_token
from comboi_core.sources.postgres.conn_str import ENCRYPTED, entra_problem, is_uri, parameters, uri_problem

SESSION = {
    "default_transaction_read_only": "on",
    # How the session prints values decides what lands: dates in ISO order, instants in UTC, floats with every digit.
    "TimeZone": "UTC",
    "DateStyle": "ISO,YMD",
    "IntervalStyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "3",
    # How it reads what we write: a backslash in a string is one, and names come back without quotes of their own.
    "standard_conforming_strings": "on",
    "quote_all_identifiers": "off",
    # Which rows it gives: all of them, or an error. The other one cuts off what GIN indexes find, at random.
    "row_security": "off",
    "gin_fuzzy_search_limit": "0",
    # Between two chunks of one snapshot the session waits for an upload, as long as that takes.
    "idle_in_transaction_session_timeout": "0",
}
"""What holds in every connection, whatever the role or the database says otherwise: the values decide what lands."""
_LIMITS = {"lock_timeout": "60s", "statement_timeout": "2h"}
"""What the user's own `options` may set otherwise."""
_DEFAULTS = {"connect_timeout": "10", "keepalives_idle": "60"}
_ADDED = {"application_name": "comboi", "client_encoding": "UTF8"}
_SECRET_KEYS = ("password", "sslpassword")

NO_IDENTITY = (
    "Give the function app a managed identity (and `client_id:` of a user-assigned one), or sign in with `az login`; "
    "the server needs Microsoft Entra authentication switched on, and a role for the identity."
)
_NO_ROLE = (
    "Switch Microsoft Entra authentication on at the server, and make a role of the identity's name, as its Entra "
    "administrator in the database postgres: SELECT * FROM pgaadauth_create_principal({role}, false, false); the user "
    "in conn_str is that role, and it needs CONNECT on the database."
)
# Where the access tokens of each cloud are for: the server's domain decides.
_SCOPES = {
    ".database.usgovcloudapi.net": "https://ossrdbms-aad.database.usgovcloudapi.net/.default",
    ".database.chinacloudapi.cn": "https://ossrdbms-aad.database.chinacloudapi.cn/.default",
}
_SCOPE = "https://ossrdbms-aad.database.windows.net/.default"


@dataclass(frozen=True)
class Login:
    """How to log in.

    Attributes:
        conn_str: The connection string as libpq takes it, the session's settings and the password included.
        secrets: What must not appear in a message, the longest first.
        expires_on: When the password, an access token, dies (seconds since 1970); None: it does not.
        remedy: What to do where the server refuses it; None: what the error says by itself.
    """

    conn_str: str = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    expires_on: float | None = None
    remedy: str | None = None


def login(connection: Mapping[str, str], place: str) -> Login:
    """Return how to log in; with Entra ID, a token is asked for, which stands in the password's place.

    The server looks at a token when a connection begins and not again: connections outlive it.

    Args:
        connection: The model `PostgresConnection` as a dict, its references resolved.
        place: What errors name: `source.table`.

    Raises:
        ConfigError: the connection string cannot go with a token, or is a URI whose parts cannot be told apart.
        SourceAuthFailed: there is no identity to sign in with.
        SourceUnreachable: Entra ID does not answer.
    """
    conn_str = connection["conn_str"]
    if problem := uri_problem(conn_str):
        raise ConfigError(f"{place}: {problem}")
    if connection.get("authentication") != "managed_identity":
        return Login(with_session(conn_str, connection), secrets(conn_str))
    problem = entra_problem(conn_str)
    if problem:
        raise ConfigError(f"{place}: {problem}")
    found = parameters(conn_str)
    token = access_token(
        _scope(found.get("host", "")), client_id=connection.get("client_id"), place=place, remedy=NO_IDENTITY
    )
    # Said in full, so that neither libpq's default nor PGSSLMODE lets it travel in clear.
    given = {"sslmode": found.get("sslmode", ENCRYPTED[0]), "password": token.text}
    complete = with_parameters(conn_str, given)
    hidden = {*secrets(complete), token.text}
    return Login(
        with_session(complete, connection),
        tuple(sorted(hidden, key=len, reverse=True)),
        token.expires_on,
        _NO_ROLE.format(role=literal(found["user"])),
    )


def _scope(host: str) -> str:
    return next((scope for suffix, scope in _SCOPES.items() if host.lower().endswith(suffix)), _SCOPE)


def session(connection: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that each session has to have; see `SESSION`."""
    return SESSION | ({"row_security": "on"} if connection.get("row_security") == "apply" else {})


def with_session(conn_str: str, connection: Mapping[str, str]) -> str:
    """Return the connection string with comboi's session added: read-only, in UTC, named, with time limits.

    Everything else stays as it is, `sslmode` and the like included. Parameters given twice count in their last form, so
    the session's win; the user's own `options` are kept before ours, and the user's own time limits stay.
    """
    limits, options = (
        " ".join(f"-c {name}={value}" for name, value in settings.items())
        for settings in (_LIMITS, session(connection))
    )
    own = parameters(conn_str).get("options", "")
    added = {key: value for key, value in _DEFAULTS.items() if key not in parameters(conn_str)}
    added |= _ADDED | {"options": " ".join(filter(None, [limits, own, options]))}
    return with_parameters(conn_str, added)


def with_parameters(conn_str: str, added: Mapping[str, str]) -> str:
    """Return the connection string with parameters added; they win over its own of the same name."""
    if is_uri(conn_str):
        joined = "&".join(f"{key}={quote(value, safe='')}" for key, value in added.items())
        return f"{conn_str}{'&' if '?' in conn_str else '?'}{joined}"
    return conn_str + "".join(f" {key}='{_escaped(value)}'" for key, value in added.items())


def secrets(conn_str: str) -> tuple[str, ...]:
    """Return every spelling of what must not appear in a message, the longest first."""
    found = {conn_str, *(with_session(conn_str, {"row_security": policy}) for policy in ("refuse", "apply"))}
    values = [value for key, value in parameters(conn_str).items() if key in _SECRET_KEYS]
    userinfo = conn_str.partition("://")[2].rpartition("@")[0] if is_uri(conn_str) else ""
    values.append(userinfo.partition(":")[2])
    for value in values:
        for plain in (value, unquote(value)):
            found |= {plain, quote(plain), quote(plain, safe=""), quote_plus(plain), _escaped(plain)}
    found |= {spelling.replace("'", "''") for spelling in found}
    return tuple(sorted(filter(None, found), key=len, reverse=True))


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")
