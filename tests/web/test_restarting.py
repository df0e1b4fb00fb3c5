"""A run that the Functions host has ended is started again, once."""

from __future__ import annotations

import asyncio

import pytest

from comboi_core.domain.host import SIGNS
from comboi_core.web import starting
from comboi_core.web.restarting import restart_run

RUN = "sales-20261123T060000Z-7f3a91"
ASKED = {"run_id": RUN, "pipeline": "sales", "trigger": "timer", "keyed": False}
REQUEST = {"stage": "bronze", "select": ["orders"], "full_refresh": True, "backfill": None, "interval": None}


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Wait for what does not come no longer than a moment."""
    monkeypatch.setattr(starting, "PATIENCE", 0.05)


def restart(hub, workspace):
    return asyncio.run(restart_run(hub, workspace))


def died(hub, output: str, runtime: str = "Failed", **more: str) -> None:
    """Let a run take the lease, and its orchestration end without giving it back."""
    hub.begins(RUN)
    hub.instance(RUN, runtime, input=ASKED | REQUEST | more, output=output)


@pytest.mark.parametrize("sign", SIGNS)
def test_a_run_that_the_host_has_ended_is_started_again_with_the_same_request(hub, workspace, sign, caplog):
    died(hub, f"Orchestrator function 'run_pipeline' failed: {sign}.")

    started = restart(hub, workspace)

    ((orchestrator, run_id, given),) = hub.started
    assert (orchestrator, run_id) == ("run_pipeline", started.run_id) and run_id != RUN
    assert given == REQUEST | {
        "run_id": run_id, "pipeline": "sales", "trigger": "timer", "keyed": False, "in_place_of": RUN,
    }  # fmt: skip
    before = hub.entities["pipeline", "sales"]["runs"][1]
    assert (before["status"], before["error"]["code"]) == ("failed", "run_ended_unfinished")
    assert "the Functions host restarted, or lost its Python worker" in before["error"]["message"]
    assert RUN in caplog.text and run_id in caplog.text


def test_it_is_started_again_once(hub, workspace):
    died(hub, SIGNS[0], in_place_of="sales-20261123T050000Z-7f3a91")

    assert restart(hub, workspace) is None and not hub.started


@pytest.mark.parametrize(
    ("output", "runtime"), [("ValueError: x", "Failed"), (SIGNS[0], "Terminated"), (SIGNS[0], "Running")]
)
def test_a_run_that_lives_or_ended_otherwise_is_left_alone(hub, workspace, output, runtime):
    died(hub, output, runtime)

    assert restart(hub, workspace) is None and not hub.started
    assert hub.entities["pipeline", "sales"]["holder"]["run_id"] == RUN


def test_where_no_run_is_on_nothing_is_started(hub, workspace):
    assert restart(hub, workspace) is None
    hub.begins(RUN)
    hub.finishes(RUN)
    assert restart(hub, workspace) is None and not hub.started
