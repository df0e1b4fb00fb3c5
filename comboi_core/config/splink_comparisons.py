"""Splink's comparisons with their levels, and its rules for pairs, as they are written in YAML."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, GetJsonSchemaHandler, model_validator

from comboi_core.config.base import Model, Text
from comboi_core.config.written import TEXT, Json, given, without

Probability = Annotated[float, Field(ge=1e-300, le=1)]
"""A probability of a level. Splink accepts none below 1e-300."""


class Rule(Model):
    """A rule that finds pairs of records: those with equal columns, or those that meet an SQL condition.

    Write a list of columns, a condition over `l` and `r` (`l.name = r.name and l.year < r.year`), or a mapping.

    Attributes:
        columns: Columns in which both records have the same value.
        blocking_rule: An SQL condition over the records `l` and `r`, in place of `columns`.
        arrays_to_explode: Columns that hold lists. The rule sees one row per element.
    """

    columns: tuple[Text, ...] = ()
    blocking_rule: Text | None = None
    arrays_to_explode: tuple[Text, ...] = ()

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: GetJsonSchemaHandler) -> Json:
        """Return the schema of the short forms and of the mapping."""
        held = super().__get_pydantic_json_schema__(core_schema, handler)
        whole = held | {"oneOf": [given("columns", []), given("blocking_rule")]}
        return {
            "title": held["title"],
            "description": held["description"],
            "anyOf": [{"type": "array", "minItems": 1, "items": TEXT}, TEXT, whole],
        }

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        if isinstance(value, list | tuple):
            return {"columns": value}
        if isinstance(value, str):
            return {"blocking_rule": value}
        if not isinstance(value, dict):
            raise ValueError("write a rule as a list of columns, or as a condition such as `l.name = r.name`")
        return value

    @model_validator(mode="after")
    def _one_kind(self) -> Rule:
        if bool(self.columns) == (self.blocking_rule is not None):
            raise ValueError("a rule needs either at least one column, or a condition such as `l.name = r.name`")
        return self

    @property
    def shown(self) -> str:
        """The rule in messages: `[surname, dob]`, or its condition."""
        return self.blocking_rule or f"[{', '.join(self.columns)}]"


class Level(Model):
    """One level of your own comparison, with Splink's keys.

    Attributes:
        sql_condition: An SQL condition on the columns of both records, e.g. `name_l = name_r`. The last level is
            `ELSE`.
        label_for_charts: The level's name in the report.
        is_null_level: Whether this is the level of missing values. It counts neither for nor against a match.
        m_probability: How often two records of the same entity are on this level. Default: training estimates it.
        u_probability: How often two records of different entities are on this level. Default: training estimates it.
        fix_m_probability: Whether training keeps a given `m_probability`.
        fix_u_probability: Whether training keeps a given `u_probability`.
        tf_adjustment_column: A column whose rare values count more than its frequent values.
        tf_adjustment_weight: How much that adjustment counts: from 0 (not at all) to 1 (fully). Default: 1.
        tf_minimum_u_value: The smallest u probability that the adjustment may use. Default: 0.
        disable_tf_exact_match_detection: Whether the adjustment starts at this level's own u probability, in place of
            the exact match's.
    """

    sql_condition: Text
    label_for_charts: Text | None = None
    is_null_level: bool = False
    m_probability: Probability | None = None
    u_probability: Probability | None = None
    fix_m_probability: bool = True
    fix_u_probability: bool = True
    tf_adjustment_column: Text | None = None
    tf_adjustment_weight: float | None = Field(default=None, ge=0, le=1)
    tf_minimum_u_value: float | None = Field(default=None, ge=0, le=1)
    disable_tf_exact_match_detection: bool = False

    @property
    def is_else(self) -> bool:
        return self.sql_condition.strip().upper() == "ELSE"


_LIBRARY_ONLY = {"column", "args", "term_frequency_adjustments", "m_probabilities", "u_probabilities"}
_LIBRARY_ONLY |= {"fix_m_probabilities", "fix_u_probabilities"}
_OWN_ONLY = {"output_column_name", "comparison_description"}
_KINDS: list[Any] = [
    {"allOf": [given("type"), given("column"), without(*sorted(_OWN_ONLY)), {"not": given("comparison_levels", [])}]},
    {"allOf": [given("comparison_levels", []), without(*sorted(_LIBRARY_ONLY)), {"not": given("type")}]},
]


class Comparison(Model):
    """One Splink comparison: from Splink's library (`type`), or your own (`comparison_levels`).

    Attributes:
        type: The name of a class in `splink.comparison_library`, e.g. `ExactMatch`, `NameComparison`,
            `JaroWinklerAtThresholds`.
        column: The column to compare.
        args: Further arguments of the class, by name.
        term_frequency_adjustments: Whether equal rare values count more than equal frequent values.
        m_probabilities: One m probability per level except the NULL level, the closest agreement first. Default:
            training estimates them.
        u_probabilities: The u probabilities, in the same order. Default: training estimates them.
        fix_m_probabilities: Whether training keeps given `m_probabilities`.
        fix_u_probabilities: Whether training keeps given `u_probabilities`.
        comparison_levels: The levels of your own comparison: the NULL level first, `ELSE` last.
        output_column_name: The name of your own comparison in the report.
        comparison_description: A description of your own comparison, for the report.
    """

    model_config = ConfigDict(json_schema_extra={"oneOf": _KINDS})

    type: str | None = None
    column: Text | None = None
    args: dict[str, Any] = Field(default_factory=dict)
    term_frequency_adjustments: bool = False
    m_probabilities: tuple[Probability, ...] = ()
    u_probabilities: tuple[Probability, ...] = ()
    fix_m_probabilities: bool = True
    fix_u_probabilities: bool = True
    comparison_levels: tuple[Level, ...] = ()
    output_column_name: Text | None = None
    comparison_description: Text | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Comparison:
        library, own = self.type is not None, bool(self.comparison_levels)
        if library == own:
            raise ValueError("give a comparison either type: and column:, or comparison_levels:")
        if library and self.column is None:
            raise ValueError("column: this key is missing; give the column to compare")
        foreign = self.model_fields_set & (_LIBRARY_ONLY if own else _OWN_ONLY)
        if foreign:
            kind = "comparison_levels:" if own else "type:"
            raise ValueError(f"{', '.join(sorted(foreign))}: cannot be used together with {kind}; remove it")
        return self

    @property
    def shown(self) -> str:
        """The comparison in messages and reports: `ExactMatch(city)`, or its own name."""
        if self.type is not None:
            return f"{self.type}({self.column})"
        return self.output_column_name or self.comparison_description or self.comparison_levels[0].sql_condition

    def known(self, kind: Literal["m", "u"]) -> bool:
        """Whether every probability of this kind is given and kept, so that training need not estimate it."""
        if self.type is not None:
            return bool(getattr(self, f"{kind}_probabilities")) and getattr(self, f"fix_{kind}_probabilities")
        return all(
            getattr(level, f"{kind}_probability") is not None and getattr(level, f"fix_{kind}_probability")
            for level in self.comparison_levels
            if not level.is_null_level
        )
