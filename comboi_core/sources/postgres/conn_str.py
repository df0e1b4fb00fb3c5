"""libpq's connection strings: their parameters, and whether they can be used with Entra ID."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, unquote, urlsplit

ENCRYPTED = ("require", "verify-ca", "verify-full")
"""The values of `sslmode` that never send anything unencrypted."""

_KEYWORD = re.compile(r"\s*([A-Za-z_]+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?:[^\s'\\]|\\.)*))\s*", re.DOTALL)


def is_uri(conn_str: str) -> bool:
    """Tell a libpq URI from a keyword string."""
    return conn_str.startswith(("postgresql://", "postgres://"))


def parameters(conn_str: str) -> dict[str, str]:
    """Return the parameters of a connection string, user and password included. Unreadable parts are left out."""
    if not is_uri(conn_str):
        return {
            match[1]: re.sub(r"\\(.)", r"\1", match[2] if match[2] is not None else match[3], flags=re.DOTALL)
            for match in _KEYWORD.finditer(conn_str)
        }
    # A password may contain a raw / or #, where urlsplit ends the network part; then it raises, or finds less.
    head, _, query = conn_str.partition("?")
    found = dict(parse_qsl(query.replace("+", "%2B")))
    try:
        network = urlsplit(head)
    except ValueError:
        return found
    before = {"user": network.username, "password": network.password, "host": network.hostname}
    return found | {key: unquote(value) for key, value in before.items() if value is not None and key not in found}


def uri_problem(conn_str: str) -> str | None:
    """Return the problem of a URI of which libpq would read a part of the password as host, port or database, or None.

    libpq ends the password at the first @, and looks for the @ only before the first /. It reads the rest as a host or
    a port, and quotes that in its error. So libpq must never get such a URI. See section 34.1.1.2 of PostgreSQL's
    manual.
    """
    if not is_uri(conn_str):
        return None
    rest = conn_str.partition("://")[2]
    userinfo = re.match(r"[^@/]*@", rest)
    location = rest[userinfo.end() if userinfo else 0 :].partition("?")[0]
    hosts = location.partition("/")[0].split(",")
    ports = [found[1] for host in hosts if (found := re.fullmatch(r"(?:\[[^\]]*\]|[^:\[]*):(.*)", host, re.DOTALL))]
    if "@" in location or not all(re.fullmatch(r"[0-9]{0,5}", port) and int(port or 0) < 65536 for port in ports):
        return (
            "the URI in conn_str is ambiguous: the user or the password contains a special character, or the port is "
            "not a number up to 65535; in user and password, write @ as %40, / as %2F, : as %3A, ? as %3F, # as %23 "
            "and % as %25"
        )
    return None


def entra_problem(conn_str: str) -> str | None:
    """Return why a connection string cannot be used with an access token in place of a password, or None."""
    given = parameters(conn_str)
    if "password" in given:
        return "conn_str has a password; with authentication: managed_identity, remove the password and keep the user"
    if not given.get("user"):
        return "conn_str names no user; with authentication: managed_identity, the user is the identity's database role"
    mode = given.get("sslmode", ENCRYPTED[0])
    if mode not in ENCRYPTED:
        return f"sslmode={mode} could send the access token unencrypted; remove it, or write sslmode=verify-full"
    return None
