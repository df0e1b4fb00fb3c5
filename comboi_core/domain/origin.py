"""Origins: what a table or a dataset was made from, so that comboi can detect and describe a change.

An origin maps the name of each part (`table`, `where`, `connection.server`, the script) to its text. A text that is
long or may contain a secret is stored as a fingerprint: `sha256:` and 16 hexadecimal digits. A text
equals its fingerprint.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping

from comboi_core.domain.redaction import redactor

Origin = Mapping[str, str]
"""Name of the part -> its text, or the text's fingerprint."""

_DIGEST = "sha256:"
_SHOWN = 120
"""How many characters of a part a message shows."""
_LEAD = 30
"""How many common characters are shown before the difference of two long texts."""
_QUOTED_OR_BLANK = re.compile(
    r"""(?s) (?P<kept> '(?:[^']|'')*' | "(?:[^"]|"")*" | \[[^\]]*\] | (?P<tag>\$\w*\$).*?(?P=tag) )
           | (?: --[^\n]* | /\*.*?\*/ | \s+ )+ """,
    re.VERBOSE,
)


def fingerprint(text: str) -> str:
    """Return the fingerprint of a text."""
    return _DIGEST + hashlib.sha256(text.encode()).hexdigest()[:16]


def hidden(text: str) -> str:
    """Return a part as a fingerprint."""
    return text if _is_fingerprint(text) else fingerprint(text)


def plain_sql(text: str) -> str:
    """Return SQL without comments, and with single blanks outside of quotes.

    The result is only compared, never run. In rare texts (a backslash before a quote) it may keep a difference without
    meaning.
    """
    return _QUOTED_OR_BLANK.sub(lambda found: found["kept"] or " ", text).strip()


def changed_parts(before: Origin, now: Origin) -> tuple[str, ...]:
    """Return the names of the parts that differ, in alphabetical order. Empty if `before` is not known."""
    if not before:
        return ()
    return tuple(name for name in sorted({*before, *now}) if not _same(before.get(name), now.get(name)))


def told(before: Origin, now: Origin, parts: tuple[str, ...]) -> str:
    """Return the changes in words: each part with its old and its new text."""
    return "; ".join(f"`{name}` {_was_and_is(before.get(name), now.get(name))}" for name in parts)


def _same(one: str | None, other: str | None) -> bool:
    if one is None or other is None:
        return one == other
    return one == other or hidden(one) == hidden(other)


def _was_and_is(before: str | None, now: str | None) -> str:
    if before and now and _is_fingerprint(before) and _is_fingerprint(now):
        return "has changed"
    before, now = (text and redactor.text(text) for text in (before, now))  # they are cut
    common = len(os.path.commonprefix([before or "", now or ""]))
    return f"was {_shown(before, common)}, is {_shown(now, common)}"


def _shown(text: str | None, common: int) -> str:
    if text is None:
        return "not set"
    if _is_fingerprint(text):
        return f"another text (not shown, {text})"
    start = max(common - _LEAD, 0) if len(text) > _SHOWN else 0
    part = text[start : start + _SHOWN]
    return f"'{'...' if start else ''}{part}{'...' if start + _SHOWN < len(text) else ''}'"


def _is_fingerprint(text: str) -> bool:
    return bool(re.fullmatch(rf"{_DIGEST}[0-9a-f]{{16}}", text))
