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

    Write it in short (`source` and `table`, or `dataset`), or as a path (`stage` and `source_path`).

    Attributes:
        alias: The input's name in your transformation (SQL table name, or key in Python).
        source: Together with `table`: the source of a bronze table.
        table: The bronze table's name in its source.
        dataset: The name of a silver or gold dataset.
        stage: Together with `source_path`: the stage of the input.
        source_path: The input's path: `SOURCE/TABLE.parquet` for bronze, `refined/NAME.parquet` for silver,
            `metrics/NAME.parquet` for gold.
        view: Which rows of a bronze table to read. `current`: the table as it is now. `log`: every landed version of
            every row. `changes`: only rows that were landed since the dataset's last build.
    """

    alias: DatasetName
    source: Name | None = None
    table: Name | None = None
    dataset: DatasetName | None = None
    view: Literal["current", "log", "changes"] = "current"

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: GetJsonSchemaHandler) -> Json:
        """Return one form for each way to name an input."""
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
            raise ValueError("give only one of: stage: and source_path:, source: and table:, dataset:")
        stage = str(stage)
        parts = str(path or "").removesuffix(".parquet").split("/")
        if stage == "bronze" and len(parts) == 2:
            return value | {"source": parts[0], "table": parts[1]}
        if stage in _FOLDERS and len(parts) == 2 and parts[0] == _FOLDERS[stage]:
            return value | {"dataset": parts[1]}
        raise ValueError(
            "source_path: has to be SOURCE/TABLE.parquet for stage: bronze, "
            f"{SILVER_FOLDER}/NAME.parquet for silver, or {GOLD_FOLDER}/NAME.parquet for gold"
        )

    @model_validator(mode="after")
    def _one_kind(self) -> Input:
        bronze = self.source is not None and self.table is not None
        if bronze == (self.dataset is not None) or (self.source is None) != (self.table is None):
            raise ValueError("name a bronze table with source: and table:, or a dataset with dataset:")
        if self.dataset and self.view != "current":
            raise ValueError("view: is for bronze tables only; remove it")
        return self


class ColumnNote(Model):
    """Documentation of a dataset's column, for the catalogue.

    Attributes:
        name: The column's name.
        type: The column's type, in your own words. It is only shown.
        description: What the column means.
        sensitive: Whether to hide the column's values in the failing rows that run records show.
    """

    name: Text
    type: Text | None = None
    description: str | None = None
    sensitive: bool = False


class DatasetConfig(Model):
    """One silver or gold dataset: a transformation with its checks, published as one Parquet file.

    Attributes:
        name: The dataset's name, unique over silver and gold. The published file has this name.
        script: The transformation's file in `transformations/`, without its ending. Default: the dataset's name.
        asset: For a dataset from a Bruin asset: the asset's file, below `transformations/`. Not for YAML.
        inputs: The tables and datasets that the transformation reads.
        materialization: How the result of a build is combined with the published dataset. Default: it replaces it.
        columns: Documentation of columns, for the catalogue.
        quality_checks: Checks of the result. A failed check stops the publish.
        splink: Deduplication or linkage of the result, before the checks.
        on_change: For datasets that keep rows of earlier builds: what to do when the script changed, or a setting that
            decides which rows it returns. `warn`: keep the rows and warn in each run, until you rebuild the dataset
            with `--full-refresh`. `refuse`: the build fails. `reload`: rebuild the whole dataset now. With strategy
            `replace` this key has no effect.
        allow_empty: Whether an empty result may replace a dataset that has rows. If `false`, the build fails.
        description: What one row of the dataset is, for the catalogue.
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
            raise ValueError(
                "splink: needs all records in each build; remove materialization:, or write strategy: replace"
            )
        if self.on_change == "reload" and self.materialization.time_granularity:
            raise ValueError(
                "on_change: reload does not work with time_granularity:, because one build does not return all rows"
            )
        if not self.inputs and self.asset is None:
            raise ValueError("inputs: give at least one table or dataset")
        aliases = [item.alias.lower() for item in self.inputs]  # SQL does not tell `Orders` from `orders`
        double = next((alias for alias in aliases if aliases.count(alias) > 1), None)
        if double:
            raise ValueError(f"two inputs have the alias '{double}'; rename one of them")
        if self.name.lower() in aliases:
            raise ValueError(f"the alias '{self.name}' is the dataset's own name; choose another alias")
        return self

    @property
    def checks(self) -> tuple[Check, ...]:
        """All checks, in the order of the file."""
        return tuple(check for entry in self.quality_checks for check in entry)

    @property
    def references(self) -> set[str]:
        """The other datasets and tables (`source.table`) that checks refer to."""
        return {check.references for check in self.checks if check.references} - {self.name}

    @property
    def script_name(self) -> str:
        """The transformation's file name without ending."""
        return self.script or self.name
