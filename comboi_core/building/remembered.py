"""What bronze remembers of published datasets: a dataset that grows and is lost must not begin anew in silence.

The published file says itself what it was made of, so with it goes all that is known of it. A note in the bronze lake
stays: that there was a dataset, where, how many rows it had, and which intervals its builds looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, TypedDict

from comboi_core.app.runfiles import read_json, write_json
from comboi_core.app.workspace import Workspace
from comboi_core.domain.errors import DatasetLost, LakeNotFound
from comboi_core.domain.interval import merged
from comboi_core.domain.shortfall import Shortfall

if TYPE_CHECKING:
    from comboi_core.building.build import Build
    from comboi_core.lake.published import Published

FOLDER = "_datasets"
"""Below it a folder per pipeline, with a note per dataset. No source has such a name."""

_ONLY_THERE = {
    "append": "rows that its inputs do not hold any more",
    "merge": "rows whose keys its inputs do not hold any more",
    "delete+insert": "rows whose values of incremental_key its inputs do not hold any more",
    "scd2": "versions before the present ones",
}


@dataclass(frozen=True)
class Note:
    """What is remembered of a published dataset.

    Attributes:
        lake: Where it was, as people read it.
        run_id, built_at: Who built it last, and when; ISO 8601.
        first, last: From where to where its builds have looked, ISO 8601 in UTC.
    """

    lake: str
    run_id: str
    built_at: str
    rows: int
    first: str
    last: str


def lost(work: Build) -> Note | None:
    """Return what is remembered of a dataset that keeps rows and is not in its lake any more; None where it is there,
    was never built, or each build replaces it.

    Raises:
        DatasetLost: its builds look at the run's interval, and this run's is not all that the dataset was built for: it
            would be published with a part of its rows.
        LakeUnavailable, LakeRefused: the bronze lake does not answer.
    """
    if work.published or not work.dataset.materialization.incremental:
        return None
    note = _read(work.workspace, work.dataset.name)
    if note is None or not work.code.reads_interval or _covers(work, note) or work.code.anew:
        return note
    stage, _ = work.workspace.project.dataset(work.dataset.name)
    interval = work.job["interval"]
    raise DatasetLost(
        f"{_told(work, note)}; this run would build its rows of {interval['start']} to {interval['end']} only, and it "
        f"was built for {note.first} to {note.last}",
        remedy=f"If the lake has moved, correct `stages.{stage}.data_lake`. Else restore the file from a backup, or "
        f"build all of it: `comboi run {stage} --select {work.dataset.name} --from {note.first} --to {note.last}`.",
    )


def loss(work: Build, note: Note, rows: int) -> Shortfall:
    """Return what is to be told of a lost dataset that was built anew.

    Args:
        rows: How many rows it has now.
    """
    stage, _ = work.workspace.project.dataset(work.dataset.name)
    fewer = note.rows - rows
    only = _ONLY_THERE[work.dataset.materialization.strategy]
    part = ""
    if work.code.reads_interval and not _covers(work, note):
        part = f", for this run's interval only: it was built for {note.first} to {note.last}"
    return Shortfall(
        "dataset_lost",
        f"{_told(work, note)}. It was built anew from its inputs{part}, and has {rows:,} rows; {only} are gone",
        f"If the lake has moved, correct `stages.{stage}.data_lake`. To have those rows back, put the file of a backup "
        "in its place and run again.",
        fewer if fewer > 0 else None,
    )


class Looked(TypedDict):
    """Fields of `Published`."""

    first: str
    last: str
    looked_at: Sequence[Sequence[str]]


def looked_at(work: Build) -> Looked:
    """Return at which intervals the builds have looked, this one included."""
    start, end = _looks_at(work)
    before = work.published
    if before is None or not before.first:
        return {"first": start, "last": end, "looked_at": ((start, end),)}
    same = before.looked_at if work.same_inputs else ()
    return {
        "first": min(start, before.first),
        "last": max(end, before.last),
        "looked_at": merged((*same, (start, end))),
    }


def has_looked(work: Build) -> bool:
    """Whether this run's interval was looked at in these very inputs; also where that is not known."""
    start, end = _looks_at(work)
    before = work.published
    return (
        before is not None
        and work.same_inputs
        and (not before.first or any(first <= start and end <= last for first, last in before.looked_at))
    )


def remember(workspace: Workspace, dataset: str, published: Published) -> None:
    """Note what has been published, if its next build would add to it."""
    stage, config = workspace.project.dataset(dataset)
    if not config.materialization.incremental:
        return
    note = Note(
        lake=workspace.lake(stage).describe(),
        run_id=published.run_id,
        built_at=str(published.built_at),
        rows=published.rows,
        first=published.first,
        last=published.last,
    )
    write_json(workspace.lake("bronze"), _path(workspace.project.pipeline, dataset), asdict(note))


def _read(workspace: Workspace, dataset: str) -> Note | None:
    lake = workspace.lake("bronze")
    for pipeline in workspace.project.owners:
        # A note that is damaged says that there was a dataset no more than one that is not there.
        with suppress(LakeNotFound, ValueError, TypeError):
            return Note(**read_json(lake, _path(pipeline, dataset)))
    return None


def _path(pipeline: str, dataset: str) -> str:
    return f"{FOLDER}/{pipeline}/{dataset}.json"


def _looks_at(work: Build) -> tuple[str, str]:
    """The run's interval; a full refresh of an asset begins at its start_date. Both in UTC: they sort as texts."""
    interval = work.job["interval"]
    start = min(interval["start"], work.code.moment.start.isoformat()) if work.code.anew else interval["start"]
    return start, interval["end"]


def _covers(work: Build, note: Note) -> bool:
    start, end = _looks_at(work)
    return start <= note.first and end >= note.last


def _told(work: Build, note: Note) -> str:
    lake = work.lake.describe()
    where = f"in the lake {lake}" if lake == note.lake else f"in the lake {lake}; it was in {note.lake}"
    return (
        f"{work.dataset.name}: the dataset is not {where}: it had {note.rows:,} rows, built by the run {note.run_id} "
        f"at {note.built_at}"
    )
