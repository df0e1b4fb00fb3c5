"""How runs, plans and checkpoints are shown in a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from comboi_core.cli.grids import grid, worth_seeing
from comboi_core.domain.contracts.pipeline import RunSummary
from comboi_core.domain.contracts.record import DatasetRecord, RunRecord, TableRecord
from comboi_core.domain.errors import ConfigError
from comboi_core.domain.redaction import redactor

Record = Mapping[str, Any]

SAMPLE_COLUMNS = 6
"""How many columns of failing rows are shown, the checked ones first. `--json` shows all."""

MOST_NAMES = 10
"""Names of items that an error lists which they have in common."""

SIZE_UNITS = (("B", 1, 0), ("kB", 1e3, 0), ("MB", 1e6, 1), ("GB", 1e9, 1))
"""Unit, its bytes, and how many decimals to show."""

STYLES = {
    "succeeded": ("✓", "green"),
    "failed": ("✗", "bold red"),
    "partial": ("◐", "yellow"),
    "running": ("▸", "cyan"),
    "unfinished": ("▸", "yellow"),
    "unreadable": ("?", "red"),
    "pending": ("·", "dim"),
    "queued": ("…", "dim"),
    "skipped": ("–", "dim"),
    "cancelled": ("–", "yellow"),
}


SHORT = ("▲", "yellow")
"""Sign and colour of an item that succeeded with shortfalls: readers do not see all of its rows."""


_UNSEEN = (0xAD, 0x61C, 0x180E, *range(0x200B, 0x2010), *range(0x2028, 0x202F), *range(0x2060, 0x2070), 0xFEFF)
CONTROLS = dict.fromkeys((*range(9), *range(11, 32), *range(127, 160), *_UNSEEN), "�")
"""Control characters and invisible characters. Some change the direction of text, and could disguise a name."""


def number(value: int | None) -> str:
    """Return a count with thousands separators, or nothing."""
    return "" if value is None else f"{value:,}"


def size(value: int | None) -> str:
    """Return bytes in a readable unit."""
    if value is None:
        return ""
    unit = next(unit for unit in SIZE_UNITS if value < 1000 * unit[1] or unit is SIZE_UNITS[-1])
    return f"{value / unit[1]:.{unit[2]}f} {unit[0]}"


def seconds(value: float | None) -> str:
    """Return a duration."""
    return "" if value is None else f"{value:.1f}s"


def plain(value: str, style: str = "") -> Text:
    """Return text without secrets. Markup and control characters in it have no effect."""
    return Text(safe(value), style=style)


def safe(value: str) -> str:
    """Return text without secrets and without control characters."""
    return redactor.text(value).translate(CONTROLS)


def status(value: str, shortfalls: int | None = None) -> Text:
    """Return a status with its sign and colour, and the number of shortfalls."""
    short = value == "succeeded" and bool(shortfalls)
    sign, style = SHORT if short else STYLES.get(value, ("?", ""))
    count = f", {shortfalls} shortfall{'s' * (shortfalls > 1)}" if shortfalls else ""
    return Text(f"{sign} {value}{count}", style=style)


def _sign(item: Record) -> Text:
    short = item["status"] == "succeeded" and item.get("shortfalls")
    sign, style = SHORT if short else STYLES.get(item["status"], ("?", ""))
    return Text(sign, style=style)


def _named(name: str, item: Record) -> Text:
    """Return the name with its progress, in a colour for its state."""
    progress = item.get("progress") or {}
    if progress.get("attempt"):
        return Text(f"{name} (attempt {progress['attempt']} after {progress['error']['code']})", style="yellow")
    if progress.get("phase"):
        return Text(f"{name} ({pace(progress) or progress['phase']})", style="cyan")
    style = {"failed": "red", "pending": "dim", "queued": "dim", "skipped": "dim"}.get(item["status"], "")
    return Text(name, style=style)


def pace(progress: Record, now: datetime | None = None) -> str:
    """Return the progress of a large extraction: rows so far, rows per second, time left. Empty if not yet known.

    Args:
        now: With a zone; default: the clock's.
    """
    chunks, done = progress.get("chunks") or 0, progress.get("chunks_done") or 0
    if progress.get("phase") != "extracting" or chunks < 2 or not progress.get("since"):
        return ""
    passed = ((now or datetime.now(UTC)) - datetime.fromisoformat(progress["since"])).total_seconds()
    rows, expected = progress.get("rows") or 0, progress.get("estimated_rows")
    text = f"extracting {done} of {chunks} chunks"
    if not done or passed <= 0:
        return text
    if rows:
        text += f", ~{rows:,}" + (f" of ~{expected:,} rows" if expected else " rows") + f", {rows / passed:,.0f} rows/s"
    return text + f", {_clock(passed / done * (chunks - done))} left"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def tables_grid(tables: Sequence[TableRecord]) -> Table:
    """Return the bronze part of a record as a grid."""
    shown = grid(
        "", "bronze", "mode", "rows read", "files", "written", "new watermark", "time",
        right="rows read,files,written,time", wraps="bronze", spare="files,written,mode,new watermark,time",
    )  # fmt: skip
    items, rest = worth_seeing(tables)
    for item in items:
        shown.add_row(
            _sign(item), _named(f"{item['source']}.{item['table']}", item), item.get("mode") or "",
            number(item.get("rows")), number(item.get("files")), size(item.get("bytes")),
            plain(watermark(item.get("watermark"))), seconds(item.get("seconds")),
        )  # fmt: skip
    if rest:
        shown.add_row("…", Text(rest, style="dim"))
    return shown


def watermark(value: str | None) -> str:
    """Return a watermark without fractions of a second. JSON output has the exact value."""
    return re.sub(r"(:\d\d)\.\d+", r"\1", value or "")


def datasets_grid(stage: str, datasets: Sequence[DatasetRecord]) -> Table:
    """Return the silver or the gold part of a record as a grid."""
    isolated = any(item.get("quarantined") for item in datasets)
    more = ("quarantined",) if isolated else ()
    shown = grid(
        "", stage, "rows read", "rows written", "checks", *more, "duplicates", "time",
        right="rows read,rows written,quarantined,time", wraps=stage, spare="duplicates,rows read,time,quarantined",
    )  # fmt: skip
    items, rest = worth_seeing(datasets)
    for item in items:
        found = item.get("duplicates")
        duplicates = f"{found['duplicates']:,} of {found['records']:,}" if found else ""
        shown.add_row(
            _sign(item), _named(item["name"], item), number(item.get("rows_read")), number(item.get("rows")),
            _checks(item), *([number(item.get("quarantined"))] if isolated else []), duplicates,
            seconds(item.get("seconds")),
        )  # fmt: skip
    if rest:
        shown.add_row("…", Text(rest, style="dim"))
    return shown


def _checks(item: Record) -> str:
    checks = item.get("checks")
    if not checks:
        return ""
    failed = sum(not check["passed"] and check["severity"] == "error" for check in checks)
    warned = sum(not check["passed"] and check["severity"] == "warn" for check in checks)
    parts = [f"{len(checks) - failed - warned} ok"]
    parts += [f"{warned} warn"] * bool(warned) + [f"{failed} fail"] * bool(failed)
    return ", ".join(parts)


def run_view(record: RunRecord) -> RenderableType:
    """Return a whole run: headline, tables, datasets, then errors and warnings with remedies."""
    head = Text.assemble(("run ", "bold"), record["run_id"], "  ", status(record["status"], record.get("shortfalls")))
    if record.get("seconds") is not None:
        head.append(f"  in {record['seconds']:.1f}s")
    parts: list[RenderableType] = [head]
    if cancelled := record.get("cancelled"):
        ending = "was" if record["status"] != "running" else "is being"
        parts.append(plain(f"the run {ending} cancelled by {cancelled['by']}", style="yellow"))
    if record.get("interrupted"):
        parts.append(plain(record["interrupted"]["message"], style="yellow"))
    if record.get("holder"):
        parts.append(Text(f"another run held the lease: {record['holder']['run_id']}"))
    if record.get("tables"):
        parts += [Text(), tables_grid(record["tables"])]
    for stage in ("silver", "gold"):
        datasets = [item for item in record.get("datasets", ()) if item["stage"] == stage]
        if datasets:
            parts += [Text(), datasets_grid(stage, datasets)]
    troubles = list(_troubles(record))
    if troubles:
        parts += [Text(), *troubles]
    if record.get("path") and record["status"] != "running":
        place = "/".join(filter(None, (record.get("lake"), record["path"])))  # the record of an erasure has no lake
        parts += [Text(), plain(f"record: {place}", style="dim")]
    return Group(*parts)


def _troubles(record: RunRecord) -> list[RenderableType]:
    """Return errors, warnings and skipped items. A text that several items share is shown once."""
    said: dict[tuple[str, str, str], list[str]] = {}
    others: list[RenderableType] = []
    items: list[Record] = [record, *record.get("tables", ()), *record.get("datasets", ())]
    for item in items:
        name = item.get("name") or (f"{item['source']}.{item['table']}" if "source" in item else "run")
        for line in _lines(item, ended=record["status"] != "running"):
            said.setdefault(line, []).append(name)
        for check in item.get("checks") or ():
            if not check["passed"]:
                others += _failed_check(name, check)
    found: list[RenderableType] = []
    for (text, remedy, style), names in said.items():
        found.append(plain(f"{text[0]} {_some(list(dict.fromkeys(names)))}: {text[2:]}", style=style))
        if remedy:
            found.append(plain(f"  what to do: {remedy}"))
    return found + others + list(_undelivered(record))


def _some(names: list[str]) -> str:
    """Return names as a text; of many, the first ones and how many there are."""
    if len(names) <= MOST_NAMES:
        return ", ".join(names)
    return f"{', '.join(names[:MOST_NAMES])} and {len(names) - MOST_NAMES:,} more"


def _undelivered(record: RunRecord) -> Iterator[RenderableType]:
    """Yield a line for each alert that did not reach its webhook, for people who do not read the host's log."""
    for alert in record.get("notifications") or ():
        if not alert.get("sent"):
            reason = alert.get("told") or "another execution was sending it and did not report the result"
            where = f"webhook {alert['webhook'] + 1} ({alert['format']})"  # numbered as `comboi doctor` does
            yield plain(f"! alert '{alert['on']}' to {where} was not delivered: {reason}", style="yellow")


def _lines(item: Record, *, ended: bool) -> Iterator[tuple[str, str, str]]:
    """Yield the messages about an item: sign and text, remedy, style."""
    if item.get("error"):
        yield f"✗ [{item['error']['code']}] {item['error']['message']}", item["error"]["remedy"], "red"
    if isinstance(item.get("shortfalls"), list):  # for the record itself it is a number
        for shortfall in item["shortfalls"]:
            yield f"{SHORT[0]} [{shortfall['code']}] {shortfall['message']}", shortfall["remedy"], SHORT[1]
    for retry in item.get("retried") or ():
        yield f"! an attempt failed and was repeated: [{retry['code']}] {retry['message']}", "", "yellow"
    for change in [*(item.get("schema_changes") or ()), *(item.get("warnings") or ())]:
        yield f"! {change}", "", "yellow"
    if item.get("reason") and item["status"] == "skipped" and ended:
        yield f"– skipped: {item['reason']}", "", "dim"
    duplicates = item.get("duplicates") or {}
    if duplicates.get("precision") is not None:
        quality = "compared with the labels: precision {precision:.4f}, recall {recall:.4f}".format(**duplicates)
        yield f"· deduplication: {quality}", "", "dim"
    if duplicates.get("report"):
        yield f"· deduplication: report on match quality: {duplicates['report']}", "", "dim"
    for remark in duplicates.get("remarks") or ():
        yield f"! deduplication: {remark}", "", "yellow"


def _failed_check(name: str, check: Record) -> list[RenderableType]:
    bad = check["severity"] == "error"
    text = f"{'✗' if bad else '!'} {name}: check {check['name']}: {check['message']}"
    line = plain(text, style="red" if bad else "yellow")
    if not check["sample"]:
        return [line]
    checked = re.split(r"[(), ]+", check["name"])
    columns = sorted(check["sample"][0], key=lambda column: column not in checked)[:SAMPLE_COLUMNS]
    rows = Table(box=None, pad_edge=True, padding=(0, 2, 0, 0), header_style="dim", style="dim")
    for column in columns:
        rows.add_column(plain(column), overflow="ellipsis", no_wrap=True, max_width=20)
    for row in check["sample"]:
        rows.add_row(*(plain("NULL" if row[column] is None else str(row[column])) for column in columns))
    return [line, rows]


def runs_grid(runs: Sequence[RunSummary]) -> Table:
    """Return run summaries as a grid."""
    shown = grid(
        "run", "status", "started (UTC)", "trigger", "rows read", "time", "",
        right="rows read,time", wraps="", spare="trigger,rows read,time",
    )  # fmt: skip
    for run in runs:
        error: Record = run.get("error") or {}
        shown.add_row(
            run["run_id"], status(run["status"], run.get("shortfalls")),
            (run.get("started_at") or "")[:16].replace("T", " "), run.get("trigger") or "",
            number(run.get("rows")),
            seconds(run.get("seconds")), plain(error.get("message", "").split("\n")[0]),
        )  # fmt: skip
    return shown


def show_error(console: Console, error: Any) -> None:
    """Print an error and its remedy. Each line of a ConfigError is a problem of its own."""
    for position, line in enumerate(str(error.message).split("\n")):
        mark = "✗" if position == 0 or isinstance(error, ConfigError) else " "
        console.print(plain(f"{mark} {line}", style="red"))
    console.print(plain(f"  what to do: {error.remedy}"))


def plan_view(planned: Record) -> RenderableType:
    """Return what a run would do."""
    shown = grid(
        "table",
        "mode",
        "reads",
        "from",
        "to",
        "rows ~",
        "chunks",
        right="rows ~,chunks",
        wraps="table",
        spare="chunks,mode",
    )
    notes: list[RenderableType] = []
    for table in planned["tables"]:
        name = f"{table['source']}.{table['table']}"
        if "error" in table:
            shown.add_row(Text(name, style="red"), "", "", "", "", "", "")
            notes.append(Text(f"✗ {name}: [{table['error']['code']}] {table['error']['message']}", style="red"))
            notes.append(Text(f"  what to do: {table['error']['remedy']}"))
            continue
        window = table["window"] or {}
        whole = table["replaces"] or window.get("low") is None
        reads = "nothing new" if table["unchanged"] else "everything" if whole else "changes"
        shown.add_row(
            name, table["mode"], reads, watermark(window.get("low")), watermark(window.get("high")),
            number(table["estimated_rows"]), number(table["chunks"]),
        )  # fmt: skip
        for shortfall in table["shortfalls"]:
            notes.append(plain(f"{SHORT[0]} {name}: [{shortfall['code']}] {shortfall['message']}", style=SHORT[1]))
            notes.append(plain(f"  what to do: {shortfall['remedy']}"))
        notes += [Text(f"! {name}: {said}", style="yellow") for said in (*table["schema_changes"], *table["warnings"])]
    parts: list[RenderableType] = [shown, *notes] if planned["tables"] else []
    if planned["datasets"]:
        parts += [Text(), Text("then builds " + ", ".join(item["name"] for item in planned["datasets"]))]
        parts += [
            plain(f"! {item['name']}: {said}", "yellow") for item in planned["datasets"] for said in item["warnings"]
        ]
    return Group(*parts)


def checkpoints_grid(tables: Sequence[Record]) -> Table:
    """Return the tables' checkpoints as a grid."""
    shown = grid(
        "table", "load", "watermark", "committed at", "rows landed", "",
        right="load,rows landed", wraps="table", spare="rows landed,committed at",
    )  # fmt: skip
    for table in tables:
        last = table["loads"][0] if table["loads"] else {}
        shown.add_row(
            f"{table['source']}.{table['table']}", number(table["sequence"]), watermark(table["watermark"]),
            watermark(last.get("committed_at")), number(last.get("rows")), "reads all next" if table["reload"] else "",
        )  # fmt: skip
    return shown


def checkpoint_view(table: Record) -> RenderableType:
    """Return one table's checkpoint, loads and audit."""
    loads = grid(
        "load", "mode", "rows", "written", "watermark", "committed at", "run", right="load,rows,written", wraps="run"
    )
    for load in table["loads"]:
        loads.add_row(
            number(load["sequence"]), load["mode"], number(load["rows"]), size(load["bytes"]),
            watermark(load["watermark"]), watermark(load["committed_at"]), load["run_id"],
        )  # fmt: skip
    audit = [Text(f"{entry['at']}: {entry['what']} by {entry['by']}", style="dim") for entry in table["audit"]]
    return Group(checkpoints_grid([table]), Text(), loads, *audit)
