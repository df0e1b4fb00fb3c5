"""Shared by all commands: consoles, options, and how an error ends a command."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer
from rich.console import Console
from typer.core import TyperCommand

from comboi_core.cli import render
from comboi_core.domain.errors import ComboiError, RequestInvalid
from comboi_core.domain.redaction import redactor
from comboi_core.telemetry.logs import guard_logs

STAGES = ("bronze", "silver", "gold")
PIPE_WIDTH = 160
"""Width if the output is not a terminal and COLUMNS is not set. It is wide enough for every table."""


class _Guarded(Console):
    """A console that hides secrets and terminal control characters in printed text."""

    def print(self, *objects: Any, **how: Any) -> None:
        """See Console.print."""
        super().print(*(render.safe(one) if isinstance(one, str) else one for one in objects), **how)


def _console(stream: TextIO, *, stderr: bool) -> Console:
    wide = not stream.isatty() and "COLUMNS" not in os.environ
    return _Guarded(stderr=stderr, highlight=False, width=PIPE_WIDTH if wide else None)


console = _console(sys.stdout, stderr=False)
errors = _console(sys.stderr, stderr=True)

Config = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="The pipeline's file. Default: COMBOI_CONFIG, else configs/initial.yml."),
]
Url = Annotated[
    str | None,
    typer.Option("--url", envvar="COMBOI_URL", help="URL of a deployed app, to use it instead of this machine."),
]
Key = Annotated[str | None, typer.Option("--key", envvar="COMBOI_KEY", help="Function key of the deployed app.")]


def _note_json(wanted: bool) -> bool:
    _machine.wanted = wanted
    return wanted


def complete_names(incomplete: str) -> list[str]:
    """Return the tables and datasets whose names begin with a text, for the shell. Without a project: none."""
    from comboi_core.app.loader import load

    try:
        project = load(None)
    except (ComboiError, OSError):
        return []
    return [name for name in project.names if name.startswith(incomplete) or name.split(".")[-1].startswith(incomplete)]


def complete_tables(incomplete: str) -> list[str]:
    """Return the tables whose names begin with a text, for the shell."""
    return [name for name in complete_names(incomplete) if "." in name]


def complete_stages(incomplete: str) -> list[str]:
    """Return the stages whose names begin with a text, for the shell."""
    return [stage for stage in STAGES if stage.startswith(incomplete)]


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, also for errors.", callback=_note_json)]
Select = Annotated[
    list[str] | None,
    typer.Option("--select", "-s", help="Only these tables or datasets. Repeatable.", autocompletion=complete_names),
]


_SELECT = ("--select", "-s")


class Selecting(TyperCommand):
    """A command whose --select takes several names: `--select orders people` is `--select orders --select people`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments. A stage after the first name is the argument STAGE."""
        spread: list[str] = []
        selecting = False
        for place, word in enumerate(args):
            option = word.startswith("-")
            if selecting and not option and args[place - 1] not in _SELECT and word not in STAGES:
                spread.append(_SELECT[0])
            spread.append(word)
            selecting = word in _SELECT or word.startswith(f"{_SELECT[0]}=") or (selecting and not option)
        return super().parse_args(ctx, spread)


TableName = Annotated[
    str,
    typer.Argument(
        metavar="TABLE",
        help="SOURCE.TABLE, or only the table's name if it is unique.",
        autocompletion=complete_tables,
    ),
]
FullRefresh = Annotated[
    bool, typer.Option("--full-refresh", help="Read whole tables again, and rebuild datasets from all rows.")
]
Strict = Annotated[
    bool,
    typer.Option(
        "--strict", help="Exit with 1 also for shortfalls: a run succeeded, but readers do not see every row."
    ),
]
StageName = Annotated[
    str | None,
    typer.Argument(metavar="[STAGE]", help="bronze, silver or gold. Default: all.", autocompletion=complete_stages),
]


class _Machine(threading.local):
    """Whether the current command was asked for JSON."""

    wanted = False


_machine = _Machine()


def quiet() -> None:
    """Keep warnings of libraries and comboi's log records off the terminal. They are in the log file."""
    guard_logs()
    warnings.simplefilter("ignore")
    logger = logging.getLogger("comboi")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False


@contextmanager
def reporting(config: Path | None = None) -> Iterator[None]:
    """Print comboi's errors with their remedies (after `--json` as JSON on standard output), and exit with 1."""
    quiet()
    if config:
        os.environ["COMBOI_CONFIG"] = str(config)
    try:
        yield
    except ComboiError as error:
        if _machine.wanted:
            print_json({"error": error.record()})
        else:
            render.show_error(errors, error)
        raise typer.Exit(1) from None
    finally:
        _machine.wanted = False


@contextmanager
def writing(place: Path, option: str) -> Iterator[None]:
    """Turn an OSError in the block into an error that names the path, and the option to choose another one.

    Raises:
        RequestInvalid: with the path of the OSError, or `place` if it has none.
    """
    try:
        yield
    except OSError as error:
        raise RequestInvalid(
            f"{error.filename or place}: cannot be written: {error.strerror}",
            remedy=f"Give another path with {option}.",
        ) from None


def print_json(value: Any) -> None:
    """Print JSON to standard output. Terminal control characters are escaped."""
    text = json.dumps(redactor.value(value), ensure_ascii=False, indent=2)
    typer.echo(text.translate({code: f"\\u{code:04x}" for code in render.CONTROLS if code >= 127}))
