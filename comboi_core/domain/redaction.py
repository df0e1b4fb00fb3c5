"""Keeps secrets out of every text that leaves the process.

It is in the lowest layer, because every layer may shorten a text. A text has to be redacted before it is shortened:
half of a secret would not be recognised.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

from comboi_core.domain.spellings import decoded, long_lines, spellings

HIDDEN = "***"
MINIMUM_LENGTH = 4
NUMBER_LENGTH = 8
"""Numbers with at least this many digits are hidden. Shorter ones could be years, ports or counts."""
KEY_LENGTH = 8
"""Keys of structures with at least this many characters are redacted. Shorter ones are comboi's own fields."""
PART_LENGTH = 8
"""The shortest part of a secret that is hidden at the end of a shortened text, in characters."""
LONG_PART = 16
"""The shortest part of a secret URL's path or query that counts as a secret, in characters."""
ENDING = "..."

_REFERENCE = r"\{\{\s*(?:env|keyvault)\s*:[^{}]*\}\}"
"""A reference, which is not a secret. Documentation and configuration files contain many of them."""
_PASSWORD = re.compile(
    rf"""(?ix) \b (password | pwd | accountkey | sharedaccesskey | instrumentationkey | sig)
        (\s*=\s* | ["']\s*:\s*(?![{{\[]))                              # key = value, or "key": value
        (?! ['"]? {_REFERENCE} (?: [\s;&'"] | \Z ) )
        ( '(?:[^'\\]|\\.|'')*' | "(?:[^"\\]|\\.|"")*" | \{{(?:[^}}]|\}}\}})*\}} | [^\s;&'"]+ )"""
)
# Up to the last @, because a password may contain an @ that was not encoded.
_URI_PASSWORD = re.compile(rf"(://[^\s/:@]*:)(?!{_REFERENCE}@)([^\s/]+)(@)")
_CUT = re.compile(r"\.{3}|…")
_ERROR = frozenset(("code", "message", "remedy", "transient"))
"""The text fields of an error. Its code is one of comboi's own words, and is never redacted."""
# Drivers and clients request access tokens of Entra ID themselves, so comboi cannot register these tokens.
_TOKEN = re.compile(r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?")


class Redactor:
    """Hides registered secrets, and everything that looks like a password in a connection string or like a token.

    A value shorter than MINIMUM_LENGTH, or a number with fewer than NUMBER_LENGTH digits, is hidden only where it looks
    like a password. Otherwise every `a` or every `2026` would be hidden. The same is true for a value that is part of a
    name in the project (`keep`), because a record without the names of its tables would be useless.

    The cost does not depend on the number of secrets: each spelling is found by its first four characters.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._secrets: dict[str, set[str]] = {}
        self._names: frozenset[str] = frozenset()
        self._heads: dict[str, tuple[str, ...]] = {}

    def add(self, secret: str) -> None:
        """Hide a value from now on: the value, its encodings, and the password in a connection string."""
        if secret in self._secrets:
            return
        found = {secret, secret.strip(), *long_lines(secret)}
        try:
            password = urlsplit(secret).password
        except ValueError:
            password = None
        if password:
            found |= {password, unquote(password), *password.split("@")}
        found |= set(_address_parts(secret))
        for match in _PASSWORD.finditer(secret):
            bare = match[3][1:-1] if match[3][0] in "'\"{" else match[3]
            found |= {bare, re.sub(r"\\(.)", r"\1", bare)}
        with self._lock:
            new = {value: spellings(value) for value in found if not _common(value) and value not in self._secrets}
            if new:
                self._secrets = {**self._secrets, **new}
                self._index()

    def keep(self, names: Iterable[str]) -> None:
        """Never hide these names: of pipeline, sources, tables and datasets."""
        more = frozenset(names) - self._names
        if more:
            with self._lock:
                self._names |= more
                self._index()

    def _index(self) -> None:
        heads: dict[str, set[str]] = {}
        for secret, spelled in self._secrets.items():
            if not any(secret in name for name in self._names):
                for spelling in spelled:
                    if len(spelling) >= MINIMUM_LENGTH:
                        heads.setdefault(spelling[:MINIMUM_LENGTH], set()).add(spelling)
        self._heads = {head: tuple(found) for head, found in heads.items()}

    def cut(self, text: str, length: int) -> str:
        """Return the start of a text, without secrets. The text is redacted before it is shortened.

        Args:
            length: The most characters of the result. A shortened text ends with ENDING.
        """
        shown = self.text(text)
        return shown if len(shown) <= length else shown[: length - len(ENDING)] + ENDING

    def text(self, text: str) -> str:
        """Return the text without secrets."""
        if self._heads:
            text = _without(text, self._places(text))
        text = _PASSWORD.sub(rf"\1\2{HIDDEN}", text)
        return _TOKEN.sub(HIDDEN, _URI_PASSWORD.sub(rf"\1{HIDDEN}\3", text))

    def _places(self, text: str) -> list[tuple[int, int]]:
        """Return where secrets begin and end."""
        found = list(self._found(text))
        plain, places = decoded(text)
        if places:
            found += [(places[start], places[end]) for start, end in self._found(plain)]
        elif plain != text:
            found += self._found(plain)
        return sorted(found)

    def _found(self, text: str) -> Iterator[tuple[int, int]]:
        yield from self._whole(text)
        for mark in _CUT.finditer(text):  # of others: databases cut the SQL that they quote
            yield from self._parts(text, mark.start(), mark.end())

    def _parts(self, text: str, cut: int, after: int) -> Iterator[tuple[int, int]]:
        """Find parts of secrets at places where a text was shortened."""
        before, behind = text[max(0, cut - PART_LENGTH) : cut], text[after : after + PART_LENGTH]
        for spelling in (one for some in self._heads.values() for one in some):
            if "://" in spelling:  # its password is a secret by itself
                continue
            length = spelling.rfind(before) + PART_LENGTH if len(before) == PART_LENGTH else 0
            if length >= PART_LENGTH and text.endswith(spelling[:length], 0, cut):
                yield cut - length, cut
            start = spelling.find(behind) if len(behind) == PART_LENGTH else -1
            if start >= 0 and text.startswith(spelling[start:], after):
                yield after, after + len(spelling) - start

    def _whole(self, text: str) -> Iterator[tuple[int, int]]:
        spelled = self._heads.get
        for start in range(len(text) - MINIMUM_LENGTH + 1):
            for spelling in spelled(text[start : start + MINIMUM_LENGTH], ()):
                if text.startswith(spelling, start):
                    yield start, start + len(spelling)

    def value(self, value: Any) -> Any:
        """Return a nested structure with every string redacted."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return self._keys(value)
        if isinstance(value, (list, tuple)):
            return [self.value(item) for item in value]
        return value

    def _keys(self, value: dict[Any, Any]) -> dict[Any, Any]:
        """Redact values and keys, because columns in samples can have any name. Equal keys are numbered."""
        found: dict[Any, Any] = {}
        for key, item in value.items():
            shown = self.text(key) if isinstance(key, str) and len(key) >= KEY_LENGTH else key
            number = 2
            while shown in found:
                shown, number = f"{HIDDEN} {number}", number + 1
            found[shown] = item if key == "code" and value.keys() >= _ERROR else self.value(item)
        return found


def _address_parts(secret: str) -> Iterator[str]:
    """Yield the secret parts of a URL, e.g. of a webhook. Some errors show its path without its host."""
    scheme, _, rest = secret.partition("://")
    if scheme.lower() in ("http", "https"):
        path = rest.partition("/")[2]
        yield from (part for part in (path, *re.split(r"[/?&=#;]", path)) if len(part) >= LONG_PART)


def _common(value: str) -> bool:
    """Whether hiding a value everywhere would hide too much."""
    return len(value) < MINIMUM_LENGTH or (value.isdecimal() and len(value) < NUMBER_LENGTH)


def _without(text: str, places: list[tuple[int, int]]) -> str:
    """Return the text with HIDDEN in place of each range. Ranges that overlap count as one."""
    parts, done = [], 0
    for start, end in places:
        if start >= done:
            parts += [text[done:start], HIDDEN]
        done = max(done, end)
    return "".join(parts) + text[done:]


redactor = Redactor()
"""The redactor of the process. Resolved secrets are registered here, and all written text passes through it."""
