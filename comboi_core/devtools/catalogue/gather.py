"""Collects the catalogue's content from the configuration, the lake and the latest runs.

It contains no connections and no rows. Of failed checks it has only the message.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import yaml

from comboi_core.app.workspace import Workspace
from comboi_core.config.base import Model
from comboi_core.config.datasets import DatasetConfig
from comboi_core.config.project import Project
from comboi_core.config.tables import BaseTable, SourceBase
from comboi_core.devtools.catalogue.lake import Lakes, Published
from comboi_core.devtools.catalogue.lineage import Lineage, dataset_key, lineage, table_key
from comboi_core.domain.errors import ScriptError
from comboi_core.domain.manifest import Manifest
from comboi_core.domain.names import table_id
from comboi_core.domain.redaction import redactor

Record = dict[str, Any]


@dataclass(frozen=True)
class ColumnInfo:
    """One column.

    Attributes:
        type: The type in the lake, else the one in the configuration, else None.
        source_type: The source's own type, for columns of tables.
        remarks: Further remarks, e.g. that it is the primary key, or that it is not in the published file.
    """

    name: str
    type: str | None
    source_type: str | None = None
    description: str | None = None
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class CheckInfo:
    """One check with its latest result. `passed` is None if it has not run."""

    name: str
    severity: str
    passed: bool | None = None
    message: str = ""


@dataclass(frozen=True)
class Outcome:
    """The result of a table or dataset in a run. `at` is the run's start, ISO 8601; `said` is an error or a reason."""

    run_id: str
    status: str
    at: str | None
    rows: int | None
    seconds: float | None
    said: str = ""


@dataclass(frozen=True)
class Entry:
    """A table or a dataset.

    Attributes:
        key: Its node in the lineage.
        facts: Short facts, label to value. Values may have several lines.
        columns: None if it is not in the lake yet and the configuration describes none.
        code: The file or configuration key, and its SQL or Python. None without a transformation or query.
        files: Paths of files that belong to the published file: crosswalk, quarantine, reports.
    """

    key: str
    name: str
    stage: str
    description: str | None
    facts: tuple[tuple[str, str], ...]
    columns: tuple[ColumnInfo, ...] | None
    checks: tuple[CheckInfo, ...] = ()
    code: tuple[str, str] | None = None
    files: tuple[str, ...] = ()
    outcomes: tuple[Outcome, ...] = ()


@dataclass(frozen=True)
class Catalogue:
    """The content of the whole catalogue.

    Attributes:
        entries: By key of the lineage's nodes. Sources have no entry.
        runs: Records of the latest runs, newest first, without samples.
        notes: What could not be read, with the reason.
        written: When it was written, ISO 8601.
    """

    pipeline: str
    graph: Lineage
    entries: Mapping[str, Entry]
    runs: tuple[Record, ...]
    notes: tuple[str, ...]
    written: str


def catalogue(workspace: Workspace, *, runs: int = 20) -> Catalogue:
    """Collect the catalogue. What cannot be read from the lake is left out and noted.

    Args:
        runs: How many of the latest runs to read.
    """
    project = workspace.project
    lakes = Lakes(workspace)
    manifests, published, records = lakes.manifests(), lakes.published(), lakes.records(runs)
    entries: dict[str, Entry] = {}
    for source in project.pipeline_file.sources:
        for table in source.tables:
            manifest = manifests.get(table_id(source.name, table.name))
            entries[table_key(source.name, table.name)] = _table(source, table, manifest, records)
    for dataset in project.datasets():
        entries[dataset_key(dataset.name)] = _dataset(project, dataset, published.get(dataset.name), records)
    return Catalogue(
        pipeline=project.pipeline,
        graph=lineage(project),
        entries=entries,
        runs=tuple(_bare(record) for record in records),
        notes=tuple(lakes.notes),
        written=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _table(source: SourceBase, table: BaseTable, manifest: Manifest | None, records: Sequence[Record]) -> Entry:
    found = [item for record in records for item in _items(record, "tables", source=source.name, table=table.name)]
    facts = _Facts()
    facts.add("source", f"{source.name} ({source.type})")
    for key in ("table", "path"):
        facts.add(key, getattr(table, key, None))
    facts.add("mode", table.effective_mode)
    facts.add("primary key", ", ".join(table.primary_key))
    facts.add("cursor", table.cursor_name)
    facts.add("only rows where", getattr(table, "where", None))
    facts.add("schema policy", table.schema_policy)
    if manifest:
        facts.add("latest load", f"{manifest.sequence} (run {manifest.run_id})")
        facts.add("rows in the lake", f"{sum(file.rows for file in manifest.files):,}")
        facts.add("files", f"{len(manifest.files):,}, {sum(file.bytes for file in manifest.files):,} bytes")
        facts.add("watermark", manifest.watermark)
    query = getattr(table, "query", None)
    return Entry(
        key=table_key(source.name, table.name),
        name=table_id(source.name, table.name),
        stage="bronze",
        description=getattr(table, "description", None),
        facts=facts.found,
        columns=_landed(table, manifest),
        code=("query:", redactor.text(query)) if query else None,
        outcomes=tuple(_outcome(record, item) for record, item in found),
    )


def _landed(table: BaseTable, manifest: Manifest | None) -> tuple[ColumnInfo, ...] | None:
    if manifest is None:
        return None
    roles = {name: ["primary key"] for name in manifest.primary_key}
    cursor = manifest.window.cursor if manifest.window else table.cursor_name
    if cursor:
        roles.setdefault(cursor, []).append("cursor")
    columns = []
    for column in manifest.columns:
        remarks = [*roles.get(column.name, ()), *([] if column.source_type else ["no longer in the source"])]
        if column.name in table.mask:
            remarks.append(f"masked: {table.mask[column.name]}")
        columns.append(ColumnInfo(column.name, column.type, column.source_type or None, None, tuple(remarks)))
    return tuple(columns)


def _dataset(project: Project, dataset: DatasetConfig, published: Published | None, records: Sequence[Record]) -> Entry:
    stage, _ = project.dataset(dataset.name)
    found = [item for record in records for item in _items(record, "datasets", name=dataset.name)]
    facts = _Facts()
    facts.add("materialization", _settings(dataset.materialization) or "replace")
    if dataset.splink:
        facts.add("deduplication (Splink)", _settings(dataset.splink))
    facts.add("may become empty", "yes" if dataset.allow_empty else None)
    facts.add("configured in", project.places.get(dataset.name))
    facts.add("file in the lake", project.dataset_path(dataset.name))
    if published:
        facts.add("rows", f"{published.rows:,}")
    return Entry(
        key=dataset_key(dataset.name),
        name=dataset.name,
        stage=stage,
        description=dataset.description,
        facts=facts.found,
        columns=_described(dataset, published),
        checks=_checks(dataset, [item for _, item in found]),
        code=_code(project, dataset),
        files=published.beside if published else (),
        outcomes=tuple(_outcome(record, item) for record, item in found),
    )


def _described(dataset: DatasetConfig, published: Published | None) -> tuple[ColumnInfo, ...] | None:
    """Return the published columns with their documentation, and columns that are only documented."""
    notes = {note.name.lower(): note for note in dataset.columns}
    columns = []
    for name, kind in published.columns if published else ():
        note = notes.pop(name.lower(), None)
        remarks = ("sensitive",) if note and note.sensitive else ()
        columns.append(ColumnInfo(name, kind, None, note.description if note else None, remarks))
    for note in notes.values():
        remarks = ("sensitive",) if note.sensitive else ()
        missing = ("not in the published file",) if published else ()
        columns.append(ColumnInfo(note.name, note.type, None, note.description, (*remarks, *missing)))
    return tuple(columns) if columns or published else None


def _checks(dataset: DatasetConfig, items: Sequence[Record]) -> tuple[CheckInfo, ...]:
    latest: dict[str, Record] = {}
    for item in items:
        for check in item.get("checks") or ():
            latest.setdefault(check["name"], check)
    shown = []
    for check in dataset.checks:
        result = latest.get(check.label) or {}
        shown.append(CheckInfo(check.label, check.severity, result.get("passed"), result.get("message") or ""))
    return tuple(shown)


def _code(project: Project, dataset: DatasetConfig) -> tuple[str, str] | None:
    from comboi_core.transforms.scripts import find_script

    folder = project.transformations_folder
    try:
        file = folder / dataset.asset if dataset.asset else find_script(folder, dataset.script_name)
        text = file.read_text(encoding="utf-8-sig", errors="replace")
    except (ScriptError, OSError):
        return None
    shown = file.relative_to(project.root) if file.is_relative_to(project.root) else file
    return shown.as_posix(), redactor.text(text)


def _settings(model: Model) -> str:
    """Return the settings of a model that differ from their defaults, as YAML."""
    given = model.model_dump(mode="json", exclude_defaults=True)
    return yaml.safe_dump(given, sort_keys=False, allow_unicode=True, default_flow_style=None).strip() if given else ""


def _items(record: Record, kind: str, **wanted: str) -> list[tuple[Record, Record]]:
    return [
        (record, item)
        for item in record.get(kind) or ()
        if all(item.get(key) == value for key, value in wanted.items())
    ]


def _outcome(record: Record, item: Record) -> Outcome:
    error = item.get("error") or {}
    return Outcome(
        run_id=str(record.get("run_id")),
        status=str(item.get("status")),
        at=record.get("started_at"),
        rows=item.get("rows"),
        seconds=item.get("seconds"),
        said=redactor.text(str(error.get("message") or item.get("reason") or "")),
    )


def _bare(record: Record) -> Record:
    """Return a record's headline and counts, without sample rows."""
    items = [*(record.get("tables") or ()), *(record.get("datasets") or ())]
    kept = {key: record.get(key) for key in ("run_id", "status", "trigger", "started_at", "seconds")}
    failed = [str(item.get("name") or f"{item.get('source')}.{item.get('table')}") for item in items if _bad(item)]
    return kept | {"rows": sum(item.get("rows") or 0 for item in record.get("tables") or ()), "failed": failed}


def _bad(item: Record) -> bool:
    return item.get("status") == "failed"


@dataclass
class _Facts:
    """Labels and values. Labels without a value are left out."""

    pairs: list[tuple[str, str]] = field(default_factory=list)

    def add(self, label: str, value: str | None) -> None:
        if value:
            self.pairs.append((label, redactor.text(value)))

    @property
    def found(self) -> tuple[tuple[str, str], ...]:
        return tuple(self.pairs)
