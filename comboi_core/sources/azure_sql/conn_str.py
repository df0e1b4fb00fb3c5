"""Connection strings for SQL Server as ODBC, ADO.NET and JDBC write them, read into the keys that the driver takes.

The rules, of each vendor's page:

- ODBC (`SQLDriverConnect`): `KEY=value;`, a value in braces may hold anything, `}` in it doubled; the first of two
  counts.
- ADO.NET (`SqlConnection.ConnectionString`): `Key=value;`, a value in double or single quotes may hold anything, the
  quote in it doubled; the last of two counts.
- JDBC ("Building the connection URL"): `jdbc:sqlserver://host[\\instance][:port];key=value;`, braces as in ODBC; the
  first of two counts.

A key that is none of these is an error that names it: what the driver would leave out could change what is read.
"""

from __future__ import annotations

import re

from comboi_core.domain.errors import ConfigError
from comboi_core.domain.names import did_you_mean

_MINE = ""
"""Stands for keys that comboi decides itself, or that change nothing for a reader."""

_KEYS: dict[str, str] = {
    **dict.fromkeys(("server", "data source", "addr", "address", "network address", "servername"), "Server"),
    **dict.fromkeys(("port", "portnumber"), "Port"),
    **dict.fromkeys(("instance", "instancename"), "Instance"),
    **dict.fromkeys(("database", "initial catalog", "databasename"), "Database"),
    **dict.fromkeys(("uid", "user", "user id", "userid", "username", "user name"), "UID"),
    **dict.fromkeys(("pwd", "password"), "PWD"),
    **dict.fromkeys(("trustservercertificate", "trust server certificate"), "TrustServerCertificate"),
    **dict.fromkeys(("hostnameincertificate", "host name in certificate"), "HostnameInCertificate"),
    **dict.fromkeys(("servercertificate", "server certificate"), "ServerCertificate"),
    **dict.fromkeys(("serverspn", "server spn"), "ServerSPN"),
    **dict.fromkeys(("multisubnetfailover", "multi subnet failover"), "MultiSubnetFailover"),
    **dict.fromkeys(("applicationintent", "application intent"), "ApplicationIntent"),
    **dict.fromkeys(("ipaddresspreference", "ip address preference"), "IpAddressPreference"),
    **dict.fromkeys(("packet size", "packetsize"), "PacketSize"),
    "keepalive": "KeepAlive",
    "keepaliveinterval": "KeepAliveInterval",
    "encrypt": "Encrypt",
    "authentication": "Authentication",
    "msiclientid": "ClientId",
    # comboi logs in, waits and retries by itself, keeps no pool, and reads one result at a time.
    **dict.fromkeys(("connection timeout", "connect timeout", "login timeout", "logintimeout", "timeout"), _MINE),
    **dict.fromkeys(("command timeout", "querytimeout", "sockettimeout", "locktimeout", "canceltimeout"), _MINE),
    **dict.fromkeys(("connectretrycount", "connect retry count"), _MINE),
    **dict.fromkeys(("connectretryinterval", "connect retry interval"), _MINE),
    **dict.fromkeys(("driver", "app", "application name", "applicationname", "wsid", "workstation id"), _MINE),
    **dict.fromkeys(("persist security info", "persistsecurityinfo", "language", "current language"), _MINE),
    **dict.fromkeys(("multipleactiveresultsets", "multiple active result sets", "mars_connection"), _MINE),
    **dict.fromkeys(("pooling", "max pool size", "min pool size", "load balance timeout"), _MINE),
    **dict.fromkeys(("connection lifetime", "pool blocking period", "poolblockingperiod", "enlist"), _MINE),
    **dict.fromkeys(("asynchronous processing", "context connection", "replication", "type system version"), _MINE),
    **dict.fromkeys(("transaction binding", "description", "quotedid", "ansinpw", "autotranslate"), _MINE),
    **dict.fromkeys(("sendstringparametersasunicode", "responsebuffering", "selectmethod", "workstationid"), _MINE),
    "transparentnetworkipresolution": _MINE,
}  # fmt: skip

# Keys that mean another way of reaching the server or of reading it, and the values with which they mean nothing.
_IDLE = ("", "false", "no", "disabled", "0", "notspecified", "not specified")
_REFUSED: dict[str, str] = {
    **dict.fromkeys(
        ("integrated security", "integratedsecurity", "trusted_connection", "trustedconnection"),
        "comboi has no Windows login; use a SQL login, or `authentication: managed_identity`",
    ),
    **dict.fromkeys(
        ("column encryption setting", "columnencryption", "columnencryptionsetting"),
        "columns of Always Encrypted are landed as the server keeps them; leave the key out",
    ),
    **dict.fromkeys(
        ("failover partner", "failover_partner", "failoverpartner"),
        "comboi does not follow database mirroring; name the listener of an availability group as the server",
    ),
    **dict.fromkeys(
        ("attachdbfilename", "extended properties", "initial file name", "user instance"),
        "comboi attaches no database files; name the database of a running server",
    ),
    **dict.fromkeys(
        ("dsn", "filedsn"), "comboi reads no data source of the machine; write what it holds into the string"
    ),
    **dict.fromkeys(
        ("network library", "network", "net"),
        "comboi speaks TCP only; write the server as tcp:host,port, without this key",
    ),
    "accesstoken": "comboi gets tokens by itself; use `authentication: managed_identity`",
}

_ODBC_WORD = re.compile(r"(?:^|;)\s*(driver|uid|pwd|dsn)\s*=", re.IGNORECASE)
_ADO_WORD = re.compile(
    r"(?:^|;)\s*(initial catalog|data source|user id|password|persist security info|integrated security|"
    r"multipleactiveresultsets|connect(ion)? timeout)\s*=",
    re.IGNORECASE,
)
_JDBC = re.compile(r"jdbc:sqlserver://([^;]*)(?:;|\Z)", re.IGNORECASE)
_BRACED = re.compile(r"\s*([^=;{}]+?)\s*=\s*(?:\{((?:[^}]|\}\})*)\}|([^;{]*))\s*(?:;|\Z)")
_QUOTED = re.compile(
    r"""\s*([^=;]+?)\s*=\s*(?:"((?:[^"]|"")*)"|'((?:[^']|'')*)'|((?!["'])[^;]*?))\s*(?:;|\Z)""", re.VERBOSE
)
_HOST = re.compile(r"(?P<host>\[[^]]*\]|[^:\\,]*)(?:\\(?P<instance>[^:]*))?(?::(?P<port>\d+))?")
_PROTOCOL = re.compile(r"(np|lpc|admin|via|sharedmemory):|\\\\|\(localdb\)", re.IGNORECASE)


def parse(dsn: str, place: str) -> dict[str, str]:
    """Return the keys of a connection string in the driver's spelling, and `ClientId` where one is named.

    Args:
        place: What errors name: `source.table`.

    Raises:
        ConfigError: it is none, or has a key that comboi does not do; the message shows no value.
    """
    text = dsn.strip()
    found: dict[str, str] = {}
    url = _JDBC.match(text)
    if url:
        host = _HOST.fullmatch(url[1].strip())
        if host is None:
            raise _unreadable(place)
        found |= {key: host[word] for key, word in _PARTS if host[word]}
        text = text[url.end() :]
    ado = not url and not _ODBC_WORD.search(text) and bool(_ADO_WORD.search(text))
    for word, value in _pairs(text, _QUOTED if ado else _BRACED, place):
        key = _key(word, value, place, after_password=list(found)[-1:] == ["PWD"])
        if key and (ado or key not in found):
            found.pop(key, None)
            found[key] = value
    return _placed(found, place)


_PARTS = (("Server", "host"), ("Instance", "instance"), ("Port", "port"))


def _pairs(text: str, pair: re.Pattern[str], place: str) -> list[tuple[str, str]]:
    found, rest = [], text.rstrip("; ")
    while rest.strip("; "):
        match = pair.match(rest.lstrip("; "))
        if match is None:
            raise _unreadable(place)
        groups = match.groups()[1:]
        quotes = ('"', "'", "") if pair is _QUOTED else ("}", "")
        value = next(text.replace(quote * 2, quote) if quote else text.strip()
                     for text, quote in zip(groups, quotes, strict=True) if text is not None)  # fmt: skip
        found.append((match[1], value))
        rest = rest.lstrip("; ")[match.end() :]
    return found


def _key(word: str, value: str, place: str, *, after_password: bool) -> str:
    """The driver's key for one of the string; raises where there is none. Shows a word only if it is surely no part
    of a password."""
    lower = " ".join(word.lower().split())
    if lower in _KEYS:
        return _KEYS[lower]
    if lower in _REFUSED:
        if value.strip().lower() in _IDLE:
            return _MINE
        raise ConfigError(f"{place}: dsn: {word}= cannot be used: {_REFUSED[lower]}")
    known = [*_KEYS, *_REFUSED]
    if after_password:
        raise ConfigError(
            f"{place}: dsn: what follows the password is no key that comboi knows",
            remedy="Is there a ; in the password? Quote it (braces in ODBC and JDBC, double quotes in ADO.NET), or "
            "give `user:` and `password:` beside `dsn:`, where every character is possible.",
        )
    raise ConfigError(
        f"{place}: dsn: the key {word}= is not known{did_you_mean(lower, known)}",
        remedy="Leave the key out, or correct its name; what comboi itself decides has keys in `connection:`.",
    )


def _placed(found: dict[str, str], place: str) -> dict[str, str]:
    """Put port and instance, which JDBC names apart, into the server as ODBC takes it."""
    port, instance = found.pop("Port", None), found.pop("Instance", None)
    server = found.get("Server", "")
    if _PROTOCOL.match(server):
        raise ConfigError(
            f"{place}: dsn: the server is reached by TCP only", remedy="Write it as tcp:host,port or host\\instance."
        )
    if server and port:
        found["Server"] = f"{server},{port}"
    elif server and instance:
        found["Server"] = f"{server}\\{instance}"
    return found


def _unreadable(place: str) -> ConfigError:
    return ConfigError(
        f"{place}: dsn: cannot be read as KEY=value;KEY=value",
        remedy="Put a value with ; = { or } in braces and double each } in it (ODBC, JDBC), or one with ; or a quote "
        "in double quotes and double each of them in it (ADO.NET); or give `user:` and `password:` beside `dsn:`, "
        "where every character is possible.",
    )
