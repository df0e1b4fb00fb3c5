"""How to log in to MySQL: the configured connection as DuckDB's extension takes it, and which secrets it holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, quote_plus


@dataclass(frozen=True)
class Login:
    """How to log in.

    Attributes:
        parameters: What a secret of DuckDB's extension takes, the password included.
        secrets: What must not appear in a message, the longest first.
    """

    parameters: Mapping[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)


def login(connection: Mapping[str, Any]) -> Login:
    """Return how to log in.

    Every parameter that the extension would else read from the environment (MYSQL_HOST, MYSQL_PWD and so on) is given.

    Args:
        connection: The model `MysqlConnection` as a dict, its references resolved.
    """
    password = connection["password"]
    given = {
        "host": connection["host"],
        "port": str(connection.get("port", 3306)),
        "database": connection["database"],
        "user": connection["user"],
        "password": password,
        "socket": "",
        "ssl_mode": connection.get("tls") or "required",
    }
    if connection.get("tls_ca"):
        given["ssl_ca"] = connection["tls_ca"]
    escaped = password.replace("\\", "\\\\").replace('"', '\\"')
    spellings = {password, escaped, quote(password), quote(password, safe=""), quote_plus(password)}
    spellings |= {spelling.replace("'", "''") for spelling in spellings}
    return Login(given, tuple(sorted(spellings, key=len, reverse=True)))
