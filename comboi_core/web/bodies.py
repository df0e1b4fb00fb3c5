"""The bodies of requests: each model checks what comes in, and describes it in the API's document."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from comboi_core.config.project import STAGES
from comboi_core.domain.contracts.fields import Described
from comboi_core.domain.errors import RequestInvalid
from comboi_core.domain.names import did_you_mean
from comboi_core.erasure.keys import MOST_KEYS

MAX_BODY = 100_000
"""Bytes."""
MOST_NAME = 100

Name = Annotated[str, Field(min_length=1)]


class BodyTooLarge(RequestInvalid):
    """The body of a request is larger than any that makes sense."""

    code = "request_too_large"
    remedy = "Send a smaller body; a run of many tables is better selected by its stage."


class Body(BaseModel):
    """A body. The description of a field is what an error says was expected."""

    model_config = ConfigDict(extra="forbid", strict=True)


class RangeBody(Body):
    """From where to where."""

    start: Name = Field(alias="from")
    end: Name = Field(alias="to")


class RunBody(Body):
    """What a run is asked to do. What is left out, or null, asks for everything."""

    stage: Annotated[str, Described(enum=list(STAGES))] | None = Field(None, description="the name of a stage")
    select: list[str] | None = Field(None, description="a list of names")
    full_refresh: bool | None = Field(None, description="true or false")
    backfill: RangeBody | None = Field(None, description='{"from": "...", "to": "..."}, cursor values as text')
    interval: RangeBody | None = Field(None, description='{"from": "...", "to": "..."}, dates or moments as text')

    @model_validator(mode="after")
    def _one_table(self) -> RunBody:
        if self.backfill and (self.stage != "bronze" or not self.select or self.full_refresh):
            raise ValueError('backfill: goes with "stage": "bronze" and "select": [TABLE], without full_refresh')
        return self


class ErasureBody(Body):
    """Whom to erase: keys of a table, each a text or, where it has several columns, an object column -> text."""

    table: Name = Field(description="source.table")
    keys: list[str | Annotated[dict[str, str], Field(min_length=1)]] = Field(
        min_length=1, max_length=MOST_KEYS, description=f"1 to {MOST_KEYS} texts, or objects column -> text"
    )
    columns: list[Name] = Field([], description="a list of names")
    by: str = Field("", max_length=MOST_NAME, description=f"a name of at most {MOST_NAME} printable characters")

    @field_validator("by")
    @classmethod
    def _printable(cls, text: str) -> str:
        if not text.isprintable():
            raise ValueError("it cannot be printed")
        return text


B = TypeVar("B", bound=Body)


def read_body(model: type[B], body: bytes, example: str) -> B:
    """Read a request's body; an empty one is an empty object.

    An error names the field that is wrong, and does not repeat a value.

    Args:
        example: A small body that is right.

    Raises:
        RequestInvalid: it does not fit the model.
        BodyTooLarge: it has more than MAX_BODY bytes.
    """
    if len(body) > MAX_BODY:
        raise BodyTooLarge(f"the body is larger than {MAX_BODY} bytes")
    try:
        return model.model_validate_json(body if body.strip() else b"{}")
    except ValidationError as invalid:
        errors = invalid.errors(include_url=False)
    unknown = next((error for error in errors if error["type"] == "extra_forbidden" and len(error["loc"]) == 1), None)
    raise RequestInvalid(_unknown(model, str(unknown["loc"][0])) if unknown else _message(model, errors[0], example))


def _unknown(model: type[Body], name: str) -> str:
    known = list(model.model_fields)
    return f"unknown field '{name}'{did_you_mean(name, known)}; the fields are {', '.join(known)}"


def _message(model: type[Body], error: Any, example: str) -> str:
    field_path = error["loc"]
    if not field_path and error["type"] == "value_error":
        return str(error["ctx"]["error"])
    if not field_path:
        return f"the body is not a JSON object such as {example}"
    expected = f"{field_path[0]}: expected {model.model_fields[field_path[0]].description}"
    if len(field_path) > 1:
        return f"{expected}; number {field_path[1] + 1} is none" if isinstance(field_path[1], int) else expected
    if error["type"] == "missing":
        return f"{expected}, got none"
    if "actual_length" in error.get("ctx", {}):
        return f"{expected}, got {error['ctx']['actual_length']}"
    return f"{expected}, got {type(error['input']).__name__}" if error["type"].endswith("_type") else expected
