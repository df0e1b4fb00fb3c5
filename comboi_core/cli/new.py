"""`comboi new`: adds a table, a transformation or a check."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from comboi_core.cli.grids import grid
from comboi_core.cli.options import AsJson, Config, console, print_json, reporting
from comboi_core.cli.render import plain

if TYPE_CHECKING:
    from rich.table import Table

    from comboi_core.app.workspace import Workspace
    from comboi_core.devtools.scaffold.pieces import Scaffolded
    from comboi_core.devtools.scaffold.source import Described

new = typer.Typer(name="new", help="Add a table, a transformation or a check to the project.", no_args_is_help=True)


@new.command()
def transformation(
    name: Annotated[str, typer.Argument(help="The dataset's name.")],
    sources: Annotated[
        list[str] | None, typer.Option("--from", "-f", help="A table or dataset to read. Repeatable.")
    ] = None,
    python: Annotated[bool, typer.Option("--python", help="Write the script in Python instead of SQL.")] = False,
    stage: Annotated[
        Literal["silver", "gold"] | None,
        typer.Option("--stage", help="Default: gold if it reads a gold dataset, else silver."),
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Add a dataset: a script that selects the inputs' columns, and an entry in the YAML."""
    with reporting(config):
        from comboi_core.devtools.scaffold.pieces import new_transformation

        done = new_transformation(_workspace(config), config, name, sources or [], python=python, stage=stage)
    _tell(done, f"edit the script, then try it with `comboi build {name}`", as_json)


@new.command()
def check(
    name: Annotated[str, typer.Argument(help="The check's name.")],
    dataset: Annotated[str, typer.Option("--for", help="The dataset to check.")],
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Add a check script for a dataset, and an entry in the YAML."""
    with reporting(config):
        from comboi_core.devtools.scaffold.pieces import new_check

        done = new_check(_workspace(config), config, name, dataset)
    _tell(
        done,
        "edit the condition in the script; built-in checks need no script, see docs/transformations-and-checks.md",
        as_json,
    )


@new.command()
def table(
    source: Annotated[str, typer.Argument(help="A source's name in the configuration.")],
    table: Annotated[str, typer.Argument(help="The table as SCHEMA.TABLE, or for files a path such as orders/*.csv.")],
    name: Annotated[
        str | None, typer.Option("--name", help="The table's name in the lake. Default: its name in the source.")
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Add a table of a source, with the primary key and the cursor that the source has."""
    with reporting(config):
        from comboi_core.devtools.scaffold.source import new_table

        described, done = new_table(_workspace(config), config, source, table, name=name)
    if not as_json:
        console.print(_columns(described))
        if described.rows is not None:
            console.print(f"about {described.rows:,} rows", markup=False)
    _tell(done, "check the new entry, then run `comboi plan`", as_json)


def _columns(described: Described) -> Table:
    shown = grid("column", "type in the source", "type in the lake", "", wraps="column")
    for column in described.columns:
        roles = ["primary key"] * (column.name in described.key)
        if described.cursor and described.cursor.column == column.name:
            roles.append("cursor")
        shown.add_row(plain(column.name), plain(column.source_type), plain(column.type), ", ".join(roles))
    return shown


def _workspace(config: Path | None) -> Workspace:
    from comboi_core.app.loader import load
    from comboi_core.app.workspace import Workspace

    return Workspace(load(config))


def _tell(done: Scaffolded, then: str, as_json: bool) -> None:
    if as_json:
        print_json(asdict(done))
        return
    for path in done.created:
        console.print(f"✓ {path}", style="green", markup=False)
    for path in done.edited:
        console.print(f"✓ {path}: added one entry", style="green", markup=False)
    for note in done.notes:
        console.print(f"! {note}", style="yellow", markup=False)
    console.print(f"next: {then}", markup=False)
