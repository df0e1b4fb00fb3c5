"""A new project: two YAML files, transformations, a check, and if possible sample data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from comboi_core.app.loader import DEFAULT_CONFIG
from comboi_core.config.schema import first_line, schema_files
from comboi_core.config.source_registry import source_type
from comboi_core.config.source_type import Sample
from comboi_core.devtools.scaffold.samples import GITIGNORE, HEAD, README, SCRIPTS, STAGES, TRANSFORMATIONS
from comboi_core.domain.errors import RequestInvalid

KEPT = ("README.md", ".gitignore")
"""Files that a folder may already have. They are not changed."""

CUSTOMERS = (("Ada", "Ghent"), ("Björn", "Malmö"), ("Chidi", "Lagos"), ("Dalia", "Vilnius"), ("Emre", "İzmir"))
ORDERS = 60
_FIRST_DAY = date(2026, 1, 1)


@dataclass(frozen=True)
class Made:
    """A new project.

    Attributes:
        written: The written files, as paths in the folder.
        runs: Whether it runs as it is: it came with data.
    """

    written: tuple[str, ...]
    runs: bool


def new_project(folder: Path, source: str) -> Made:
    """Write a project into a folder. The folder is created if necessary.

    Args:
        source: A type of source, one that has a sample.

    Raises:
        ConfigError: there is no such type.
        RequestInvalid: the type has no sample, or the folder holds a project or something in the place of one of the
            files, or cannot be written.
    """
    sample = source_type(source).sample
    if sample is None:
        raise RequestInvalid(f"sources of type {source} have no sample to begin with", remedy="Name another --source.")
    texts = _texts(_pipeline(folder), sample)
    data = sample.data({"customers": [*_customers()], "orders": [*_orders()]}) if sample.data else {}
    contents = {path: text.encode() for path, text in texts.items()} | data
    _refuse(folder, [*contents])
    wanted = {path: content for path, content in contents.items() if not (path in KEPT and (folder / path).exists())}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder, wanted)
    except OSError as error:
        raise RequestInvalid(
            f"{error.filename or folder}: cannot be written: {error.strerror}", remedy="Give another folder."
        ) from None
    return Made(tuple(wanted), sample.data is not None)


def _pipeline(folder: Path) -> str:
    """Return a valid name for the pipeline, made from the folder's name."""
    name = re.sub(r"[^A-Za-z0-9_\-]+", "_", folder.resolve().name).strip("_-")[:40]
    return name if re.match(r"[A-Za-z]", name) else "sales"


def _texts(pipeline: str, sample: Sample) -> dict[str, str]:
    return {
        "configs/initial.yml": first_line("pipeline") + HEAD.replace("PIPELINE", pipeline) + sample.entry + STAGES,
        "configs/transformations.yml": first_line("transformations") + TRANSFORMATIONS,
        **schema_files(),
        **SCRIPTS,
        ".gitignore": GITIGNORE,
        "README.md": README.replace("PIPELINE", pipeline).replace("FIRST_STEPS", sample.first_steps),
    }


def _refuse(folder: Path, paths: list[str]) -> None:
    if folder.exists() and not folder.is_dir():
        raise RequestInvalid(f"{folder} is a file", remedy="Give a folder.")
    if (folder / DEFAULT_CONFIG).exists():
        raise RequestInvalid(
            f"{folder} already contains a project ({DEFAULT_CONFIG}); nothing was written",
            remedy="Give another folder. To add to the existing project, use `comboi new`.",
        )
    taken = [path for path in paths if path not in KEPT and (folder / path).exists()]
    if taken:
        raise RequestInvalid(
            f"{folder}: these files already exist: {', '.join(taken)}; nothing was written",
            remedy="Give another folder.",
        )


def _write(folder: Path, contents: dict[str, bytes]) -> None:
    for path, content in contents.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("xb") as target:
            target.write(content)


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
