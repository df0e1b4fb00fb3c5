"""`comboi init`: a new project."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Annotated, Literal

import typer

from comboi_core.cli.options import AsJson, console, print_json, reporting


def init(
    folder: Annotated[Path, typer.Argument(help="The project's folder; made if it is not there.")] = Path("."),
    source: Annotated[
        Literal["files", "sqlite", "postgres", "azure_sql"],
        typer.Option("--source", help="Where the data comes from; files and sqlite come with sample data."),
    ] = "files",
    as_json: AsJson = False,
) -> None:
    """Make a new project that runs: configuration, a transformation, a check, sample data."""
    with reporting():
        from comboi_core.devtools.scaffold.project import RUNS_AS_IT_IS, new_project

        written = new_project(folder, source)
    if as_json:
        print_json({"folder": str(folder), "created": list(written)})
        return
    for path in written:
        console.print(f"✓ {folder / path}", style="green", markup=False)
    here = folder.resolve() == Path(os.getcwd()).resolve()
    go = "" if here else f"cd {shlex.quote(str(folder))} && "
    then = "run" if source in RUNS_AS_IT_IS else "validate"
    console.print(f"next: {go}comboi {then}", markup=False)
