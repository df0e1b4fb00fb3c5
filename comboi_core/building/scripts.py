"""What a dataset is made with: its script and the settings that decide which rows a build gives, as they are now."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from comboi_core.config.datasets import DatasetConfig, Input
from comboi_core.config.project import Project
from comboi_core.config.tables import listed
from comboi_core.domain.names import table_id
from comboi_core.domain.origin import Origin, fingerprint, hidden, plain_sql
from comboi_core.domain.redaction import redactor

_OWN = {"comboi_core", "durable_local", "activities", "entities", "orchestrators", "function_app"}
"""Packages that may stand beside a project and are no part of it."""


def made_with(project: Project, dataset: DatasetConfig) -> Origin:
    """Return the parts that make a dataset: `script`, files that it imports, inputs, materialization, quarantine.

    Of code there are fingerprints only; comments and blanks of SQL do not count, those of Python do. Settings that
    say when a result may be published are no part of it: they change no row.

    Raises:
        ScriptError: there is no script.
        ConfigError: an asset's file is none any more.
    """
    how = dataset.materialization
    parts = {"materialization": listed({"strategy": how.strategy, **how.model_dump(exclude_defaults=True)})}
    parts["inputs"] = ", ".join(sorted(f"{item.alias}: {_input(item)}" for item in dataset.inputs))
    quarantine = [check.model_dump(mode="json") for check in dataset.checks if check.on_fail == "quarantine"]
    if quarantine:
        parts["quarantine"] = json.dumps(quarantine, sort_keys=True)
    parts = {name: text if redactor.text(text) == text else fingerprint(text) for name, text in parts.items()}
    return parts | (_asset(project, dataset) if dataset.asset else _script(project, dataset))


def code_fingerprint(made: Origin) -> str:
    """Return one fingerprint of all that `made_with` gives; the same in each process, whatever secrets it knows."""
    return fingerprint(json.dumps({name: hidden(text) for name, text in made.items()}, sort_keys=True))


def _input(item: Input) -> str:
    if item.dataset:
        return item.dataset
    return f"{table_id(str(item.source), str(item.table))} ({item.view})"


def _script(project: Project, dataset: DatasetConfig) -> dict[str, str]:
    from comboi_core.transforms.scripts import find_script

    script = find_script(project.transformations_folder, dataset.script_name)
    parts = {"script": _code(script)}
    return parts | (_imported(project, script) if script.suffix == ".py" else {})


def _asset(project: Project, dataset: DatasetConfig) -> dict[str, str]:
    """An asset's header decides as well: hooks, variables and macros go into the query, types into the values."""
    from comboi_core.bruin.header.loading import read_asset

    asset = read_asset(project.transformations_folder / str(dataset.asset), project.transformations_folder)
    header, pipeline = asset.header, asset.pipeline
    around: dict[str, Any] = {
        "hooks": header.hooks.model_dump(mode="json", exclude_defaults=True),
        "interval_modifiers": header.interval_modifiers.model_dump(mode="json", exclude_defaults=True),
        "variables": dict(pipeline.variables) if asset.has_jinja or asset.type == "python" else {},
        "macros": [_code(file) for file in pipeline.macros] if asset.has_jinja else [],
        "columns": {column.name: column.type for column in dataset.columns if column.type},
    }
    parts = {
        name: fingerprint(json.dumps(value, sort_keys=True, default=str)) for name, value in around.items() if value
    }
    if asset.file.suffix == ".py":
        return parts | {"script": fingerprint(_lines(asset.body))} | _imported(project, asset.file)
    return parts | {"script": fingerprint(plain_sql(asset.body))}


def _imported(project: Project, script: Path) -> dict[str, str]:
    """Return the project's own files that a Python file imports, at whatever distance."""
    codes: dict[Path, str] = {}
    waiting = [script]
    while waiting:
        for file in _imports(project, waiting.pop()):
            if file not in codes and file != script:
                codes[file] = _code(file)
                waiting.append(file)
    return {file.relative_to(project.root).as_posix(): code for file, code in sorted(codes.items())}


def _imports(project: Project, script: Path) -> Iterator[Path]:
    try:
        tree = ast.parse(script.read_bytes())
    except (SyntaxError, ValueError, OSError):
        return
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            package = ""
            if node.level:
                folder = script.parents[node.level - 1]
                if not folder.is_relative_to(project.root):
                    continue
                package = ".".join(folder.relative_to(project.root).parts)
            base = ".".join(filter(None, (package, node.module)))
            names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    for name in dict.fromkeys(filter(None, names)):
        parts = name.split(".")
        if parts[0] in _OWN:
            continue
        for folder in (project.root, project.transformations_folder):
            for length in range(1, len(parts) + 1):
                module = folder.joinpath(*parts[:length])
                yield from (file for file in (module.with_suffix(".py"), module / "__init__.py") if file.is_file())


def _code(file: Path) -> str:
    text = file.read_text(encoding="utf-8-sig", errors="replace")
    return fingerprint(plain_sql(text) if file.suffix == ".sql" else _lines(text))


def _lines(text: str) -> str:
    """Return a text with one kind of line ends, and without blanks at the ends of lines."""
    return "\n".join(line.rstrip() for line in text.splitlines()).strip()
