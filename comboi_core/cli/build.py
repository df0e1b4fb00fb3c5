"""`comboi build`: builds one dataset into a temporary file, to try it out."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group, RenderableType

from comboi_core.cli import render
from comboi_core.cli.grids import grid
from comboi_core.cli.options import AsJson, Config, console, print_json, reporting, writing

if TYPE_CHECKING:
    from comboi_core.devtools.trial import Trial

_CELL = 40


def build(
    dataset: Annotated[str, typer.Argument(help="A silver or gold dataset.")],
    sample: Annotated[
        int | None,
        typer.Option("--sample", min=1, help="The largest number of rows to read from each input. Default: all."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="A folder to keep the Parquet file in. Default: it is deleted.")
    ] = None,
    start: Annotated[str | None, typer.Option("--from", help="Start of the interval. Default: yesterday.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="End of the interval, exclusive.")] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Build one dataset and show first rows, columns, checks and times. Nothing is published."""
    if (start is None) != (end is None):
        raise typer.BadParameter("give both --from and --to, or neither")
    with reporting(config):
        from comboi_core.app.workspace import open_workspace
        from comboi_core.devtools.trial import try_build
        from comboi_core.domain.errors import RequestInvalid
        from comboi_core.domain.folders import Scratch
        from comboi_core.domain.interval import parse

        try:
            interval = parse(start, end) if start and end else None
        except ValueError as error:
            raise RequestInvalid(f"--from, --to: {error}", remedy="Write dates such as 2026-11-01.") from None
        if out:
            with writing(out, "--out"):
                out.mkdir(parents=True, exist_ok=True)
        with nullcontext(out) if out else Scratch() as folder:
            trial = try_build(open_workspace(), dataset, Path(folder), sample=sample, interval=interval)
    if as_json:
        print_json(asdict(trial) | {"file": str(trial.file) if out else None})
    else:
        console.print(_view(trial, kept=out is not None))
    if trial.failed:
        raise typer.Exit(1)


def _view(trial: Trial, *, kept: bool) -> RenderableType:
    head = grid(*trial.columns)
    for row in trial.head:
        head.add_row(*(render.plain(_cell(row[name])) for name in trial.columns))
    columns = grid("column", "type")
    for name, kind in trial.columns.items():
        columns.add_row(render.plain(name), kind)
    checks = grid("", "check", "", right="")
    for check in trial.details["checks"]:
        sign = render.status("succeeded" if check["passed"] else "failed")
        checks.add_row(sign, render.plain(check["name"]), render.plain(check["message"]))
    parts: list[RenderableType] = [head, "", columns]
    parts += ["", checks] if trial.details["checks"] else []
    if figures := trial.details["duplicates"]:
        records, clusters, duplicates = (figures[key] for key in ("records", "clusters", "duplicates"))
        parts += ["", f"{records:,} records, {clusters:,} clusters, {duplicates:,} duplicates"]
    spent = ", ".join(f"{step} {render.seconds(taken)}" for step, taken in trial.seconds.items())
    read = trial.details["rows_read"]
    parts += ["", f"{trial.stage} {trial.name}: {trial.rows:,} rows of {read:,} in the inputs; {spent}; not published"]
    parts += [f"kept in {trial.file}"] if kept else []
    return Group(*parts)


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= _CELL else f"{text[: _CELL - 1]}…"
