"""Silver and gold: datasets, their inputs, checks and deduplication."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from comboi_core.config.base import Model, Name, SqlName

SILVER_FOLDER = "refined"
GOLD_FOLDER = "metrics"
_FOLDERS = {"silver": SILVER_FOLDER, "gold": GOLD_FOLDER}


class Input(Model):
    """One input of a dataset: a bronze table, or another dataset.

    Either the short form (`source` and `table`, or `dataset`), or the long one (`stage` and `source_path`).
    """

    alias: SqlName
    source: Name | None = None
    table: Name | None = None
    dataset: SqlName | None = None
    view: Literal["current", "log"] = "current"

    @model_validator(mode="before")
    @classmethod
    def _long_form(cls, value: Any) -> Any:
        if not isinstance(value, dict) or ("stage" not in value and "source_path" not in value):
            return value
        value = dict(value)
        stage, path = value.pop("stage", None), value.pop("source_path", None)
        if {"source", "table", "dataset"} & value.keys():
            raise ValueError("give either stage: and source_path:, or source: and table:, or dataset:; not a mixture")
        stage = str(stage)
        parts = str(path or "").removesuffix(".parquet").split("/")
        if stage == "bronze" and len(parts) == 2:
            return value | {"source": parts[0], "table": parts[1]}
        if stage in _FOLDERS and len(parts) == 2 and parts[0] == _FOLDERS[stage]:
            return value | {"dataset": parts[1]}
        raise ValueError(
            "stage: and source_path: read `bronze` with SOURCE/TABLE.parquet, "
            f"`silver` with {SILVER_FOLDER}/NAME.parquet or `gold` with {GOLD_FOLDER}/NAME.parquet"
        )

    @model_validator(mode="after")
    def _one_kind(self) -> Input:
        bronze = self.source is not None and self.table is not None
        if bronze == (self.dataset is not None) or (self.source is None) != (self.table is None):
            raise ValueError("name a bronze table with source: and table:, or a dataset with dataset:")
        if self.dataset and self.view != "current":
            raise ValueError("view: is for bronze tables only")
        return self


class Check(Model):
    """One quality check, brought to one form whatever the YAML said.

    Attributes:
        kind: A declarative check's name, or `script`.
        columns: The columns it looks at.
        params: What else it needs, e.g. `{"value": 0}`, `{"values": [...]}`, `{"min": 1, "max": None}`, `{"sql": ...}`.
        script: For `script`: the name of `transformations/quality/NAME.py`.
    """

    kind: Literal[
        "script",
        "not_null",
        "unique",
        "unique_combination",
        "accepted_values",
        "min",
        "max",
        "positive",
        "non_negative",
        "negative",
        "pattern",
        "row_count",
        "sql",
    ]
    columns: tuple[str, ...] = ()
    params: dict[str, Any] = Field(default_factory=dict)
    script: Name | None = None
    severity: Literal["error", "warn"] = "error"

    @property
    def label(self) -> str:
        """How reports name the check, e.g. `not_null(order_id)`."""
        if self.kind == "script":
            return str(self.script)
        shown = [*self.columns, *(f"{key}={value}" for key, value in self.params.items() if value is not None)]
        return f"{self.kind}({', '.join(map(str, shown))})"


_COLUMN_CHECKS = {"not_null", "unique", "positive", "non_negative", "negative"}
_VALUE_CHECKS = {"accepted_values": "values", "min": "value", "max": "value", "pattern": "regex"}
_TABLE_CHECKS = {"row_count": {"min", "max"}, "sql": {"query", "description"}}


def _columns_of(body: Any, kind: str) -> tuple[str, ...]:
    columns = [body] if isinstance(body, str) else body
    if not isinstance(columns, list) or not columns or not all(isinstance(column, str) for column in columns):
        raise ValueError(f"{kind} takes a column or a list of columns")
    return tuple(columns)


def parse_check(entry: Any) -> tuple[Check, ...]:
    """Turn one entry of `quality_checks` into checks; a list of columns becomes one check per column.

    Raises:
        ValueError: with what is wrong and what is expected.
    """
    if isinstance(entry, str):
        return (Check(kind="script", script=entry),)
    if not isinstance(entry, dict) or len(entry) != 1:
        raise ValueError("a check is a script's name or one mapping such as `not_null: [column]`")
    kind, body = next(iter(entry.items()))
    options: dict[str, Any] = {}
    if isinstance(body, dict):
        body = dict(body)
        options = {"severity": body.pop("severity", "error")}
    if kind in _COLUMN_CHECKS or kind == "unique_combination":
        if isinstance(body, dict):
            if len(body) != 1 or not set(body) <= {"column", "columns"}:
                raise ValueError(f"{kind} takes a column, a list of columns, or {{columns: [...], severity: ...}}")
            body = next(iter(body.values()))
        columns = _columns_of(body, kind)
        if kind == "unique_combination":
            return (Check(kind=kind, columns=columns, **options),)
        return tuple(Check(kind=kind, columns=(column,), **options) for column in columns)
    if kind in _VALUE_CHECKS:
        wanted = _VALUE_CHECKS[kind]
        if not isinstance(body, dict) or set(body) != {"column", wanted}:
            raise ValueError(f"{kind} takes {{column: ..., {wanted}: ...}}")
        return (Check(kind=kind, columns=(body["column"],), params={wanted: body[wanted]}, **options),)
    if kind in _TABLE_CHECKS:
        allowed = _TABLE_CHECKS[kind]
        if not isinstance(body, dict) or not body or set(body) - allowed:
            raise ValueError(f"{kind} takes {{{', '.join(sorted(allowed))}}}")
        return (Check(kind=kind, params=body, **options),)
    known = sorted({*_COLUMN_CHECKS, "unique_combination", *_VALUE_CHECKS, *_TABLE_CHECKS})
    raise ValueError(f"unknown check '{kind}'; the checks are {', '.join(known)}, or the name of a script")


class Comparison(Model):
    """One Splink comparison: `type` from splink.comparison_library, its column, its arguments."""

    type: str
    column: str
    args: dict[str, Any] = Field(default_factory=dict)
    term_frequency_adjustments: bool = False


class Training(Model):
    """How Splink's parameters are estimated.

    Attributes:
        deterministic_rules: Lists of columns; records agreeing on all columns of a rule are taken as matches to
            estimate the probability that two random records match.
        recall: The share of true matches that those rules find.
        em_blocking: Lists of columns to block on, one expectation-maximisation session each.
        seed: Seed of the random sampling.
    """

    deterministic_rules: tuple[tuple[str, ...], ...] = Field(min_length=1)
    recall: float = Field(default=0.7, gt=0, le=1)
    em_blocking: tuple[tuple[str, ...], ...] = Field(min_length=1)
    max_pairs: float = Field(default=1e6, gt=0)
    seed: int = 1


class Survivor(Model):
    """Which record of a cluster survives: the first by `order_by`."""

    order_by: str


class Labels(Model):
    """The column that holds the true identity, where it is known; reports then show precision and recall."""

    column: str


class SplinkConfig(Model):
    """Deduplication by Splink; the keys are those of Splink's own settings."""

    link_type: Literal["dedupe_only"] = "dedupe_only"
    unique_id_column_name: str
    comparisons: tuple[Comparison, ...] = Field(min_length=1)
    blocking_rules_to_generate_predictions: tuple[tuple[str, ...], ...] = Field(min_length=1)
    training: Training
    threshold_match_probability: float = Field(default=0.9, gt=0, le=1)
    survivor: Survivor
    labels: Labels | None = None


class DatasetConfig(Model):
    """One silver or gold dataset: transformation, checks, deduplication, one Parquet file.

    Attributes:
        script: Name of the file in `transformations/`, without ending; default: the dataset's name.
        allow_empty: Whether a result without rows may replace one that has some.
    """

    name: SqlName
    script: Name | None = None
    inputs: tuple[Input, ...] = Field(min_length=1)
    quality_checks: tuple[Annotated[tuple[Check, ...], BeforeValidator(parse_check)], ...] = ()
    splink: SplinkConfig | None = None
    allow_empty: bool = False
    description: str | None = None

    @model_validator(mode="after")
    def _aliases(self) -> DatasetConfig:
        aliases = [item.alias.lower() for item in self.inputs]  # SQL does not tell `Orders` from `orders`
        double = next((alias for alias in aliases if aliases.count(alias) > 1), None)
        if double:
            raise ValueError(f"two inputs have the alias '{double}'")
        if self.name.lower() in aliases:
            raise ValueError(f"the alias '{self.name}' is the dataset's own name; choose another alias")
        return self

    @property
    def checks(self) -> tuple[Check, ...]:
        """All checks, in the order of the file."""
        return tuple(check for entry in self.quality_checks for check in entry)

    @property
    def script_name(self) -> str:
        """The transformation's file name without ending."""
        return self.script or self.name
