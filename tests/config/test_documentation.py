"""The YAML of the documentation is valid configuration."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from comboi_core.config.project import PipelineFile, TransformationsFile

DOCS = Path(__file__).resolve().parents[2] / "docs"
BLOCKS = [
    pytest.param(block, id=f"{page.name}-{number}")
    for page in sorted(DOCS.glob("*.md"))
    if page.name != "extending.md"  # a source that only a test adds
    for number, block in enumerate(re.findall(r"^```yaml\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S))
]

WHOLE = {
    "pipeline": "example",
    "sources": [
        {"name": "files", "type": "files", "connection": {"path": "."}, "tables": [{"name": "a", "path": "a.csv"}]}
    ],
    "stages": {stage: {"data_lake": {"path": f"lake/{stage}"}} for stage in ("bronze", "silver", "gold")},
}
PARTS = {"quality_checks", "splink", "checks"}
"""Parts of a dataset, which tests of their own look at."""


@pytest.mark.parametrize("block", BLOCKS)
def test_an_example_is_accepted(block: str):
    found = yaml.safe_load(block)
    if isinstance(found, dict) and {"silver", "gold"} & found.keys():
        TransformationsFile.model_validate(found)
    elif isinstance(found, dict) and {"pipeline", "stages"} <= found.keys():
        PipelineFile.model_validate(found)
    else:  # a part: it takes its place in a whole file
        part = {"sources": found} if isinstance(found, list) else found
        assert part.keys() <= PipelineFile.model_fields.keys() | PARTS, f"what is this an example of? {sorted(part)}"
        PipelineFile.model_validate(WHOLE | {key: value for key, value in part.items() if key not in PARTS})
