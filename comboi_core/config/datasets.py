"""Silver and gold: datasets, their inputs, checks and deduplication."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import SkipJsonSchema

from comboi_core.config.base import DatasetName, Model, Name, Text
from comboi_core.config.checks import Check, parse_check
from comboi_core.config.input_forms import input_forms
from comboi_core.config.materialization import Materialization
from comboi_core.config.splink import SplinkConfig
from comboi_core.config.written import Json, attributes

SILVER_FOLDER = "refined"
GOLD_FOLDER = "metrics"
_FOLDERS = {"silver": SILVER_FOLDER, "gold": GOLD_FOLDER}


class Input(Model):
    """One input of a dataset: a bronze table, or another dataset.

    Either the short form (`source` and `table`, or `dataset`), or the long one (`stage` and `source_path`).

    Attributes:
        alias: How the transformation calls it.
        source: With `table`: the source of a bronze table.
        table: The bronze table's name in its source.
        dataset: A silver or gold dataset.
        stage: With `source_path`, the long form: where the input is.
        source_path: `SOURCE/TABLE.parquet` for bronze, `refined/NAME.parquet` for silver, `metrics/NAME.parquet` for
            gold.
        view: Of a bronze table: its rows as they are now, every landed version, or what was landed since the dataset's
            last build.
    """

    alias: DatasetName
    source: Name | None = None
    table: Name | None = None
    dataset: DatasetName | None = None
    view: Literal["current", "log", "changes"] = "current"

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: GetJsonSchemaHandler) -> Json:
        """Return one form per way to name an input."""
        held = super().__get_pydantic_json_schema__(core_schema, handler)
        forms = input_forms(held["properties"], attributes(cls), _FOLDERS)
        return {key: held[key] for key in ("title", "description")} | forms

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


class ColumnNote(Model):
    """What is known of a column of a dataset, for the catalogue.

    Attributes:
        name: The column's name.
        type: Its type, in your own words.
        description: What it holds.
        sensitive: Whether its values are left out of the failing rows that run records show.
    """

    name: Text
    type: Text | None = None
    description: str | None = None
    sensitive: bool = False


class DatasetConfig(Model):
    """One silver or gold dataset: transformation, checks, deduplication, one Parquet file.

    Attributes:
        name: The dataset's name, unique over silver and gold; the published file is called so.
        script: Name of the file in `transformations/`, without ending; default: the dataset's name.
        asset: For a dataset that an asset of Bruin defines: the asset's file, below `transformations/`. Not for YAML.
        inputs: What the transformation reads.
        materialization: How a build's result becomes the published dataset; default: it replaces it.
        columns: What is known of its columns, for the catalogue.
        quality_checks: What has to hold before the result is published.
        splink: Deduplication or linkage of the result, before the checks.
        on_change: When the script, or a setting that decides which rows it gives, has changed: a dataset that grows
            from build to build keeps the rows of the former one. `warn`: the run says so until the dataset is built
            anew with --full-refresh. `refuse`: the build fails. `reload`: it is built anew at once. A dataset that each
            build replaces needs none of it.
        allow_empty: Whether a result without rows may replace one that has some.
        description: What a row of it is, for the catalogue.
    """

    model_config = ConfigDict(json_schema_extra={"required": ["name", "inputs"]})

    name: DatasetName
    script: Name | None = None
    asset: SkipJsonSchema[str | None] = None
    inputs: tuple[Input, ...] = Field(default=(), json_schema_extra={"minItems": 1})
    materialization: Materialization = Materialization()
    columns: tuple[ColumnNote, ...] = ()
    quality_checks: tuple[
        Annotated[tuple[Check, ...], BeforeValidator(parse_check, json_schema_input_type=Check)], ...
    ] = ()
    splink: SplinkConfig | None = None
    on_change: Literal["warn", "refuse", "reload"] = "warn"
    allow_empty: bool = False
    description: str | None = None

    @model_validator(mode="after")
    def _aliases(self) -> DatasetConfig:
        if self.splink and self.materialization.incremental:
            raise ValueError("splink: looks at all records, so the materialization has to be replace")
        if self.on_change == "reload" and self.materialization.time_granularity:
            raise ValueError("on_change: reload cannot be with time_granularity: a build never gives all of its rows")
        if not self.inputs and self.asset is None:
            raise ValueError("inputs: names at least one table or dataset")
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
    def references(self) -> set[str]:
        """The datasets and tables (`source.table`) that checks compare with, itself left out."""
        return {check.references for check in self.checks if check.references} - {self.name}

    @property
    def script_name(self) -> str:
        """The transformation's file name without ending."""
        return self.script or self.name
