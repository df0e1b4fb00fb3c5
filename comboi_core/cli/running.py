"""Running the pipeline from the command line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from comboi_core.cli import render
from comboi_core.cli.following import follow
from comboi_core.cli.hosting import Served, serving
from comboi_core.cli.options import console, errors, print_json, reporting


def run_and_show(request: dict[str, Any], config: Path | None, url: str | None, key: str | None, as_json: bool) -> None:
    """Start a run, follow it, show its record; exit with 1 if it did not succeed."""
    progress = errors if as_json else console
    with reporting(config):
        if not url:
            from comboi_core.config.loader import load

            for note in load(config).notes:
                progress.print(f"note: {note}", markup=False)
        with serving(config, url, key) as served, _interruptible(served):
            record = run_on(served, request, progress)
    if as_json:
        print_json(record)
    else:
        console.print(render.run_view(record))
    if record["status"] != "succeeded":
        raise typer.Exit(1)


def run_on(served: Served, request: dict[str, Any], progress: Console) -> dict[str, Any]:
    """Finish what a killed host left behind, then run what is asked for; return the record of the latter."""
    for unfinished in served.unfinished:
        progress.print(f"taking up run {unfinished}, which was left unfinished", markup=False)
        finished = follow(served.api, unfinished, progress)
        progress.print(f"run {unfinished}: {finished['status']}", markup=False)
    started = served.api.post("runs", request)
    return follow(served.api, started["run_id"], progress)


@contextmanager
def _interruptible(served: Served) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        left = "the next `comboi run` takes it up where it was" if served.here else "it goes on where it runs"
        errors.print(f"\ninterrupted; the run is not lost: {left}", markup=False)
        raise typer.Exit(130) from None
