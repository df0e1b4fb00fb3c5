"""What the commands change in the process is put back."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator

import pytest

from comboi_core.cli import options


@pytest.fixture(autouse=True)
def process_as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keep environment, loggers and warning filters; nothing is wrapped."""
    for name in ("COMBOI_CONFIG", "COMBOI_HUB", "COMBOI_URL", "COMBOI_KEY", "COMBOI_LAKE_ROOT"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "200")
    for console in (options.console, options.errors):  # made once, as wide as it was then
        monkeypatch.setattr(console, "width", 200)
    logger = logging.getLogger("comboi")
    handlers, propagate, level = list(logger.handlers), logger.propagate, logger.level
    with warnings.catch_warnings():
        yield
    logger.handlers[:], logger.propagate = handlers, propagate
    logger.setLevel(level)
