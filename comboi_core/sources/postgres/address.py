"""Which PostgreSQL database a connection string leads to; neither who signs in, nor how."""

from __future__ import annotations

import re
from urllib.parse import unquote

from comboi_core.sources.postgres.conn_str import is_uri, parameters

_PORT = "5432"
_SEARCH_PATH = re.compile(r"search_path\s*=\s*(\S+)")
_HOST_AND_PORT = re.compile(r"(\[[^\]]*\]|[^:]*)(?::(\d*))?")


def address(conn_str: str) -> dict[str, str]:
    """Return server, database and search path as libpq reads them; a part that is not given is empty.

    Several hosts may stand in one string, and the database defaults to the user's name.
    """
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
    server = ",".join(f"{host.lower()}:{port or _PORT}" for host, port in zip(each, numbers, strict=False) if host)
    search_path = _SEARCH_PATH.search(given.get("options", ""))
    return {
        "server": server or given.get("service", ""),
        "database": database or given.get("user", ""),
        "search_path": search_path[1] if search_path else "",
    }
