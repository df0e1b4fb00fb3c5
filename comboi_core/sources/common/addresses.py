"""Where a database is: the parts of a connection that decide which one is read; neither who signs in, nor how.

Two names of one server are two addresses: that they lead to the same one cannot be known without asking it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

from comboi_core.config.conn_str import is_uri, parameters
from comboi_core.sources.azure_sql.conn_str import parse

_POSTGRES_PORT, _SQL_SERVER_PORT = "5432", "1433"
_SEARCH_PATH = re.compile(r"search_path\s*=\s*(\S+)")
_HOST_AND_PORT = re.compile(r"(\[[^\]]*\]|[^:]*)(?::(\d*))?")


def address_of(kind: str, connection: Mapping[str, Any]) -> dict[str, str]:
    """Return the address in a source's connection, its references resolved: part -> text, e.g. `server`, `database`.

    Args:
        kind: The source's `type`; of one that is not known here nothing is told.

    Raises:
        ConfigError: the connection string cannot be read.
    """
    found = _ADDRESSES[kind](connection) if kind in _ADDRESSES else {}
    return {name: text for name, text in found.items() if text}


def _postgres(connection: Mapping[str, Any]) -> dict[str, str]:
    """As libpq reads it: several hosts may stand in one string, and the database defaults to the user's name."""
    conn_str = connection["conn_str"]
    given = parameters(conn_str)
    hosts = given.get("host") or given.get("hostaddr") or ""
    ports, database = given.get("port", ""), given.get("dbname")
    if is_uri(conn_str):
        behind = conn_str.partition("?")[0].partition("://")[2].rpartition("@")[2]
        network, _, path = behind.partition("/")
        database = database or unquote(path)
        if network:
            found = [_HOST_AND_PORT.match(piece) for piece in network.split(",")]
            hosts = ",".join(unquote(match[1]) for match in found if match)
            ports = ",".join(match[2] or "" for match in found if match)
    each = hosts.split(",")
    numbers = ports.split(",") if "," in ports else [ports] * len(each)
    server = ",".join(
        f"{host.lower()}:{port or _POSTGRES_PORT}" for host, port in zip(each, numbers, strict=False) if host
    )
    search_path = _SEARCH_PATH.search(given.get("options", ""))
    return {
        "server": server or given.get("service", ""),
        "database": database or given.get("user", ""),
        "search_path": search_path[1] if search_path else "",
    }


def _azure_sql(connection: Mapping[str, Any]) -> dict[str, str]:
    given = parse(connection["dsn"], "dsn") if connection.get("dsn") else {}
    server = str(connection.get("server") or given.get("Server", "")).lower().removeprefix("tcp:")
    host, _, port = server.partition(",")
    database = str(connection.get("database") or given.get("Database", ""))
    return {"server": f"{host.strip()}:{port.strip() or _SQL_SERVER_PORT}", "database": database}


_ADDRESSES: dict[str, Callable[[Mapping[str, Any]], dict[str, str]]] = {
    "postgres": _postgres,
    "azure_sql": _azure_sql,
    "sqlite": lambda connection: {"path": connection["path"]},
}
