"""The server's transient errors: what soon goes away by itself, so that a later attempt may succeed.

Microsoft's driver hands on the server's sentence and hides the number, so an error is known by fixed words of its
message, by a number that stands in the text (`Error code 0x2746`, `error: 10054`, `Msg 40613`), or by the number where
the server gives it as data. The session's language is English; before the session has it, a login's may be another one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

FAULTS = "https://learn.microsoft.com/azure/azure-sql/database/troubleshoot-common-errors-issues"
"""Its tables "List of transient fault error codes", "Resource governance errors" and "Elastic pool errors"."""
MESSAGES = "https://learn.microsoft.com/sql/relational-databases/errors-events/database-engine-events-and-errors"
"""The server's messages; those of this table end in a request to run it again, or to wait."""
SNAPSHOTS = "https://learn.microsoft.com/sql/relational-databases/errors-events/mssqlserver-3961-database-engine-error"
DEADLOCKS = "https://learn.microsoft.com/sql/relational-databases/sql-server-deadlocks-guide"
POOLS = "https://learn.microsoft.com/sql/relational-databases/errors-events/mssqlserver-42109-database-engine-error"
CLIENTS = "https://learn.microsoft.com/sql/connect/ado-net/configurable-retry-logic-sqlclient-introduction"
"""What SqlClient and EF Core (`SqlServerTransientExceptionDetector`) try again of what their own transport reports."""


@dataclass(frozen=True)
class Transient:
    """One transient error.

    Attributes:
        number: The server's, or the client library's.
        words: A regular expression over what is fixed in its message; None where the message says nothing of its own.
        source: The vendor's page that it comes from.
        remedy: What to do where it stays; None: what holds for a server that does not answer.
    """

    number: int
    words: str | None
    source: str
    remedy: str | None = None


_DATABASE = (
    "If it stays so, correct `database:`, or give the login a user in it; it also passes by itself while a database "
    "fails over or is brought back."
)
_SUSPECT = "If it stays so, the database is damaged: ask its administrator (the server's error log says why)."
_LIMITS = "If it repeats, lower `max_parallel` and `parallel_chunks`, run at another time, or raise the service tier."
_RUN_AGAIN = "Nothing, if a later attempt succeeds; if it repeats, run when fewer others write."

TRANSIENT: tuple[Transient, ...] = (
    Transient(40613, r"is not currently available\.? *Please retry the connection later", FAULTS),
    Transient(40197, r"encountered an error processing your request", FAULTS),
    Transient(40540, None, FAULTS),  # the same words as 40197, which may hold it as its `Error code`
    Transient(40143, None, FAULTS),
    Transient(40166, None, FAULTS),
    Transient(40501, r"service is currently busy|Retry the request after 10 seconds", FAULTS),
    # 4060 is also said of a database that does not exist, or that the login may not enter: nothing tells them apart.
    Transient(4060, r"Cannot open database .* requested by the login", FAULTS, _DATABASE),
    Transient(4221, r"Login to read-secondary failed due to long wait", FAULTS),
    Transient(615, r"Could not find database ID", FAULTS, _DATABASE),
    Transient(926, r"marked SUSPECT by recovery", FAULTS, _SUSPECT),
    Transient(49918, r"Not enough resources to process request", FAULTS, _LIMITS),
    Transient(49919, r"Too many create or update operations in progress", FAULTS, _LIMITS),
    Transient(49920, r"Too many operations in progress for subscription", FAULTS, _LIMITS),
    Transient(10928, r"Resource ID ?: ?\d+.*has been reached|(request|session) limit for the", FAULTS, _LIMITS),
    Transient(10929, r"Resource ID ?: ?\d+.*minimum guarantee|too busy to support requests", FAULTS, _LIMITS),
    Transient(10936, r"limit for the elastic pool", FAULTS, _LIMITS),
    Transient(18401, r"Server is in script upgrade mode", MESSAGES),
    Transient(983, r"Unable to access (availability )?database .* replica", MESSAGES),
    Transient(982, r"no online secondary replicas", MESSAGES),
    Transient(921, r"has not been recovered yet", MESSAGES),
    Transient(922, r"is being recovered", MESSAGES),
    Transient(952, r"is in transition", MESSAGES),
    Transient(6005, r"SHUTDOWN is in progress", MESSAGES),
    Transient(17142, r"SQL Server service has been paused", MESSAGES),
    Transient(596, r"session is in the kill state", MESSAGES),
    Transient(8645, r"waiting for memory resources to execute the query", MESSAGES, _LIMITS),
    Transient(8628, r"waiting to optimize the query", MESSAGES, _LIMITS),
    Transient(8651, r"requested operation because the minimum query memory is not available", MESSAGES, _LIMITS),
    Transient(1204, r"cannot obtain a LOCK resource", MESSAGES, _LIMITS),
    Transient(1205, r"chosen as the deadlock victim|was deadlocked on|Serialization failure", DEADLOCKS, _RUN_AGAIN),
    Transient(1222, r"Lock request time out period exceeded", DEADLOCKS, "Find out who holds the table locked."),
    Transient(3947, r"secondary compute failed to catch up redo", MESSAGES, _RUN_AGAIN),
    Transient(3948, r"availability replica config/state change|ghost records are being deleted", MESSAGES, _RUN_AGAIN),
    Transient(3953, r"database was not recovered when the current transaction was started", MESSAGES, _RUN_AGAIN),
    Transient(3960, r"Snapshot isolation transaction aborted", SNAPSHOTS, _RUN_AGAIN),
    Transient(3961, r"modified by a DDL statement in another concurrent transaction", SNAPSHOTS, _RUN_AGAIN),
    Transient(3966, r"(accessing|in the) version store|version store was shrunk", MESSAGES, _RUN_AGAIN),
    Transient(41301, r"Dependency failure: a dependency was taken", MESSAGES, _RUN_AGAIN),
    Transient(41305, r"repeatable read validation failure", MESSAGES, _RUN_AGAIN),
    Transient(41325, r"serializable validation failure", MESSAGES, _RUN_AGAIN),
    Transient(41839, r"maximum number of commit dependencies", MESSAGES, _RUN_AGAIN),
    Transient(42109, r"SQL pool is warming up", POOLS),
    Transient(64, r"specified network name is no longer available", CLIENTS),
    Transient(121, r"semaphore timeout period has expired", CLIENTS),
    Transient(233, r"connection initialization process|No process is on the other end", CLIENTS),
    Transient(10053, r"aborted by the software in your host machine", CLIENTS),
    Transient(10054, r"forcibly closed by the remote host|Connection reset by peer", CLIENTS),
    Transient(10060, r"did not properly respond after a period of time", CLIENTS),
    # By number only: that a server knows no encryption, which the driver words otherwise, does not pass by itself.
    Transient(20, None, CLIENTS),
)  # fmt: skip

WAKING = frozenset({40613, 42109})
"""What a database says while it wakes up or moves: a login is tried on for about two minutes.

Microsoft's page on serverless databases (`.../azure-sql/database/serverless-tier-overview`): a paused database answers
the first login with 40613 and resumes; how long that takes is typically of the order of one minute."""

_BY_NUMBER = {entry.number: entry for entry in TRANSIENT}
_WRITTEN = re.compile(r"(?:Error code|error|Msg|SqlState [0-9A-Z]+,)(?: ?[:=] ?| )(0x[0-9a-f]+|\d+)\b", re.IGNORECASE)


def by_number(number: str | int) -> Transient | None:
    """Return the transient error of a number, or None."""
    return _BY_NUMBER.get(int(number))


def by_text(text: str) -> Transient | None:
    """Return the transient error that a message tells of, or None."""
    found = next((entry for entry in TRANSIENT if entry.words and re.search(entry.words, text, re.IGNORECASE)), None)
    if found:
        return found
    numbers = (int(written, 0) for written in _WRITTEN.findall(text))
    return next((entry for number in numbers if (entry := _BY_NUMBER.get(number))), None)
