"""The API's schemas, made of the models that answers and bodies have."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from comboi_core.domain.contracts.pipeline import RunSummary
from comboi_core.domain.contracts.preview import Preview
from comboi_core.domain.contracts.record import RunRecord
from comboi_core.web.answers import Problem
from comboi_core.web.bodies import ErasureBody, RunBody
from comboi_core.web.cancel import Cancelling
from comboi_core.web.maintenance import Rebuilt
from comboi_core.web.monitoring import Health, Tables, TableShown
from comboi_core.web.overview import Overview
from comboi_core.web.paging import RunPage
from comboi_core.web.starting import RunStarted

MODELS = (
    *(Problem, RunBody, ErasureBody, RunStarted, Cancelling, RunPage, RunSummary, RunRecord),
    *(TableShown, Tables, Preview, Rebuilt, Health, Overview),
)


class _Untitled(GenerateJsonSchema):
    """Without a title for each field, which would repeat its name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


@cache
def schemas() -> dict[str, Any]:
    """Return the schema of each model, and of those that they are made of, by its name."""
    adapters: list[tuple[str, Any, TypeAdapter[Any]]] = [(m.__name__, "validation", TypeAdapter(m)) for m in MODELS]
    _, document = TypeAdapter.json_schemas(
        adapters, ref_template="#/components/schemas/{model}", schema_generator=_Untitled
    )
    definitions: dict[str, Any] = document["$defs"]
    return definitions
