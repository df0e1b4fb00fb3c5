"""Planning a run: which tables and datasets, in which waves, dealt into which lanes."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import cast

from comboi_core.app import runfiles
from comboi_core.app.workspace import Workspace
from comboi_core.building.scripts import code_fingerprint, made_with
from comboi_core.building.validation.project import script_problems
from comboi_core.config.project import STAGES, Project
from comboi_core.config.sources import SourceConfig
from comboi_core.domain.contracts.run import (
    DatasetItem,
    FrozenPlan,
    ItemOutcome,
    ItemPage,
    ListItems,
    PlannedItem,
    PlanRun,
    RunPlan,
    Wave,
    WaveOutline,
)
from comboi_core.domain.errors import ConfigError, RequestInvalid, SelectionEmpty
from comboi_core.domain.graph import waves
from comboi_core.domain.manifest import is_manifest_of
from comboi_core.domain.names import did_you_mean, table_id

PAGE_ITEMS = 10
"""Items that a lane takes on before its history starts anew: under 200 events, even where each table is folded."""
FEW = 40
"""So many tables, at most, are listed in the plan's own answer, which saves each lane the question for its own."""

ITEM_COST = 50_000
"""What any item costs, in rows that could be read meanwhile; deals many small ones evenly."""


def plan_run(workspace: Workspace, request: PlanRun) -> RunPlan:
    """Freeze the plan into the lake; the answer holds counts, and the tables themselves only where they are FEW.

    Raises:
        ConfigError: a script is missing or misshapen: better now than after an hour of extraction.
        SelectionEmpty, RequestInvalid: `select` or `stage` names what is not there.
    """
    project = workspace.project
    if request["pipeline"] != project.pipeline:
        raise RequestInvalid(f"the configuration's pipeline is '{project.pipeline}', not '{request['pipeline']}'")
    stage, select = request.get("stage"), request.get("select") or []
    sizes = workspace.table_sizes(_crowded(project, _selected(project, stage, select)))
    planned = plan_waves(project, stage, select, sizes)
    items = [item for wave in planned for lane in wave["lanes"] for item in lane]
    datasets = [item for item in items if item["kind"] == "dataset"]
    problems = script_problems(project, only={item["name"] for item in datasets})
    if problems:
        raise ConfigError("\n".join(problems))
    for item in datasets:
        item["code"] = code_fingerprint(made_with(project, project.dataset(item["name"])[1]))
    plan: FrozenPlan = {
        "run_id": request["run_id"],
        "pipeline": request["pipeline"],
        "trigger": request.get("trigger"),
        "stage": request.get("stage"),
        "select": request.get("select"),
        "full_refresh": request.get("full_refresh"),
        "config_hash": project.config_hash,
        "failure_policy": project.pipeline_file.failure_policy,
        "waves": planned,
    }
    path = runfiles.plan_path(request["run_id"], secrets.token_hex(4))
    runfiles.write_work(workspace.lake("bronze"), path, plan)
    retry = project.pipeline_file.retry
    return {
        "plan": path,
        "config_hash": plan["config_hash"],
        "failure_policy": plan["failure_policy"],
        "retry": {"attempts": retry.attempts, "first_delay": retry.first_delay, "factor": retry.factor},
        "waves": [_outline(wave) for wave in planned],
    }


def _outline(wave: Wave) -> WaveOutline:
    lanes = wave["lanes"]
    outline: WaveOutline = {"stage": wave["stage"], "lanes": len(lanes)}
    if wave["stage"] == "bronze" and sum(map(len, lanes)) <= FEW:
        outline["pages"] = [{"items": lane[:PAGE_ITEMS], "more": len(lane) > PAGE_ITEMS} for lane in lanes]
    return outline


def plan_waves(
    project: Project, stage: str | None, select: list[str], sizes: Mapping[str, int] | None = None
) -> list[Wave]:
    """Return the waves of a run.

    Bronze is one wave: every source's tables, dealt into `max_parallel` lanes per source. Silver and gold have a wave
    per step of the dependency order, dealt into `parallel_datasets` lanes.

    Args:
        sizes: Expected rows per `source.table`, as far as known; the largest are dealt first.
    """
    wanted = _selected(project, stage, select)
    planned: list[Wave] = []
    lanes = [lane for source in project.pipeline_file.sources for lane in _table_lanes(source, wanted, sizes or {})]
    if lanes:
        planned.append({"stage": "bronze", "lanes": lanes})
    parallel = project.pipeline_file.engine.parallel_datasets
    for layer in ("silver", "gold"):
        items = {item.name: item for item in project.datasets(layer) if item.name in wanted}
        needs = {name: {part.dataset for part in item.inputs if part.dataset} for name, item in items.items()}
        needs = {name: needed | (items[name].references & items.keys()) for name, needed in needs.items()}
        for names in waves(needs):
            datasets: list[PlannedItem] = [_planned_dataset(project, name) for name in names]
            planned.append({"stage": layer, "lanes": _deal(datasets, parallel, {})})
    return planned


def _selected(project: Project, stage: str | None, select: list[str]) -> set[str]:
    """Return the full names (`source.table` or dataset) that are selected; a table's short name will do."""
    if stage is not None and stage not in STAGES:
        raise RequestInvalid(f"there is no stage '{stage}'{did_you_mean(stage, STAGES)}; there are {', '.join(STAGES)}")
    chosen = set() if select else set(project.names)
    for name in select:
        matches = project.meant_by(name)
        if not matches:
            raise SelectionEmpty(f"there is no table or dataset '{name}'{did_you_mean(name, project.names)}")
        chosen.update(matches)
    stages = {item.name: layer for layer in STAGES for item in project.datasets(layer)}
    chosen = {name for name in chosen if stage in (None, stages.get(name, "bronze"))}
    if not chosen:
        raise SelectionEmpty(f"nothing is selected: stage {stage}, select {', '.join(select) or 'everything'}")
    return chosen


def _deal(items: list[PlannedItem], lanes: int, sizes: Mapping[str, int]) -> list[list[PlannedItem]]:
    """Deal items into lanes, the largest first, each to the lane that has least so far."""
    dealt: list[list[PlannedItem]] = [[] for _ in range(min(lanes, len(items)))]
    loads = [0] * len(dealt)
    for item in sorted(items, key=lambda item: -sizes.get(item["name"], 0)):
        lane = loads.index(min(loads))
        dealt[lane].append(item)
        loads[lane] += sizes.get(item["name"], 0) + ITEM_COST
    return dealt


def _crowded(project: Project, wanted: set[str]) -> list[SourceConfig]:
    """Return the sources with more tables than lanes. With fewer, each table has a lane, whatever its size."""
    counts = {
        source.name: sum(table_id(source.name, table.name) in wanted for table in source.tables)
        for source in project.pipeline_file.sources
    }
    return [source for source in project.pipeline_file.sources if counts[source.name] > source.max_parallel]


def _table_lanes(source: SourceConfig, wanted: set[str], sizes: Mapping[str, int]) -> list[list[PlannedItem]]:
    items: list[PlannedItem] = [
        {
            "kind": "table",
            "stage": "bronze",
            "name": table_id(source.name, table.name),
            "source": source.name,
            "table": table.name,
            "parallel_chunks": table.parallel_chunks,
        }
        for table in source.tables
        if table_id(source.name, table.name) in wanted
    ]
    return _deal(items, source.max_parallel, sizes)


def _planned_dataset(project: Project, name: str) -> DatasetItem:
    stage, dataset = project.dataset(name)
    datasets = {item.name for item in project.datasets()}
    inputs = {table_id(item.source, item.table) for item in dataset.inputs if item.source and item.table}
    tables = sorted(inputs | (dataset.references - datasets))
    upstream = sorted({*tables, *(item.dataset for item in dataset.inputs if item.dataset), *dataset.references})
    return {"kind": "dataset", "stage": stage, "name": name, "tables": tables, "upstream": upstream}


def list_items(workspace: Workspace, lane: ListItems) -> ItemPage:
    """Return a page of a lane's items.

    Those that have an outcome come with it: what an earlier execution of the lane has recorded, and datasets whose
    inputs failed in this run (`skipped`). Datasets come with the `manifests` of the tables that this run has landed or
    found unchanged: while it holds the lease nobody else moves them.
    """
    lake = workspace.lake("bronze")
    plan: FrozenPlan = runfiles.read_json(lake, lane["plan"])
    items = plan["waves"][lane["wave"]]["lanes"][lane["lane"]]
    start = lane["page"] * PAGE_ITEMS
    page = items[start : start + PAGE_ITEMS]
    if lane.get("again") or any(item["kind"] == "dataset" for item in page):
        finished = {item["name"]: item for item in runfiles.finished_items(lake, lane["run_id"])}
        page = [_with_outcome(item, finished) for item in page]
    return {"items": page, "more": len(items) > start + PAGE_ITEMS}


def _with_outcome(item: PlannedItem, finished: Mapping[str, ItemOutcome]) -> PlannedItem:
    """Return an item with what is known of it; see `list_items`."""
    if item["name"] in finished:
        named = ("kind", "stage", "name")
        outcome = {key: value for key, value in finished[item["name"]].items() if key not in named}
        return cast(PlannedItem, {**item, "outcome": outcome})
    if item["kind"] == "table":
        return item
    paths = {name: finished[name].get("manifest") for name in item["tables"] if name in finished}
    manifests = {name: path for name, path in paths.items() if path and is_manifest_of(path, *name.split(".", 1))}
    dataset: DatasetItem = {**item, "manifests": manifests}
    for name in item.get("upstream", ()):
        if name in finished and finished[name]["status"] != "succeeded":
            reason = f"its input {name} was not built in this run"
            return {**dataset, "outcome": {"status": "skipped", "reason": reason}}
    return dataset
