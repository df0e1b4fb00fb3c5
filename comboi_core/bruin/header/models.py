"""What an asset's header may say. Strict: what is not known is an error, what Bruin passes over in silence too."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from comboi_core.bruin.header.testing import Block, UnitTest, refusing
from comboi_core.config.base import Text
from comboi_core.domain.names import DATASET_NAME_PATTERN

_ASSET_NAME = re.compile(DATASET_NAME_PATTERN)
CHECKS = (
    "not_null", "unique", "positive", "non_negative", "negative", "min", "max", "accepted_values", "pattern",
    "relationships",
)  # fmt: skip
"""The column checks of Bruin; it knows no others."""
STRATEGIES = (
    "create+replace", "truncate+insert", "append", "merge", "delete+insert", "time_interval", "scd2_by_column",
    "scd2_by_time", "ddl",
)  # fmt: skip

REFUSED = {
    "secrets": (
        "comboi passes no secrets to scripts: put a Key Vault reference into the app's settings and read os.environ"
    ),
    "extends": "glossaries are not supported: write the columns here",
    "run": "the code has to be in the file with the header: move the header there",
    "routing": "comboi routes nothing",
}
"""Keys that would change what an asset does, and what to do in their place."""
REFUSED_IN_COLUMNS = {
    "merge_sql": "comboi merges whole values, like Bruin on DuckDB: compute the value in the query",
    "extends": REFUSED["extends"],
    "mask": "comboi masks where it reads the source; meta: {sensitive: true} keeps values out of reports",
}
IGNORED = {
    "image": "it runs in comboi's own Python; what it imports has to be in requirements.txt",
    "instance": "it runs where the function app runs",
    "retries": "`retry:` in the pipeline file decides",
    "timeout": "the function app's time limit decides",
    "rerun_cooldown": "`retry:` in the pipeline file decides",
    "notifications": "the platform's alerts on failed runs do that",
}
"""Keys that say how Bruin runs an asset, and what decides that here; a note tells it."""
PLATFORMS = ("snowflake", "athena", "bigquery", "doris", "starrocks")
"""Blocks for other databases; they say nothing about DuckDB."""


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str | dict) else value


class Depend(Block):
    """One entry of `depends`.

    Attributes:
        mode: `symbolic` shows in the lineage only. Bruin takes any other word for `full`; here it is an error.
    """

    asset: Text | None = None
    uri: Text | None = None
    mode: Literal["full", "symbolic"] = "full"
    columns: tuple[Any, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"asset": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one(self) -> Depend:
        if (self.asset is None) == (self.uri is None):
            raise ValueError("give an asset's name, or exactly one of asset: and uri:")
        return self


class ColumnCheck(Block):
    """One check of a column."""

    name: str
    value: Any = None
    blocking: bool = True
    description: str | None = None
    retries: int | None = None

    @model_validator(mode="before")
    @classmethod
    def _mapping(cls, value: Any) -> Any:
        if isinstance(value, str):
            raise ValueError(f"a check is a mapping: `- name: {value}`")
        return value

    @field_validator("name")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in CHECKS:
            raise ValueError(f"there is no check '{value}'; the checks are {', '.join(CHECKS)}")
        return value


class ForeignKey(Block):
    """Where a column's values come from."""

    table: Text
    column: Text


class Column(Block):
    """One column of an asset."""

    name: Text
    type: str | None = None
    description: str | None = None
    primary_key: bool = False
    update_on_merge: bool = False
    nullable: bool = True
    default: Any = None
    precision: int | None = None
    scale: int | None = None
    length: int | None = None
    collation: str | None = None
    foreign_key: ForeignKey | None = None
    source_column: str | None = None
    owner: str | None = None
    domains: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    meta: dict[str, Any] = Field(default_factory=dict)
    upstreams: tuple[Any, ...] = ()
    checks: tuple[ColumnCheck, ...] = ()

    merge_sql: Any = Field(default=None, exclude=True)
    extends: Any = Field(default=None, exclude=True)
    mask: Any = Field(default=None, exclude=True)

    _refused = refusing(REFUSED_IN_COLUMNS)

    @model_validator(mode="after")
    def _once(self) -> Column:
        names = [check.name for check in self.checks]
        double = next((name for name in names if names.count(name) > 1), None)
        if double:
            raise ValueError(f"the check {double} is given twice; remove one of them")
        return self

    @property
    def sql_type(self) -> str | None:
        """The type as DuckDB writes it, with precision and scale, or length."""
        if not self.type or "(" in self.type or self.precision is None:
            return self.type or None
        return f"{self.type}({self.precision}{'' if self.scale is None else f', {self.scale}'})"


class MaterializationBlock(Block):
    """How the result is kept."""

    type: Literal["table", "view", "none"] | None = None
    strategy: str | None = None
    incremental_key: Text | None = None
    time_granularity: Literal["date", "timestamp"] | None = None
    partition_by: str | None = None
    cluster_by: tuple[str, ...] = ()

    incremental_predicate: Any = Field(default=None, exclude=True)

    _refused = refusing({"incremental_predicate": "put the condition into the query"})

    @field_validator("strategy")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        if value and value.startswith("datavault_"):
            raise ValueError(f"strategy: {value} is not supported; write the hub, link or satellite with merge or scd2")
        if value and value not in STRATEGIES:
            raise ValueError(f"there is no strategy '{value}'; the strategies are {', '.join(STRATEGIES)}")
        return value or None


class CustomCheck(Block):
    """One query whose first value has to be `value`, or whose number of rows `count`."""

    name: Text
    query: Text
    value: int | None = None
    count: int | None = Field(default=None, ge=0)
    blocking: bool = True
    description: str | None = None
    retries: int | None = None

    @model_validator(mode="after")
    def _one(self) -> CustomCheck:
        if self.value is not None and self.count is not None:
            raise ValueError("give either value: or count:, not both")
        return self


class Hook(Block):
    """SQL to run beside the asset's own."""

    query: Text


class Hooks(Block):
    """SQL in front of and after the asset's own; see `comboi_core.bruin.run.hooks`."""

    pre: tuple[Hook, ...] = ()
    post: tuple[Hook, ...] = ()


class Modifiers(Block):
    """How far start and end of the interval are moved: `-2h`, `1d`, `-1M`, or Jinja that renders to one."""

    start: str | int | None = None
    end: str | int | None = None


class AssetHeader(Block):
    """All keys of an asset that are read; which of them are needed is said where they are used."""

    name: str | None = None
    type: str | None = None
    uri: str | None = None
    description: str | None = None
    enabled: bool = True
    owner: str | None = None
    tags: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    meta: dict[str, Any] = Field(default_factory=dict)
    metadata: dict[str, Any] = Field(default_factory=dict)
    tier: Any = None
    depends: Annotated[tuple[Depend, ...], BeforeValidator(_listed)] = ()
    connection: str | None = None
    start_date: date | None = None
    materialization: MaterializationBlock = MaterializationBlock()
    columns: tuple[Column, ...] = ()
    custom_checks: tuple[CustomCheck, ...] = ()
    unit_tests: tuple[UnitTest, ...] = ()
    hooks: Hooks = Hooks()
    parameters: dict[str, Any] = Field(default_factory=dict)
    interval_modifiers: Modifiers = Modifiers()
    full_refresh_restricted: bool = False
    secrets: Any = Field(default=None, exclude=True)
    extends: Any = Field(default=None, exclude=True)
    run: Any = Field(default=None, exclude=True)
    routing: Any = Field(default=None, exclude=True)

    _refused = refusing(REFUSED)

    @model_validator(mode="before")
    @classmethod
    def _keys(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        value = {key: item for key, item in value.items() if key not in {*IGNORED, *PLATFORMS}}
        alias = value.pop("refresh_restricted", None)
        if alias is not None:
            value.setdefault("full_refresh_restricted", alias)
        return value

    @field_validator("name")
    @classmethod
    def _named(cls, value: str | None) -> str | None:
        if value is not None and not _ASSET_NAME.match(value):
            raise ValueError(
                f"'{value}' is not a valid name for a dataset; write NAME or SCHEMA.NAME with letters, digits and _"
            )
        return value

    @field_validator("meta")
    @classmethod
    def _staged(cls, value: dict[str, Any]) -> dict[str, Any]:
        if value.get("stage", "silver") not in ("silver", "gold"):
            raise ValueError(f"meta.stage has to be silver or gold, not {value['stage']!r}")
        if value.get("on_change", "warn") not in ("warn", "refuse", "reload"):
            raise ValueError(f"meta.on_change has to be warn, refuse or reload, not {value['on_change']!r}")
        return value

    @field_validator("enabled", mode="before")
    @classmethod
    def _enabled(cls, value: Any) -> Any:
        if isinstance(value, str) and "{" in value:
            raise ValueError("enabled: cannot be a template here; write true or false")
        return value

    @field_validator("columns", "unit_tests")
    @classmethod
    def _distinct(cls, value: tuple[Any, ...]) -> tuple[Any, ...]:
        names = [item.name.lower() for item in value]
        double = next((name for name in names if names.count(name) > 1), None)
        if double:
            raise ValueError(f"two of them are called '{double}'; rename one")
        return value

    @property
    def primary_key(self) -> tuple[str, ...]:
        """The columns that identify a row."""
        return tuple(column.name for column in self.columns if column.primary_key)
