"""Silver and gold: the activity that builds a dataset, and what a build tells of itself."""

from __future__ import annotations

from typing import Any, NotRequired

from typing_extensions import TypedDict

from comboi_core.domain.contracts.pipeline import Cancelled
from comboi_core.domain.errors import ErrorRecord
from comboi_core.domain.interval import Interval
from comboi_core.domain.shortfall import ShortfallRecord


class RunMoment(TypedDict):
    """What a dataset's code sees of its run. `started_at` is ISO 8601."""

    run_id: str
    started_at: str
    interval: Interval
    full_refresh: bool


class DatasetToBuild(TypedDict):
    """`code`: the fingerprint that the dataset's script had when the run was planned."""

    name: str
    code: NotRequired[str]


class BuildWork(RunMoment):
    """Asks `build` for a dataset. `manifests`: `source.table` -> path of the committed manifest, or None."""

    fence: int
    item: DatasetToBuild
    manifests: dict[str, str | None]


class CheckRecord(TypedDict):
    """What one check found; see `quality.results.CheckResult`. Records of earlier versions have fewer fields."""

    name: str
    severity: str
    passed: bool
    failed_rows: NotRequired[int | None]
    sample: list[dict[str, Any]]
    message: str
    quarantined: NotRequired[int]


class DuplicatesRecord(TypedDict):
    """What deduplication did; see `dedupe.report.DedupeReport`. `report`: path of the page about it.

    Records of earlier versions have less of it.
    """

    records: int
    clusters: int
    duplicates: int
    largest_cluster: NotRequired[int]
    precision: NotRequired[float | None]
    recall: NotRequired[float | None]
    f1: NotRequired[float | None]
    remarks: NotRequired[list[str]]
    report: NotRequired[str]


class BuildDetails(TypedDict, total=False):
    """What the run record shows of a build. `rows` and `bytes` are missing where the build failed before it had them.

    `quarantined`: rows that were taken out; `rows_read`: rows in the files of the inputs; `unchanged`: the published
    dataset has stayed as it was.
    """

    rows: int | None
    bytes: int
    rows_read: int
    unchanged: bool
    checks: list[CheckRecord]
    duplicates: DuplicatesRecord | None
    quarantined: int
    shortfalls: list[ShortfallRecord]


class Built(TypedDict, total=False):
    """What `build` answers: of a dataset that was published all but `error`; `details` is the path of BuildDetails.

    `cancelled`: the run was cancelled before the build began; there is nothing else then.
    """

    rows: int | None
    bytes: int
    path: str
    details: str
    error: ErrorRecord
    cancelled: Cancelled
