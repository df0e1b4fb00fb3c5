"""What Microsoft's driver and the server say, as typed errors without secrets."""

from __future__ import annotations

import re
from collections.abc import Iterable

from comboi_core.domain.errors import (
    ComboiError,
    ConfigError,
    InternalError,
    SourceAuthFailed,
    SourceObjectMissing,
    SourceQueryFailed,
    SourceUnreachable,
    UnsupportedValue,
)
from comboi_core.domain.redaction import redactor
from comboi_core.sources.azure_sql.transient import Transient, by_number, by_text
from comboi_core.sources.postgres.errors import scrub

_FIREWALL = "Let this machine's address through in the server's firewall rules, or use a private endpoint."
_CERTIFICATE = "For a server with a self-signed certificate set `trust_server_certificate: true`."

# The driver hands on no error numbers, so words decide; the session's language is English. The first match counts.
_Kinds = tuple[tuple[str, type[ComboiError], str | None], ...]
_FINAL: _Kinds = (
    (r"is not allowed to access the server", SourceAuthFailed, _FIREWALL),
    (r"certificate verify failed|certificate.*(trust|valid)|wrong version number", ConfigError, _CERTIFICATE),
    (r"Encryption not supported|does not support encryption", ConfigError, "Set `encrypt: no` only for a test server."),
)
"""What no later attempt mends; looked for before the transient errors (`transient`)."""
_KINDS: _Kinds = (
    (r"Login failed|Invalid authorization|token-identified", SourceAuthFailed, None),
    (
        r"Invalid object name|Invalid column name|Base table or view not found|Column not found",
        SourceObjectMissing,
        None,
    ),
    (r"permission (was )?denied|does not have permission", SourceObjectMissing, None),
    (
        r"Communication link failure|Connection reset|connection is broken|TCP Provider|server response",
        SourceUnreachable,
        None,
    ),
    (r"Unable to complete login|unable to establish connection|Login timeout|Timeout expired", SourceUnreachable, None),
    (
        r"connection (attempt|was|has been|closed)|forcibly closed|General network",
        SourceUnreachable,
        None,
    ),
    (r"Connection (string|parameter)", ConfigError, None),
)
_OUT_OF_MEMORY = "Raise engine.memory_limit, or lower chunk_rows and parallel_chunks."
_DUCKDB = r"Conversion Error|Out of Range Error|Invalid Input Error"


def translate(error: Exception, place: str, secrets: Iterable[str]) -> ComboiError:
    """Return the typed error for what reading `place` (`source.table`) raised.

    A ComboiError comes back as it is. The new error does not refer to the old one.
    """
    if isinstance(error, ComboiError):
        return error
    text = scrub(str(error), secrets)
    if "Out of Memory" in text:
        return InternalError(f"{place}: DuckDB ran out of memory: {_core(text)}", remedy=_OUT_OF_MEMORY)
    found = _kind(_FINAL, text, place)
    if found is None and (passing := by_text(text)):
        found = _passing(passing, _core(text), place)
    found = found or _kind(_KINDS, text, place)
    if found is not None:
        return found
    if type(error).__module__.startswith("mssql_python"):
        return SourceQueryFailed(f"{place}: {_core(text)}")
    if re.search(_DUCKDB, text):
        return UnsupportedValue(f"{place}: {_core(text)}")
    return InternalError(f"{place}: {_core(text)}")


def refused(number: str, message: str, place: str) -> ComboiError:
    """Return the typed error for a SELECT that the server cannot compile.

    Args:
        number: The server's error number.
        message: Its message.
    """
    passing = by_number(number)
    if passing:
        return _passing(passing, message, place)
    kind = SourceObjectMissing if number in ("207", "208", "229", "230") else SourceQueryFailed
    return kind(f"{place}: {message}")


def _kind(kinds: _Kinds, text: str, place: str) -> ComboiError | None:
    matching = ((kind, remedy) for pattern, kind, remedy in kinds if re.search(pattern, text, re.IGNORECASE))
    return next((kind(f"{place}: {_core(text)}", remedy=remedy) for kind, remedy in matching), None)


def _passing(entry: Transient, said: str, place: str) -> SourceUnreachable:
    return SourceUnreachable(f"{place}: {said}", remedy=entry.remedy, number=entry.number)


def _core(text: str) -> str:
    """The server's own sentence, without the driver's words around it."""
    said = re.sub(r"^.*?DDBC Error:\s*", "", " ".join(text.split()))
    said = re.sub(r"^(\[[^\]]*\]\s*)+", "", said)
    return redactor.cut(said, 500) or "no details given"
