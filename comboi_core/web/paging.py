"""The list of runs, a page at a time: first what the pipeline's entity remembers, then the records in the lake.

A page is answered from one of the two, so the first ones cost no look into the lake. Where a filter needs the records,
a page looks at so many of them at most, and says where to go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import NotRequired

from typing_extensions import TypedDict

from comboi_core.app.workspace import Workspace
from comboi_core.devtools.reading import full_name
from comboi_core.domain.contracts.fields import RUN_STATES
from comboi_core.domain.contracts.pipeline import RunSummary
from comboi_core.domain.errors import ComboiError, ErrorRecord, RequestInvalid, SelectionEmpty
from comboi_core.domain.names import did_you_mean, pipeline_of, started_at
from comboi_core.domain.redaction import redactor
from comboi_core.runs.history import listed, ran
from comboi_core.runs.records import newest_records
from comboi_core.web.hub import Hub

EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
PARAMETERS = ("limit", "status", "from", "to", "table", "cursor")
MAX_LIMIT = 100
DEFAULT_LIMIT = 20
MOST_RECORDS = 100
"""Records that one page opens at most."""
LATE = timedelta(hours=1)
"""The longest time between asking for a run, which is the moment in its id, and its start."""


class RunPage(TypedDict):
    """A page of run summaries, newest first. `next`: the token of the page that follows, or None.

    A page may hold fewer runs than there is room for although another one follows. `problems` says why there may be
    further runs that cannot be found at the moment.
    """

    pipeline: str
    runs: list[RunSummary]
    next: str | None
    problems: NotRequired[list[ErrorRecord]]


@dataclass(frozen=True)
class Filter:
    """What GET /api/runs is asked for.

    Attributes:
        start, end: The run started at or after `start`, and before `end`.
        item: The full name of a table or dataset that the run was to work on.
        after: The id of the last run of the page before.
    """

    limit: int = DEFAULT_LIMIT
    status: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    item: str | None = None
    after: str | None = None

    def may_contain(self, run_id: str) -> bool:
        """Tell whether a run can be one of those, as far as its id says."""
        asked = started_at(run_id)
        return not (self.start and asked < self.start - LATE) and not (self.end and asked >= self.end + LATE)

    def contains(self, run: RunSummary) -> bool:
        """Tell whether a summary is asked for."""
        if self.status and run["status"] != self.status:
            return False
        text = run.get("started_at")
        moment = datetime.fromisoformat(text) if text else started_at(run["run_id"])
        return not (self.start and moment < self.start) and not (self.end and moment >= self.end)


def parse_filter(workspace: Workspace, params: dict[str, str]) -> Filter:
    """Read the query of GET /api/runs.

    Raises:
        RequestInvalid: names the parameter that is wrong.
    """
    for name in params:
        if name not in PARAMETERS and name != "code":
            known = ", ".join(PARAMETERS)
            raise RequestInvalid(
                f"unknown parameter '{name}'{did_you_mean(name, PARAMETERS)}; the parameters are {known}"
            )
    limit, status, cursor = params.get("limit"), params.get("status"), params.get("cursor")
    if limit is not None and not (
        limit.isascii() and limit.isdigit() and len(limit) < 9 and 1 <= int(limit) <= MAX_LIMIT
    ):
        raise RequestInvalid(f"limit: expected a number from 1 to {MAX_LIMIT}, got '{limit}'")
    if status is not None and status not in RUN_STATES:
        raise RequestInvalid(f"status: there is no '{status}'; there are {', '.join(RUN_STATES)}")
    if cursor is not None and pipeline_of(cursor) != workspace.project.pipeline:
        raise RequestInvalid("cursor: expected the `next` of the page before")
    start, end = (_moment(name, params.get(name)) for name in ("from", "to"))
    if start and end and start >= end:
        raise RequestInvalid("to: expected a moment after `from`")
    item = _item(workspace, params["table"]) if "table" in params else None
    return Filter(int(limit or DEFAULT_LIMIT), status, start, end, item, cursor)


def _moment(name: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    for written in (text, text.replace(" ", "+")):  # in a query, a plus sign means a blank
        with suppress(ValueError, OverflowError):
            moment = datetime.fromisoformat(written)
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
            if EARLIEST <= moment <= LATEST:
                return moment
    raise RequestInvalid(f"{name}: expected a date or moment such as 2026-11-23T06:00:00Z, got '{text}'")


def _item(workspace: Workspace, name: str) -> str:
    """Return the full name of a table or dataset; a table's short name will do where it is unique."""
    try:
        return full_name(workspace.project, name)
    except SelectionEmpty as error:
        raise RequestInvalid(f"table: {error.message}") from None


async def list_runs(hub: Hub, workspace: Workspace, wanted: Filter) -> RunPage:
    """Return a page of run summaries, newest first.

    Raises:
        ComboiError: the lake cannot be read, and the page's runs are in no other place.
    """
    pipeline = workspace.project.pipeline
    state = await hub.read("pipeline", pipeline)
    remembered = state["runs"] if state else []
    problems: list[ErrorRecord] = []
    ids = [run["run_id"] for run in remembered]
    if ids and (wanted.after is None or wanted.after in ids[:-1]):
        rest = remembered[ids.index(wanted.after) + 1 :] if wanted.after else remembered
        runs, last = await asyncio.to_thread(_page, workspace, rest, wanted)
        try:
            if last is None and await asyncio.to_thread(_has_older, workspace, ids, wanted):
                last = ids[-1]
        except ComboiError as down:  # what the pipeline remembers is worth the more then
            problems.append(redactor.value(dict(down.record())))
    else:
        after = None if wanted.after in ids else wanted.after
        runs, last = await asyncio.to_thread(_page, workspace, _older(workspace, ids, wanted, after), wanted)
    answer: RunPage = {"pipeline": pipeline, "runs": runs, "next": last}
    return {**answer, "problems": problems} if problems else answer


def _older(
    workspace: Workspace, remembered: Collection[str], wanted: Filter, after: str | None = None
) -> Iterator[str]:
    """Yield the ids of the runs that only the lake knows, newest first, those after a cursor."""
    first = (wanted.start - LATE).date() if wanted.start else None
    last = (wanted.end + LATE).date() if wanted.end else None
    if after is not None:
        last = min(last or date.max, started_at(after).date())
    for run_id, _ in newest_records(workspace.lake("bronze"), workspace.project.pipeline, first=first, last=last):
        if run_id not in remembered and (after is None or run_id < after):
            yield run_id


def _has_older(workspace: Workspace, remembered: Collection[str], wanted: Filter) -> bool:
    return any(map(wanted.may_contain, _older(workspace, remembered, wanted)))


def _page(
    workspace: Workspace, candidates: Iterable[RunSummary | str], wanted: Filter
) -> tuple[list[RunSummary], str | None]:
    """Return the runs of a page, and the id of the last one looked at if others come after it.

    Args:
        candidates: Summaries, or ids of runs whose records are in the lake.
    """
    page: list[RunSummary] = []
    opened, last = 0, None
    for candidate in candidates:
        run_id = candidate if isinstance(candidate, str) else candidate["run_id"]
        if not wanted.may_contain(run_id):
            continue
        if len(page) == wanted.limit or opened == MOST_RECORDS:
            return page, last
        last = run_id
        opened += isinstance(candidate, str) or wanted.item is not None
        if wanted.item and not ran(workspace.lake("bronze"), run_id, wanted.item):
            continue
        run = listed(workspace.lake("bronze"), candidate) if isinstance(candidate, str) else candidate
        if wanted.contains(run):
            page.append(run)
    return page, None
