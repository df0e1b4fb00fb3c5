"""Monitoring: runs, one run (live while it is on), tables, health."""

from __future__ import annotations

import asyncio
from typing import Annotated, cast

from typing_extensions import TypedDict

from comboi_core.app.workspace import Workspace
from comboi_core.building.validation.project import reference_problems
from comboi_core.domain.contracts.fields import Described
from comboi_core.domain.contracts.hub import InstanceStatus
from comboi_core.domain.contracts.record import RunRecord
from comboi_core.domain.contracts.run import RecordRun
from comboi_core.domain.contracts.table import AuditEntry, CheckpointRecord, Commit
from comboi_core.domain.errors import ComboiError, LakeNotFound, RunEndedUnfinished, RunNotFound, TableNotFound
from comboi_core.domain.names import RUN_ID_PATTERN, did_you_mean, table_id
from comboi_core.domain.redaction import redactor
from comboi_core.runs.record import assemble
from comboi_core.runs.records import RECORDS, read_record
from comboi_core.state import checkpoint
from comboi_core.state.checkpoint import TableState
from comboi_core.web.hub import ENDED, Hub, why_ended
from comboi_core.web.live import live_items


class TableShown(CheckpointRecord):
    """A table's checkpoint, latest loads and audit, newest first."""

    source: str
    table: str
    loads: list[Commit]
    audit: list[AuditEntry]


class Tables(TypedDict):
    """Every configured table, with its latest load."""

    pipeline: str
    tables: list[TableShown]


class Health(TypedDict):
    """Whether runs can start, and what keeps them from it."""

    status: Annotated[str, Described(enum=["ok", "unhealthy"])]
    reasons: list[str]


async def get_run(hub: Hub, workspace: Workspace, run_id: str) -> RunRecord:
    """Return one run's record; while it is on, as far as it has come.

    While the lake is down, a run that is on has neither tables nor datasets, and `problem` says why. A run that ended
    without a record (`unrecorded`) is what the pipeline remembers of it.

    Raises:
        RunNotFound: no run has this id.
        RecordUnreadable: its record is not one; the message names the file.
        ComboiError: the lake cannot be read, and has the run's record.
    """
    if not RUN_ID_PATTERN.match(run_id):
        raise RunNotFound(
            f"'{run_id}' is no run id; they look like {workspace.project.pipeline}-20261123T060000Z-7f3a91"
        )
    down = None
    try:
        record = await asyncio.to_thread(_recorded, workspace, run_id)
        return await _until_released(hub, workspace, record)
    except LakeNotFound:
        status = await hub.status(run_id)
    except ComboiError as error:
        down, status = error, await hub.status(run_id)
    if not status:
        known = await _remembered(hub, workspace, run_id)
        if known.get("unrecorded"):  # the task hub has been cleared of it
            return known
        raise down or RunNotFound(f"there is no run '{run_id}'")
    output = status["output"] if isinstance(status["output"], dict) else {}
    if status["runtimeStatus"] in ENDED:
        if down and not output.get("unrecorded"):
            raise down
        ending = {key: output[key] for key in ("holder", "error", "finished_at", "unrecorded") if key in output}
        if "status" not in output:
            ending = {"error": RunEndedUnfinished(why_ended(status)).record()}
        known = await _remembered(hub, workspace, run_id)
        return cast(RunRecord, {**known, "status": output.get("status", "failed"), **ending})
    try:
        return await _live(hub, workspace, run_id, status)
    except ComboiError as error:
        phase = (status["customStatus"] or {}).get("phase", "starting")
        known, problem = await _remembered(hub, workspace, run_id), redactor.value(dict(error.record()))
        return {**known, "status": "running", "phase": phase, "finished_at": None, "problem": problem}


def _recorded(workspace: Workspace, run_id: str) -> RunRecord:
    return read_record(workspace.lake("bronze"), run_id)


async def _remembered(hub: Hub, workspace: Workspace, run_id: str) -> RunRecord:
    """Return a run without its items: what the pipeline's entity remembers of it."""
    state = await hub.read("pipeline", workspace.project.pipeline)
    summaries = [run for run in state["runs"] if run["run_id"] == run_id] if state else []
    empty = {"run_id": run_id, "pipeline": workspace.project.pipeline, "tables": [], "datasets": []}
    return cast(RunRecord, {**empty, **(summaries[0] if summaries else {})})


async def _live(hub: Hub, workspace: Workspace, run_id: str, status: InstanceStatus) -> RunRecord:
    """Return the record of a run that is on, as far as it has come."""
    lake, phase = workspace.lake("bronze"), status["customStatus"] or {}
    asked = status["input"] if isinstance(status["input"], dict) else {}
    now = {"run_id": run_id, "fence": phase.get("fence"), "started_at": status["createdTime"]}
    run = cast(RecordRun, {**asked, **now})
    state = await hub.read("pipeline", workspace.project.pipeline)
    holder = state and state["holder"]
    if holder and holder["run_id"] == run_id:
        run["cancelled"], run["started_at"] = holder.get("cancelled"), holder["since"]
    live = await live_items(hub, lake, run_id, phase)
    record = await asyncio.to_thread(assemble, lake, run, live, phase.get("wave", -1))
    return {**record, "status": "running", "phase": phase.get("phase", "starting"), "finished_at": None}


async def _until_released(hub: Hub, workspace: Workspace, record: RunRecord) -> RunRecord:
    """Show a recorded run as running until it has given its lease back: its end means that the next one may start."""
    state = await hub.read("pipeline", workspace.project.pipeline)
    holder = state and state["holder"]
    if holder and holder["run_id"] == record["run_id"]:
        status = await hub.status(record["run_id"])
        if status and status["runtimeStatus"] not in ENDED:
            return {**record, "status": "running", "phase": "finishing", "finished_at": None}
    return record


async def list_tables(hub: Hub, workspace: Workspace) -> Tables:
    """Return every configured table with its checkpoint and latest load."""
    names = list(workspace.project.tables)
    states = await asyncio.gather(*(_state(hub, workspace, *name) for name in names))
    tables = [_table(source, table, state, commits=1) for (source, table), state in zip(names, states, strict=True)]
    return {"pipeline": workspace.project.pipeline, "tables": tables}


async def get_table(hub: Hub, workspace: Workspace, name: str) -> TableShown:
    """Return one table's checkpoint and its latest loads.

    Args:
        name: `source.table`.

    Raises:
        TableNotFound: the configuration has no such table.
    """
    source, table = find_table(workspace, name)
    return _table(source, table, await _state(hub, workspace, source, table), commits=20)


def find_table(workspace: Workspace, name: str) -> tuple[str, str]:
    """Return source and table of `source.table`, or of the table's name alone where it is unique.

    Raises:
        TableNotFound: the configuration has no such table, or several.
    """
    known = {table_id(*key): key for key in workspace.project.tables}
    matches = [name] if name in known else [full for full in known if known[full][1] == name]
    if len(matches) > 1:
        raise TableNotFound(f"'{name}' may be any of {', '.join(matches)}", remedy="Give the source as well.")
    if not matches:
        words = [*known, *(table for _, table in known.values())]
        raise TableNotFound(f"there is no table '{name}'{did_you_mean(name, words)}")
    return known[matches[0]]


def entity_key(workspace: Workspace, source: str, table: str) -> str:
    """Return the key of a table's entity."""
    return f"{workspace.project.pipeline}.{table_id(source, table)}"


async def _state(hub: Hub, workspace: Workspace, source: str, table: str) -> TableState | None:
    return await hub.read("table", entity_key(workspace, source, table))


def _table(source: str, table: str, state: TableState | None, *, commits: int) -> TableShown:
    state = state or checkpoint.initial()
    known = checkpoint.get(state, {})[1]["checkpoint"]
    return {"source": source, "table": table, **known, "loads": state["commits"][:commits], "audit": state["audit"]}


async def health(workspace: Workspace) -> tuple[bool, Health]:
    """Tell whether runs can start: references have values and the lake can be listed."""
    reasons = reference_problems(workspace.project)
    try:
        await asyncio.to_thread(workspace.lake("bronze").exists, RECORDS)
    except ComboiError as error:
        reasons.append(error.message)
    return not reasons, {"status": "ok" if not reasons else "unhealthy", "reasons": reasons}
