"""What comboi's orchestrators and entities were asked in five scenarios, asked again through the pinned Durable SDK."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from benchmarks.histories.tape import outcome, read, write

ROOT = Path(__file__).resolve().parents[2]


def tool(name: str, folder: Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", f"benchmarks.histories.{name}", str(folder)]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def captured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("histories")
    done = tool("capture", folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
def test_every_scenario_is_captured_in_the_protocol_of_the_worker(captured):
    functions = defaultdict(set)
    for exchange in read(captured):
        functions[exchange.scenario].add(exchange.function)
        request = json.loads(exchange.request)
        if exchange.trigger == "entityTrigger":
            assert request.keys() == {"self", "exists", "state", "batch"}
            assert len(outcome(exchange.answer)["results"]) == len(request["batch"])
        else:
            assert [event["EventType"] for event in request["history"][:2]] == [12, 0]
            assert all("IsPlayed" in event for event in request["history"])
            assert request.keys() > {"input", "instanceId", "isReplaying", "parentInstanceId", "upperSchemaVersionNew"}
    assert set(functions) == {"run", "failing share", "cancel", "backfill", "erasure"}
    assert {"run_pipeline", "run_lane", "load_table", "pipeline", "table"} <= functions["run"]
    assert {"erase_keys", "erase_share", "erase_datasets"} <= functions["erasure"]


@pytest.mark.slow
def test_the_sdk_answers_all_of_them_as_before(captured):
    replayed = tool("replay", captured)
    assert (replayed.returncode, "all equal" in replayed.stdout) == (0, True), replayed.stdout


@pytest.mark.slow
def test_an_orchestrator_that_would_do_something_else_is_told(captured, tmp_path):
    exchanges = list(read(captured))
    at = next(i for i, one in enumerate(exchanges) if one.function == "run_pipeline" and "functionName" in one.answer)
    exchanges[at] = dataclasses.replace(exchanges[at], answer=exchanges[at].answer.replace("functionName", "other"))
    write(tmp_path, exchanges)
    replayed = tool("replay", tmp_path)
    assert (replayed.returncode, f"line {at + 1}, run, run_pipeline" in replayed.stdout) == (1, True)
