"""Checks across both files: every input exists, silver does not read gold, datasets do not depend in a circle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from comboi_core.config.datasets import DatasetConfig
from comboi_core.config.project import PipelineFile, TransformationsFile
from comboi_core.domain.errors import CycleError
from comboi_core.domain.graph import waves
from comboi_core.domain.names import did_you_mean, table_id


def wiring_problems(
    pipeline: PipelineFile, transformations: TransformationsFile, *, further: Mapping[str, str] | None = None
) -> Iterator[tuple[str, int | None, str]]:
    """Yield each problem: the dataset, the position of the input (None: the dataset itself), and what is wrong.

    Args:
        transformations: All datasets, those of assets included.
        further: Names and stages of datasets that exist but have errors of their own; reading one is no further
            problem.
    """
    tables = {table_id(source.name, table.name) for source in pipeline.sources for table in source.tables}
    stages = dict(further or {})
    stages |= {dataset.name: "silver" for dataset in transformations.silver}
    stages |= {dataset.name: "gold" for dataset in transformations.gold}
    needs: dict[str, set[str]] = {}
    for dataset in (*transformations.silver, *transformations.gold):
        yield from _inputs(dataset, tables, stages)
        yield from _references(dataset, tables, stages)
        needs[dataset.name] = {item.dataset for item in dataset.inputs if item.dataset}
        needs[dataset.name] |= dataset.references & stages.keys()
    try:
        waves(needs)
    except CycleError as error:
        yield error.context["members"][0], None, error.message


def _references(
    dataset: DatasetConfig, tables: set[str], stages: Mapping[str, str]
) -> Iterator[tuple[str, int | None, str]]:
    """Yield the problems of datasets and tables that checks refer to."""
    for name in sorted(dataset.references - tables):
        if name not in stages:
            close = did_you_mean(name, {*stages, *tables})
            yield dataset.name, None, f"{dataset.name}: relationships: there is no dataset or table '{name}'{close}"
        elif stages[dataset.name] == "silver" and stages[name] == "gold":
            yield (
                dataset.name,
                None,
                f"{dataset.name}: relationships: a silver dataset cannot refer to the gold dataset '{name}'",
            )
    own = next((check for check in dataset.checks if check.references == dataset.name), None)
    if own and own.on_fail == "quarantine":
        problem = "a row that refers to a quarantined row would have to be removed too; remove on_fail: quarantine"
        yield dataset.name, None, f"{dataset.name}: {own.label}: refers to the dataset itself: {problem}"


def _inputs(
    dataset: DatasetConfig, tables: set[str], stages: Mapping[str, str]
) -> Iterator[tuple[str, int | None, str]]:
    for position, item in enumerate(dataset.inputs):
        if item.dataset is None:
            name = table_id(str(item.source), str(item.table))
            if name not in tables:
                problem = f"{dataset.name}: no source has the table '{name}'{did_you_mean(name, tables)}"
                yield dataset.name, position, problem
        elif item.dataset not in stages:
            problem = f"{dataset.name}: there is no dataset '{item.dataset}'{did_you_mean(item.dataset, stages)}"
            yield dataset.name, position, problem
        elif stages[dataset.name] == "silver" and stages[item.dataset] == "gold":
            problem = f"{dataset.name}: a silver dataset cannot read the gold dataset '{item.dataset}'"
            yield dataset.name, position, problem
