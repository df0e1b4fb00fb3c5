"""The two files' root models, and both together as a Project."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from comboi_core.config.base import MAY_BE_EMPTY, NO_LIST, Memory, Model, Name, Retry, SomeSeconds, Text
from comboi_core.config.datasets import GOLD_FOLDER, SILVER_FOLDER, DatasetConfig
from comboi_core.config.lakes import LakeConfig
from comboi_core.config.monitoring import HistoryConfig, MonitoringConfig, NotificationConfig
from comboi_core.config.sources import SourceConfig
from comboi_core.config.tables import BaseTable
from comboi_core.config.written import Json, reference_or
from comboi_core.domain.names import table_id

Stage = Literal["bronze", "silver", "gold"]
_PLACEHOLDER = re.compile(r"\{(stage|source|table)\}")
_TEMPLATE: Json = {
    "pattern": r"^(?=.*\{table\})(?!.*(?:^|/)(?:\.|/|$))(?:\{(?:stage|source|table)\}|[^{}\\\u0000-\u001f\u007f])+$",
    "patternErrorMessage": "A path inside the lake that contains {table}; it may also contain {stage} and {source}.",
}
"""What `StageConfig` accepts, for editors."""
STAGES: tuple[Stage, ...] = ("bronze", "silver", "gold")


_VAULT_URL = re.compile(r"https://[A-Za-z0-9.\-]+(:[0-9]+)?/?")


def is_vault_url(url: str) -> bool:
    """Tell whether a URL can be a vault's: https, a host, and no path."""
    return bool(_VAULT_URL.fullmatch(url))


class KeyVaultConfig(Model):
    """The vault of `{{keyvault:NAME}}` references.

    Attributes:
        vault_url: The vault's URL, as the portal shows it: `https://NAME.vault.azure.net/`. Or `{{env:NAME}}`; the
            Terraform template sets `KEY_VAULT_URL`.
    """

    vault_url: Text = Field(
        json_schema_extra=reference_or(_VAULT_URL.pattern, "A URL like https://NAME.vault.azure.net/, or {{env:NAME}}.")
    )

    @field_validator("vault_url")
    @classmethod
    def _an_address(cls, value: str) -> str:
        if "{{keyvault:" in value.replace(" ", ""):
            raise ValueError("vault_url: the vault's own URL cannot be in the vault; write the URL, or {{env:NAME}}")
        if "{{" not in value and not is_vault_url(value):
            raise ValueError('vault_url: write a URL such as "https://NAME.vault.azure.net/", or {{env:NAME}}')
        return value


class EngineConfig(Model):
    """Memory, threads and parallelism of DuckDB.

    Attributes:
        memory_limit: The memory limit of each DuckDB instance. Every activity opens one.
        threads: The threads of each DuckDB instance. Default: the number of processors, at most 4.
        temp_directory: The folder for DuckDB's temporary files and for files that wait for upload. Default: the
            system's temporary folder.
        parallel_datasets: How many datasets are built at the same time.
        soft_deadline: After this time an activity starts no further chunk, and the next activity goes on. Keep it well
            below the function's time limit.
    """

    memory_limit: Memory = "1GB"
    threads: int = Field(default_factory=lambda: max(1, min(4, os.cpu_count() or 1)), ge=1, le=64)
    temp_directory: str | None = None
    parallel_datasets: int = Field(default=2, ge=1, le=16)
    soft_deadline: SomeSeconds = 120.0


class StageConfig(Model):
    """Where the files of a stage are.

    Attributes:
        data_lake: The folder or container of the stage.
        remote_path_template: The path of a published dataset in the lake. It must contain `{table}`, and may contain
            `{stage}` and `{source}` (`refined` for silver, `metrics` for gold).
    """

    data_lake: LakeConfig
    remote_path_template: str = Field(default="{source}/{table}.parquet", json_schema_extra=_TEMPLATE)

    @field_validator("remote_path_template")
    @classmethod
    def _template(cls, value: str) -> str:
        bare = _PLACEHOLDER.sub("x", value)
        if "{" in bare or "}" in bare:
            raise ValueError("remote_path_template: may contain {stage}, {source} and {table}, and no other { or }")
        pieces = bare.split("/")
        inside = all(piece and not piece.startswith(".") for piece in pieces) and bare.isprintable()
        if "{table}" not in value or "\\" in bare or not inside:
            raise ValueError(
                "remote_path_template: must contain {table} and stay inside the lake; no part of it may begin "
                "with a dot"
            )
        return value


class BronzeConfig(StageConfig):
    """Where landed tables are.

    Attributes:
        keep_loads: How many loads of a table stay readable. After each commit, files that only older loads use are
            deleted.
    """

    keep_loads: int = Field(default=2, ge=1, le=1000)


class Stages(Model):
    """The three stages of the lake.

    Attributes:
        bronze: Tables as they are in the sources, load by load.
        silver: Cleaned and checked datasets, one Parquet file each.
        gold: Datasets for people and reports, one Parquet file each.
    """

    bronze: BronzeConfig
    silver: StageConfig
    gold: StageConfig


class MaskingConfig(Model):
    """Settings of `mask:`.

    Attributes:
        salt: The secret key of `mask: hash`. If you change it, every hashed value changes. Keep it in Key Vault:
            `{{keyvault:NAME}}`.
    """

    salt: Text


class PipelineFile(Model):
    """The pipeline's file, `configs/initial.yml`: where data comes from, and where it goes.

    Attributes:
        pipeline: The pipeline's name. Runs and the saved state have this name.
        failure_policy: What happens after a failure. `stop`: no later stage starts. `isolate`: only what depends on the
            failed table or dataset is skipped.
        key_vault: The vault of `{{keyvault:NAME}}` references.
        masking: Settings of `mask:`. Required if a table has `mask: hash`.
        engine: Memory, threads and parallelism of DuckDB.
        retry: How often transient errors are tried again, and after which delay.
        sources: Databases and folders of files, with the tables to land.
        stages: Where the files of bronze, silver and gold are.
        monitoring: Where logs and telemetry go.
        history: How long the task hub remembers ended runs.
        notifications: Webhooks to call when a run fails or recovers, or when a table is stale.
        takes_over: Other pipelines' names whose tables and datasets in the lake this pipeline may continue, e.g. its
            own former name. comboi refuses to write over those of any other pipeline.
        transformations_file: The path of the datasets' file. A relative path starts at the project's folder. Default:
            `transformations.yml` beside this file.
        queue: Ignored, with a note. It configured a storage queue, which Durable Functions replaced.
    """

    pipeline: Name
    failure_policy: Literal["stop", "isolate"] = "stop"
    key_vault: KeyVaultConfig | None = None
    masking: MaskingConfig | None = None
    engine: EngineConfig = Field(default_factory=EngineConfig)
    retry: Retry = Field(default_factory=Retry)
    sources: tuple[SourceConfig, ...] = Field(min_length=1)
    stages: Stages
    monitoring: MonitoringConfig = Field(default_factory=MonitoringConfig)
    history: HistoryConfig = Field(default_factory=HistoryConfig)
    notifications: tuple[NotificationConfig, ...] = ()
    takes_over: tuple[Name, ...] = ()
    transformations_file: str | None = None
    queue: Any = None

    @model_validator(mode="after")
    def _salted(self) -> PipelineFile:
        tables = ((source.name, table) for source in self.sources for table in source.tables)
        hashed = next((f"{name}.{table.name}" for name, table in tables if "hash" in table.mask.values()), None)
        if hashed and self.masking is None:
            raise ValueError(
                f'table {hashed} has mask: hash, which needs a salt; add masking: {{salt: "{{{{keyvault:NAME}}}}"}}'
            )
        return self

    @field_validator("sources")
    @classmethod
    def _unique(cls, value: tuple[SourceConfig, ...]) -> tuple[SourceConfig, ...]:
        names = [source.name for source in value]
        double = next((name for name in names if names.count(name) > 1), None)
        if double:
            raise ValueError(f"two sources are called '{double}'; rename one of them")
        return value


def _no_asset(value: Any) -> Any:
    if isinstance(value, dict) and "asset" in value:
        raise ValueError(
            "asset: is not a key of this file; put the Bruin asset below transformations/, and comboi finds it"
        )
    return value


_Datasets = tuple[Annotated[DatasetConfig, BeforeValidator(_no_asset)], ...]


class TransformationsFile(Model):
    """The datasets' file, `configs/transformations.yml`: what is made from the landed tables.

    Attributes:
        silver: Cleaned and checked datasets. They read bronze and silver.
        gold: Datasets for people and reports. They read bronze, silver and gold.
    """

    silver: Annotated[
        tuple[Annotated[DatasetConfig, BeforeValidator(_no_asset)], ...], MAY_BE_EMPTY, Field(json_schema_extra=NO_LIST)
    ] = ()
    gold: Annotated[
        tuple[Annotated[DatasetConfig, BeforeValidator(_no_asset)], ...], MAY_BE_EMPTY, Field(json_schema_extra=NO_LIST)
    ] = ()

    @model_validator(mode="after")
    def _unique(self) -> TransformationsFile:
        names = [dataset.name for dataset in (*self.silver, *self.gold)]
        double = next((name for name in names if names.count(name) > 1), None)
        if double:
            raise ValueError(f"two datasets are called '{double}'; names have to be unique over silver and gold")
        return self


class Project(Model):
    """Both files, and where they are.

    Attributes:
        root: The project's folder: the parent of the folder that holds the configuration file.
        notes: Notes for the user that are not errors.
        places: Where each dataset is configured, as `file:line`.
        reference_places: The first place of each reference, as `file:line`.
    """

    root: Path
    pipeline_file: PipelineFile
    transformations: TransformationsFile
    notes: tuple[str, ...] = ()
    places: dict[str, str] = Field(default_factory=dict)
    reference_places: dict[str, str] = Field(default_factory=dict)

    @property
    def pipeline(self) -> str:
        """The pipeline's name."""
        return self.pipeline_file.pipeline

    @property
    def owners(self) -> tuple[str, ...]:
        """The pipelines whose tables and datasets this one may write: itself first."""
        return (self.pipeline, *self.pipeline_file.takes_over)

    @property
    def transformations_folder(self) -> Path:
        """The folder of scripts."""
        return self.root / "transformations"

    def source(self, name: str) -> SourceConfig:
        """Return a source by name; KeyError if there is none."""
        return self._sources[name]

    @cached_property
    def _sources(self) -> dict[str, SourceConfig]:
        return {source.name: source for source in self.pipeline_file.sources}

    def table(self, source: str, name: str) -> BaseTable:
        """Return a table by source and name; KeyError if there is none."""
        return self.tables[source, name]

    @cached_property
    def tables(self) -> Mapping[tuple[str, str], BaseTable]:
        """Every table by its source and name, in the order of the file."""
        return {(source.name, table.name): table for source in self.pipeline_file.sources for table in source.tables}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every table, as `source.table`, and every dataset, in the order of the files."""
        return (*(table_id(*key) for key in self.tables), *(dataset.name for dataset in self.datasets()))

    def meant_by(self, name: str) -> list[str]:
        """Return the tables and datasets that a name means: the one that is called so, else those that end in it."""
        return [name] if name in self.names else [full for full in self.names if full.rpartition(".")[2] == name]

    def datasets(self, stage: Stage | None = None) -> tuple[DatasetConfig, ...]:
        """Return the datasets of a stage, or all."""
        if stage is None:
            return (*self.transformations.silver, *self.transformations.gold)
        return {"bronze": (), "silver": self.transformations.silver, "gold": self.transformations.gold}[stage]

    def dataset(self, name: str) -> tuple[Stage, DatasetConfig]:
        """Return a dataset and its stage; KeyError if there is none."""
        return self._datasets[name]

    @cached_property
    def _datasets(self) -> dict[str, tuple[Stage, DatasetConfig]]:
        return {item.name: (stage, item) for stage in STAGES for item in self.datasets(stage)}

    def dataset_path(self, name: str) -> str:
        """Return the path of a published dataset in its stage's lake."""
        stage, _ = self.dataset(name)
        folder = SILVER_FOLDER if stage == "silver" else GOLD_FOLDER
        schema, _, bare = name.rpartition(".")
        template: str = getattr(self.pipeline_file.stages, stage).remote_path_template
        return template.format(stage=stage, source=schema or folder, table=bare)

    @property
    def lake_base(self) -> Path:
        """The folder that relative paths of local lakes start at: COMBOI_LAKE_ROOT if set, else the project's "
        "folder."""
        return Path(os.environ.get("COMBOI_LAKE_ROOT") or self.root)

    @cached_property
    def config_hash(self) -> str:
        """A short hash of the configuration (both files and the headers of assets), with the names of references.

        Scripts are not part of it: they are code, and are deployed with function_app.py. Threads are not part of it:
        their default depends on the machine, and activities of one run may be on several machines.
        """
        deciding = self.pipeline_file.model_dump_json(exclude={"queue": True, "engine": {"threads"}})
        text = deciding + self.transformations.model_dump_json()
        return hashlib.sha256(text.encode()).hexdigest()[:16]
