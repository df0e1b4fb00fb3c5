"""The `comboi` command and most of its subcommands. The last line of the help lists the exit codes."""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from comboi_core.cli import ahead, build, developing, render, testing
from comboi_core.cli.changes import changes
from comboi_core.cli.client import Api, part
from comboi_core.cli.doctor import doctor
from comboi_core.cli.erase import erase
from comboi_core.cli.hosting import embedded, left_behind, live_api, serving
from comboi_core.cli.options import (
    AsJson,
    Config,
    FullRefresh,
    Key,
    Select,
    Selecting,
    StageName,
    Strict,
    Url,
    complete_names,
    console,
    errors,
    print_json,
    reporting,
)
from comboi_core.cli.package import package
from comboi_core.cli.running import OTHER, cancel, run_and_show

REMEDY = "Correct the problems above and run `comboi validate` again."

app = typer.Typer(
    name="comboi", help="Serverless ELT: bronze, silver and gold from two YAML files.", no_args_is_help=True,
    epilog="Exit codes: 0 success; 1 failure, the output says why; 2 wrong usage; 130 interrupted.",
    pretty_exceptions_enable=False, add_completion=True,
)  # fmt: skip


def _show_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        console.print(f"comboi {version('comboi')}", markup=False, highlight=False)
        raise typer.Exit


@app.callback()
def options(
    _version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Show comboi's version and exit.")
    ] = False,
) -> None:
    """Read the options before a command."""


@app.command(cls=Selecting)
def run(
    stage: StageName = None,
    select: Select = None,
    full_refresh: FullRefresh = False,
    start: Annotated[
        str | None,
        typer.Option("--from", help="Start of the interval, in UTC, for datasets that are built by interval."),
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", help="End of the interval, exclusive. Default: the interval is yesterday.")
    ] = None,
    strict: Strict = False,
    config: Config = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Run the pipeline now, with live progress."""
    if (start is None) != (end is None):
        raise typer.BadParameter("give both --from and --to, or neither")
    request: dict[str, Any] = {"stage": stage, "select": select or [], "full_refresh": full_refresh}
    if start is not None:
        request["interval"] = {"from": start, "to": end}
    run_and_show(request, config, url, key, as_json, strict=strict)


@app.command()
def status(
    run_id: Annotated[str | None, typer.Argument(help="Default: the latest run.")] = None,
    config: Config = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Show one run: tables, datasets, checks, errors, and what to do about them."""
    with reporting(config), _live_api(config, url, key) as api:
        if api:
            latest = api.get("runs", limit=1)
            pipeline, run_id = latest["pipeline"], run_id or _latest(latest["runs"])
            record = api.get(f"runs/{part(run_id)}")
        else:
            from comboi_core.runs.history import recorded_run

            lake, pipeline = _lake(config)
            record = recorded_run(lake, pipeline, run_id)
    if as_json:
        print_json(record)
        return
    console.print(render.run_view(record))
    if record.get("pipeline") not in (pipeline, None):
        warning = f"! this run belongs to the pipeline {record['pipeline']}; this project is the pipeline {pipeline}"
        console.print(render.plain(warning, style="yellow"))
    elif record["status"] == "unfinished":
        console.print("no host is running it now; the next `comboi run` finishes it first", markup=False)


@app.command()
def runs(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=100)] = 20,
    state: Annotated[str | None, typer.Option("--status", help="Only runs with this status, e.g. failed.")] = None,
    start: Annotated[
        str | None, typer.Option("--from", help="Only runs that started at this date or time, or later; UTC.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", help="Only runs that started before this date or time; UTC.")
    ] = None,
    table: Annotated[
        str | None,
        typer.Option("--table", help="Only runs that include this table or dataset.", autocompletion=complete_names),
    ] = None,
    config: Config = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """List the latest runs, newest first."""
    wanted = {"status": state, "from": start, "to": end, "table": table}
    with reporting(config), _live_api(config, url, key) as api, ExitStack() as stack:
        if not api and any(wanted.values()):
            api = stack.enter_context(serving(config, resume=False)).api
        if api:
            summaries = api.runs(limit, **wanted)
        else:
            from comboi_core.runs.history import recorded_runs

            summaries = recorded_runs(*_lake(config), limit)
    if as_json:
        print_json(summaries)
    else:
        none = "no run matches" if any(wanted.values()) else "no run yet; start one with `comboi run`"
        console.print(render.runs_grid(summaries) if summaries else none)


@contextmanager
def _live_api(config: Path | None, url: str | None, key: str | None) -> Iterator[Api | None]:
    """Give the API of the deployed app or of the live host; None where only the lake can tell."""
    if url:
        yield Api(url, key)
        return
    with live_api(config) as live:
        yield live


def _latest(summaries: list[dict[str, Any]]) -> str:
    if not summaries:
        from comboi_core.domain.errors import RunNotFound

        raise RunNotFound("there has been no run yet", remedy="Start one with `comboi run`.")
    return str(summaries[0]["run_id"])


def _lake(config: Path | None) -> tuple[Any, str]:
    """Return the lake that holds the run records, and the pipeline's name."""
    from comboi_core.app.loader import load
    from comboi_core.app.workspace import Workspace

    project = load(config)
    return Workspace(project).lake("bronze"), project.pipeline


@app.command()
def validate(config: Config = None, as_json: AsJson = False) -> None:
    """Check configuration, scripts, deduplication and references. Lists every problem with file and line."""
    with reporting(config):
        from comboi_core.app.loader import load
        from comboi_core.building.validation.project import project_problems
        from comboi_core.building.validation.text import unread
        from comboi_core.domain.errors import ConfigError
        from comboi_core.domain.redaction import redactor

        notes: tuple[str, ...] = ()
        remedy = REMEDY
        try:
            project = load(config)
            notes, problems = (*project.notes, *unread(project)), project_problems(project)
        except ConfigError as error:
            problems = redactor.text(error.message).split("\n")
            remedy = REMEDY if error.remedy == ConfigError.remedy else error.remedy
    if as_json:
        print_json({"valid": not problems, "problems": problems, "notes": list(notes)})
    else:
        for note in notes:
            console.print(f"note: {note}", markup=False)
        for problem in problems:
            errors.print(f"✗ {problem}", style="red", markup=False)
        if problems:
            errors.print(f"  what to do: {remedy}", markup=False)
        else:
            console.print(
                f"✓ pipeline {project.pipeline}: {len(project.tables)} tables, {len(project.datasets())} datasets",
                style="green",
            )
    if problems:
        raise typer.Exit(1)


@app.command()
def serve(
    config: Config = None,
    port: Annotated[
        int, typer.Option("--port", "-p", min=0, max=65535, help="Port of the API on 127.0.0.1. 0: any free port.")
    ] = 7071,
    schedule: Annotated[
        str | None,
        typer.Option("--schedule", help="NCRONTAB expression with six fields. Default: COMBOI_TIMER_SCHEDULE."),
    ] = None,
) -> None:
    """Run the embedded host until Ctrl-C: HTTP API, timer, and a page to watch runs."""
    with reporting(config):
        from comboi_core.app.loader import load
        from durable_local.keys import key_file

        project = load(config)
        if schedule:
            os.environ["COMBOI_TIMER_SCHEDULE"] = schedule
        planned = os.environ.get("COMBOI_TIMER_SCHEDULE")
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        with embedded(config, timers=bool(planned), port=port) as host:
            console.print(f"pipeline {project.pipeline} at {host.url}/api/runs", markup=False)
            console.print(
                f"schedule: {planned}"
                if planned
                else "no schedule; to have one, set COMBOI_TIMER_SCHEDULE or give --schedule",
                markup=False,
            )
            console.print(f"page to watch runs: {host.url}/api/monitor#code={host.key}", markup=False, soft_wrap=True)
            console.print(f"the API's key (header x-functions-key) is in {key_file(host.store_path)}")
            own, others = left_behind(host.unfinished, project.pipeline)
            for unfinished in own:
                console.print(f"finishing run {unfinished}, which was left unfinished", markup=False)
            for other in others:
                console.print(OTHER.format(other), markup=False)
            console.print("press Ctrl-C to stop")
            stop.wait()


@app.command()
def demo(
    folder: Annotated[
        Path | None, typer.Option("--folder", help="The demo's folder. Default: .comboi/demo in the checkout.")
    ] = None,
) -> None:
    """Run a demo on real data: a first run, changes at the source, and a second run."""
    with reporting():
        from comboi_core.cli.demo.story import tell

        succeeded = tell(console, folder)
    if not succeeded:
        raise typer.Exit(1)


app.command()(cancel)
app.command()(doctor)
app.command()(package)
app.command()(build.build)
app.command()(testing.test)
app.command(cls=Selecting)(ahead.plan)
app.command()(ahead.backfill)
app.add_typer(ahead.checkpoints)
app.add_typer(changes)
app.command()(erase)
developing.register(app)


def main() -> None:
    """Entry point."""
    gc.freeze()  # what is imported stays: searching it for garbage took a tenth of a short run's CPU
    app()
