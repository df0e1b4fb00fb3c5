"""The commands for those who build a project: lineage, docs, init, new."""

from __future__ import annotations

import typer

from comboi_core.cli.docs import docs
from comboi_core.cli.lineage import lineage


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    for command in (lineage, docs):
        app.command()(command)
