"""The user's page on deduplication: its examples are valid, and it leaves no key out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from comboi_core.config.splink import SplinkConfig
from comboi_core.dedupe.splink_dedupe import validate_splink

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "deduplication.md").read_text()
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_valid(example: str) -> None:
    settings = SplinkConfig.model_validate(yaml.safe_load(example)["splink"])
    assert validate_splink(settings) == []


def models(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from models(field.annotation)
    for argument in getattr(annotation, "__args__", ()):
        yield from models(argument)


def test_every_key_is_described() -> None:
    keys = {key for model in models(SplinkConfig) for key in model.model_fields}
    assert len(keys) > 50 and len(EXAMPLES) == 2
    assert {key for key in keys if not re.search(rf"\b{key}\b", PAGE)} == set()
