"""How a build's result becomes the published dataset."""

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
"""Which strategies an attribute means anything for."""


class Materialization(Model):
    """How a build's result and the published dataset become the next one.

    Attributes:
        strategy: `replace`: the result is the dataset. `append`: its rows are added. `merge`: a row takes the place of
            the one with its key. `delete+insert`: rows take the place of all that have one of their values of
            `incremental_key`, or that lie in the run's interval. `scd2`: every version of a row stays, with
            `_valid_from`, `_valid_until` (9999-12-31 for the current one) and `_is_current`.
        unique_key: For `merge` and `scd2`.
        incremental_key: For `delete+insert`. For `merge` and `scd2`: which of several rows with one key is the latest.
        time_granularity: For `delete+insert`: replace the run's interval, `[start, end)`, by `incremental_key`, a date
            or a timestamp.
        update: For `merge`: the columns that a known key's row takes over; default: all.
        changed_by: For `scd2`: whether a version is new where any column differs, or where `incremental_key` is later.
        close_missing: For `scd2`: whether a key that the result lacks has ended; default: yes, unless an input is read
            with `view: changes`, where missing means unchanged.
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
