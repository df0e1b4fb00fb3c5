"""PostgreSQL connection strings: what comboi adds to them, and which secrets they hold."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

# How the session prints values decides what lands: dates in ISO order, instants in UTC, floats with every digit.
_SESSION = {
    "default_transaction_read_only": "on",
    "TimeZone": "UTC",
    "DateStyle": "ISO,YMD",
    "IntervalStyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "3",
    # Between two chunks of one snapshot the session waits for an upload, as long as that takes.
    "idle_in_transaction_session_timeout": "0",
}
_LIMITS = {"lock_timeout": "60s", "statement_timeout": "2h"}
"""What the user's own `options` may set otherwise."""
_DEFAULTS = {"connect_timeout": "10", "keepalives_idle": "60"}
_ADDED = {"application_name": "comboi", "client_encoding": "UTF8"}
_SECRET_KEYS = ("password", "sslpassword")
_KEYWORD = re.compile(r"\s*([A-Za-z_]+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?:[^\s'\\]|\\.)*))\s*", re.DOTALL)


def is_uri(conn_str: str) -> bool:
    """Tell a libpq URI from a keyword string."""
    return conn_str.startswith(("postgresql://", "postgres://"))


def parameters(conn_str: str) -> dict[str, str]:
    """Return the parameters of a connection string, the password included; what cannot be read is left out."""
    if not is_uri(conn_str):
        return {
            match[1]: re.sub(r"\\(.)", r"\1", match[2] if match[2] is not None else match[3], flags=re.DOTALL)
            for match in _KEYWORD.finditer(conn_str)
        }
    # Only up to the last @ is the password: urlsplit would end the network part at a raw / or # within one.
    head, _, query = conn_str.partition("?")
    found = dict(parse_qsl(query.replace("+", "%2B")))
    try:
        password = urlsplit(head).password
    except ValueError:
        password = None
    if password is not None:
        found["password"] = unquote(password)
    return found


def with_session(conn_str: str) -> str:
    """Return the connection string with comboi's session added: read-only, in UTC, named, with time limits.

    Everything else stays as it is, `sslmode` and the like included. Parameters given twice count in their last form, so
    the session's win; the user's own `options` are kept before ours, and the user's own time limits stay.
    """
    limits, options = (
        " ".join(f"-c {name}={value}" for name, value in settings.items()) for settings in (_LIMITS, _SESSION)
    )
    own = parameters(conn_str).get("options", "")
    added = {key: value for key, value in _DEFAULTS.items() if key not in parameters(conn_str)}
    added |= _ADDED | {"options": " ".join(filter(None, [limits, own, options]))}
    if is_uri(conn_str):
        joined = "&".join(f"{key}={quote(value, safe='')}" for key, value in added.items())
        return f"{conn_str}{'&' if '?' in conn_str else '?'}{joined}"
    return conn_str + "".join(f" {key}='{_escaped(value)}'" for key, value in added.items())


def secrets(conn_str: str) -> tuple[str, ...]:
    """Return every spelling of what must not appear in a message, the longest first."""
    found = {conn_str, with_session(conn_str)}
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
