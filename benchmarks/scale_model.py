"""The pipeline that `benchmarks/scale.py` runs: as many tables as asked for, datasets over them, activity times."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

from comboi_core.config.project import PipelineFile, Project, TransformationsFile
from comboi_core.runs.planning import PAGE_ITEMS

PAGE = PAGE_ITEMS
TABLES_PER_SOURCE = int(os.environ.get("SCALE_TABLES_PER_SOURCE", "100"))
MAX_PARALLEL = 4
PARALLEL_DATASETS = 2
CHUNK_ROWS = 2_000_000

SECONDS = {
    **{"plan_run": 3.0, "list_items": 0.2, "land_tables": 9.1, "extract_chunks": 8.0, "publish_load": 0.5},
    **{"build": 6.0, "record_items": 0.6, "record_run": 1.0},
}
"""What an activity takes in Azure: the measured times of docs/performance.md with round trips to the lake on top."""


def source_of(number: int) -> str:
    """Return the source of a table."""
    return f"source_{number // TABLES_PER_SOURCE:03d}"


def chunks_of(name: str) -> int:
    """Return a table's chunks: most have one, one in twenty has 2 to 11."""
    draw = zlib.crc32(name.encode()) % 200
    return 2 + draw if draw < 10 else 1


def rows_of(tables: int) -> dict[str, int]:
    """Return the expected rows per table."""
    names = (f"{source_of(number)}.table_{number:05d}" for number in range(tables))
    return {name: chunks_of(name) * CHUNK_ROWS for name in names}


def project(tables: int) -> Project:
    """Return a valid project: a silver dataset per five tables, a gold one per five of those."""
    sources: dict[str, list[dict[str, object]]] = {}
    for number in range(tables):
        name = f"table_{number:05d}"
        table = {"name": name, "table": f"public.{name}", "primary_key": ["id"], "incremental_column": "updated_at"}
        sources.setdefault(source_of(number), []).append({**table, "parallel_chunks": 2})
    silver = [
        {"name": f"silver_{first:05d}", "inputs": [_table(number) for number in range(first, min(first + 5, tables))]}
        for first in range(0, tables, 5)
    ]
    gold = [
        {"name": f"gold_{first:05d}", "inputs": [_dataset(item["name"]) for item in silver[first : first + 5]]}
        for first in range(0, len(silver), 5)
    ]
    connection = {"conn_str": "postgresql://comboi@db.example.com/shop"}
    pipeline = {
        "pipeline": "scale",
        "engine": {"parallel_datasets": PARALLEL_DATASETS},
        "sources": [
            {"name": name, "type": "postgres", "connection": connection, "max_parallel": MAX_PARALLEL, "tables": found}
            for name, found in sources.items()
        ],
        "stages": {stage: {"data_lake": {"path": f"lake/{stage}"}} for stage in ("bronze", "silver", "gold")},
    }
    return Project(
        root=Path("."),
        pipeline_file=PipelineFile.model_validate(pipeline),
        transformations=TransformationsFile.model_validate({"silver": silver, "gold": gold}),
    )


def _table(number: int) -> dict[str, str]:
    return {"alias": f"t{number}", "source": source_of(number), "table": f"table_{number:05d}"}


def _dataset(name: str) -> dict[str, str]:
    return {"alias": name, "dataset": name}
