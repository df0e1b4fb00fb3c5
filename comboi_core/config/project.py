"""The two files' root models, and both together as a Project."""

from __future__ import annotations

import hashlib
import os
import re
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from comboi_core.config.base import MAY_BE_EMPTY, NO_LIST, Memory, Model, Name, Retry, SomeSeconds, Text
from comboi_core.config.datasets import GOLD_FOLDER, SILVER_FOLDER, DatasetConfig
from comboi_core.config.lakes import LakeConfig
from comboi_core.config.monitoring import HistoryConfig, MonitoringConfig, NotificationConfig
from comboi_core.config.sources import AnyTable, SourceConfig
from comboi_core.config.written import Json, reference_or

Stage = Literal["bronze", "silver", "gold"]
_PLACEHOLDER = re.compile(r"\{(stage|source|table)\}")
_TEMPLATE: Json = {
    "pattern": r"^(?=.*\{table\})(?!.*(?:^|/)(?:\.|/|$))(?:\{(?:stage|source|table)\}|[^{}\\\u0000-\u001f\u007f])+$",
    "patternErrorMessage": "A path inside the lake with {table} in it; {stage} and {source} may be, too.",
}
"""What `StageConfig` accepts, for editors."""
STAGES: tuple[Stage, ...] = ("bronze", "silver", "gold")


_VAULT_URL = re.compile(r"https://[A-Za-z0-9.\-]+(:[0-9]+)?/?")


def is_vault_url(url: str) -> bool:
    """Tell whether this may be a vault's address: https, a host, nothing behind it."""
    return bool(_VAULT_URL.fullmatch(url))


class KeyVaultConfig(Model):
    """Where `{{keyvault:NAME}}` references are looked up.

    Attributes:
        vault_url: As the portal shows it, `https://NAME.vault.azure.net/`; or `{{env:NAME}}`, which Terraform sets.
    """

    vault_url: Text = Field(
        json_schema_extra=reference_or(
            _VAULT_URL.pattern, "An address like https://NAME.vault.azure.net/, or {{env:NAME}}."
        )
    )

    @field_validator("vault_url")
    @classmethod
    def _an_address(cls, value: str) -> str:
        if "{{keyvault:" in value.replace(" ", ""):
            raise ValueError("vault_url: the vault's address cannot come from the vault; write it, or {{env:NAME}}")
        if "{{" not in value and not is_vault_url(value):
            raise ValueError('vault_url: an address of the form "https://NAME.vault.azure.net/", or {{env:NAME}}')
        return value


class EngineConfig(Model):
    """How DuckDB is opened, and how much is built at once.

    Attributes:
        memory_limit: Memory per DuckDB instance; each activity opens one.
        threads: Threads per DuckDB instance; default: as many as the machine has processors, at most 4.
        temp_directory: Where DuckDB spills and files are staged for upload; default: the system's temporary folder.
        parallel_datasets: How many datasets are built at the same time.
        soft_deadline: After so long an extracting activity begins no further chunk but leaves the rest to the next
            one; keep it well inside the function's time limit.
    """

    memory_limit: Memory = "1GB"
    threads: int = Field(default_factory=lambda: max(1, min(4, os.cpu_count() or 1)), ge=1, le=64)
    temp_directory: str | None = None
    parallel_datasets: int = Field(default=2, ge=1, le=16)
    soft_deadline: SomeSeconds = 120.0


class StageConfig(Model):
    """Where a stage's files are.

    Attributes:
        data_lake: The folder or the container.
        remote_path_template: Path of a published dataset; `{table}` has to be in it, `{stage}` and `{source}` may be;
            `source` is `refined` for silver and `metrics` for gold.
    """

    data_lake: LakeConfig
    remote_path_template: str = Field(default="{source}/{table}.parquet", json_schema_extra=_TEMPLATE)

    @field_validator("remote_path_template")
    @classmethod
    def _template(cls, value: str) -> str:
        bare = _PLACEHOLDER.sub("x", value)
        if "{" in bare or "}" in bare:
            raise ValueError("remote_path_template may use {stage}, {source} and {table}")
        pieces = bare.split("/")
        inside = all(piece and not piece.startswith(".") for piece in pieces) and bare.isprintable()
        if "{table}" not in value or "\\" in bare or not inside:
            raise ValueError("remote_path_template needs {table} and has to stay inside the lake, in visible folders")
        return value


class BronzeConfig(StageConfig):
    """Where landed tables are.

    Attributes:
        keep_loads: How many of a table's latest loads stay readable by their manifests; what only older ones list is
            deleted after a commit.
    """

    keep_loads: int = Field(default=2, ge=1, le=1000)


class Stages(Model):
    """The three layers of the lake.

    Attributes:
        bronze: Tables as the sources have them, load by load.
        silver: Cleaned and checked datasets, one Parquet file each.
        gold: What people and reports read, one Parquet file each.
    """

    bronze: BronzeConfig
    silver: StageConfig
    gold: StageConfig


class MaskingConfig(Model):
    """What masks of personal values need.

    Attributes:
        salt: The key of `hash`; changing it changes every hashed value. Keep it in the vault: `{{keyvault:NAME}}`.
    """

    salt: Text


class PipelineFile(Model):
    """The pipeline's file, `configs/initial.yml`: where the data comes from, and where it goes.

    Attributes:
        pipeline: The pipeline's name; runs and what is remembered between them are named after it.
        failure_policy: `stop`: no later stage starts once something failed. `isolate`: only what depends on the failed
            item is left out.
        key_vault: Where `{{keyvault:NAME}}` references are looked up.
        masking: What masks of personal values need.
        engine: How DuckDB is opened, and how much is built at once.
        retry: How often, and how patiently, transient errors are tried again.
        sources: Databases and places of files, with the tables to land.
        stages: Where the three layers of the lake are.
        monitoring: Where logs and telemetry go.
        history: How long the task hub remembers runs that have ended.
        notifications: Webhooks that are called when a run fails, recovers, or a table is stale.
        takes_over: Pipelines whose tables and datasets in the lake this one goes on with: its own former name, or one
            whose place it takes. Those of any other pipeline are refused.
        transformations_file: The datasets' file, counted from the project's folder; default: `transformations.yml`
            beside this file.
        queue: Ignored, with a note: durable orchestration has replaced the storage queue.
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
            raise ValueError(f"{hashed} has mask: hash, which needs masking: {{salt: ...}}, best from the vault")
        return self

    @field_validator("sources")
    @classmethod
    def _unique(cls, value: tuple[SourceConfig, ...]) -> tuple[SourceConfig, ...]:
        names = [source.name for source in value]
        double = next((name for name in names if names.count(name) > 1), None)
        if double:
            raise ValueError(f"two sources are called '{double}'")
        return value


def _no_asset(value: Any) -> Any:
    if isinstance(value, dict) and "asset" in value:
        raise ValueError(
            "asset: is no key; an asset of Bruin is a file below transformations/ that says everything itself"
        )
    return value


_Datasets = tuple[Annotated[DatasetConfig, BeforeValidator(_no_asset)], ...]


class TransformationsFile(Model):
    """The datasets' file, `configs/transformations.yml`: what is made of the landed tables.

    Attributes:
        silver: Cleaned and checked datasets.
        gold: Datasets for people and reports; they read silver and bronze.
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
            raise ValueError(f"two datasets are called '{double}'; names are unique over silver and gold")
        return self


class Project(Model):
    """Both files, with where they were found.

    Attributes:
        root: The project's folder: the parent of the folder that holds the configuration file.
        notes: Remarks for the user that are no errors.
        places: Where each dataset is configured, as `file:line`.
        reference_places: Where each reference stands first, as `file:line`.
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
        """The pipelines whose tables and datasets are this one's: itself first."""
        return (self.pipeline, *self.pipeline_file.takes_over)

    @property
    def transformations_folder(self) -> Path:
        """Where scripts are looked for."""
        return self.root / "transformations"

    def source(self, name: str) -> SourceConfig:
        """Return a source by name; KeyError if there is none."""
        return self._sources[name]

    @cached_property
    def _sources(self) -> dict[str, SourceConfig]:
        return {source.name: source for source in self.pipeline_file.sources}

    def table(self, source: str, name: str) -> AnyTable:
        """Return a table by source and name; KeyError if there is none."""
        return self._tables[source, name]

    @cached_property
    def _tables(self) -> dict[tuple[str, str], AnyTable]:
        return {(source.name, table.name): table for source in self.pipeline_file.sources for table in source.tables}

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
        """What the paths of local lakes count from: COMBOI_LAKE_ROOT, if set, else the project's folder."""
        return Path(os.environ.get("COMBOI_LAKE_ROOT") or self.root)

    @cached_property
    def config_hash(self) -> str:
        """A short hash of what the files and the assets' headers configure; references count by name, not by value.

        Scripts do not count: they are code, and go where function_app.py goes. Threads do not: by default there are as
        many as the machine has processors, and activities of one run may be on several machines.
        """
        deciding = self.pipeline_file.model_dump_json(exclude={"queue": True, "engine": {"threads"}})
        text = deciding + self.transformations.model_dump_json()
        return hashlib.sha256(text.encode()).hexdigest()[:16]
