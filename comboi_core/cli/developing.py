"""The commands to develop a project: init, new, lineage, docs, schema, show, query."""

from __future__ import annotations

import typer

from comboi_core.cli.docs import docs
from comboi_core.cli.init import init
from comboi_core.cli.lineage import lineage
from comboi_core.cli.new import new
from comboi_core.cli.options import Selecting
from comboi_core.cli.reading import query, show
from comboi_core.cli.schema import schema


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command(cls=Selecting)(lineage)
    for command in (init, docs, schema, show, query):
        app.command()(command)
    app.add_typer(new)
