"""How the result of a build becomes the published dataset."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, model_validator

from comboi_core.config.base import Model, Text
from comboi_core.config.written import given, is_one_of, where

Strategy = Literal["replace", "append", "merge", "delete+insert", "scd2"]

_FOR = {
    "unique_key": ("merge", "scd2"),
    "incremental_key": ("delete+insert", "merge", "scd2"),
    "time_granularity": ("delete+insert",),
    "update": ("merge",),
    "changed_by": ("scd2",),
    "close_missing": ("scd2",),
}
"""The strategies that each attribute can be used with."""


class Materialization(Model):
    """How the result of a build and the published dataset become the next published dataset.

    Attributes:
        strategy: `replace`: the result is the whole dataset. `append`: the result is added. `merge`: a row of the
            result replaces the published row with the same `unique_key`. `delete+insert`: the result replaces all
            published rows with the same values of `incremental_key`, or those in the run's interval
            (`time_granularity`). `scd2`: every version of a row is kept, with `_valid_from`, `_valid_until` (9999-12-31
            for the current version) and `_is_current`.
        unique_key: For `merge` and `scd2` (required): the columns that identify a row.
        incremental_key: For `delete+insert` (required): the column whose values are replaced. For `merge` and `scd2`:
            the row with the largest value wins if several rows have one key.
        time_granularity: For `delete+insert`: replace the rows of the run's interval `[start, end)`. `incremental_key`
            is then a date or a timestamp.
        update: For `merge`: the columns to update if the key exists. Default: all columns.
        changed_by: For `scd2`: when a row is a new version. `columns`: any column differs. `time`: `incremental_key` is
            later.
        close_missing: For `scd2`: whether a key that is missing from the result has ended. Default: `true`, or `false`
            if an input has `view: changes`.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "allOf": [
                *(where(given(name, []), is_one_of("strategy", *strategies)) for name, strategies in _FOR.items()),
                where(is_one_of("strategy", "merge", "scd2"), given("unique_key", [])),
                where(is_one_of("strategy", "delete+insert"), given("incremental_key")),
                where(is_one_of("changed_by", "time"), given("incremental_key")),
            ]
        }
    )

    strategy: Strategy = "replace"
    unique_key: tuple[Text, ...] = ()
    incremental_key: Text | None = None
    time_granularity: Literal["date", "timestamp"] | None = None
    update: tuple[Text, ...] | None = None
    changed_by: Literal["columns", "time"] = "columns"
    close_missing: bool | None = None

    @property
    def incremental(self) -> bool:
        """Whether the published dataset goes into the next one."""
        return self.strategy != "replace"

    @model_validator(mode="after")
    def _fitting(self) -> Materialization:
        strategy = self.strategy
        if strategy in ("merge", "scd2") and not self.unique_key:
            raise ValueError(f"strategy: {strategy} needs unique_key:")
        if strategy == "delete+insert" and not self.incremental_key:
            raise ValueError("strategy: delete+insert needs incremental_key:")
        if self.changed_by == "time" and not self.incremental_key:
            raise ValueError("changed_by: time needs incremental_key:")
        for name, strategies in _FOR.items():
            given = name in self.model_fields_set and getattr(self, name) not in (None, ())
            if given and strategy not in strategies:
                raise ValueError(f"{name}: is for strategy: {' or '.join(strategies)}, not for {strategy}")
        return self
