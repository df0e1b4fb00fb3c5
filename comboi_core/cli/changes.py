"""`comboi changes`: set up a source's change feed, show how it stands, remove it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from comboi_core.cli.options import AsJson, Config, console, print_json, reporting

if TYPE_CHECKING:
    from comboi_core.config.source_type import Feed, FeedStatus

changes = typer.Typer(
    name="changes", help="Set up a source's change feed, show how it stands, or remove it.", no_args_is_help=True
)
Source = Annotated[str, typer.Argument(help="The source's name in the configuration.")]


@changes.command()
def setup(
    source: Source,
    show: Annotated[
        bool, typer.Option("--print", help="Only print the SQL, for an administrator to run. Nothing is changed.")
    ] = False,
    config: Config = None,
) -> None:
    """Make the publication and the slot that a source's change feed needs. What is there already stays."""
    with reporting(config), _opened(source) as (feed, *given):
        statements = feed.setup(*given, carry_out=not show)
    for statement in statements if show else ():
        console.print(f"{' '.join(statement.split())};", markup=False, highlight=False, soft_wrap=True)
    if not show:
        done = "is set up" if statements else "was set up already"
        console.print(f"the change feed of {source} {done}", markup=False)


@changes.command()
def status(source: Source, config: Config = None, as_json: AsJson = False) -> None:
    """Show how a source's change feed stands: what the server keeps for it, and what is wrong."""
    with reporting(config), _opened(source) as (feed, *given):
        found = feed.status(*given)
    if as_json:
        print_json(asdict(found))
    else:
        for line in _lines(found):
            console.print(line, markup=False)
    if found.problems:
        raise typer.Exit(1)


@changes.command()
def drop(
    source: Source,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    config: Config = None,
) -> None:
    """Remove the slot and the publication of a source's change feed. The next feed begins by reading the tables."""
    if not yes:
        typer.confirm(f"Remove slot and publication of {source} from the server?", abort=True)
    with reporting(config), _opened(source) as (feed, *given):
        dropped = feed.drop(*given)
    console.print(f"removed {' and '.join(dropped)}" if dropped else "there was nothing to remove", markup=False)


@contextmanager
def _opened(name: str) -> Iterator[tuple[Feed, Any, Any, dict[str, Any]]]:
    """Give a source's feed, and what its functions take: a connection of DuckDB, the source, how to connect to it."""
    from comboi_core.app.workspace import open_workspace
    from comboi_core.config.source_registry import source_type
    from comboi_core.domain.errors import ConfigError
    from comboi_core.domain.names import did_you_mean

    workspace = open_workspace()
    sources = {source.name: source for source in workspace.project.pipeline_file.sources}
    if name not in sources:
        raise ConfigError(
            f"there is no source '{name}'{did_you_mean(name, list(sources))}; there are {', '.join(sources)}",
            remedy="Give the name of a source in the configuration.",
        )
    feed = source_type(sources[name].type).feed
    if feed is None:
        raise ConfigError(
            f"{name}: a source of type {sources[name].type} has no change feed", remedy="Use another cursor."
        )
    with workspace.borrowed_duckdb(name) as con:
        yield feed, con, sources[name], workspace.connection(name)


def _lines(found: FeedStatus) -> Iterator[str]:
    tables = ", ".join(found.tables) or "no table"
    yield f"publication {found.publication}, slot {found.slot}, followed by {tables}"
    if found.since:
        yield f"the feed begins at {found.since}; {found.told}"
    for message, remedy in found.problems:
        yield f"✗ {message}"
        yield f"  what to do: {remedy}"
