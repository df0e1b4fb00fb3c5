"""What a run is doing now, as its lanes say."""

from __future__ import annotations

import asyncio

import pytest

from comboi_core.domain.manifest import data_path
from comboi_core.web.live import live_items

RUN = "sales-20261123T060000Z-7f3a91"
LANE = f"{RUN}:0:0"
ITEM = f"{LANE}:shop.orders"
WAVE = {"phase": "bronze", "wave": 0, "lanes": 1}
EXTRACTING = {
    "phase": "extracting", "started_at": "2026-11-23T06:00:01+00:00", "since": "2026-11-23T06:00:02+00:00",
    "sequence": 3, "chunks": 10, "estimated_rows": 1000, "lanes": 2,
}  # fmt: skip


def items(hub, workspace, phase=WAVE) -> dict:
    return asyncio.run(live_items(hub, workspace.lake("bronze"), RUN, phase))


@pytest.fixture
def extracting(hub):
    """A big table, extracted by two lanes."""
    hub.instance(LANE, customStatus={"item": "shop.orders", "done": []})
    hub.instance(ITEM, customStatus=dict(EXTRACTING))
    return hub


def land(workspace, *chunks: int, attempt: str = "aaaa") -> None:
    for chunk in chunks:
        workspace.lake("bronze").write(data_path("shop", "orders", 3, chunk, attempt), b"PAR1")


@pytest.mark.parametrize("phase", [{}, {"phase": "planning", "fence": 1}])
def test_before_the_first_wave_nothing_is_known(hub, workspace, phase):
    assert items(hub, workspace, phase) == {}


def test_rows_so_far_are_what_the_chunks_in_the_lake_let_expect(extracting, workspace):
    land(workspace, 0, 1, 4)
    land(workspace, 4, attempt="bbbb")  # the activity was executed twice
    workspace.lake("bronze").write(data_path("shop", "orders", 2, 9, "aaaa"), b"an earlier load")

    item = items(extracting, workspace)["shop.orders"]

    assert (item["status"], item["rows"], item["attempts"]) == ("running", 300, 1)
    assert item["started_at"] == EXTRACTING["started_at"]
    assert (item["progress"]["chunks_done"], item["progress"]["rows"]) == (3, 300)
    assert "lanes" not in item["progress"]


@pytest.mark.parametrize("expected", [None, 0, 10])
def test_rows_of_calls_that_have_returned_count_where_fewer_were_expected(extracting, workspace, expected):
    extracting.instances[ITEM]["customStatus"]["estimated_rows"] = expected
    for lane, rows in enumerate((250, 400)):
        extracting.instance(f"{ITEM}:{lane}", customStatus={"phase": "extracting", "rows": rows})
    land(workspace, 0)

    assert items(extracting, workspace)["shop.orders"]["rows"] == 650


def test_a_lane_that_tries_again_is_shown_with_its_reason(extracting, workspace):
    error = {"code": "source_unreachable", "message": "no answer"}
    extracting.instance(f"{ITEM}:0", customStatus={"phase": "extracting", "rows": 0})
    extracting.instance(f"{ITEM}:1", customStatus={"phase": "extracting", "rows": 0, "attempt": 3, "error": error})

    item = items(extracting, workspace)["shop.orders"]

    assert (item["attempts"], item["progress"]["attempt"], item["progress"]["error"]) == (3, 3, error)


def test_what_a_lane_has_done_is_not_asked_for_again(hub, workspace):
    done = {"name": "shop.orders", "status": "failed", "seconds": 2.0}
    hub.instance(LANE, customStatus={"item": "shop.items", "done": [done]})

    assert items(hub, workspace) == {
        "shop.orders": done,
        "shop.items": {"status": "running", "attempts": 1, "progress": {}},
    }
