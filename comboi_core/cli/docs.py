"""`comboi docs`: the catalogue as a folder of pages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from comboi_core.cli.options import AsJson, Config, console, errors, print_json, reporting

DEFAULT_FOLDER = "catalogue"

Out = Annotated[
    Path | None, typer.Option("--out", "-o", help=f"The folder to write. Default: {DEFAULT_FOLDER} in the project.")
]
Runs = Annotated[int, typer.Option("--runs", min=0, max=1000, help="How many of the latest runs to include.")]


def docs(out: Out = None, runs: Runs = 20, config: Config = None, as_json: AsJson = False) -> None:
    """Write a catalogue as HTML pages: tables, datasets, columns, checks, lineage, latest runs."""
    with reporting(config):
        from comboi_core.app.loader import load
        from comboi_core.app.workspace import Workspace
        from comboi_core.devtools.catalogue.files import write_site
        from comboi_core.devtools.catalogue.gather import catalogue
        from comboi_core.devtools.catalogue.pages import INDEX, site

        project = load(config)
        folder = out or project.root / DEFAULT_FOLDER
        content = catalogue(Workspace(project), runs=runs)
        pages = site(content)
        write_site(folder, pages)
    if as_json:
        print_json({"index": str(folder / INDEX), "pages": len(pages), "notes": list(content.notes)})
        return
    for note in content.notes:
        errors.print(f"! {note}", style="yellow", markup=False)
    console.print(f"✓ {folder / INDEX}: {len(pages)} pages", style="green", markup=False)
