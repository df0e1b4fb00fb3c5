"""The YAML of the documents, and how a part of a file is tried: in its place in a whole one."""

from __future__ import annotations

import re
import textwrap
from copy import deepcopy
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema_rs

from comboi_core.config.document import Document, validate
from comboi_core.config.project import PipelineFile, TransformationsFile
from comboi_core.config.schema import FileName, schema

ROOT = Path(__file__).resolve().parents[2]
FENCED = re.compile(r"^( *)```ya?ml\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
NOT_AS_IT_IS = {"extending.md": "an app that the page extends first; tests/sources/test_extending.py runs it"}
"""Pages whose blocks no plain comboi accepts. YAML that is no configuration of comboi is fenced without `yaml`."""

MODELS = {"pipeline": PipelineFile, "transformations": TransformationsFile}
VALIDATORS = {file: jsonschema_rs.Draft202012Validator(schema(file)) for file in MODELS}
WHOLE: dict[str, Any] = {
    "pipeline": {
        "pipeline": "example",
        "sources": [
            {"name": "files", "type": "files", "connection": {"path": "."}, "tables": [{"name": "a", "path": "a.csv"}]}
        ],
        "stages": {stage: {"data_lake": {"path": f"lake/{stage}"}} for stage in ("bronze", "silver", "gold")},
    },
    "transformations": {},
}
DATASET = {"name": "example", "inputs": [{"alias": "a", "source": "files", "table": "a"}]}


def blocks() -> dict[str, str]:
    """Return every block of YAML in README.md and docs, by the place where it begins: `docs/sources.md:7`."""
    found = {}
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        text = page.read_text(encoding="utf-8")
        for match in FENCED.finditer(text) if page.name not in NOT_AS_IT_IS else ():
            line = text.count("\n", 0, match.start()) + 1
            found[f"{page.relative_to(ROOT)}:{line}"] = textwrap.dedent(match[2])
    return found


def in_place(text: str) -> tuple[FileName, dict[str, Any]]:
    """Return which file a block is a part of, and the smallest whole file with it."""
    value = Document(text, "block").value
    if isinstance(value, list):
        value = {"sources": value}
    if value.keys() <= {"splink", "quality_checks"}:
        value = {"silver": [DATASET | value]}
    file: FileName = "transformations" if value.keys() <= TransformationsFile.model_fields.keys() else "pipeline"
    return file, deepcopy(WHOLE[file]) | value


def parser_problems(file: FileName, value: Any) -> list[str]:
    """Return what comboi complains of in a file with this value."""
    document, problems = Document("{}", file), []
    document.value = value
    validate(document, MODELS[file], problems)
    return problems


def schema_problems(file: FileName, value: Any) -> list[str]:
    """Return what an editor complains of."""
    found = VALIDATORS[file].iter_errors(as_json(value))
    return [f"{'.'.join(map(str, error.instance_path))}: {error.message}" for error in found]


def as_json(value: Any) -> Any:
    """Return a value of YAML as editors see it: they know no dates."""
    if isinstance(value, dict):
        return {key: as_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_json(item) for item in value]
    return value.isoformat() if isinstance(value, date) else value
