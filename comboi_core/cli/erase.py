"""Erasing a person from every layer."""

from __future__ import annotations

import getpass
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from comboi_core.cli import render
from comboi_core.cli.following import follow
from comboi_core.cli.grids import grid
from comboi_core.cli.hosting import serving
from comboi_core.cli.options import AsJson, Config, Url, console, errors, print_json, reporting
from comboi_core.domain.contracts.record import RunRecord

FunctionKey = Annotated[
    str | None, typer.Option("--function-key", envvar="COMBOI_KEY", help="Function key of the deployed app.")
]
SOURCE_FIRST = "If the source still has such a row, a later load can bring it back. Erase it in the source first."


def erase(
    table: Annotated[str, typer.Option("--table", help="The table that holds the key: SOURCE.TABLE.")],
    key: Annotated[
        list[str],
        typer.Option("--key", help="A value of the primary key, or a=1,b=2 if it has several columns. Repeatable."),
    ],
    column: Annotated[
        list[str] | None,
        typer.Option("--column", help="The column that holds the key, where it is another one; repeatable."),
    ] = None,
    by: Annotated[
        str | None, typer.Option("--by", help="Who asks for the erasure, for the record. Default: your login.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    config: Config = None,
    url: Url = None,
    function_key: FunctionKey = None,
    as_json: AsJson = False,
) -> None:
    """Erase a person from bronze, silver, gold and the run records. This cannot be undone."""
    if not yes:
        keys = "1 key" if len(key) == 1 else f"{len(key)} keys"
        typer.confirm(f"Erase {keys} from {table} and everything made from it? This cannot be undone.", abort=True)
    request = {"table": table, "keys": key, "columns": column or [], "by": by if by is not None else _login()}
    progress = errors if as_json else console
    with reporting(config), serving(config, url, function_key) as served:
        for unfinished in served.unfinished:
            progress.print(f"finishing run {unfinished}, which was left unfinished", markup=False)
            progress.print(f"run {unfinished}: {follow(served, unfinished, progress)['status']}", markup=False)
        run_id = served.api.post("erasures", request)["run_id"]
        record = follow(served, run_id, progress)
    if as_json:
        print_json(record)
    else:
        console.print(erasure_view(record))
    if record["status"] != "succeeded":
        raise typer.Exit(1)


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return ""


def erasure_view(record: RunRecord) -> RenderableType:
    """Return what an erasure did: the removed rows per table and dataset, then what could not be erased."""
    erasure = record.get("erasure")
    parts: list[RenderableType] = [Text.assemble("erasure ", record["run_id"], "  ", render.status(record["status"]))]
    if erasure is None:  # the run ended before it had a record
        return Group(*parts, render.run_view(record))
    shown = grid("", "stage", "rows removed", "how", right="rows removed", wraps="how")
    for stage, name, item in _items(record):
        rows = sum(item.get(key) or 0 for key in ("removed", "removed_elsewhere", "removed_beside"))
        counted = "" if item.get("removed") is None else render.number(rows)
        shown.add_row(render.plain(name), stage, counted, render.plain(item.get("how") or item.get("reason") or ""))
    parts += [Text(), shown]
    if erasure["samples"]:
        parts.append(Text(f"{render.number(erasure['samples'])} failing rows removed from run records"))
    if not erasure["found"]:
        parts += [Text(), Text("no table, dataset or record has the key; nothing was erased", style="yellow")]
    for owner, rows in erasure.get("left_in_records", {}).items():
        left = f"! run records of the pipeline {owner}, in the same lake, show {render.number(rows)} failing rows"
        parts.append(render.plain(f"{left} with such a key; they were not removed", style="yellow"))
        advice = f"Erase with the configuration of {owner}. If it is this pipeline's former name, use takes_over:."
        parts.append(render.plain(f"  what to do: {advice}"))
    for _, name, item in _items(record):
        if item.get("error"):
            parts.append(render.plain(f"✗ {name}: [{item['error']['code']}] {item['error']['message']}", style="red"))
            parts.append(render.plain(f"  what to do: {item['error']['remedy']}"))
        elif item.get("how") == "not erased":
            parts.append(render.plain(f"! {name}: not erased: {item['reason']}", style="yellow"))
            parts.append(render.plain(f"  what to do: {item['remedy']}"))
        parts += [render.plain(f"! {name}: {warning}", style="yellow") for warning in item.get("warnings") or ()]
    error = record.get("error")
    if error and not any(item.get("error") for *_, item in _items(record)):
        parts.append(render.plain(f"✗ [{error['code']}] {error['message']}", style="red"))
        parts.append(render.plain(f"  what to do: {error['remedy']}"))
    return Group(*parts, render.plain(SOURCE_FIRST))


def _items(record: RunRecord) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for item in record["tables"]:
        elsewhere = f", {item['removed_elsewhere']} of them from files of earlier loads"
        how = "files rewritten" if item.get("removed") else "not changed"
        how += elsewhere if item.get("removed_elsewhere") else ""
        yield "bronze", f"{item['source']}.{item['table']}", {"how": how, **item}
    for dataset in record["datasets"]:
        yield dataset["stage"], dataset["name"], dataset
