"""The server's and the client's transient errors: what soon goes away by itself, so that a later attempt may succeed.

DuckDB's extension hands on the sentence and hides the number, so an error is known by fixed words of its message.
"""

from __future__ import annotations

from dataclasses import dataclass

SERVER = "https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html"
CLIENT = "https://dev.mysql.com/doc/mysql-errors/8.4/en/client-error-reference.html"
MARIADB = "https://mariadb.com/kb/en/mariadb-error-code-reference/"


@dataclass(frozen=True)
class Transient:
    """One transient error.

    Attributes:
        number: The server's, or the client library's.
        words: A regular expression over what is fixed in its message.
        source: The vendor's page that it comes from.
        remedy: What to do where it stays; None: what holds for a server that does not answer.
    """

    number: int
    words: str
    source: str
    remedy: str | None = None


_CONNECTIONS = "If it repeats, lower `max_parallel` and `parallel_chunks`, or raise the server's max_connections."
_LOCKED = "Find out who holds the table locked (`SHOW PROCESSLIST`); ALTER TABLE and LOCK TABLES do."
_RUN_AGAIN = "Nothing, if a later attempt succeeds; if it repeats, run when fewer others write."
_LIMIT = "If it repeats, raise the server's limit, or set an index on the cursor column, so that less is read."
_MEMORY = "If it repeats, the server is short of memory or disk: ask its administrator."

TRANSIENT: tuple[Transient, ...] = (
    Transient(1040, r"Too many connections", SERVER, _CONNECTIONS),
    Transient(1203, r"already has more than 'max_user_connections'", SERVER, _CONNECTIONS),
    Transient(1226, r"has exceeded the '\w+' resource", SERVER, _CONNECTIONS),
    Transient(1135, r"Can't create a new thread", SERVER, _CONNECTIONS),
    Transient(1129, r"is blocked because of many connection errors", SERVER, "Run `FLUSH HOSTS` at the server."),
    Transient(1205, r"Lock wait timeout exceeded", SERVER, _LOCKED),
    Transient(1213, r"Deadlock found when trying to get lock", SERVER, _RUN_AGAIN),
    Transient(1020, r"Record has changed since last read", MARIADB, _RUN_AGAIN),
    Transient(1053, r"Server shutdown in progress", SERVER),
    Transient(1152, r"Aborted connection", SERVER),
    Transient(1158, r"Got an error reading communication packets", SERVER),
    Transient(1159, r"Got timeout reading communication packets", SERVER),
    Transient(1160, r"Got an error writing communication packets", SERVER),
    Transient(1161, r"Got timeout writing communication packets", SERVER),
    Transient(1317, r"Query execution was interrupted", SERVER, _LIMIT),
    Transient(3024, r"maximum statement execution time exceeded", SERVER, _LIMIT),
    Transient(1969, r"max_statement_time exceeded", MARIADB, _LIMIT),
    Transient(1927, r"Connection was killed", MARIADB),
    Transient(3032, r"server is currently in offline mode", SERVER),
    Transient(1037, r"Out of memory; restart server", SERVER, _MEMORY),
    Transient(1038, r"Out of sort memory", SERVER, _MEMORY),
    Transient(1041, r"Out of memory; check if", SERVER, _MEMORY),
    Transient(1114, r"The table '.*' is full", SERVER, _MEMORY),
    Transient(2002, r"Can't connect to (local )?(MySQL )?server", CLIENT),
    Transient(2005, r"Unknown (MySQL )?server host", CLIENT),
    Transient(2006, r"[Ss]erver has gone away", CLIENT),
    Transient(2013, r"Lost connection to (MySQL )?server", CLIENT),
    Transient(2027, r"Malformed (communication )?packet", CLIENT),
    Transient(4031, r"disconnected by the server because of inactivity", SERVER),
)
