"""New transformations and checks, from what is in the lake."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from comboi_core.app.workspace import Workspace
from comboi_core.config.base import DatasetName, Name
from comboi_core.config.datasets import DatasetConfig
from comboi_core.config.project import Project
from comboi_core.devtools.catalogue.lake import Lakes
from comboi_core.devtools.scaffold.carry_out import CODE, Change, Files, carry_out, entry, position_of
from comboi_core.devtools.scaffold.code import Known, Writer, check_script, python_script, sql_script
from comboi_core.devtools.scaffold.yaml import Item, mapping_lines
from comboi_core.domain.errors import RequestInvalid, SelectionEmpty
from comboi_core.domain.manifest import Manifest
from comboi_core.domain.names import did_you_mean, table_id


@dataclass(frozen=True)
class Scaffolded:
    """What was done: paths below the project's folder, and what to know of it."""

    created: tuple[str, ...]
    edited: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Input:
    """An input by its full name; `entry` is how the YAML names it."""

    name: str
    stage: str
    entry: dict[str, str]


def new_transformation(
    workspace: Workspace,
    config: Path | None,
    name: str,
    sources: Sequence[str],
    *,
    python: bool,
    stage: str | None = None,
) -> Scaffolded:
    """Add a dataset: its script, and its entry in the YAML. If it has the entry already, the script alone.

    Args:
        sources: Tables (`source.table`, or the table's name where it is unique) and datasets.
        stage: Default: gold if an input is gold, else silver.

    Raises:
        RequestInvalid, SelectionEmpty: a name cannot be used, or is nobody's.
        EntryNotPlaced, ConfigError: nothing was written.
    """
    project = workspace.project
    check_name(name, DatasetName, "dataset")
    files = Files.of(project, config)
    known = next((item for item in project.datasets() if item.name == name), None)
    if known is not None and sources:
        raise RequestInvalid(
            f"there is a dataset '{name}' already ({project.places[name]})",
            remedy="Choose another name; or leave --from out to get the script of the dataset as it is configured.",
        )
    if known is not None and known.asset is not None:
        raise RequestInvalid(f"{name} is an asset: its transformation stands in {CODE}/{known.asset}")
    if known is None and not sources:
        raise RequestInvalid("--from: name at least one table or dataset to read")
    found = [_find(project, given) for given in sources]
    inputs = _inputs(known, project) if known else _aliased(name, found)
    described, notes = _described(workspace, inputs)
    ending = "py" if python else "sql"
    stem = known.script_name if known else name
    for other in ("py", "sql"):
        if (files.root / CODE / f"{stem}.{other}").exists():
            raise RequestInvalid(f"{CODE}/{stem}.{other} is there already; nothing was written")
    text = (python_script if python else sql_script)(name, described, Writer(_reserved(workspace)))
    script = f"{CODE}/{stem}.{ending}"
    change = Change(created={script: text})
    if known is None:
        layer = stage or ("gold" if any(item.stage == "gold" for item in found) else "silver")
        item = _dataset_item(name, inputs, described)
        change = Change(change.created, entry(files, files.transformations, (layer,), item).edited)
    carry_out(files, change, dataset=name)
    return Scaffolded((script,), tuple(files.shown(file) for file in change.edited), notes)


def new_check(workspace: Workspace, config: Path | None, name: str, dataset: str) -> Scaffolded:
    """Add a check script and its entry at a dataset. If the dataset names it already, the script alone.

    Raises:
        RequestInvalid, SelectionEmpty: a name cannot be used, or is nobody's.
        EntryNotPlaced, ConfigError: nothing was written.
    """
    project = workspace.project
    check_name(name, Name, "check")
    files = Files.of(project, config)
    names = [item.name for item in project.datasets()]
    if dataset not in names:
        raise SelectionEmpty(f"there is no dataset '{dataset}'{did_you_mean(dataset, names)}")
    stage, known = project.dataset(dataset)
    published = Lakes(workspace).published().get(dataset)
    column = published.columns[0][0] if published and published.columns else None
    script = f"{CODE}/quality/{name}.py"
    change = Change(created={script: check_script(name, dataset, column)})
    if not any(check.script == name for check in known.checks):
        if known.asset is not None:
            raise RequestInvalid(f"{dataset} is an asset: its checks stand in {CODE}/{known.asset}")
        place = (stage, position_of(files.transformations, (stage,), dataset), "quality_checks")
        change = Change(change.created, entry(files, files.transformations, place, Item.plain(name)).edited)
    carry_out(files, change, dataset=None)
    notes = () if column else (f"{dataset} is not published yet, so the check counts its rows only",)
    return Scaffolded((script,), tuple(files.shown(file) for file in change.edited), notes)


def check_name(name: str, kind: Any, what: str) -> None:
    """Raise RequestInvalid unless a name may be that of a dataset, a check or a table."""
    try:
        TypeAdapter(kind).validate_python(name)
    except ValidationError:
        raise RequestInvalid(
            f"'{name}' is no name for a {what}: letters, digits and _, starting with a letter"
        ) from None


def _find(project: Project, given: str) -> _Input:
    """Return the table or dataset that a name means; a table's own name will do where it is unique."""
    known: dict[str, list[_Input]] = {}
    for item in project.datasets():
        stage, _ = project.dataset(item.name)
        known.setdefault(item.name, []).append(_Input(item.name, stage, {"dataset": item.name}))
    for source in project.pipeline_file.sources:
        for table in source.tables:
            full = table_id(source.name, table.name)
            one = _Input(full, "bronze", {"source": source.name, "table": table.name})
            known.setdefault(full, []).append(one)
            known.setdefault(table.name, []).append(one)
    matches = known.get(given, [])
    if len(matches) == 1:
        return matches[0]
    if matches:
        names = ", ".join(f"{one.name} ({one.stage})" for one in matches)
        raise SelectionEmpty(f"'{given}' may mean {names}", remedy="Write the table as source.table.")
    raise SelectionEmpty(f"there is no table or dataset '{given}'{did_you_mean(given, known)}")


def _aliased(name: str, found: Sequence[_Input]) -> dict[str, _Input]:
    """Return an alias for each input: its own last name, made fit for SQL, and told apart."""
    taken = {name.lower()}
    inputs: dict[str, _Input] = {}
    for one in found:
        stem = re.sub(r"\W", "_", one.name.rpartition(".")[2])[:50]
        alias, number = stem, 1
        while alias.lower() in taken:
            number += 1
            alias = f"{stem}_{number}"
        taken.add(alias.lower())
        inputs[alias] = one
    return inputs


def _inputs(dataset: DatasetConfig, project: Project) -> dict[str, _Input]:
    if any("." in item.alias for item in dataset.inputs):
        raise RequestInvalid(f"{dataset.name}: aliases with a schema want a script of your own")
    return {
        item.alias: _find(project, item.dataset or table_id(str(item.source), str(item.table)))
        for item in dataset.inputs
    }


def _described(workspace: Workspace, inputs: dict[str, _Input]) -> tuple[list[Known], tuple[str, ...]]:
    """Return what the lake knows of the inputs, and notes on what it does not."""
    lakes = Lakes(workspace)
    bronze = any(one.stage == "bronze" for one in inputs.values())
    manifests = lakes.manifests() if bronze else {}
    published = lakes.published() if any(one.stage != "bronze" for one in inputs.values()) else {}
    described, missing = [], []
    for alias, one in inputs.items():
        columns: tuple[str, ...] = ()
        key: tuple[str, ...] = ()
        if one.stage == "bronze" and one.name in manifests:
            manifest = manifests[one.name]
            columns, key = _table_columns(manifest), _table_key(manifest)
        elif one.stage != "bronze" and one.name in published:
            columns = tuple(column for column, _ in published[one.name].columns)
            key = _dataset_key(workspace.project.dataset(one.name)[1], columns)
        else:
            missing.append(one.name)
        described.append(Known(alias, columns, key))
    notes = list(lakes.notes)
    if missing:
        notes.append(f"not in the lake yet, so its columns are not known: {', '.join(missing)}")
    return described, tuple(notes)


def _table_columns(manifest: Manifest) -> tuple[str, ...]:
    """Return the source's own columns: where a row came from is rarely of use further on."""
    from comboi_core.sources.files.columns import LINEAGE

    return tuple(column.name for column in manifest.columns if column not in LINEAGE)


def _table_key(manifest: Manifest) -> tuple[str, ...]:
    return () if manifest.mode == "append" else manifest.primary_key


def _dataset_key(dataset: DatasetConfig, columns: Sequence[str]) -> tuple[str, ...]:
    """What a check says is unique, else the key that the dataset is merged by."""
    unique = (check.columns for check in dataset.checks if check.kind in ("unique", "unique_combination"))
    key = next(unique, dataset.materialization.unique_key)
    return key if {name.lower() for name in key} <= {name.lower() for name in columns} else ()


def _dataset_item(name: str, inputs: dict[str, _Input], described: Sequence[Known]) -> Item:
    value: dict[str, object] = {"name": name}
    value["inputs"] = [{"alias": alias, **one.entry} for alias, one in inputs.items()]
    key = list(described[0].key)
    if key:
        unique = {"unique": key[0]} if len(key) == 1 else {"unique_combination": key}
        value["quality_checks"] = [{"not_null": key}, unique]
    return Item(value, mapping_lines(value))


def _reserved(workspace: Workspace) -> set[str]:
    """The words that DuckDB takes for a column's name in quotes only."""
    with workspace.duckdb() as con:
        asked = "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category <> 'unreserved'"
        return {word for (word,) in con.execute(asked).fetchall()}
