"""Published datasets: one Parquet file each, which says itself what it was made of.

What a build has consumed has to move together with its rows: were it remembered anywhere else, a kill between the two
would append changes twice or never. So it stands in the Parquet file's own metadata, put in place by the same commit.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from comboi_core.domain.errors import LakeUnavailable, LeaseLost
from comboi_core.domain.ports import Lake
from comboi_core.domain.sql import identifier, literal

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_KEY = "comboi"
OPTIONS = "FORMAT parquet, COMPRESSION zstd"
_WIDE = re.compile(r"\bU?HUGEINT(?=[,)\[]|$)")
_EXACT = "DECIMAL(38,0)"


@dataclass(frozen=True)
class Published:
    """What a published file says of itself.

    Attributes:
        build: Counts the builds of the dataset; 0 for a file that comboi did not write.
        run_id: The run that built it.
        fence: That run's fence.
        built_at: Its start, ISO 8601.
        inputs: What it has read: `source.table` -> sequence of the load, or dataset -> number of its build.
        details: Path of the build's details among the run's working files, for an execution that comes later.
        rows: Number of rows.
    """

    build: int = 0
    run_id: str = ""
    fence: int = 0
    built_at: str | None = None
    inputs: Mapping[str, int] = field(default_factory=dict)
    details: str = ""
    rows: int = 0


def read_published(con: DuckDBPyConnection, lake: Lake, path: str) -> Published | None:
    """Return what the dataset at `path` says of itself, or None where there is none.

    Raises:
        LakeUnavailable: the lake does not answer.
    """
    if not lake.exists(path):
        return None
    lake.attach(con)
    file = literal(lake.uri(path))
    rows = con.execute(f"SELECT sum(num_rows) FROM parquet_file_metadata({file})").fetchone()[0]
    found = con.execute(
        f"SELECT decode(value) FROM parquet_kv_metadata({file}) WHERE key = encode({literal(_KEY)})"
    ).fetchone()
    return Published(**json.loads(found[0]) | {"rows": int(rows)}) if found else Published(rows=int(rows))


def exact(con: DuckDBPyConnection, select: str) -> str:
    """Return a SELECT for the same rows with each value as Parquet can hold it, for the COPY that writes a file.

    Parquet has no HUGEINT, which every sum of integers is: DuckDB would write DOUBLE, and round from 2^53 on. Numbers
    that are too large for DECIMAL(38,0) fail the COPY.
    """
    columns = {name: kind for name, kind, *_ in con.execute(f"DESCRIBE FROM ({select})").fetchall()}
    casts = [
        f"CAST({identifier(name)} AS {_WIDE.sub(_EXACT, kind)}) AS {identifier(name)}"
        for name, kind in columns.items()
        if _WIDE.search(kind)
    ]
    return f"SELECT * REPLACE ({', '.join(casts)}) FROM ({select})" if casts else select


def write_options(state: Published) -> str:
    """Return the options of the COPY that writes a dataset's file."""
    said = {key: value for key, value in asdict(state).items() if key != "rows"}
    return f"{OPTIONS}, KV_METADATA {{{_KEY}: {literal(json.dumps(said, sort_keys=True))}}}"


def refuse_overtaken(
    con: DuckDBPyConnection, lake: Lake, path: str, *, fence: int, published: Published | None
) -> None:
    """Raise where another dataset than the one that went into the build stands in its place by now.

    Args:
        fence: That of the build's run.
        published: What the build began with.

    Raises:
        LeaseLost: a newer run has published: this one lost its lease, and its result is older.
        LakeUnavailable: another execution has published; what was read may be half its dataset. Transient.
    """
    now = read_published(con, lake, path)
    if now and now.fence > fence:
        raise LeaseLost(f"a newer run ({now.run_id}) has published {path} already")
    if (now and now.build) != (published and published.build):
        raise LakeUnavailable(f"{path} was published by {now.run_id if now else 'nobody'} while it was built")
