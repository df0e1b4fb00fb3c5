"""Application Insights at the wire, and what telemetry changes in the process put back."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from comboi_core.telemetry import insights
from tests.doubles.ingestion import IngestionDouble


@pytest.fixture
def ingestion(monkeypatch: pytest.MonkeyPatch) -> Iterator[IngestionDouble]:
    """An endpoint that takes everything; signals are sent without waiting for more of them."""
    for proxy in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(proxy, raising=False)
    monkeypatch.setattr(insights, "INTERVAL", 0.01)
    monkeypatch.setattr(insights, "DELAYS", (0.01, 0.01))
    double = IngestionDouble()
    yield double
    double.close()


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """The engine's logger, put back as it was."""
    logger = logging.getLogger("comboi")
    before, level = list(logger.handlers), logger.level
    yield logger
    for handler in set(logger.handlers) - set(before):
        logger.removeHandler(handler)
        handler.close()
    logger.setLevel(level)
