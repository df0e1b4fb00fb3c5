"""The demo: a database, a first run, changes at the source, a second run, and the results."""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from comboi_core.app.place import APP_FOLDER
from comboi_core.cli import render
from comboi_core.cli.following import follow
from comboi_core.cli.grids import grid
from comboi_core.cli.hosting import serving
from comboi_core.cli.options import writing
from comboi_core.domain.contracts.building import CheckRecord
from comboi_core.domain.contracts.record import RunRecord
from comboi_core.domain.errors import ComboiError, RequestInvalid


class DemoBusy(ComboiError):
    """Another demo runs in the same folder."""

    code = "demo_busy"
    remedy = "Wait for it, or give another folder: `comboi demo --folder DIR`."


def tell(console: Console, folder: Path | None = None) -> bool:
    """Run the demo in a new folder; return whether both runs succeeded.

    Raises:
        DemoBusy: another demo runs there.
        RequestInvalid: the folder cannot be written, or the demo's project is missing (wheels do not contain it).
    """
    if not (APP_FOLDER / "configs" / "initial.yml").is_file():
        raise RequestInvalid(
            "the demo needs comboi's checkout, and this comboi was installed without it",
            remedy="Clone the repository and run `make demo` there. Or create a project with sample data: "
            "`comboi init FOLDER`.",
        )
    from comboi_core.cli.demo.data import change_source, load_source
    from comboi_core.cli.demo.postgres import EmbeddedPostgres

    home = (folder or APP_FOLDER / ".comboi" / "demo").resolve()
    began = time.monotonic()
    with _alone(home):
        config = APP_FOLDER / "configs" / "initial.yml"
        os.environ["COMBOI_LAKE_ROOT"] = str(home)
        os.environ["COMBOI_HUB"] = str(home / "hub.db")
        console.rule("1  a database with real data", align="left")
        with EmbeddedPostgres(home / "postgres") as database:
            os.environ["COMBOI_DEMO_POSTGRES"] = database.uri
            _counts(console, "rows in PostgreSQL", load_source(database.uri))
            console.rule("2  the first run lands everything", align="left")
            first = _run(console, config)
            if first["status"] == "succeeded":
                console.rule("3  a day of changes at the source", align="left")
                _counts(console, "rows changed or added", change_source(database.uri))
                console.rule("4  the second run lands only the changes", align="left")
                second = _run(console, config)
    if first["status"] != "succeeded" or second["status"] != "succeeded":
        return False
    _closing(console, home, first, second, time.monotonic() - began)
    return True


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Lock the folder and empty it, because the demo always starts from nothing."""
    with writing(home, "--folder"):
        home.parent.mkdir(parents=True, exist_ok=True)
        held = open(home.with_name(f"{home.name}.lock"), "w")  # noqa: SIM115 - closed below
    with held as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoBusy(f"another demo is running in {home}") from None
        with writing(home, "--folder"):
            marker = home / ".comboi-demo"
            if home.exists() and any(home.iterdir()) and not marker.exists():
                raise DemoBusy(
                    f"{home} is not empty, and is not a demo's folder", remedy="Give an empty folder with --folder."
                )
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir(parents=True)
            marker.touch()
        yield


def _run(console: Console, config: Path) -> RunRecord:
    with serving(config) as served:
        started = served.api.post("runs", {})
        record = follow(served, started["run_id"], console)
    console.print(render.run_view(record))
    return record


def _counts(console: Console, title: str, counts: dict[str, int]) -> None:
    console.print(f"{title}: " + ", ".join(f"{name} {count:,}" for name, count in counts.items()))


def _closing(console: Console, home: Path, first: RunRecord, second: RunRecord, total: float) -> None:
    console.rule("the results", align="left")
    table = grid("", "first run", "second run", right="first run,second run")
    figures: tuple[tuple[str, Callable[[RunRecord], str]], ...] = (
        ("rows read from PostgreSQL", lambda run: f"{sum(item['rows'] or 0 for item in run['tables']):,}"),
        ("rows published in silver and gold", lambda run: f"{sum(item['rows'] or 0 for item in run['datasets']):,}"),
        ("checks passed", lambda run: f"{sum(check['passed'] for check in _checks(run))} of {len(_checks(run))}"),
        ("time", lambda run: render.seconds(run["seconds"])),
    )
    for title, value in figures:
        table.add_row(title, value(first), value(second))
    console.print(table)
    for item in second["datasets"]:
        found = item.get("duplicates")
        if found:
            console.print(
                f"duplicates in {item['name']}: {found['duplicates']:,} of {found['records']:,} records; "
                f"compared with the true links: precision {found['precision']:.4f}, recall {found['recall']:.4f}"
            )
    _routes(console, home, second)
    settings, config = home / "env", APP_FOLDER / "configs" / "initial.yml"
    settings.write_text(f"export COMBOI_LAKE_ROOT='{home}' COMBOI_HUB='{home / 'hub.db'}'\n", encoding="utf-8")
    programs = Path(sys.executable).parent
    comboi, python = _short(programs / "comboi"), _short(Path(sys.executable))
    gold = _short(home / "lake" / "gold" / "metrics" / "carrier_punctuality.parquet")
    console.print(f"\nthe lake: {_short(home / 'lake')}/ (Parquet files in bronze, silver and gold)", soft_wrap=True)
    console.print(f"the whole demo took {total:.0f} s")
    console.print(
        "\nwhat to try next\n"
        f"  (. {_short(settings)} && {comboi} status)    show the second run again\n"
        f"  {python} -c \"import duckdb; print(duckdb.read_parquet('{gold}'))\"\n"
        f"  use your own database: edit {_short(config)}, then {comboi} run",
        soft_wrap=True,
    )


def _short(path: Path) -> str:
    """Return a path as people type it: relative to the working directory where it is below it."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _checks(run: RunRecord) -> list[CheckRecord]:
    return [check for item in run["datasets"] for check in item["checks"]]


def _routes(console: Console, home: Path, run: RunRecord) -> None:
    """Show some rows of gold, so that the reader sees data and not only counts."""
    import duckdb

    path = next(item["path"] for item in run["datasets"] if item["name"] == "busiest_routes")
    with duckdb.connect() as con:
        found = con.execute(
            "SELECT rank, origin, dest, dest_name, flights, carriers FROM read_parquet(?) ORDER BY rank LIMIT 5",
            [str(home / "lake" / "gold" / path)],
        )
        columns = [column[0] for column in found.description]
        rows = found.fetchall()
    console.print("\nthe first five rows of busiest_routes (gold)")
    table = grid(*columns)
    for row in rows:
        table.add_row(*(f"{value:.3f}" if isinstance(value, float) else str(value) for value in row))
    console.print(table)
