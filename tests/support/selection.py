"""Which tests `make test` leaves to other targets: those marked `slow` or `kill`, and all but the first of a `few`."""

from __future__ import annotations

from collections import Counter

import pytest


def mark_all_but_a_few(items: list[pytest.Item]) -> None:
    """Mark what `@pytest.mark.few(N, then="kill")` leaves out: all but the first N of a test's parameters.

    Args:
        items: Tests in the order in which they stand. Those beyond the N get the marker `then`, `slow` unless said.
    """
    seen: Counter[str] = Counter()
    for item in items:
        if few := item.get_closest_marker("few"):
            test = item.nodeid.partition("[")[0]
            seen[test] += 1
            if seen[test] > few.args[0]:
                item.add_marker(few.kwargs.get("then", "slow"))
