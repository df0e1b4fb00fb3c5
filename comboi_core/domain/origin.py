"""Origins: what a table or a dataset was made from, so that a change of it is noticed and can be told.

An origin names each part (`table`, `where`, `connection.server`, the script) with its text. A part whose text may hold
a secret, or is long, is kept as its fingerprint: `sha256:` and 16 hexadecimal digits. Both forms of one text are equal.
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
"""Characters of a part that a message shows."""
_LEAD = 30
"""Characters that two long texts have in common and that are shown before their difference."""
_QUOTED_OR_BLANK = re.compile(
    r"""(?s) (?P<kept> '(?:[^']|'')*' | "(?:[^"]|"")*" | \[[^\]]*\] | (?P<tag>\$\w*\$).*?(?P=tag) )
           | (?: --[^\n]* | /\*.*?\*/ | \s+ )+ """,
    re.VERBOSE,
)


def fingerprint(text: str) -> str:
    """Return what stands for a text that is not kept itself."""
    return _DIGEST + hashlib.sha256(text.encode()).hexdigest()[:16]


def hidden(text: str) -> str:
    """Return a part as its fingerprint, if it is none already."""
    return text if _is_fingerprint(text) else fingerprint(text)


def plain_sql(text: str) -> str:
    """Return SQL without comments and without differences in blanks, outside of quotes.

    It is compared, never run: in rare texts (a backslash before a quote) it may leave a difference that means nothing.
    """
    return _QUOTED_OR_BLANK.sub(lambda found: found["kept"] or " ", text).strip()


def changed_parts(before: Origin, now: Origin) -> tuple[str, ...]:
    """Return the names of the parts that differ, in alphabetical order; none where nothing is known of before."""
    if not before:
        return ()
    return tuple(name for name in sorted({*before, *now}) if not _same(before.get(name), now.get(name)))


def told(before: Origin, now: Origin, parts: tuple[str, ...]) -> str:
    """Return what has changed, for people: each part with what it was and what it is."""
    return "; ".join(f"`{name}` {_was_and_is(before.get(name), now.get(name))}" for name in parts)


def _same(one: str | None, other: str | None) -> bool:
    if one is None or other is None:
        return one == other
    return one == other or hidden(one) == hidden(other)


def _was_and_is(before: str | None, now: str | None) -> str:
    if before and now and _is_fingerprint(before) and _is_fingerprint(now):
        return "is another one"
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
