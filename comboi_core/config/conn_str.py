"""libpq's connection strings: what stands in them, and whether Entra ID can go with it."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, unquote, urlsplit

ENCRYPTED = ("require", "verify-ca", "verify-full")
"""The values of `sslmode` with which nothing travels in clear."""

_KEYWORD = re.compile(r"\s*([A-Za-z_]+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?:[^\s'\\]|\\.)*))\s*", re.DOTALL)


def is_uri(conn_str: str) -> bool:
    """Tell a libpq URI from a keyword string."""
    return conn_str.startswith(("postgresql://", "postgres://"))


def parameters(conn_str: str) -> dict[str, str]:
    """Return the parameters of a connection string, user and password included; what cannot be read is left out."""
    if not is_uri(conn_str):
        return {
            match[1]: re.sub(r"\\(.)", r"\1", match[2] if match[2] is not None else match[3], flags=re.DOTALL)
            for match in _KEYWORD.finditer(conn_str)
        }
    # Only up to the last @ is the password: urlsplit would end the network part at a raw / or # within one.
    head, _, query = conn_str.partition("?")
    found = dict(parse_qsl(query.replace("+", "%2B")))
    try:
        network = urlsplit(head)
    except ValueError:
        return found
    before = {"user": network.username, "password": network.password, "host": network.hostname}
    return found | {key: unquote(value) for key, value in before.items() if value is not None and key not in found}


def uri_problem(conn_str: str) -> str | None:
    """Return what libpq would take for host, port or database although it is a part of the password, or None.

    libpq ends the password at the first @, and finds none behind a /; what follows it takes for a host or a port, and
    quotes it in its error. So it is never given such a URI. Rule: section 34.1.1.2 of PostgreSQL's manual.
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
            "the URI in conn_str cannot be told apart: user and password, or the port, hold characters that end them; "
            "write @ as %40, / as %2F, : as %3A, ? as %3F, # as %23 and % as %25 in user and password, and the port as "
            "a number up to 65535"
        )
    return None


def entra_problem(conn_str: str) -> str | None:
    """Return what speaks against signing in with an access token in the place of the password, or None."""
    found = parameters(conn_str)
    if "password" in found:
        return "conn_str has a password; with authentication: managed_identity it names the user only"
    if not found.get("user"):
        return (
            "conn_str names no user; with authentication: managed_identity it names the database role of the identity"
        )
    mode = found.get("sslmode", ENCRYPTED[0])
    if mode not in ENCRYPTED:
        return f"sslmode={mode} could send the access token in clear; leave it out, or write sslmode=verify-full"
    return None
