"""Shortfalls: their codes are a closed list, which docs/operations.md shows."""

from __future__ import annotations

import pytest

from comboi_core.domain.shortfall import Shortfall


def test_a_code_that_nobody_knows_is_refused():
    with pytest.raises(ValueError, match="there is no shortfall 'rows_gone'"):
        Shortfall("rows_gone", "10 rows are gone", "Look for them.")
