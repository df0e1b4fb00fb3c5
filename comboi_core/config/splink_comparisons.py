"""What Splink compares and looks at, as the YAML writes it: comparisons with their levels, and rules for pairs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, GetJsonSchemaHandler, model_validator

from comboi_core.config.base import Model, Text
from comboi_core.config.written import TEXT, Json, given, without

Probability = Annotated[float, Field(ge=1e-300, le=1)]
"""Of a level; Splink takes none below 1e-300."""


class Rule(Model):
    """Which pairs of records a rule means: those that agree on all columns, or those that an SQL condition holds for.

    In YAML a list of columns, a condition over `l` and `r` (`l.name = r.name and l.year < r.year`), or a mapping.

    Attributes:
        columns: Columns that both records agree on.
        blocking_rule: The condition, in place of `columns`.
        arrays_to_explode: Columns with lists; the rule sees one row per element.
    """

    columns: tuple[Text, ...] = ()
    blocking_rule: Text | None = None
    arrays_to_explode: tuple[Text, ...] = ()

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: GetJsonSchemaHandler) -> Json:
        """Return the short forms beside the mapping."""
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
            raise ValueError("a rule is a list of columns, or a condition like `l.name = r.name`")
        return value

    @model_validator(mode="after")
    def _one_kind(self) -> Rule:
        if bool(self.columns) == (self.blocking_rule is not None):
            raise ValueError("a rule lists at least one column, or has a condition like `l.name = r.name`; not both")
        return self

    @property
    def shown(self) -> str:
        """How messages name the rule: `[surname, dob]`, or its condition."""
        return self.blocking_rule or f"[{', '.join(self.columns)}]"


class Level(Model):
    """One level of a comparison of one's own, with Splink's keys.

    Attributes:
        sql_condition: Over the columns of both records, `name_l = name_r`; `ELSE` for the last level.
        label_for_charts: How the report names the level.
        is_null_level: Whether the level is that of missing values, which count neither for nor against a match.
        m_probability: How often records of one entity are on this level; default: it is trained.
        u_probability: How often records of two entities are on this level; default: it is trained.
        fix_m_probability: Whether training keeps `m_probability`, where it is given.
        fix_u_probability: Whether training keeps `u_probability`, where it is given.
        tf_adjustment_column: A column whose rare values count more than its frequent ones.
        tf_adjustment_weight: How much such an adjustment counts: 0 not at all, 1 fully. Default: 1.
        tf_minimum_u_value: The least u probability that such an adjustment goes down to. Default: 0.
        disable_tf_exact_match_detection: Whether the adjustment starts from this level's own u probability instead of
            that of the exact match.
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
    """One Splink comparison: of the library, by its name, or one's own, by its levels.

    Attributes:
        type: A class of splink.comparison_library: `ExactMatch`, `NameComparison`, `JaroWinklerAtThresholds`.
        column: Its first argument: the column that is compared.
        args: Its other arguments, by name.
        term_frequency_adjustments: Whether agreement on a rare value counts more than on a frequent one.
        m_probabilities: One per level but the NULL level, the closest agreement first; default: they are trained.
        u_probabilities: Likewise for u.
        fix_m_probabilities: Whether training keeps `m_probabilities`, where they are given.
        fix_u_probabilities: Whether training keeps `u_probabilities`, where they are given.
        comparison_levels: The levels of a comparison of one's own, the NULL level first, `ELSE` last.
        output_column_name: What the report calls a comparison of one's own.
        comparison_description: A sentence on it, for the report.
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
            raise ValueError("a comparison has either type: and column:, or comparison_levels:")
        if library and self.column is None:
            raise ValueError("column: names the column that the comparison is of")
        foreign = self.model_fields_set & (_LIBRARY_ONLY if own else _OWN_ONLY)
        if foreign:
            kind = "comparison_levels:" if own else "type:"
            raise ValueError(f"{', '.join(sorted(foreign))} does not go with {kind}")
        return self

    @property
    def shown(self) -> str:
        """How messages and reports name it: `ExactMatch(city)`, or the name of its own."""
        if self.type is not None:
            return f"{self.type}({self.column})"
        return self.output_column_name or self.comparison_description or self.comparison_levels[0].sql_condition

    def known(self, kind: Literal["m", "u"]) -> bool:
        """Whether training has nothing to find out: every probability of the kind is given and kept."""
        if self.type is not None:
            return bool(getattr(self, f"{kind}_probabilities")) and getattr(self, f"fix_{kind}_probabilities")
        return all(
            getattr(level, f"{kind}_probability") is not None and getattr(level, f"fix_{kind}_probability")
            for level in self.comparison_levels
            if not level.is_null_level
        )
