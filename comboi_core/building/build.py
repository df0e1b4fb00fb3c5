"""One build of one dataset: what it works with, and how it is opened."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from comboi_core.app.workspace import Workspace
from comboi_core.building.code import Code, code_of
from comboi_core.building.growing import builds_anew, lost_columns, mixed_parts, of_former_script
from comboi_core.building.inputs import Inputs, create_inputs, others, relations
from comboi_core.building.scripts import code_fingerprint, made_with
from comboi_core.config.datasets import DatasetConfig
from comboi_core.config.materialization import Materialization
from comboi_core.domain.contracts.building import BuildDetails, BuildWork
from comboi_core.domain.errors import ConfigChanged
from comboi_core.domain.origin import Origin
from comboi_core.domain.ports import Lake
from comboi_core.domain.shortfall import Shortfall
from comboi_core.domain.sql import literal
from comboi_core.lake.published import Published
from comboi_core.transforms.batches import columns_of
from comboi_core.transforms.materialize import kept_rows
from comboi_core.transforms.scd2 import VERSIONING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass
class Build:
    """One build of one dataset on one connection.

    Attributes:
        code: Its transformation.
        published: The dataset as it is now, or None.
        inputs: What the build reads; the views stand in `con`.
        path: Where the dataset is published in `lake`.
        gone: A FROM item: the keys that the batch says are deleted.
        match_quality: The page on what deduplication did, if it did anything.
        made_with: The script and the settings that decide which rows there are.
        details: What the run record shows beyond figures: checks, deduplication, quarantine.
    """

    workspace: Workspace
    con: DuckDBPyConnection
    code: Code
    job: BuildWork
    published: Published | None
    inputs: Inputs
    lake: Lake
    path: str
    gone: str | None = None
    match_quality: str | None = None
    made_with: Origin = field(default_factory=dict)
    details: BuildDetails = field(default_factory=lambda: BuildDetails(checks=[], duplicates=None, quarantined=0))

    @property
    def dataset(self) -> DatasetConfig:
        """The dataset's configuration."""
        return self.code.dataset

    @property
    def number(self) -> int:
        """Counts the builds of the dataset."""
        return self.published.build + 1 if self.published else 1

    @property
    def previous(self) -> str | None:
        """A FROM item: the dataset that goes into the next one; None where none does.

        A full refresh begins anew, but for a dataset that is built interval by interval: its result is never all of it.
        """
        how = self.dataset.materialization
        anew = self.code.anew and not how.time_granularity
        if self.published is None or anew or not how.incremental:
            return None
        return f"read_parquet({literal(self.lake.uri(self.path))})"

    @property
    def same_inputs(self) -> bool:
        """Whether the published dataset was made of these very loads and builds."""
        before = self.published
        return (
            before is not None
            and before.inputs == self.inputs.versions
            and not any(others(before.born_inputs.get(name), born) for name, born in self.inputs.born.items())
        )

    @cached_property
    def relations(self) -> dict[str, str]:
        """A FROM item for each dataset or table that the checks refer to."""
        return relations(self.workspace, self.con, self.dataset, self.job["manifests"])

    @property
    def how(self) -> Materialization:
        """The materialization, with what follows from the inputs filled in."""
        how = self.dataset.materialization
        if how.strategy != "scd2" or how.close_missing is not None:
            return how
        partial = any(item.view == "changes" for item in self.dataset.inputs)
        return how.model_copy(update={"close_missing": not partial})

    def beside(self, kind: str, ending: str = "parquet") -> str:
        """Return the path of a file that belongs to the dataset, e.g. its crosswalk."""
        return f"{self.path.removesuffix('.parquet')}.{kind}.{ending}"


def open_build(
    workspace: Workspace,
    con: DuckDBPyConnection,
    dataset: DatasetConfig,
    job: BuildWork,
    published: Published | None,
    *,
    sample: int | None = None,
) -> Build:
    """Make the code ready, and create the views of the inputs.

    Args:
        sample: So many rows of each input at most.
    """
    code = code_of(workspace.project, dataset, job)
    stage, _ = workspace.project.dataset(dataset.name)
    made = made_with(workspace.project, dataset)
    if job["item"].get("code") not in (None, code_fingerprint(made)):
        raise ConfigChanged(f"{dataset.name}: its script, or a file that it imports, has changed during the run")
    grows = published is not None and dataset.materialization.incremental and not code.anew
    if published and grows and builds_anew(dataset, stage, published, made):
        anew: BuildWork = {**job, "full_refresh": True}
        code = code_of(workspace.project, dataset, anew)
    before = None if code.anew else published
    inputs = create_inputs(workspace, con, dataset, job["manifests"], published=before, sample=sample)
    work = Build(
        workspace=workspace,
        con=con,
        code=code,
        job=job,
        published=published,
        inputs=inputs,
        lake=workspace.lake(stage),
        path=workspace.project.dataset_path(dataset.name),
        made_with=made,
    )
    work.details["rows_read"] = inputs.rows
    return work


def tell_changes(work: Build, batch: str) -> tuple[str, ...]:
    """Tell which rows are of a former script or setting; return the parts that have changed since those were made."""
    if not work.published or not work.previous:
        return ()
    mixed = mixed_parts(work.published, work.made_with)
    if not mixed:
        return ()
    kept = kept_rows(work.con, work.how, work.code.moment, batch=batch, published=work.previous)
    if not kept:
        return ()
    stage, _ = work.workspace.project.dataset(work.dataset.name)
    lost = lost_columns(tuple(columns_of(work.con, work.previous)), columns_of(work.con, batch))
    lost = [name for name in lost if name not in VERSIONING]
    fall_short(work, of_former_script(work.dataset, stage, work.published, work.made_with, mixed, kept, lost))
    return mixed


def fall_short(work: Build, shortfall: Shortfall) -> None:
    """Have the run record show a shortfall of the build."""
    work.details.setdefault("shortfalls", []).append(shortfall.record())
