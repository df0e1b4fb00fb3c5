"""How the two files fit together: every input exists, stages follow each other, nothing runs in a circle."""

from __future__ import annotations

from collections.abc import Iterator

from comboi_core.config.datasets import DatasetConfig
from comboi_core.config.project import PipelineFile, TransformationsFile
from comboi_core.domain.errors import CycleError
from comboi_core.domain.graph import waves
from comboi_core.domain.names import did_you_mean, table_id

Place = tuple[str | int, ...]


def wiring_problems(pipeline: PipelineFile, transformations: TransformationsFile) -> Iterator[tuple[Place, str]]:
    """Yield each problem with its place in the transformations file."""
    tables = {table_id(source.name, table.name) for source in pipeline.sources for table in source.tables}
    stages = {dataset.name: "silver" for dataset in transformations.silver}
    stages |= {dataset.name: "gold" for dataset in transformations.gold}
    needs: dict[str, set[str]] = {}
    places: dict[str, Place] = {}
    for stage, datasets in (("silver", transformations.silver), ("gold", transformations.gold)):
        for position, dataset in enumerate(datasets):
            yield from _inputs(dataset, (stage, position), stage, tables, stages)
            places[dataset.name] = (stage, position)
            needs[dataset.name] = {item.dataset for item in dataset.inputs if item.dataset}
    try:
        waves(needs)
    except CycleError as error:
        yield places[error.context["members"][0]], error.message


def _inputs(
    dataset: DatasetConfig, place: Place, stage: str, tables: set[str], stages: dict[str, str]
) -> Iterator[tuple[Place, str]]:
    for position, item in enumerate(dataset.inputs):
        here = (*place, "inputs", position)
        if item.dataset is None:
            name = table_id(str(item.source), str(item.table))
            if name not in tables:
                yield here, f"{dataset.name}: no source has the table '{name}'{did_you_mean(name, tables)}"
        elif item.dataset not in stages:
            yield here, f"{dataset.name}: there is no dataset '{item.dataset}'{did_you_mean(item.dataset, stages)}"
        elif stage == "silver" and stages[item.dataset] == "gold":
            yield here, f"{dataset.name}: a silver dataset cannot read the gold dataset '{item.dataset}'"
