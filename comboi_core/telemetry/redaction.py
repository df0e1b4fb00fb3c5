"""Keeps secrets out of every text that leaves the process."""

from __future__ import annotations

import json
import re
import threading
from typing import Any
from urllib.parse import quote, quote_plus, unquote, urlsplit

HIDDEN = "***"
MINIMUM_LENGTH = 4

_PASSWORD = re.compile(
    r"""(?ix) \b (password | pwd | accountkey | sharedaccesskey | sig)
        (\s*=\s* | ["']\s*:\s*)                                       # key = value, or "key": value
        ( '(?:[^'\\]|\\.)*' | "(?:[^"\\]|\\.)*" | \{[^}]*\} | [^\s;&'"]+ )"""
)
# Up to the last @: a password that holds one was not encoded, and is a secret all the same.
_URI_PASSWORD = re.compile(r"(://[^\s/:@]*:)([^\s/]+)(@)")
# Access tokens of Entra ID are asked for deep within drivers and clients, and pass through no place that could tell.
_TOKEN = re.compile(r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?")


class Redactor:
    """Hides the secrets it was told about, and whatever looks like a password in a connection string or like a token.

    A value shorter than MINIMUM_LENGTH is hidden only where it looks like a password: hiding every `a` helps nobody.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._secrets: tuple[str, ...] = ()

    def add(self, secret: str) -> None:
        """Hide a value from now on: itself, encoded as messages encode it, and the password of a connection string."""
        found = {secret, quote(secret, safe=""), quote_plus(secret), repr(secret)[1:-1], json.dumps(secret)[1:-1]}
        try:
            password = urlsplit(secret).password
        except ValueError:
            password = None
        if password:
            found |= {password, unquote(password), *password.split("@")}
        for match in _PASSWORD.finditer(secret):
            bare = match[3][1:-1] if match[3][0] in "'\"{" else match[3]
            found |= {bare, re.sub(r"\\(.)", r"\1", bare)}
        with self._lock:
            known = set(self._secrets) | {value for value in found if len(value) >= MINIMUM_LENGTH}
            # Longest first, so that a secret inside another one does not leave the rest of it standing.
            self._secrets = tuple(sorted(known, key=len, reverse=True))

    def text(self, text: str) -> str:
        """Return the text without secrets."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        text = _PASSWORD.sub(rf"\1\2{HIDDEN}", text)
        return _TOKEN.sub(HIDDEN, _URI_PASSWORD.sub(rf"\1{HIDDEN}\3", text))

    def value(self, value: Any) -> Any:
        """Return a nested structure with every string redacted."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {key: self.value(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.value(item) for item in value]
        return value


redactor = Redactor()
"""The process's one redactor: secrets are registered where they are resolved, whoever writes text passes it through."""
