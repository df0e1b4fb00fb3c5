"""A new project: two YAML files, a transformation, a check, and where it can be, data to run it with."""

from __future__ import annotations

import csv
import io
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Literal

from comboi_core.app.loader import DEFAULT_CONFIG
from comboi_core.config.schema import first_line, schema_files
from comboi_core.devtools.scaffold.samples import GITIGNORE, README, SCRIPTS, SOURCES, STAGES, TRANSFORMATIONS
from comboi_core.domain.errors import RequestInvalid

SourceType = Literal["files", "sqlite", "postgres", "azure_sql"]
RUNS_AS_IT_IS = ("files", "sqlite")
KEPT = ("README.md", ".gitignore")
"""Files that a folder may have already; they are left as they are."""

CUSTOMERS = (("Ada", "Ghent"), ("Björn", "Malmö"), ("Chidi", "Lagos"), ("Dalia", "Vilnius"), ("Emre", "İzmir"))
ORDERS = 60
_FIRST_DAY = date(2026, 1, 1)


def new_project(folder: Path, source: SourceType) -> tuple[str, ...]:
    """Write a project into a folder, which is made if it is not there.

    Returns:
        What was written, as paths in the folder.

    Raises:
        RequestInvalid: the folder holds a project or something in the place of one of the files, or cannot be written.
    """
    texts = _texts(_pipeline(folder), source)
    _refuse(folder, [*texts, *_data_files(source)])
    wanted = {path: text for path, text in texts.items() if not (path in KEPT and (folder / path).exists())}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder, wanted)
        if source == "sqlite":
            _write_database(folder / "data" / "shop.db")
    except OSError as error:
        raise RequestInvalid(f"{error.filename or folder}: cannot be written: {error.strerror}") from None
    return (*wanted, *_data_files(source))


def _pipeline(folder: Path) -> str:
    """Return a name for the pipeline: the folder's, made fit."""
    name = re.sub(r"[^A-Za-z0-9_\-]+", "_", folder.resolve().name).strip("_-")[:40]
    return name if re.match(r"[A-Za-z]", name) else "sales"


def _texts(pipeline: str, source: SourceType) -> dict[str, str]:
    texts = {
        "configs/initial.yml": first_line("pipeline") + SOURCES[source].replace("PIPELINE", pipeline) + STAGES,
        "configs/transformations.yml": first_line("transformations") + TRANSFORMATIONS,
        **schema_files(),
        **SCRIPTS,
        ".gitignore": GITIGNORE,
        "README.md": README[source].replace("PIPELINE", pipeline),
    }
    if source == "files":
        texts |= {"data/customers.csv": _csv(_customers()), "data/orders/2026-01.csv": _csv(_orders())}
    return texts


def _data_files(source: SourceType) -> tuple[str, ...]:
    return ("data/shop.db",) if source == "sqlite" else ()


def _refuse(folder: Path, paths: list[str]) -> None:
    if folder.exists() and not folder.is_dir():
        raise RequestInvalid(f"{folder} is a file", remedy="Name a folder.")
    if (folder / DEFAULT_CONFIG).exists():
        raise RequestInvalid(
            f"{folder} holds a project already ({DEFAULT_CONFIG}); nothing was written",
            remedy="Name another folder; `comboi new` adds to the project that is there.",
        )
    taken = [path for path in paths if path not in KEPT and (folder / path).exists()]
    if taken:
        raise RequestInvalid(
            f"{folder}: {', '.join(taken)} is there already; nothing was written", remedy="Name another folder."
        )


def _write(folder: Path, texts: dict[str, str]) -> None:
    for path, text in texts.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8", newline="\n") as target:
            target.write(text)


def _customers() -> Iterator[tuple[object, ...]]:
    yield ("customer_id", "name", "city", "updated_at")
    for number, (name, city) in enumerate(CUSTOMERS, start=1):
        yield (number, name, city, f"{_FIRST_DAY} 08:00:00")


def _orders() -> Iterator[tuple[object, ...]]:
    yield ("order_id", "customer_id", "ordered_on", "amount", "status", "updated_at")
    for number in range(1, ORDERS + 1):
        day = _FIRST_DAY + timedelta(days=number * 31 // (ORDERS + 1))
        status = ("paid", "paid", "new", "cancelled")[number % 4]
        yield (number, number % len(CUSTOMERS) + 1, day, f"{number * 7 % 90 + 9}.50", status, f"{day} 12:00:00")


def _csv(rows: Iterator[tuple[object, ...]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _write_database(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    columns = {
        "customers": "customer_id INTEGER PRIMARY KEY, name TEXT NOT NULL, city TEXT, updated_at TEXT NOT NULL",
        "orders": "order_id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL, ordered_on DATE NOT NULL, "
        "amount DECIMAL(12,2) NOT NULL, status TEXT NOT NULL, updated_at TEXT NOT NULL",
    }
    with closing(sqlite3.connect(file)) as database, database:
        for name, rows in (("customers", _customers()), ("orders", _orders())):
            heads = next(rows)
            database.execute(f"CREATE TABLE {name} ({columns[name]})")
            values = [tuple(str(value) if isinstance(value, date) else value for value in row) for row in rows]
            database.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' for _ in heads)})", values)
