"""Whatever the schemas allow in a key of an example, the parser takes, or refuses for a reason that is listed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from comboi_core.config.reference_examples import EXAMPLES
from comboi_core.config.schema import FileName, schema
from tests.config.test_schema import ONLY_THE_PARSER, PARSER_KNOWS_MORE, Path, mappings
from tests.docs.blocks import VALIDATORS, in_place, parser_problems

PIECES = (
    "{{env:A}}", "{{", "}}", "{{nope}}", " ", "\n", "\x00", "\x1f", "\x85", "\ufeff", "é", "ß", "İ", "/", "..", "**",
    "\\", "x", "5", "m", "MB", "%", "'", '"', "-", ".", "_", ":", "ELSE", "https://", ".csv", "{table}", "VARCHAR",
    "decimal(9,9)",
)  # fmt: skip
"""What texts are made of, beside any characters."""

REASONS = re.compile("|".join([*PARSER_KNOWS_MORE, *(message for *_, message in ONLY_THE_PARSER)]))


WHOLE = {file: schema(file) for file in VALIDATORS}


def places() -> Iterator[tuple[FileName, Any, Path, Any]]:
    """Yield file, example, place and schema of every key that a schema knows in a mapping of an example."""
    for example in EXAMPLES.values():
        file, value = in_place(example)
        for path, properties, _ in mappings(WHOLE[file], WHOLE[file], value):
            yield from ((file, value, (*path, key), node) for key, node in properties.items())


PLACES = list(places())


def values(node: Any, whole: Any) -> st.SearchStrategy[Any]:
    """Return what a schema allows, by and large: whole files are looked at once more."""
    if "$ref" in node:
        return st.deferred(lambda: values(whole["$defs"][node["$ref"].rpartition("/")[2]], whole))
    if "enum" in node or "const" in node:
        return st.sampled_from(node.get("enum", [node.get("const")]))
    either = [one for one in (*node.get("anyOf", ()), *node.get("oneOf", ())) if {"type", "$ref", "enum"} & one.keys()]
    if either:
        return st.one_of([values(one, whole) for one in either])
    kinds = node.get("type", ["string", "integer", "null"])
    return st.one_of([_KINDS[kind](node, whole) for kind in ([kinds] if isinstance(kinds, str) else kinds)])


def _text(node: Any, whole: Any) -> st.SearchStrategy[str]:
    pattern = re.compile(node.get("pattern", ""))
    odd = st.lists(st.sampled_from(PIECES) | st.characters(exclude_categories=["Cs"]), max_size=5).map("".join)
    fitting = st.from_regex(pattern) if not node.get("pattern", "(?").startswith("^(?") else odd
    return (odd | fitting).filter(pattern.search)


def _array(node: Any, whole: Any) -> st.SearchStrategy[list[Any]]:
    return st.lists(values(node.get("items", {}), whole), min_size=node.get("minItems", 0), max_size=3)


def _object(node: Any, whole: Any) -> st.SearchStrategy[dict[str, Any]]:
    known = {key: values(field, whole) for key, field in node.get("properties", {}).items()}
    required = {key: known.pop(key) for key in node.get("required", ())}
    further = node.get("additionalProperties")
    if isinstance(further, dict):
        return st.dictionaries(st.text(min_size=1, max_size=3), values(further, whole), max_size=2)
    return st.fixed_dictionaries(required, optional=known)


def _number(node: Any, whole: Any) -> st.SearchStrategy[float]:
    return st.floats(
        node.get("minimum", node.get("exclusiveMinimum")), node.get("maximum", node.get("exclusiveMaximum")),
        allow_nan=False, allow_infinity=False,
    )  # fmt: skip


_KINDS = {
    "string": _text,
    "array": _array,
    "object": _object,
    "number": _number,
    "integer": lambda node, whole: st.integers(node.get("minimum"), node.get("maximum")),
    "boolean": lambda node, whole: st.booleans(),
    "null": lambda node, whole: st.none(),
}


@pytest.mark.slow
@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_what_a_schema_allows_is_parsed(data):
    file, example, path, node = data.draw(st.sampled_from(PLACES))
    changed = deepcopy(example)
    place = changed
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = data.draw(values(node, WHOLE[file]))
    assume(VALIDATORS[file].is_valid(changed))

    problems = parser_problems(file, changed)
    assert [problem for problem in problems if not REASONS.search(problem)] == [], place[path[-1]]
