"""Published datasets: one Parquet file each, with the state of its build in the file's metadata.

The state says which inputs were read. It has to be published together with the rows: if it were stored elsewhere, and
the process were killed in between, changes would be appended twice or never.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from comboi_core.domain.errors import LakeUnavailable, LeaseLost
from comboi_core.domain.origin import Origin
from comboi_core.domain.ports import Lake
from comboi_core.domain.sql import literal
from comboi_core.duckdb.rows import one_row
from comboi_core.lake.exact import OPTIONS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_KEY = "comboi"


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
        owner: The pipeline that builds it; empty where an earlier comboi did.
        made_with: The script and the settings of the latest build; empty where an earlier comboi built it.
        mixed: The parts of `made_with` that have changed since its oldest rows were made.
        columns: The names of its columns; empty where an earlier comboi built it.
        born: The run that began the count of builds.
        born_inputs: The names of `inputs` -> the run that began the count of loads or builds. A count that begins anew,
            after lake and task hub were lost, gives the same numbers to other rows.
        first, last: From the start of which interval to the end of which one its builds have looked, ISO 8601 in UTC;
            empty where an earlier comboi built it.
        looked_at: Starts and ends of the intervals that were looked at in the present `inputs`, in order, without those
            that touch each other.
    """

    build: int = 0
    run_id: str = ""
    fence: int = 0
    built_at: str | None = None
    inputs: Mapping[str, int] = field(default_factory=dict)
    details: str = ""
    rows: int = 0
    owner: str = ""
    made_with: Origin = field(default_factory=dict)
    mixed: Sequence[str] = ()
    columns: Sequence[str] = ()
    born: str = ""
    born_inputs: Mapping[str, str] = field(default_factory=dict)
    first: str = ""
    last: str = ""
    looked_at: Sequence[Sequence[str]] = ()


def read_published(con: DuckDBPyConnection, lake: Lake, path: str) -> Published | None:
    """Return what the dataset at `path` says of itself, or None where there is none.

    Raises:
        LakeUnavailable: the lake does not answer.
    """
    if not lake.exists(path):
        return None
    lake.attach(con)
    file = literal(lake.uri(path))
    rows = one_row(con, f"SELECT sum(num_rows) FROM parquet_file_metadata({file})")[0]
    found = con.execute(
        f"SELECT decode(value) FROM parquet_kv_metadata({file}) WHERE key = encode({literal(_KEY)})"
    ).fetchone()
    said = json.loads(found[0]) if found else {}
    plain: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in said.items()}
    return Published(**plain | {"rows": int(rows)})


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
        raise LeaseLost(f"a newer run ({now.run_id}) has already published {path}")
    if (now and now.build) != (published and published.build):
        raise LakeUnavailable(f"{path} was published by {now.run_id if now else 'another execution'} during this build")
