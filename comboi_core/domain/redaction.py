"""Keeps secrets out of every text that leaves the process.

It lies at the very bottom, since every layer may cut a text, and a text is redacted before it is cut: of a secret that
is cut in two, neither half would be known.
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
"""Digits from which on a number is hidden; shorter ones are years, ports and counts as well."""
KEY_LENGTH = 8
"""Characters from which on a key of a structure may hold a secret; shorter ones are fields of our own."""
PART_LENGTH = 8
"""Characters from which on a part of a secret is hidden where a text was cut."""
LONG_PART = 16
"""Characters from which on a part of a secret web address (of its path, of its query) is a secret by itself."""
ENDING = "..."

_REFERENCE = r"\{\{\s*(?:env|keyvault)\s*:[^{}]*\}\}"
"""Says where a secret is kept; documentation and configuration files are full of them."""
_PASSWORD = re.compile(
    rf"""(?ix) \b (password | pwd | accountkey | sharedaccesskey | instrumentationkey | sig)
        (\s*=\s* | ["']\s*:\s*(?![{{\[]))                              # key = value, or "key": value
        (?! ['"]? {_REFERENCE} (?: [\s;&'"] | \Z ) )
        ( '(?:[^'\\]|\\.|'')*' | "(?:[^"\\]|\\.|"")*" | \{{(?:[^}}]|\}}\}})*\}} | [^\s;&'"]+ )"""
)
# Up to the last @: a password that holds one was not encoded, and is a secret all the same.
_URI_PASSWORD = re.compile(rf"(://[^\s/:@]*:)(?!{_REFERENCE}@)([^\s/]+)(@)")
_CUT = re.compile(r"\.{3}|…")
_ERROR = frozenset(("code", "message", "remedy", "transient"))
"""The fields of an error; its code is a word of our own, whatever somebody's password is."""
# Access tokens of Entra ID are asked for deep within drivers and clients, and pass through no place that could tell.
_TOKEN = re.compile(r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?")


class Redactor:
    """Hides the secrets it was told about, and whatever looks like a password in a connection string or like a token.

    A value shorter than MINIMUM_LENGTH, or a number of fewer than NUMBER_LENGTH digits, is hidden only where it looks
    like a password: hiding every `a` or every `2026` helps nobody. The same goes for a value that is part of a name of
    the project (`keep`): a record without the names of its tables could not be read.

    Finding is independent of how many secrets there are: each spelling is looked up by its first four characters.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._secrets: dict[str, set[str]] = {}
        self._names: frozenset[str] = frozenset()
        self._heads: dict[str, tuple[str, ...]] = {}

    def add(self, secret: str) -> None:
        """Hide a value from now on: itself, encoded as texts encode it, and the password of a connection string."""
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
        """Leave names as they are from now on: those of pipeline, sources, tables, datasets."""
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
        """Return the beginning of a text, without secrets: of one that is cut in two, neither half would be known.

        Args:
            length: Characters of the result at most; a text that is cut ends with ENDING.
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
        """Find the beginning of a secret in front of a cut, and the end of one behind it."""
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
        """Redact values and keys: a sample has columns of any name. Keys that become the same are numbered."""
        found: dict[Any, Any] = {}
        for key, item in value.items():
            shown = self.text(key) if isinstance(key, str) and len(key) >= KEY_LENGTH else key
            number = 2
            while shown in found:
                shown, number = f"{HIDDEN} {number}", number + 1
            found[shown] = item if key == "code" and value.keys() >= _ERROR else self.value(item)
        return found


def _address_parts(secret: str) -> Iterator[str]:
    """Yield what is secret of a web address, e.g. of a webhook: errors name its path without its host."""
    scheme, _, rest = secret.partition("://")
    if scheme.lower() in ("http", "https"):
        path = rest.partition("/")[2]
        yield from (part for part in (path, *re.split(r"[/?&=#;]", path)) if len(part) >= LONG_PART)


def _common(value: str) -> bool:
    """Whether hiding a value everywhere would hide too much."""
    return len(value) < MINIMUM_LENGTH or (value.isdecimal() and len(value) < NUMBER_LENGTH)


def _without(text: str, places: list[tuple[int, int]]) -> str:
    """Return the text with HIDDEN in the place of each stretch; what overlaps is one."""
    parts, done = [], 0
    for start, end in places:
        if start >= done:
            parts += [text[done:start], HIDDEN]
        done = max(done, end)
    return "".join(parts) + text[done:]


redactor = Redactor()
"""The process's one redactor: secrets are registered where they are resolved, whoever writes text passes it through."""
