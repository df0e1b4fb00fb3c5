"""`comboi init`: a new project."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Annotated

import typer

from comboi_core.cli.options import AsJson, console, print_json, reporting
from comboi_core.config.source_registry import BUILT_IN, known_types
from comboi_core.domain.names import did_you_mean


def _a_type(given: str) -> str:
    if given in BUILT_IN or given in (known := known_types()):
        return given
    raise typer.BadParameter(f"'{given}' is no type of source{did_you_mean(given, known)}; known: {', '.join(known)}")


def _complete_types(incomplete: str) -> list[str]:
    return [name for name in known_types() if name.startswith(incomplete)]


def init(
    folder: Annotated[Path, typer.Argument(help="The project's folder. It is created if it does not exist.")] = Path(
        "."
    ),
    source: Annotated[
        str,
        typer.Option(
            "--source",
            metavar="TYPE",
            callback=_a_type,
            autocompletion=_complete_types,
            help=f"Where the data comes from: {', '.join(BUILT_IN)}, or a type of source that an installed package "
            "brings; files and sqlite come with sample data.",
        ),
    ] = "files",
    as_json: AsJson = False,
) -> None:
    """Create a new project that can be run: configuration, transformations, a check and sample data."""
    with reporting():
        from comboi_core.devtools.scaffold.project import new_project

        made = new_project(folder, source)
    if as_json:
        print_json({"folder": str(folder), "created": list(made.written)})
        return
    for path in made.written:
        console.print(f"✓ {folder / path}", style="green", markup=False)
    here = folder.resolve() == Path(os.getcwd()).resolve()
    go = "" if here else f"cd {shlex.quote(str(folder))} && "
    then = "run" if made.runs else "validate"
    console.print(f"next: {go}comboi {then}", markup=False)
