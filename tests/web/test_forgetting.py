"""The task hub forgets runs that ended long ago; the project says after how long."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from comboi_core.web.forgetting import forget_runs


@pytest.mark.slow
def test_runs_that_ended_are_forgotten_after_a_week(hub, workspace):
    now = datetime.now(UTC)
    for name, days, runtime in (
        ("old", 8, "Completed"),
        ("failed", 8, "Failed"),
        ("on", 8, "Running"),
        ("new", 6, "Completed"),
    ):
        hub.instance(name, runtime, createdTime=(now - timedelta(days=days)).isoformat())

    assert asyncio.run(forget_runs(hub, workspace)) == 2
    assert hub.instances.keys() == {"on", "new"}
