"""What all configuration models share: strict keys, names, durations and sizes."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    StringConstraints,
    WithJsonSchema,
)

from comboi_core.config.written import TEXT, Json, attributes, summary, title
from comboi_core.domain.names import DATASET_NAME_PATTERN, NAME_PATTERN, SQL_NAME_PATTERN

Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
SqlName = Annotated[str, StringConstraints(pattern=SQL_NAME_PATTERN)]
"""A name that SQL takes without quotes: datasets and aliases, which users write in their own SQL."""

DatasetName = Annotated[str, StringConstraints(pattern=DATASET_NAME_PATTERN)]
"""A dataset's or an alias's name: `orders_clean`, or with a schema, as assets of Bruin have one, `silver.orders`."""

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(s|m|h|d)")
LONGEST = 3650 * 86400.0
"""The longest duration in seconds. Timers and dates have an upper limit."""
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_MEMORY = re.compile(r"(?=[0-9.]*[1-9])([0-9]+(?:\.[0-9]+)?)\s*(KB|MB|GB|TB|KiB|MiB|GiB|TiB)")

DURATION: Json = {
    "type": ["string", "number"],
    "minimum": 0,
    "maximum": LONGEST,
    "pattern": rf"^\s*(?:{_DURATION.pattern})\s*$",
    "patternErrorMessage": "Write a duration as a number and a unit: 30s, 5m, 2h, 1d.",
}
SOME_DURATION: Json = DURATION | {"pattern": rf"^\s*(?=[0-9.]*[1-9])(?:{_DURATION.pattern})\s*$"}
SIZE: Json = {
    "type": "string",
    "pattern": rf"^(?:{_MEMORY.pattern})$",
    "patternErrorMessage": "Write an amount of memory as a number and a unit: 512MB, 1GB.",
}
"""The JSON schemas of the types below."""


class Model(BaseModel):
    """A strict, immutable model: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: GetJsonSchemaHandler) -> Json:
        """Take the descriptions of the model and its keys from the docstrings."""
        schema = handler.resolve_ref_schema(handler(core_schema))
        schema |= {"title": title(cls), "description": summary(cls)}
        descriptions = attributes(cls)
        for name, field in schema.get("properties", {}).items():
            if name in descriptions:
                field["description"] = descriptions[name]
        return schema


def _seconds(value: Any) -> Any:
    if isinstance(value, str):
        match = _DURATION.fullmatch(value.strip())
        if not match:
            raise ValueError("write a duration as a number and a unit: 30s, 5m, 2h, 1d")
        return float(match[1]) * _SECONDS[match[2]]
    if isinstance(value, bool):
        raise ValueError("write a duration as a number and a unit: 30s, 5m, 2h, 1d")
    return value


def _text(value: str) -> str:
    if not value.strip() or "\x00" in value:
        raise ValueError("the text is empty or contains a NUL character")
    return value


def _memory(value: str) -> str:
    if not _MEMORY.fullmatch(value):
        raise ValueError("write an amount of memory as a number and a unit: 512MB, 1GB")
    return value


def _bytes(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("write an amount of memory as a number and a unit: 512MB, 1GB")
    if not isinstance(value, str):
        return value
    number, unit = _MEMORY.fullmatch(_memory(value)).groups()  # type: ignore[union-attr]
    return int(float(number) * (1024 if "i" in unit else 1000) ** ("KMGT".index(unit[0]) + 1))


Seconds = Annotated[float, Field(allow_inf_nan=False, le=LONGEST), BeforeValidator(_seconds), WithJsonSchema(DURATION)]
"""A duration in seconds, written in YAML as `30s`, `5m`, `2h` or `1d`; a number alone is seconds."""

SomeSeconds = Annotated[
    float,
    Field(allow_inf_nan=False, le=LONGEST, gt=0),
    BeforeValidator(_seconds),
    WithJsonSchema(SOME_DURATION | {"exclusiveMinimum": 0}),
]
"""A duration above zero."""

Text = Annotated[str, AfterValidator(_text), WithJsonSchema(TEXT)]
"""Text that is not blank and has no NUL character."""

Memory = Annotated[str, AfterValidator(_memory), WithJsonSchema(SIZE)]

Bytes = Annotated[int, BeforeValidator(_bytes), WithJsonSchema(SIZE | {"type": ["string", "integer"], "minimum": 1})]
"""A number of bytes, written in YAML as `256MB` or `1GiB`."""


class Retry(Model):
    """How often transient errors are tried again, and after which delay.

    Attributes:
        attempts: How many attempts there are, the first one included.
        first_delay: How long to wait before the second attempt.
        factor: Each further wait is this many times as long as the one before.
    """

    attempts: int = Field(default=4, ge=1, le=20)
    first_delay: Seconds = Field(default=5.0, ge=0)
    factor: float = Field(default=2.0, ge=1, le=10)


MAY_BE_EMPTY = BeforeValidator(lambda value: () if value is None else value)
"""Marks a list that is empty if nothing follows its key in the YAML: `gold:`."""
NO_LIST: Json = {"type": ["array", "null"]}
"""The JSON schema of such a list."""
