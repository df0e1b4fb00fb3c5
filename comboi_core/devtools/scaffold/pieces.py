"""New transformations and checks. They use what the lake knows about the inputs."""

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
    """What was written: paths below the project's folder, and notes."""

    created: tuple[str, ...]
    edited: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Input:
    """An input by its full name. `entry` is its form in the YAML."""

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
    """Add a dataset: its script, and its entry in the YAML. If the entry exists already, only the script.

    Args:
        sources: Tables (`source.table`, or the table's name if it is unique) and datasets.
        stage: Default: gold if an input is gold, else silver.

    Raises:
        RequestInvalid, SelectionEmpty: a name is invalid, or does not exist.
        EntryNotPlaced, ConfigError: nothing was written.
    """
    project = workspace.project
    check_name(name, DatasetName, "dataset")
    files = Files.of(project, config)
    known = next((item for item in project.datasets() if item.name == name), None)
    if known is not None and sources:
        raise RequestInvalid(
            f"the dataset '{name}' already exists ({project.places[name]})",
            remedy="Choose another name. Or omit --from, to create only the script of the existing dataset.",
        )
    if known is not None and known.asset is not None:
        raise RequestInvalid(
            f"{name} is a Bruin asset: its transformation is in {CODE}/{known.asset}", remedy="Edit that file."
        )
    if known is None and not sources:
        raise RequestInvalid(
            "--from is missing: a dataset reads at least one table or dataset",
            remedy=f"For example: comboi new transformation {name} --from SOURCE.TABLE",
        )
    found = [_find(project, given) for given in sources]
    inputs = _inputs(known, project) if known else _aliased(name, found)
    described, notes = _described(workspace, inputs)
    ending = "py" if python else "sql"
    stem = known.script_name if known else name
    for other in ("py", "sql"):
        if (files.root / CODE / f"{stem}.{other}").exists():
            raise RequestInvalid(
                f"{CODE}/{stem}.{other} already exists; nothing was written",
                remedy="Choose another name, or edit that file.",
            )
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
    """Add a check script and its entry for a dataset. If the entry exists already, only the script.

    Raises:
        RequestInvalid, SelectionEmpty: a name is invalid, or does not exist.
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
            raise RequestInvalid(
                f"{dataset} is a Bruin asset: its checks are in {CODE}/{known.asset}", remedy="Edit that file."
            )
        place = (stage, position_of(files.transformations, (stage,), dataset), "quality_checks")
        change = Change(change.created, entry(files, files.transformations, place, Item.plain(name)).edited)
    carry_out(files, change, dataset=None)
    notes = (
        () if column else (f"{dataset} is not published yet, so its columns are not known; the check only counts rows",)
    )
    return Scaffolded((script,), tuple(files.shown(file) for file in change.edited), notes)


def check_name(name: str, kind: Any, what: str) -> None:
    """Raise RequestInvalid if a name is not valid for a dataset, check or table."""
    try:
        TypeAdapter(kind).validate_python(name)
    except ValidationError:
        raise RequestInvalid(
            f"'{name}' is not a valid name for a {what}",
            remedy="Begin with a letter, and use only letters, digits and _.",
        ) from None


def _find(project: Project, given: str) -> _Input:
    """Return the table or dataset with a name. A table can be given by its own name if that is unique."""
    known: dict[str, list[_Input]] = {}
    for item in project.datasets():
        stage, _ = project.dataset(item.name)
        known.setdefault(item.name, []).append(_Input(item.name, stage, {"dataset": item.name}))
    for source, table in project.tables:
        one = _Input(table_id(source, table), "bronze", {"source": source, "table": table})
        known.setdefault(one.name, []).append(one)
        known.setdefault(table, []).append(one)
    matches = known.get(given, [])
    if len(matches) == 1:
        return matches[0]
    if matches:
        names = ", ".join(f"{one.name} ({one.stage})" for one in matches)
        raise SelectionEmpty(f"'{given}' is not unique: it can be {names}", remedy="Write the table as SOURCE.TABLE.")
    raise SelectionEmpty(f"there is no table or dataset '{given}'{did_you_mean(given, known)}")


def _aliased(name: str, found: Sequence[_Input]) -> dict[str, _Input]:
    """Return a unique alias for each input, made from the last part of its name."""
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
        raise RequestInvalid(
            f"{dataset.name}: comboi cannot write a script for aliases with a schema",
            remedy="Write the script yourself, or use aliases without a dot.",
        )
    return {
        item.alias: _find(project, item.dataset or table_id(str(item.source), str(item.table)))
        for item in dataset.inputs
    }


def _described(workspace: Workspace, inputs: dict[str, _Input]) -> tuple[list[Known], tuple[str, ...]]:
    """Return what the lake knows about the inputs, and notes about what it does not know."""
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
        notes.append(f"not in the lake yet, so the columns are not known: {', '.join(missing)}")
    return described, tuple(notes)


def _table_columns(manifest: Manifest) -> tuple[str, ...]:
    """Return the source's own columns, without those that say which file a row came from."""
    from comboi_core.sources.files.columns import LINEAGE

    return tuple(column.name for column in manifest.columns if column not in LINEAGE)


def _table_key(manifest: Manifest) -> tuple[str, ...]:
    return () if manifest.mode == "append" else manifest.primary_key


def _dataset_key(dataset: DatasetConfig, columns: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that a check requires to be unique, else the unique_key of the materialization."""
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
    """Return the words that DuckDB accepts as a column's name only in quotes."""
    with workspace.duckdb() as con:
        asked = "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category <> 'unreserved'"
        return {word for (word,) in con.execute(asked).fetchall()}
