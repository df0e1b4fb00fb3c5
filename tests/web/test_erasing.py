"""Starting an erasure over HTTP: what is refused, and that no key gets into the task hub."""

from __future__ import annotations

import asyncio
import json

import pytest

from comboi_core.domain.errors import RequestInvalid, RunRefused, TableNotFound
from comboi_core.domain.load import Column
from comboi_core.domain.manifest import Manifest
from comboi_core.lake.bronze import write_manifest
from comboi_core.state import checkpoint
from comboi_core.web.erasing import parse_erasure, start_erasure

GOOD = {"table": "shop.orders", "keys": ["70419"]}


@pytest.mark.parametrize(
    "body, why",
    [
        (b"", "table: expected"),
        (b"[]", "not a JSON object"),
        (b'{"keys": ["70419"]}', "table: expected"),
        (b'{"table": "shop.orders"}', "keys: expected 1 to"),
        (json.dumps(GOOD | {"keys": []}).encode(), "keys: expected 1 to"),
        (json.dumps(GOOD | {"keys": ["70419"] * 101}).encode(), "got 101"),
        (json.dumps(GOOD | {"keys": ["a", 70419]}).encode(), "number 2 is none"),
        (json.dumps(GOOD | {"keys": [{}]}).encode(), "number 1 is none"),
        (json.dumps(GOOD | {"keys": [{"a": 70419}]}).encode(), "number 1 is none"),
        (json.dumps(GOOD | {"keys": "70419"}).encode(), "keys: expected 1 to"),
        (json.dumps(GOOD | {"columns": [""]}).encode(), "columns: expected a list of names"),
        (json.dumps(GOOD | {"by": "a\nb"}).encode(), "by: expected"),
        (json.dumps(GOOD | {"tables": "x"}).encode(), "did you mean 'table'"),
        (b'{"table": "shop.orders", "keys": ["70419"', "not a JSON object"),
    ],
)
def test_a_body_that_cannot_be_understood_is_refused_and_not_repeated(body, why):
    with pytest.raises(RequestInvalid, match=why) as refused:
        parse_erasure(body)
    assert "70419" not in refused.value.message


def test_a_body_is_taken_as_it_is():
    assert parse_erasure(json.dumps(GOOD).encode()) == {**GOOD, "columns": [], "by": ""}


@pytest.fixture
def landed(hub, workspace):
    """shop.orders has been loaded."""
    columns = (Column("id", "integer", "INTEGER"),)
    manifest = Manifest("shop", "orders", 1, 1, "r", "full", ("id",), None, None, columns, ())
    path = write_manifest(workspace.lake("bronze"), manifest)
    state = checkpoint.initial() | {"sequence": 1, "manifest": path}
    hub.entities["table", "sales.shop.orders"] = state
    return workspace


def started(hub, workspace, request=GOOD):
    return asyncio.run(start_erasure(hub, workspace, parse_erasure(json.dumps(request).encode()), "http"))


def test_the_hub_is_given_the_path_of_the_keys(hub, landed):
    run_id = started(hub, landed, GOOD | {"by": "the officer"})
    ((orchestrator, instance, value),) = hub.started
    assert (orchestrator, instance, value["by"]) == ("erase_keys", run_id, "the officer (http)")
    assert "70419" not in json.dumps(value)
    assert b"70419" in landed.lake("bronze").read(value["keys"])


def test_an_erasure_during_a_run_is_refused_and_leaves_no_keys(hub, landed):
    hub.begins("sales-20261123T060000Z-7f3a91")
    with pytest.raises(RunRefused):
        started(hub, landed)
    assert not hub.started and landed.lake("bronze").list("work") == []


def test_one_that_finds_the_lease_taken_a_moment_later_leaves_no_keys(hub, landed):
    holder = {"run_id": "sales-20261123T060000Z-7f3a91", "since": "2026-11-23T06:00:00+00:00"}
    hub.on_start = lambda run_id, _: hub.instance(run_id, customStatus={"phase": "refused", "holder": holder})
    with pytest.raises(RunRefused, match="7f3a91"):
        started(hub, landed)
    assert landed.lake("bronze").list("work") == []


def test_a_hub_that_does_not_take_it_leaves_no_keys(hub, landed):
    def fails(run_id, _):
        raise OSError("no hub")

    hub.on_start = fails
    with pytest.raises(OSError, match="no hub"):
        started(hub, landed)
    assert landed.lake("bronze").list("work") == []


def test_what_cannot_be_erased_from_is_refused(hub, workspace):
    with pytest.raises(TableNotFound):
        started(hub, workspace, GOOD | {"table": "shop.order"})
    with pytest.raises(RequestInvalid, match="never been loaded"):
        started(hub, workspace)
    assert not hub.started
