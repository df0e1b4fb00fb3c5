"""Datasets that grow from build to build, after their script or settings have changed.

What makes a dataset stands in the published file, and so does which of it has changed since the oldest rows were made:
a run that comes later can tell, until the dataset has been built anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from comboi_core.config.datasets import DatasetConfig
from comboi_core.domain.contracts.building import BuildWork
from comboi_core.domain.errors import CheckpointLost, LeaseLost, ScriptChanged
from comboi_core.domain.origin import Origin, changed_parts, told
from comboi_core.domain.shortfall import Shortfall
from comboi_core.lake.published import Published


def refuse_newer(dataset: str, published: Published | None, job: BuildWork) -> None:
    """Raise where the published dataset has a larger fence than the run that is about to build it.

    Raises:
        LeaseLost: a run that started later has published it.
        CheckpointLost: an earlier one has: since then the task hub, which counts fences, was lost.
    """
    if published is None or published.fence <= job["fence"]:
        return
    if str(published.built_at) > job["started_at"]:
        raise LeaseLost(f"{dataset}: a newer run ({published.run_id}) has published it already")
    raise CheckpointLost(
        f"{dataset}: the run {published.run_id} has published it with fence {published.fence}, but the task hub counts "
        f"{job['fence']}: it was lost since"
    )


def builds_anew(dataset: DatasetConfig, stage: str, published: Published, now: Origin) -> bool:
    """Tell whether a dataset that keeps rows has to be built anew, as its script or settings have changed.

    Raises:
        ScriptChanged: they have, and `on_change` is `refuse`.
    """
    parts = changed_parts(published.made_with, now)
    if not parts or dataset.on_change == "warn":
        return False
    if dataset.on_change == "reload":
        return True
    raise ScriptChanged(
        f"{dataset.name}: {told(published.made_with, now, parts)}; its {published.rows} rows are of the former one",
        remedy=f"{_remedy(dataset, stage)} If the rows are right as they are, set `on_change: warn`.",
    )


def mixed_parts(published: Published, now: Origin) -> tuple[str, ...]:
    """Return which parts have changed since the oldest rows were made, if a build keeps some of them."""
    return tuple(sorted({*published.mixed, *changed_parts(published.made_with, now)}))


def of_former_script(
    dataset: DatasetConfig,
    stage: str,
    published: Published,
    now: Origin,
    mixed: Sequence[str],
    kept: int,
    lost: Sequence[str],
) -> Shortfall:
    """Return what is to be told of a dataset that keeps rows of a former script or setting.

    Args:
        mixed: What `mixed_parts` gives.
        kept: How many of its rows the build leaves as they are.
        lost: Columns that the former script made and the present one does not.
    """
    parts = changed_parts(published.made_with, now)
    changes = told(published.made_with, now, parts) if parts else f"`{'`, `'.join(mixed)}` changed in an earlier build"
    gone = f"; `{'`, `'.join(lost)}` is not made any more: NULL in new rows" if lost else ""
    message = f"rows that were made before stay as they are: {changes}{gone}"
    # Later builds leave rows of the present script as well: how many are of the former one is known at the first only.
    return Shortfall("script_changed", message, _remedy(dataset, stage), kept if parts else None)


def lost_columns(before: Sequence[str], now: Mapping[str, str]) -> list[str]:
    """Return the columns that were there and are not any more, in whatever case."""
    present = {name.lower() for name in now}
    return [name for name in before if name.lower() not in present]


def column_gone(lost: Sequence[str]) -> Shortfall:
    """Return what is to be told where a published dataset loses columns."""
    names = ", ".join(lost)
    return Shortfall(
        "column_gone",
        f"the dataset has no column {names} any more, which it had before",
        "If readers need it, put it back into the script; reports that name the column fail from now on.",
    )


def _remedy(dataset: DatasetConfig, stage: str) -> str:
    if dataset.materialization.time_granularity:
        return (
            "Build the intervals before once more, in one: `comboi run "
            f"{stage} --select {dataset.name} --full-refresh --from FIRST_DAY --to DAY_AFTER_THE_LAST`."
        )
    return f"Build it anew: `comboi run {stage} --select {dataset.name} --full-refresh`."
