"""Reads the two YAML files and the assets; every problem is reported at once, with file, line and what to do."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from comboi_core.bruin.header.finding import LoadedAssets, has_assets
from comboi_core.bruin.header.header import HeaderError, find_header
from comboi_core.config.document import MAX_BYTES, Document, validate
from comboi_core.config.project import PipelineFile, Project, TransformationsFile
from comboi_core.config.secrecy import known_secrets
from comboi_core.config.wiring import wiring_problems
from comboi_core.domain.errors import ConfigError
from comboi_core.domain.names import table_id
from comboi_core.domain.redaction import redactor

__all__ = ["DEFAULT_CONFIG", "MAX_BYTES", "QUEUE_NOTE", "config_path", "load"]

DEFAULT_CONFIG = "configs/initial.yml"
SCRIPTS = "transformations"
QUEUE_NOTE = "the section queue: is ignored: durable orchestration has replaced the storage queue"
_STAGES = ("silver", "gold")


def _shown(path: Path) -> str:
    """Return the path as people type it: relative to the working directory where it is below it."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def config_path(path: str | Path | None = None) -> Path:
    """Return the configuration file's path: the argument, else COMBOI_CONFIG, else `configs/initial.yml`."""
    return Path(path or os.environ.get("COMBOI_CONFIG") or DEFAULT_CONFIG)


def load(path: str | Path | None = None) -> Project:
    """Read and validate both files and the assets in `transformations/`.

    Args:
        path: The pipeline file; see `config_path` for the default.

    Raises:
        ConfigError: The message holds one line per problem: `file:line: what is wrong`.
    """
    file = config_path(path)
    root = file.resolve().parent.parent
    problems: list[str] = []
    document = Document.read(file, _shown(file))
    for secret in known_secrets(document.value):  # before the first word is said about the file
        redactor.add(secret)
    pipeline = validate(document, PipelineFile, problems)
    named = document.value.get("transformations_file") if isinstance(document.value, dict) else None
    other = root / named if isinstance(named, str) else file.parent / "transformations.yml"
    try:
        datasets = _datasets_document(other, root / SCRIPTS, required=isinstance(named, str))
    except ConfigError as unreadable:
        if not problems:
            raise
        problems.append(unreadable.message)
        raise ConfigError("\n".join(problems), problems=problems) from None
    native = validate(datasets, TransformationsFile, problems)
    assets = _assets(root / SCRIPTS, pipeline, native)
    problems += assets.problems
    transformations = native and native.model_copy(
        update={stage: (*getattr(native, stage), *getattr(assets, stage)) for stage in _STAGES}
    )
    places = _Places(datasets, native, assets)
    if pipeline is not None and native is not None and transformations is not None:
        further = {name: stage for name, stage in assets.stages.items() if name not in places.natives}
        for name, position, message in wiring_problems(pipeline, transformations, further=further):
            problems.append(f"{places.at(name, position)}: {message}")
        problems += _headers_on_native_scripts(native, root / SCRIPTS, places)
    if problems or pipeline is None or transformations is None:
        raise ConfigError("\n".join(problems), problems=problems)
    redactor.keep(_names(pipeline, transformations))
    queue = (QUEUE_NOTE,) if pipeline.queue is not None else ()
    return Project(
        root=root,
        pipeline_file=pipeline,
        transformations=transformations,
        notes=(*queue, *assets.notes),
        places={dataset.name: places.at(dataset.name) for dataset in (*transformations.silver, *transformations.gold)},
        reference_places=document.reference_places(),
    )


def _names(pipeline: PipelineFile, transformations: TransformationsFile) -> Iterator[str]:
    """Yield the names that records and messages cannot do without."""
    yield pipeline.pipeline
    for source in pipeline.sources:
        yield from (source.name, *(table.name for table in source.tables))
    yield from (dataset.name for stage in _STAGES for dataset in getattr(transformations, stage))


def _datasets_document(file: Path, scripts: Path, *, required: bool) -> Document:
    """Read the datasets' file; where there is none and assets could take its place, it is as an empty one."""
    if not required and not file.exists() and _load_assets(scripts, tables=(), datasets={}).places:
        return Document("{}", _shown(file))
    if not file.exists():
        raise ConfigError(
            f"{_shown(file)}: no such file",
            remedy="Write it, `{}` as long as there is no dataset, or name another one with transformations_file:.",
        )
    return Document.read(file, _shown(file))


def _assets(scripts: Path, pipeline: PipelineFile | None, native: TransformationsFile | None) -> LoadedAssets:
    tables = [
        table_id(source.name, table.name)
        for source in (pipeline.sources if pipeline else ())
        for table in source.tables
    ]
    datasets = {dataset.name: stage for stage in _STAGES for dataset in (getattr(native, stage) if native else ())}
    complete = pipeline is not None and native is not None
    return _load_assets(scripts, tables=tables, datasets=datasets, complete=complete, shown=_shown(scripts))


def _load_assets(scripts: Path, **project: Any) -> LoadedAssets:
    if not has_assets(scripts):
        return LoadedAssets()
    from comboi_core.bruin.header.loading import load_assets

    return load_assets(scripts, **project)


class _Places:
    """Where datasets and their inputs stand, as `file:line`."""

    def __init__(self, document: Document, native: TransformationsFile | None, assets: LoadedAssets) -> None:
        self._document = document
        self._assets = assets
        self.natives = {
            dataset.name: (stage, position)
            for stage in _STAGES
            for position, dataset in enumerate(getattr(native, stage) if native else ())
        }

    def at(self, name: str, position: int | None = None) -> str:
        """Return the place of a dataset, or of one of its inputs."""
        if name in self.natives:
            inner = () if position is None else ("inputs", position)
            return f"{self._document.shown}:{self._document.line((*self.natives[name], *inner))}"
        return self._assets.places[name] if position is None else self._assets.input_places[name][position]


def _headers_on_native_scripts(native: TransformationsFile, scripts: Path, places: _Places) -> Iterator[str]:
    """Yield what is wrong with datasets of the YAML file whose script is an asset as well."""
    for dataset in (*native.silver, *native.gold):
        for suffix in (".sql", ".py"):
            script = scripts / f"{dataset.script_name}{suffix}"
            if script.is_file() and _has_header(script):
                yield (
                    f"{places.at(dataset.name)}: {dataset.name}: {_shown(script)} has a header of Bruin, so it is a "
                    "dataset by itself; remove the header, or the entry here"
                )


def _has_header(script: Path) -> bool:
    try:
        return find_header(script.read_text(encoding="utf-8-sig"), script.suffix) is not None
    except (HeaderError, OSError, ValueError):
        return False  # said elsewhere
