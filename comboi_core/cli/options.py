"""What the commands share: consoles, options, and how errors end a command."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer
from rich.console import Console

from comboi_core.cli import render
from comboi_core.cli.hosting import quiet
from comboi_core.domain.errors import ComboiError

PIPE_WIDTH = 160
"""Columns where the output is no terminal and COLUMNS says nothing: wide enough that no table is cut."""


def _console(stream: TextIO, *, stderr: bool) -> Console:
    wide = not stream.isatty() and "COLUMNS" not in os.environ
    return Console(stderr=stderr, highlight=False, width=PIPE_WIDTH if wide else None)


console = _console(sys.stdout, stderr=False)
errors = _console(sys.stderr, stderr=True)

Config = Annotated[
    Path | None, typer.Option("--config", "-c", help="Default: COMBOI_CONFIG, else configs/initial.yml.")
]
Url = Annotated[str | None, typer.Option("--url", envvar="COMBOI_URL", help="A deployed app instead of this machine.")]
Key = Annotated[str | None, typer.Option("--key", envvar="COMBOI_KEY", help="Function key of the deployed app.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON for machines.")]
Select = Annotated[list[str] | None, typer.Option("--select", "-s", help="A table or dataset; repeatable.")]
FullRefresh = Annotated[bool, typer.Option("--full-refresh", help="Read the tables anew, whole.")]
StageName = Annotated[str | None, typer.Argument(metavar="[STAGE]", help="bronze, silver or gold; default: all.")]


@contextmanager
def reporting(config: Path | None = None) -> Iterator[None]:
    """Print comboi's errors with their remedies and exit with 1."""
    quiet()
    if config:
        os.environ["COMBOI_CONFIG"] = str(config)
    try:
        yield
    except ComboiError as error:
        from comboi_core.telemetry.redaction import redactor

        error.message = redactor.text(error.message)
        render.show_error(errors, error)
        raise typer.Exit(1) from None


def print_json(value: Any) -> None:
    """Print JSON to standard output."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))
