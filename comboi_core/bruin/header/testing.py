"""What the models of headers share, and what a header and a pipeline.yml may say about unit tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from comboi_core.config.base import Model, Text


class Block(Model):
    """A mapping in which a key without a value (`checks:`, nothing more) counts as left out, as it does for Bruin."""

    @model_validator(mode="before")
    @classmethod
    def _without_empty_keys(cls, value: Any) -> Any:
        return {key: item for key, item in value.items() if item is not None} if isinstance(value, dict) else value


def refusing(remedies: Mapping[str, str]) -> Any:
    """Return a validator that refuses to have anything in the fields named, and says what to do in their place."""

    def refuse(_cls: Any, value: Any, info: ValidationInfo) -> None:
        if value not in (None, "", [], {}):
            raise ValueError(f"is not supported; {remedies[str(info.field_name)]}")

    return field_validator(*remedies, mode="before")(classmethod(refuse))


class Mock(Block):
    """Rows that stand in for a table in a unit test."""

    asset: Text
    rows: tuple[dict[str, Any], ...] = ()


class Expectation(Block):
    """What a unit test expects of a result: rows, their number, or both."""

    rows: tuple[dict[str, Any], ...] | None = None
    count: int | None = Field(default=None, ge=0)
    match: Literal["subset", "exact"] = "subset"
    order: Literal["any", "strict"] = "any"

    @property
    def says_something(self) -> bool:
        """Whether there is anything that could fail."""
        return self.rows is not None or self.count is not None


class Expected(Expectation):
    """What a unit test expects of the asset's result and of its CTEs."""

    ctes: dict[str, Expectation] = Field(default_factory=dict)


class UnitTest(Block):
    """One test of the asset's query on rows that the test gives."""

    name: Text
    description: str | None = None
    inputs: tuple[Mock, ...] = ()
    fixtures: tuple[str, ...] = ()
    variables: dict[str, Any] = Field(default_factory=dict)
    execution_time: Any = None
    expected: Expected

    @model_validator(mode="after")
    def _testing(self) -> UnitTest:
        if not self.expected.says_something and not any(one.says_something for one in self.expected.ctes.values()):
            raise ValueError("expected: has neither rows: nor count:, so the test could never fail; add one")
        return self
