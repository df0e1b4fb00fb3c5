"""Which tests `make test` leaves to other targets: those marked `slow` or `kill`, and all but some of a `few`."""

from __future__ import annotations

from collections import defaultdict

import pytest


def mark_all_but_a_few(items: list[pytest.Item]) -> None:
    """Mark what `@pytest.mark.few(N, then="kill")` leaves out: all but N of a test's parameters.

    The N lie evenly apart, the first and the last among them: each of several lists of parameters has its share.

    Args:
        items: Tests in the order in which they stand. Those beyond the N get the marker `then`, `slow` unless said.
    """
    tests: defaultdict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        if item.get_closest_marker("few"):
            tests[item.nodeid.partition("[")[0]].append(item)
    for parameters in tests.values():
        few = parameters[0].get_closest_marker("few")
        assert few is not None
        count, last = few.args[0], len(parameters) - 1
        kept = {round(number * last / max(count - 1, 1)) for number in range(min(count, len(parameters)))}
        for number, item in enumerate(parameters):
            if number not in kept:
                item.add_marker(few.kwargs.get("then", "slow"))
