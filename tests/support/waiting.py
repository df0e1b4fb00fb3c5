"""Waiting for what another thread or process does; only a wait that is far too long fails."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

WAIT = 120.0
"""Seconds."""


def until(condition: Callable[[], Any]) -> Any:
    """Return what a condition gives once that is true."""
    deadline = time.monotonic() + WAIT
    while not (found := condition()):
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.02)
    return found
