"""What runs have left: failing rows in their records, working files; and the record of the erasure itself."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from comboi_core.app import runfiles
from comboi_core.app.workspace import Workspace
from comboi_core.domain.contracts.erasure import (
    DatasetOutcome,
    EraseRecords,
    ErasureDone,
    FrozenErasure,
    RecordErasure,
    RecordsErased,
)
from comboi_core.domain.contracts.record import ErasureRecord, RunRecord
from comboi_core.domain.contracts.run import RunRecorded
from comboi_core.domain.equal_texts import Texts
from comboi_core.domain.errors import LakeNotFound
from comboi_core.domain.folders import sweep
from comboi_core.domain.interval import seconds_between
from comboi_core.domain.names import RUN_ID_PATTERN, table_id
from comboi_core.domain.ports import Lake
from comboi_core.erasure.datasets import outcome_path
from comboi_core.erasure.files import Sought, spellings
from comboi_core.erasure.keys import read_keys, request_path, secret_folder, unspoken
from comboi_core.runs.record import summary
from comboi_core.runs.records import begun_record, find_record, newest_records, record_path

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

HasKey = Callable[[Mapping[str, Any]], bool]

_CUT = "…"
"""What stands at the end of a text that a sample shows in part."""


def erase_records(workspace: Workspace, job: EraseRecords) -> RecordsErased:
    """Take failing rows with a key out of run records, until the soft deadline has passed; then delete working files.

    Records of datasets that the erased table has no part in stay as they are: another column may have the key's name.
    So do those of other pipelines that share the lake; rows that look like it are counted.
    """
    lake, sought = workspace.lake("bronze"), read_keys(workspace, job["keys"])
    plan: FrozenErasure = runfiles.read_json(lake, job["plan"])
    made = {item["name"] for item in plan["datasets"]}
    others = {item.name for item in workspace.project.datasets()} - made
    deadline = time.monotonic() + workspace.project.pipeline_file.engine.soft_deadline
    removed, left = 0, Counter[str]()
    with unspoken(sought), workspace.duckdb() as con:
        has_key = key_test(con, sought)
        for run, path in sorted(newest_records(lake)):
            if run <= job["after"]:
                continue
            owner = run.rsplit("-", 2)[0]
            own = owner in workspace.project.owners
            rows = _erase_samples(lake, path, has_key, others if own else set(), keep=not own)
            removed += rows if own else 0
            left += Counter({owner: 0 if own else rows})  # which drops zeros
            if time.monotonic() >= deadline:
                return {"after": run, "samples": removed, "left": dict(left)}
    _delete_work(lake, job)
    return {"after": None, "samples": removed, "left": dict(left)}


def key_test(con: DuckDBPyConnection, sought: Sought) -> HasKey:
    """Return a test whether a row of a sample, column -> JSON value, has one of the keys."""
    names = [{name.lower() for name in names} for names in sought.names]
    keys = [
        [frozenset(spellings(con, sought, position, text)) for position, text in enumerate(key)] for key in sought.keys
    ]
    equal = [sought.equal(position) for position in range(len(names))]

    def has_key(row: Mapping[str, Any]) -> bool:
        return any(
            all(
                any(column.lower() in columns and _same(value, texts, rule) for column, value in row.items())
                for columns, texts, rule in zip(names, key, equal, strict=True)
            )
            for key in keys
        )

    return has_key


def _same(value: Any, texts: frozenset[str], equal: Texts) -> bool:
    if value is None:
        return False
    text_of_value = str(value)
    if isinstance(value, float) and value.is_integer():
        return text_of_value in texts or str(int(value)) in texts
    if len(text_of_value) > 1 and text_of_value.endswith(_CUT):
        return any(text.startswith(text_of_value[:-1]) for text in texts)
    return bool({text_of_value, equal.canonical(text_of_value)}.intersection(texts))


def _erase_samples(lake: Lake, path: str, has_key: HasKey, others: set[str], *, keep: bool) -> int:
    """Take the rows with a key out of a record, or count them only (`keep`); return how many there are.

    Args:
        others: Datasets whose samples are not looked at.
    """
    try:
        record: RunRecord = runfiles.read_json(lake, path)
    except (LakeNotFound, ValueError):
        return 0  # gone meanwhile, or not one of comboi's
    removed = 0
    for dataset in record.get("datasets") or ():
        for check in () if dataset["name"] in others else dataset.get("checks") or ():
            kept = [row for row in check.get("sample") or () if not has_key(row)]
            removed += len(check.get("sample") or ()) - len(kept)
            check["sample"] = kept
    if removed and not keep:
        runfiles.write_json(lake, path, record)
    return removed


def _delete_work(lake: Lake, job: EraseRecords) -> None:
    """Delete working files of runs that have ended: those with a record, and earlier ones of this pipeline without.

    The erasure holds the lease, so no run of the pipeline is under way. An erasure that was asked for in this very
    second may lose its keys by this; it then says that it has to be asked for again.
    """
    own = f"{job['pipeline']}-"

    def ended(run: str) -> bool:
        ours = bool(RUN_ID_PATTERN.match(run)) and run.rsplit("-", 2)[0] + "-" == own
        return (ours and _second(run) <= _second(job["run_id"])) or find_record(lake, run) is not None

    runfiles.delete_work(lake, {run for run in runfiles.working_runs(lake) - {job["run_id"]} if ended(run)})


def _second(run_id: str) -> str:
    """The part of a run's id that sorts by time."""
    return run_id.rsplit("-", 1)[0]


def record_erasure(workspace: Workspace, job: RecordErasure) -> RunRecorded:
    """Delete the keys, write the erasure's record, delete its working files; return the record's summary."""
    lake, path = workspace.lake("bronze"), record_path(job["run_id"])
    lake.delete(lake.list(secret_folder(job["run_id"])))
    if lake.exists(path):  # an execution that was cut off after it
        record: RunRecord = runfiles.read_json(lake, path)
    else:
        record = _record(lake, job)
        runfiles.write_json(lake, path, record)
    lake.delete(lake.list(f"{runfiles.WORK}/{job['run_id']}"))
    lake.tidy()
    sweep(workspace.project.pipeline_file.engine.temp_directory)  # rows that a killed build has spilled
    return {"summary": summary(record)}


def _record(lake: Lake, job: RecordErasure) -> RunRecord:
    done, start, end = job["done"], job["started_at"], job["finished_at"]
    datasets: list[DatasetOutcome] = [
        runfiles.read_json(lake, outcome_path(job["run_id"], name)) for name in _looked_at(lake, job["run_id"], done)
    ]
    for dataset in datasets:
        dataset.pop("builds", None)
    items = [done["table"], *datasets]
    asked: ErasureRecord = {"requested": {"by": job["by"]}}
    if lake.exists(request_path(job["run_id"])):
        asked = runfiles.read_json(lake, request_path(job["run_id"]))
    removed = sum((dataset.get("removed") or 0) + dataset.get("removed_beside", 0) for dataset in datasets)
    removed += done["table"].get("removed", 0) + done["table"].get("removed_elsewhere", 0)
    record = begun_record({"run_id": job["run_id"], "pipeline": job["pipeline"], "trigger": job["trigger"]})
    record["status"] = "failed" if job["error"] or any(item["status"] == "failed" for item in items) else "succeeded"
    record["fence"], record["error"] = job["fence"], job["error"]
    record["started_at"], record["finished_at"], record["seconds"] = start, end, seconds_between(start, end)
    record["select"], record["full_refresh"] = [table_id(job["source"], job["table"])], False
    record["config_hash"] = done.get("config_hash")
    record["tables"] = [{"source": job["source"], "table": job["table"], **done["table"]}]
    record["datasets"] = list(datasets)
    record["erasure"] = {
        **asked,
        "removed": removed,
        "samples": done.get("samples", 0),
        "left_in_records": done.get("left", {}),
        "found": bool(removed or done.get("samples")),
        "not_erased": [dataset["name"] for dataset in datasets if dataset.get("not_erased")],
    }
    return record


def _looked_at(lake: Lake, run_id: str, done: ErasureDone) -> list[str]:
    """Return the datasets that have an outcome, in the plan's order."""
    if "plan" not in done:
        return []
    plan: FrozenErasure = runfiles.read_json(lake, done["plan"])
    return [item["name"] for item in plan["datasets"] if lake.exists(outcome_path(run_id, item["name"]))]
