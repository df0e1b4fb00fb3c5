"""`comboi show` and `comboi query`: show rows of the lake in the terminal, as JSON, or write them to a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import RenderableType

from comboi_core.cli import render
from comboi_core.cli.grids import grid
from comboi_core.cli.options import AsJson, Config, complete_names, console, print_json, reporting, writing

WIDEST = 40
"""How many characters of a value the terminal shows."""
_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
_NUMERIC = {*_INTEGERS, *(f"U{name}" for name in _INTEGERS), "FLOAT", "DOUBLE", "DECIMAL"}

Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="The largest number of rows to show.")]
Out = Annotated[
    Path | None,
    typer.Option("--out", help="Write all rows to this file: .parquet, .csv or .json (one object per line)."),
]


def show(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="A table (SOURCE.TABLE) or a dataset.", autocompletion=complete_names),
    ],
    limit: Limit = 10,
    columns: Annotated[
        bool, typer.Option("--columns", help="Show the columns and their types instead of rows.")
    ] = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Show the current rows of a table or dataset. Values of sensitive columns are hidden."""
    with reporting(config):
        from comboi_core.app.workspace import open_workspace
        from comboi_core.devtools.reading import full_name, open_reader

        workspace = open_workspace()
        name = full_name(workspace.project, name)
        dataset = name if name in {one.name for one in workspace.project.datasets()} else None
        with open_reader(workspace) as reader:
            select = reader.select(name)
            types = reader.columns(select)
            rows = [] if columns else reader.head(select, limit=limit, dataset=dataset)
            total = reader.count(select)
    if as_json:
        print_json({"name": name, "rows": total, "columns": types} | ({} if columns else {"head": rows}))
        return
    if columns:
        console.print(_columns_view(types))
    else:
        _print_rows(rows, types)
    first = f"the first {len(rows):,} of " if len(rows) < total and not columns else ""
    console.print(f"{name}: {first}{total:,} {'row' if total == 1 else 'rows'}, {len(types)} columns", markup=False)


def query(
    sql: Annotated[
        str,
        typer.Argument(
            metavar="SQL", help="One SELECT in DuckDB's SQL. Tables are called SOURCE.TABLE, datasets by their name."
        ),
    ],
    limit: Limit = 100,
    out: Out = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Run a SELECT on bronze tables and datasets. It also shows the values of sensitive columns."""
    with reporting(config):
        from comboi_core.app.workspace import open_workspace
        from comboi_core.devtools.reading import open_reader

        with open_reader(open_workspace()) as reader:
            select = reader.prepare(sql)
            if out:
                with writing(out, "--out"):
                    written = reader.write(select, out)
            else:
                types = reader.columns(select)
                rows = reader.head(select, limit=limit + 1)
    if out:
        if as_json:
            print_json({"file": str(out), "rows": written})
        else:
            console.print(f"✓ {out}: {written:,} {'row' if written == 1 else 'rows'}", style="green", markup=False)
        return
    more = len(rows) > limit
    rows = rows[:limit]
    if as_json:
        print_json({"columns": types, "rows": rows, "more": more})
        return
    _print_rows(rows, types)
    note = (
        f"the first {limit:,} rows; --limit shows more, --out writes all of them"
        if more
        else f"{len(rows):,} {'row' if len(rows) == 1 else 'rows'}"
    )
    console.print(note, markup=False)


def _columns_view(types: dict[str, str]) -> RenderableType:
    view = grid("column", "type", wraps="type")
    for column, kind in types.items():
        view.add_row(render.plain(column), render.plain(kind))
    return view


def _print_rows(rows: list[dict[str, Any]], types: dict[str, str]) -> None:
    """Print rows as a grid, with as many columns as fit into the terminal, and the names of the other columns."""
    columns = list(types)
    cells = {column: [_cell(row[column]) for row in rows] for column in columns}
    widths = {column: max([len(column), *map(len, cells[column])]) + 2 for column in columns}
    fitting: list[str] = []
    while len(fitting) < len(columns) and (
        not fitting or sum(widths[one] for one in columns[: len(fitting) + 1]) <= console.width
    ):
        fitting.append(columns[len(fitting)])
    view = grid()
    for column in fitting:
        numeric = types[column].partition("(")[0] in _NUMERIC
        view.add_column(render.plain(column), justify="right" if numeric else "left", no_wrap=True)
    for place in range(len(rows)):
        view.add_row(*(render.plain(cells[column][place]) for column in fitting))
    console.print(view)
    left = columns[len(fitting) :]
    if left:
        console.print(f"{len(left)} more columns: {', '.join(left)}", markup=False, style="dim")


def _cell(value: object) -> str:
    text = "NULL" if value is None else str(value)
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"
