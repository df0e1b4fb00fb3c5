"""What DuckDB, its extension and MySQL say, as typed errors without secrets."""

from __future__ import annotations

import re
from collections.abc import Iterable

from comboi_core.domain.errors import (
    ComboiError,
    ConfigError,
    InternalError,
    SourceAuthFailed,
    SourceChanged,
    SourceObjectMissing,
    SourceQueryFailed,
    SourceUnreachable,
    UnsupportedValue,
)
from comboi_core.domain.redaction import redactor
from comboi_core.sources.common import text_types
from comboi_core.sources.mysql.transient import TRANSIENT

_OUT_OF_MEMORY = "Raise engine.memory_limit, or lower chunk_rows and parallel_chunks."
_LOST = "the connection broke while rows were read"
_TLS = (
    "Compare `tls:` and `tls_ca:` with the server: `verify_ca` and `verify_identity` want the file of the CA that has "
    "signed its certificate, `verify_identity` also its name as `host:`; a server without TLS wants `tls: disabled`."
)
_ZERO_DATE = (
    "Correct the row, set `zero_dates: null` in the source's connection to land such dates as NULL, or read the column "
    "as text in `query:` (`CAST(... AS CHAR)`)."
)
_DIGITS = (
    "Read the column as text in `query:` (`CAST(... AS CHAR)`), or with fewer digits (`CAST(... AS DECIMAL(38,10))`)."
)
_CUT = re.compile(r"\s*\n\s*LINE \d+: .*\Z", re.DOTALL)
# The extension repeats the statement or the connection string in double quotes, which may hold anything, and the
# server's sentence follows. The last of these joints is the one before the sentence, which holds no double quote.
_ECHO = re.compile(r'\A.*(?:query|parameters) "(?:.*)": (?=[^"]*\Z)', re.DOTALL)
_ATTEMPTED = re.compile(r"\.?\s*(?:First attempted|Attempted) host: .*\Z", re.DOTALL)

# Order matters: the first that matches decides.
_KINDS: tuple[tuple[str, type[ComboiError], str | None], ...] = (
    (r"Table definition has changed, please retry", SourceChanged, None),
    (r"\b(TLS|SSL)\b.*|certificate|insecure transport|requires secure connection", ConfigError, _TLS),
    (
        r"Access denied for user .* to database",
        SourceObjectMissing,
        "Correct `database:`, or grant the account the right to read it (GRANT SELECT ON database.* TO user).",
    ),
    (
        r"Access denied for user|is not allowed to connect|account is locked|password has expired",
        SourceAuthFailed,
        None,
    ),
    (r"Authentication plugin|authentication method", SourceAuthFailed, None),
    (r"Unknown (database|column|table)|doesn't exist|No database selected", SourceObjectMissing, None),
    (r"command denied to user|Access denied; you need", SourceObjectMissing, None),
    (r"Conversion Error|Out of Range Error|Invalid Input Error: (?!Failed)", UnsupportedValue, None),
    (r"error in your SQL syntax|IO Error|Failed to|Binder Error", SourceQueryFailed, None),
)


def scrub(text: str, secrets: Iterable[str]) -> str:
    """Return the text with every secret replaced by `***`."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


def translate(error: Exception, place: str, secrets: Iterable[str]) -> ComboiError:
    """Return the typed error for what reading `place` (`source.table`) raised.

    A ComboiError comes back as it is. The new error does not refer to the old one, whose text holds the connection
    string.
    """
    if isinstance(error, ComboiError):
        return error
    text = scrub(str(error), secrets)
    guard = text_types.refused(text)
    if guard:
        where, column, kind, value = guard
        return text_types.refusal(where, column, kind, value, remedy=_DIGITS if kind == "DOUBLE" else _ZERO_DATE)
    if "Out of Memory" in text:
        return InternalError(f"{place}: DuckDB ran out of memory: {_core(text)}", remedy=_OUT_OF_MEMORY)
    said = _core(text)
    # DuckDB's kind of error stands before the echo, the server's words after it.
    head = text.partition('"')[0]
    if not said:  # of a connection that broke while rows came nothing is said
        lost = "Failed to" in head
        return (SourceUnreachable if lost else InternalError)(f"{place}: {_LOST if lost else 'no details given'}")
    for one in TRANSIENT:
        if re.search(one.words, said):
            return SourceUnreachable(f"{place}: {said}", remedy=one.remedy, number=one.number)
    for pattern, kind_of, remedy in _KINDS:
        if re.search(pattern, said) or re.search(pattern, head):
            return kind_of(f"{place}: {said}", remedy=remedy)
    return InternalError(f"{place}: {said}")


def _core(text: str) -> str:
    """The server's own sentence, without the echo of the statement around it."""
    text = _ATTEMPTED.sub("", _CUT.sub("", text))
    shorter = _ECHO.sub("", text)
    if shorter == text and '": ' in text:
        shorter = text.rpartition('": ')[2]
    text = shorter
    return redactor.cut(" ".join(text.split()), 500)
