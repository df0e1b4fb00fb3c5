"""Cancelling: who is asked, what is answered, and what cannot be cancelled."""

from __future__ import annotations

import asyncio

import pytest

from comboi_core.app import runfiles
from comboi_core.domain.errors import RunNotFound
from comboi_core.runs.records import record_path
from comboi_core.web import starting
from comboi_core.web.answers import problem
from comboi_core.web.cancel import ErasureNotCancelled, RunEnded, cancel_run

RUN = "sales-20261123T050000Z-aaaaaa"


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Wait for what does not come no longer than a moment."""
    monkeypatch.setattr(starting, "PATIENCE", 0.05)


def cancel(hub, workspace, run_id=RUN, by="http") -> dict:
    return asyncio.run(cancel_run(hub, workspace, run_id, by))


def test_the_run_that_is_on_is_asked_to_end_and_keeps_its_lease_until_it_does(hub, workspace):
    hub.begins(RUN)

    answer = cancel(hub, workspace)

    holder = hub.entities["pipeline", "sales"]["holder"]
    assert (answer["status"], answer["cancelled"]["by"]) == ("cancelling", "http")
    assert holder["run_id"] == RUN and holder["cancelled"] == answer["cancelled"]


def test_asked_again_it_says_who_asked_first(hub, workspace):
    hub.begins(RUN)

    assert cancel(hub, workspace, by="http") == cancel(hub, workspace, by="cli")


def test_the_next_run_is_not_cancelled_with_it(hub, workspace):
    hub.begins(RUN)
    cancel(hub, workspace)
    hub.finishes(RUN, "cancelled")
    hub.begins("sales-20261123T060000Z-bbbbbb")

    assert "cancelled" not in hub.entities["pipeline", "sales"]["holder"]


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled"])
def test_a_run_that_is_over_cannot_be_cancelled(hub, workspace, status):
    hub.begins(RUN)
    hub.finishes(RUN, status)
    runfiles.write_json(workspace.lake("bronze"), record_path(RUN), {"run_id": RUN, "status": status})

    with pytest.raises(RunEnded, match=status) as caught:
        cancel(hub, workspace)
    assert problem(caught.value).status == 409


def test_a_run_that_is_over_while_another_one_is_on_leaves_that_one_alone(hub, workspace):
    runfiles.write_json(workspace.lake("bronze"), record_path(RUN), {"run_id": RUN, "status": "failed"})
    hub.begins("sales-20261123T060000Z-bbbbbb")

    with pytest.raises(RunEnded):
        cancel(hub, workspace)
    assert "cancelled" not in hub.entities["pipeline", "sales"]["holder"]


@pytest.mark.parametrize("run_id", [RUN, "x", "", "..%2f", "\ud800", f"{RUN}\n"])
def test_a_run_that_nobody_knows_cannot_be_cancelled(hub, workspace, run_id):
    with pytest.raises(RunNotFound):
        cancel(hub, workspace, run_id)


@pytest.mark.parametrize("runtime", ["Terminated", "Failed"])
def test_a_run_that_was_ended_from_outside_loses_its_lease(hub, workspace, runtime):
    hub.begins(RUN, runtime)

    with pytest.raises(RunEnded, match="from outside"):
        cancel(hub, workspace)
    assert hub.entities["pipeline", "sales"]["holder"] is None


def test_a_run_that_ends_while_it_is_being_cancelled_has_ended(hub, workspace):
    hub.begins(RUN)
    runfiles.write_json(workspace.lake("bronze"), record_path(RUN), {"run_id": RUN, "status": "succeeded"})

    async def too_late(*_):
        hub.finishes(RUN)

    hub.signal = too_late

    with pytest.raises(RunEnded, match="succeeded"):
        cancel(hub, workspace)


def test_an_erasure_goes_on_to_its_end(hub, workspace):
    hub.begins(RUN)
    hub.entities["pipeline", "sales"]["runs"][0]["trigger"] = "erase"

    with pytest.raises(ErasureNotCancelled):
        cancel(hub, workspace)
    assert "cancelled" not in hub.entities["pipeline", "sales"]["holder"]
