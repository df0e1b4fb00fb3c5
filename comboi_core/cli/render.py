"""How runs look in a terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

Record = dict[str, Any]

STYLES = {
    "succeeded": ("✓", "green"),
    "failed": ("✗", "bold red"),
    "partial": ("◐", "yellow"),
    "running": ("▸", "cyan"),
    "unfinished": ("▸", "yellow"),
    "pending": ("·", "dim"),
    "skipped": ("–", "dim"),
    "cancelled": ("–", "yellow"),
}


def number(value: int | None) -> str:
    """Return a count with thousands separators, or nothing."""
    return "" if value is None else f"{value:,}"


def size(value: int | None) -> str:
    """Return bytes in a readable unit."""
    if value is None:
        return ""
    amount = float(value)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    raise AssertionError("unreachable: the loop returns for GB")


def seconds(value: float | None) -> str:
    """Return a duration."""
    return "" if value is None else f"{value:.1f} s"


def status(value: str) -> Text:
    """Return a status with its sign and colour."""
    sign, style = STYLES.get(value, ("?", ""))
    return Text(f"{sign} {value}", style=style)


def _grid(*columns: tuple[str, str]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name, justify in columns:
        table.add_column(name, justify=justify, no_wrap=name in ("table", "dataset", "status"))  # type: ignore[arg-type]
    return table


def tables_grid(tables: list[Record]) -> Table:
    """Return the bronze part of a record as a grid."""
    grid = _grid(
        ("table", "left"), ("status", "left"), ("mode", "left"), ("rows read", "right"), ("files", "right"),
        ("written", "right"), ("new watermark", "left"), ("time", "right"),
    )  # fmt: skip
    for item in tables:
        shown = status(item["status"])
        if item["status"] == "running":
            shown.append(_progress(item))
        grid.add_row(
            f"{item['source']}.{item['table']}", shown, item.get("mode") or "",
            number(item.get("rows")), number(item.get("files")), size(item.get("bytes")),
            item.get("watermark") or "", seconds(item.get("seconds")),
        )  # fmt: skip
    return grid


def datasets_grid(datasets: list[Record]) -> Table:
    """Return the silver and gold part of a record as a grid."""
    grid = _grid(
        ("dataset", "left"), ("status", "left"), ("stage", "left"), ("rows written", "right"), ("checks", "left"),
        ("duplicates", "left"), ("time", "right"),
    )  # fmt: skip
    for item in datasets:
        grid.add_row(
            item["name"], status(item["status"]), item["stage"], number(item.get("rows")), _checks(item),
            _duplicates(item), seconds(item.get("seconds")),
        )  # fmt: skip
    return grid


def _progress(item: Record) -> str:
    progress = item.get("progress") or {}
    if progress.get("attempt"):
        return f" (attempt {progress['attempt']}: {progress['error']['code']})"
    return f" ({progress['phase']})" if progress.get("phase") else ""


def _checks(item: Record) -> str:
    checks = item.get("checks")
    if not checks:
        return ""
    failed = sum(not check["passed"] and check["severity"] == "error" for check in checks)
    warned = sum(not check["passed"] and check["severity"] == "warn" for check in checks)
    parts = [f"{len(checks) - failed - warned} passed"]
    parts += [f"{warned} warned"] * bool(warned) + [f"{failed} failed"] * bool(failed)
    return ", ".join(parts)


def _duplicates(item: Record) -> str:
    found = item.get("duplicates")
    if not found:
        return ""
    text = f"{found['duplicates']:,} of {found['records']:,}"
    if found.get("precision") is not None:
        text += f" (precision {found['precision']:.4f}, recall {found['recall']:.4f})"
    return text


def run_view(record: Record) -> RenderableType:
    """Return a whole run: headline, tables, datasets, then what failed or warned, with remedies."""
    head = Text.assemble(("run ", "bold"), record["run_id"], "  ", status(record["status"]))
    if record.get("seconds") is not None:
        head.append(f"  in {record['seconds']:.1f} s")
    parts: list[RenderableType] = [head]
    if record.get("holder"):
        parts.append(Text(f"another run held the lease: {record['holder']['run_id']}"))
    if record.get("tables"):
        parts += [Text(), tables_grid(record["tables"])]
    if record.get("datasets"):
        parts += [Text(), datasets_grid(record["datasets"])]
    troubles = list(_troubles(record))
    if troubles:
        parts += [Text(), *troubles]
    return Group(*parts)


def _troubles(record: Record) -> list[RenderableType]:
    found: list[RenderableType] = []
    items = [*record.get("tables", ()), *record.get("datasets", ())]
    for item in [record, *items]:
        name = item.get("name") or (f"{item['source']}.{item['table']}" if "source" in item else "run")
        if item.get("error"):
            found.append(Text(f"✗ {name}: [{item['error']['code']}] {item['error']['message']}", style="red"))
            found.append(Text(f"  what to do: {item['error']['remedy']}"))
        for retry in item.get("retried") or ():
            found.append(Text(f"! {name}: an attempt failed: [{retry['code']}] {retry['message']}", style="yellow"))
        for change in [*(item.get("schema_changes") or ()), *(item.get("warnings") or ())]:
            found.append(Text(f"! {name}: {change}", style="yellow"))
        if item.get("reason") and item["status"] == "skipped" and record["status"] != "running":
            found.append(Text(f"– {name}: skipped: {item['reason']}", style="dim"))
        for check in item.get("checks") or ():
            if not check["passed"]:
                found += _failed_check(name, check)
    return found


def _failed_check(name: str, check: Record) -> list[RenderableType]:
    bad = check["severity"] == "error"
    line = Text(
        f"{'✗' if bad else '!'} {name}: check {check['name']}: {check['message']}", style="red" if bad else "yellow"
    )
    if not check["sample"]:
        return [line]
    columns = list(check["sample"][0])[:8]
    rows = Table(box=None, pad_edge=True, padding=(0, 2, 0, 0), header_style="dim", style="dim")
    for column in columns:
        rows.add_column(column, overflow="ellipsis", no_wrap=True, max_width=28)
    for row in check["sample"]:
        rows.add_row(*("NULL" if row[column] is None else str(row[column]) for column in columns))
    return [line, rows]


def runs_grid(runs: list[Record]) -> Table:
    """Return run summaries as a grid."""
    grid = _grid(
        ("run", "left"), ("status", "left"), ("trigger", "left"), ("rows", "right"), ("time", "right"), ("", "left")
    )
    for run in runs:
        error = run.get("error") or {}
        grid.add_row(
            run["run_id"], status(run["status"]), run.get("trigger") or "", number(run.get("rows")),
            seconds(run.get("seconds")), error.get("message", "").split("\n")[0][:80],
        )  # fmt: skip
    return grid


def show_error(console: Console, error: Any) -> None:
    """Print an error and its remedy, one problem per line."""
    for line in str(error.message).split("\n"):
        console.print(Text(f"✗ {line}", style="red"))
    console.print(Text(f"  what to do: {error.remedy}"))
