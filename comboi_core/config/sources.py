"""A source of any type: the union of the models of all types, told apart by `type:`."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from comboi_core.config.source_registry import BUILT_IN, known_types, source_type
from comboi_core.config.tables import SourceBase
from comboi_core.config.written import Json
from comboi_core.domain.errors import ConfigError


class _AnyType:
    """The union of the built-in types, and beside it those that installed packages bring, once one is named."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_wrap_validator_function(
            _validated, handler(source), serialization=core_schema.simple_ser_schema("any")
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> Json:
        found = handler(schema)
        brought = (source_type(name).model for name in known_types() if name not in BUILT_IN)
        return {"oneOf": [*found["oneOf"], *(handler(model.__pydantic_core_schema__) for model in brought)]}


def _validated(value: Any, built_in: core_schema.ValidatorFunctionWrapHandler) -> Any:
    name = value.get("type") if isinstance(value, dict) else None
    if not isinstance(name, str) or name in BUILT_IN:
        return built_in(value)
    known = known_types()
    if name not in known:  # as pydantic says it of a union that has all of them
        expected = ", ".join(repr(one) for one in known)
        raise PydanticCustomError("union_tag_invalid", "no such type", {"tag": name, "expected_tags": expected})
    try:
        model = source_type(name).model
    except ConfigError as broken:
        raise ValueError(broken.message) from None
    return model.model_validate(value)


def brought_model(name: Any) -> type[SourceBase] | None:
    """Return the model of a type that an installed package brings; None if there is none that can be imported."""
    try:
        return source_type(name).model if isinstance(name, str) and name not in BUILT_IN else None
    except ConfigError:
        return None


if TYPE_CHECKING:
    SourceConfig = SourceBase
else:
    _models = reduce(or_, (source_type(name).model for name in BUILT_IN))
    SourceConfig = Annotated[_models, Field(discriminator="type"), _AnyType()]
"""Any source."""
