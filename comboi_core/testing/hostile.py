"""Values and names that sources and their drivers get wrong."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from comboi_core.testing.harness import Kind

VALUES: Mapping[str, tuple[Kind, Any]] = MappingProxyType(
    {
        "quotes": ("text", 'it\'s "x" `y` [z] \'\'\' """ $$a$$'),
        "backslashes": ("text", "a\\b\\' \\0 \\n \\"),
        "statements": ("text", "'; DROP TABLE orders; --"),
        "placeholders": ("text", "{0} {x} %s %(x)s ? :x @y $1 /* -- */"),
        "a NUL": ("text", "a\0b"),
        "control characters": ("text", "a\tb\r\nc\x1a\x7f"),
        "empty text": ("text", ""),
        "blanks": ("text", "  a  "),
        "the word NULL": ("text", "NULL"),
        "a number as text": ("text", "007"),
        "other scripts": ("text", "é漢字🤷\u202e\u0301"),
        "long text": ("text", "0123456789" * 20_000),
        "no integer": ("integer", None),
        "the smallest integer": ("integer", -(2**63)),
        "the largest integer": ("integer", 2**63 - 1),
        "more digits than a double": ("integer", 2**53 + 1),
        "the largest decimal": ("decimal", Decimal("9" * 36 + ".99")),
        "the smallest decimal": ("decimal", Decimal("-" + "9" * 36 + ".99")),
        "a small decimal": ("decimal", Decimal("-0.01")),
        "a decimal that no double holds": ("decimal", Decimal("0.10")),
        "the first moment": ("timestamp", datetime(1, 1, 1)),
        "a moment before 1582": ("timestamp", datetime(1500, 2, 28, 23, 59, 59)),
        "a moment before 1970": ("timestamp", datetime(1969, 12, 31, 23, 59, 59, 999999)),
        "a microsecond": ("timestamp", datetime(2026, 3, 29, 2, 30, 0, 1)),
        "the last moment": ("timestamp", datetime(9999, 12, 31, 23, 59, 59, 999999)),
    }
)

NAMES: Mapping[str, str] = MappingProxyType(
    {
        "a keyword": "select",
        "blanks": "net amount",
        "an apostrophe": "customer's",
        "a double quote": 'say "hi"',
        "a backtick": "a`b",
        "a bracket": "a]b[",
        "other scripts": "größe 漢字",
        "a statement": "x; DROP TABLE orders; --",
        "placeholders": "{0} %s ? :x @y $1",
        "a backslash": "back\\slash",
        "a dot": "a.b",
        "a line break": "new\nline",
        "capitals": "OrderId",
    }
)
