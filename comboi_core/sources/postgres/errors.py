"""What DuckDB and libpq say, as typed errors without secrets."""

from __future__ import annotations

import re
from collections.abc import Iterable

from comboi_core.domain.errors import (
    ComboiError,
    ConfigError,
    InternalError,
    SourceAuthFailed,
    SourceFiltered,
    SourceObjectMissing,
    SourceQueryFailed,
    SourceUnreachable,
    UnsupportedValue,
)
from comboi_core.domain.redaction import redactor

GUARD = "comboi-guard"
"""Begins the text that a guard makes PostgreSQL fail to cast: `comboi-guard[column]value`."""

_ECHOES = (
    re.compile(r'\s*".*": (?=[^\s":]+\s?:  )', re.DOTALL),
    re.compile(r'(?<=\w) ".*":(?= [^"\n]*(?:\n\t[^\n]*)*(?:\s+LINE \d+: [^\n]*(?:\n\s*\^)?)?\s*\Z)', re.DOTALL),
)
"""DuckDB's repetition of the query: it ends before the server's severity, a word in the server's language with a colon
and two blanks, or else before libpq's own sentence, which quotes nothing and is the last, with lines that begin with a
tab; DuckDB may add the place in our own SQL. libpq's sentence is empty where the connection was lost before."""
_SAID = re.compile(r"(?:\b(?:FATAL|ERROR):|\w ?:  )\s*(\S.*)")
"""The server's sentence: after its severity come a colon and two blanks, whatever the language."""
_GUARD = re.compile(rf"(?<!'){GUARD}\[(?P<column>.*)\](?P<value>[^\]]*?)\"?\s*$", re.MULTILINE)

# Severities that end a session, as PostgreSQL's own translations (`po/*.po`, version 15) spell them, before a colon and
# two blanks: a word in the server's language, which no sentence of it begins with.
_ENDED = (
    r"(FATAL|FATALE|FATALT|ВАЖНО|ФАТАЛЬНО|致命错误|치명적오류|ფატალური"
    r"|PANIC|PANIK|PANICO|ПАНИКА|ПАНІКА|比致命错误还过分的错误|손상|პანიკა)\s?:  "
)
# What the same translations say where a password is wrong.
_REFUSED = (
    "Passwort-Authentifizierung|autentificación .* falló|authentification .* échouée|autenticazione .* fallita|"
    "認証に失敗|не прошёл проверку подлинности|не пройшов автентифікацію|Lösenordsautentisering|认证失败|인증을 실패|"
    "ავთენტიფიკაცია .* ვერ მოხერხდა"
)
# libpq's words for a connection string that it cannot read.
_MALFORMED = re.compile(
    r"Unable to connect.*(in connection info string|in URI|invalid (URI|connection option|percent-encoded))",
    re.IGNORECASE | re.DOTALL,
)

# PostgreSQL does not send its error codes this far, only sentences, in the server's language: what is not English falls
# to the general patterns at the end. Order matters: the first that matches decides.
_KINDS: tuple[tuple[str, type[ComboiError]], ...] = (
    (r"FATAL: .*\b(access token|AAD_AUTH\w*|Azure AD|Entra)\b", SourceAuthFailed),
    (_REFUSED, SourceAuthFailed),
    (r"authentication failed|no password supplied|pg_hba\.conf|not permitted to log in", SourceAuthFailed),
    (r"FATAL: .*role .* does not exist|permission denied for database", SourceAuthFailed),
    (r"unsupported startup parameter", ConfigError),
    (r"(relation|table|column|schema|database|function) .*does not exist", SourceObjectMissing),
    (r"row-level security policy", SourceFiltered),
    (r"permission denied for", SourceObjectMissing),
    (r"due to (lock|statement) timeout|conflict with recovery|deadlock detected", SourceUnreachable),
    (r"terminating connection|starting up|shutting down|too many (clients|connections)", SourceUnreachable),
    (r"remaining connection slots|server closed the connection|connection to server", SourceUnreachable),
    (r"SSL (SYSCALL|error|connection)|could not (receive|send) data|no connection to the server", SourceUnreachable),
    (r"could not (translate host|connect)|Connection refused|timeout expired", SourceUnreachable),
    (r"connection not open|connection pointer is NULL|Unable to connect|FATAL", SourceUnreachable),
    (_ENDED, SourceUnreachable),
    (r"Failed to [^:]*:\s*\Z", SourceUnreachable),
    (r"Conversion Error|Out of Range Error|Invalid Input Error", UnsupportedValue),
    (r"ERROR:|Failed to prepare|Binder Error|Failed to (execute|fetch)", SourceQueryFailed),
)
_NETWORK = re.compile("pg_hba")
"""A refusal that has to do with where the login comes from, not with whose it is."""
_REMEDIES: dict[type[ComboiError], str] = {
    ConfigError: "comboi sets its session when it connects, which a pooler such as PgBouncer refuses: connect past it."
}
_OUT_OF_MEMORY = "Raise engine.memory_limit, or lower chunk_rows and parallel_chunks."


def scrub(text: str, secrets: Iterable[str]) -> str:
    """Return the text with every secret replaced by `***`."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


def translate(error: Exception, place: str, secrets: Iterable[str], *, refused: str | None = None) -> ComboiError:
    """Return the typed error for what reading `place` (`source.table`) raised.

    A ComboiError comes back as it is. The new error does not refer to the old one, whose text holds the connection
    string.

    Args:
        refused: The remedy where the server refuses the login, if it is not the usual one.
    """
    if isinstance(error, ComboiError):
        return error
    text = scrub(str(error), secrets)
    if _MALFORMED.search(text):  # libpq echoes pieces of the string, and so perhaps of the password
        return ConfigError(
            f"{place}: the connection string cannot be parsed",
            remedy="Write it as a URI, or put values that hold blanks into single quotes.",
        )
    text = _without_query(text)
    guard = _GUARD.search(text)
    if guard:
        column, value = guard["column"], guard["value"]
        return UnsupportedValue(
            f"{place}: column {column} holds {value}, which Parquet cannot hold as this type",
            remedy="Correct the row, or read the column as text in `query:` (`column::text`).",
            column=column,
            value=value,
        )
    if "Out of Memory" in text:
        return InternalError(f"{place}: DuckDB ran out of memory: {_core(text)}", remedy=_OUT_OF_MEMORY)
    for pattern, kind in _KINDS:
        if re.search(pattern, text, re.IGNORECASE):
            remedies = _REMEDIES | ({SourceAuthFailed: refused} if refused and not _NETWORK.search(text) else {})
            return kind(f"{place}: {_core(text)}", remedy=remedies.get(kind))
    return InternalError(f"{place}: {_core(text)}")


def _without_query(text: str) -> str:
    """The text without the query, which may hold any word that the patterns look for, every guard among them."""
    for echo in _ECHOES:
        shorter = echo.sub(":", text, count=1)
        if shorter != text:
            return shorter.partition("\nLINE ")[0]
    return text.partition("\nLINE ")[0]


def _core(text: str) -> str:
    """The database's own sentence, without the echo of the query around it."""
    said = _SAID.search(text)
    if said:
        return said[1].strip()
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = re.sub(
        r'^IO Error: Unable to connect to Postgres at(:|.*?(?:\*\*\*").*?:?) ',
        "cannot connect: ",
        lines[0] if lines else "",
    )
    return redactor.cut(told, 500) or "no details given"
