"""Looking ahead and repairing: plan, backfill, checkpoints."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from comboi_core.cli import render
from comboi_core.cli.client import part
from comboi_core.cli.hosting import serving
from comboi_core.cli.options import (
    AsJson,
    Config,
    FullRefresh,
    Key,
    Select,
    StageName,
    Strict,
    TableName,
    Url,
    console,
    print_json,
    reporting,
)
from comboi_core.cli.running import run_and_show

checkpoints = typer.Typer(
    name="checkpoints", help="Show and repair the tables' checkpoints (how far each table has been landed)."
)


def plan(
    stage: StageName = None,
    select: Select = None,
    full_refresh: FullRefresh = False,
    config: Config = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Show what a run would do: ranges, chunks, estimated rows, schema changes. No table is read, nothing is "
    "written."""
    request = {"stage": stage, "select": select or [], "full_refresh": full_refresh}
    with reporting(config), serving(config, url, key, resume=False) as served:
        planned = served.api.post("plan", request)
    if as_json:
        print_json(planned)
    else:
        console.print(render.plan_view(planned))
    if any("error" in table for table in planned["tables"]):
        raise typer.Exit(1)


def backfill(
    table: TableName,
    start: Annotated[str, typer.Option("--from", help="Read rows whose cursor is above this value.")],
    end: Annotated[str, typer.Option("--to", help="Read rows up to and including this value.")],
    strict: Strict = False,
    config: Config = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Read a range of a table again (mode merge), as a separate load. The watermark does not change."""
    request: dict[str, Any] = {"stage": "bronze", "select": [table], "backfill": {"from": start, "to": end}}
    run_and_show(request, config, url, key, as_json, strict=strict)


@checkpoints.command("list")
def list_checkpoints(config: Config = None, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """List the last committed load and the watermark of every table."""
    with reporting(config), serving(config, url, key, resume=False) as served:
        tables = served.api.get("tables")["tables"]
    if as_json:
        print_json(tables)
    else:
        console.print(render.checkpoints_grid(tables))


@checkpoints.command()
def show(
    table: TableName,
    config: Config = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Show the checkpoint of one table, its latest loads, and who reset it."""
    with reporting(config), serving(config, url, key, resume=False) as served:
        checkpoint = served.api.get(f"tables/{part(table)}")
    if as_json:
        print_json(checkpoint)
    else:
        console.print(render.checkpoint_view(checkpoint))


@checkpoints.command()
def reset(
    table: TableName,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    config: Config = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Make the next load read the whole table. Until then readers see the same rows as now."""
    with reporting(config), serving(config, url, key, resume=False) as served:
        checkpoint = served.api.get(f"tables/{part(table)}")
        name = f"{checkpoint['source']}.{checkpoint['table']}"
        if not yes:
            typer.confirm(f"Read all of {name} again in the next run?", abort=True, err=True)
        after = served.api.post(f"tables/{part(name)}/reset", {})
    if as_json:
        print_json(after)
    else:
        console.print(f"the next run reads all of {name} again", markup=False)


@checkpoints.command()
def rebuild(config: Config = None, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Restore checkpoints from the manifests in the lake, after the task hub or the lake was lost."""
    with reporting(config), serving(config, url, key, resume=False) as served:
        result = served.api.post("checkpoints/rebuild", {})
    if as_json:
        print_json(result)
        return
    for name, sequence in result["restored"].items():
        console.print(f"✓ {name}: load {sequence}", style="green", markup=False)
    for name in result["reload"]:
        console.print(f"! {name}: the next run reads the whole table", style="yellow", markup=False)
    if not result["restored"] and not result["reload"]:
        console.print("all checkpoints match the lake; nothing was changed")
