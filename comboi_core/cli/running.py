"""Running the pipeline from the command line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from comboi_core.cli import render
from comboi_core.cli.client import part
from comboi_core.cli.following import follow
from comboi_core.cli.hosting import Served, serving
from comboi_core.cli.options import AsJson, Config, Key, Url, console, errors, print_json, reporting
from comboi_core.domain.contracts.record import RunRecord
from comboi_core.domain.errors import RunNotFound

OTHER = (
    "run {} of another pipeline was left unfinished in this task hub. It continues with this pipeline's "
    "configuration and "
    "may fail. Give each pipeline its own task hub with COMBOI_HUB"
)


def run_and_show(
    request: dict[str, Any], config: Path | None, url: str | None, key: str | None, as_json: bool, *, strict: bool
) -> None:
    """Start a run, follow it, show its record; exit with 1 if it did not succeed.

    Args:
        strict: Exit with 1 also if the run succeeded with shortfalls.
    """
    progress = errors if as_json else console
    with reporting(config):
        if not url:
            from comboi_core.app.loader import load

            for note in load(config).notes:
                progress.print(f"note: {note}", markup=False)
        with serving(config, url, key) as served, _interruptible(served):
            record = run_on(served, request, progress)
    if as_json:
        print_json(record)
    else:
        console.print(render.run_view(record))
    if record["status"] != "succeeded" or (strict and record.get("shortfalls")):
        raise typer.Exit(1)


def cancel(
    run_id: Annotated[str | None, typer.Argument(help="The run to cancel. Default: the current run.")] = None,
    config: Config = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Cancel a run. Tables and datasets in progress are finished first, and nothing is lost."""
    with reporting(config), serving(config, url, key, resume=False) as served:
        answer = served.api.post(f"runs/{part(run_id or _running(served))}/cancel", {})
    if as_json:
        print_json(answer)
        return
    console.print(f"run {answer['run_id']} stops after the tables and datasets in progress", markup=False)
    if served.here:
        console.print("no host is running it now; the next `comboi run` ends it", markup=False)


def _running(served: Served) -> str:
    latest = served.api.get("runs", limit=1)["runs"]
    if not latest or latest[0]["status"] != "running":
        raise RunNotFound("no run is in progress")
    return str(latest[0]["run_id"])


def run_on(served: Served, request: dict[str, Any], progress: Console) -> RunRecord:
    """Finish the runs that a killed host left unfinished, then start the requested run and return its record."""
    for other in served.others:
        progress.print(OTHER.format(other), markup=False)
    for unfinished in served.unfinished:
        progress.print(f"finishing run {unfinished}, which was left unfinished; your run starts after it", markup=False)
        finished = follow(served, unfinished, progress)
        error = finished.get("error")
        why = f": {error['message']}" if error else ""
        progress.print(f"run {unfinished}: {finished['status']}{why}", markup=False)
    started = served.api.post("runs", request)
    return follow(served, started["run_id"], progress)


@contextmanager
def _interruptible(served: Served) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        left = (
            "the next `comboi run` continues it" if served.here else "its host continues it; `comboi cancel` stops it"
        )
        errors.print(f"\ninterrupted; the run is not lost: {left}", markup=False)
        raise typer.Exit(130) from None
