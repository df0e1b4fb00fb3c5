"""Shortfalls: their codes are a closed list, which docs/operations.md shows."""

from __future__ import annotations

import re

import pytest

from comboi_core.domain.shortfall import CODES, Shortfall
from tests.docs.blocks import ROOT


def test_a_code_that_nobody_knows_is_refused():
    with pytest.raises(ValueError, match="there is no shortfall 'rows_gone'"):
        Shortfall("rows_gone", "10 rows are gone", "Look for them.")


def test_the_page_on_operations_lists_every_code_with_its_meaning():
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    section = page.partition("\n## Shortfalls\n")[2].partition("\n## ")[0]

    assert dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", section, re.MULTILINE)) == dict(CODES)
