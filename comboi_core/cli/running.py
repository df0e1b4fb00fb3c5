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
    "run {} of another pipeline was left unfinished in this task hub, and goes on with this pipeline's configuration, "
    "which may fail it; give each pipeline a hub of its own by COMBOI_HUB"
)


def run_and_show(
    request: dict[str, Any], config: Path | None, url: str | None, key: str | None, as_json: bool, *, strict: bool
) -> None:
    """Start a run, follow it, show its record; exit with 1 if it did not succeed.

    Args:
        strict: Exit with 1 also where it succeeded with shortfalls.
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
    run_id: Annotated[str | None, typer.Argument(help="Default: the run that is on.")] = None,
    config: Config = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """End a run before its next table or dataset; what is in flight is finished, and nothing is lost."""
    with reporting(config), serving(config, url, key, resume=False) as served:
        answer = served.api.post(f"runs/{part(run_id or _running(served))}/cancel", {})
    if as_json:
        print_json(answer)
        return
    console.print(f"run {answer['run_id']} ends before its next table or dataset", markup=False)
    if served.here:
        console.print("no host is running it; the next `comboi run` ends it", markup=False)


def _running(served: Served) -> str:
    found = served.api.get("runs", limit=1)["runs"]
    if not found or found[0]["status"] != "running":
        raise RunNotFound("no run is on")
    return str(found[0]["run_id"])


def run_on(served: Served, request: dict[str, Any], progress: Console) -> RunRecord:
    """Finish what a killed host left behind, then run what is asked for; return the record of the latter."""
    for other in served.others:
        progress.print(OTHER.format(other), markup=False)
    for unfinished in served.unfinished:
        progress.print(f"finishing run {unfinished}, which was left unfinished; yours starts after it", markup=False)
        finished = follow(served.api, unfinished, progress)
        error = finished.get("error")
        why = f": {error['message']}" if error else ""
        progress.print(f"run {unfinished}: {finished['status']}{why}", markup=False)
    started = served.api.post("runs", request)
    return follow(served.api, started["run_id"], progress)


@contextmanager
def _interruptible(served: Served) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        left = (
            "the next `comboi run` continues it" if served.here else "it goes on where it runs; `comboi cancel` ends it"
        )
        errors.print(f"\ninterrupted; the run is not lost: {left}", markup=False)
        raise typer.Exit(130) from None
