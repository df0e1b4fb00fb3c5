"""What the documents show as configuration is configuration: comboi and the editors' schema accept it."""

from __future__ import annotations

import pytest

from comboi_core.config.reference_examples import EXAMPLES
from comboi_core.config.schema import schema
from tests.docs.blocks import ROOT, blocks, in_place, parser_problems, schema_problems

BLOCKS = blocks()


@pytest.mark.parametrize("place", BLOCKS)
def test_a_block_of_yaml_is_accepted_by_the_parser_and_by_the_schema(place):
    file, value = in_place(BLOCKS[place])

    assert (parser_problems(file, value), schema_problems(file, value)) == ([], [])


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yml")), ids=lambda path: path.name)
def test_a_file_of_the_repository_is_accepted_and_names_its_schema(path):
    text = path.read_text(encoding="utf-8")
    file, value = in_place(text)

    assert (parser_problems(file, value), schema_problems(file, value)) == ([], [])
    named = text.splitlines()[0].removeprefix("# yaml-language-server: $schema=")
    assert (path.parent / named).resolve() == ROOT / "configs" / ".schema" / f"{file}.json"


def test_every_block_of_the_reference_has_an_example_that_uses_it():
    definitions = {name for file in ("pipeline", "transformations") for name in schema(file)["$defs"]}

    assert EXAMPLES.keys() == definitions | {"PipelineFile", "TransformationsFile"}
