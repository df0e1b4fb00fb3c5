"""Bronze: chunks as Parquet files, loads as manifests, and the removal of files that no manifest lists.

The module `views` says how readers see a table.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from comboi_core.domain.errors import CommitConflict, ManifestUnreadable
from comboi_core.domain.load import Column, LoadPlan, SourceFile
from comboi_core.domain.manifest import DELETED, FORMAT_VERSION, DataFile, Manifest, manifest_path, table_folder
from comboi_core.domain.ports import Lake
from comboi_core.domain.sql import literal
from comboi_core.duckdb.rows import one_row
from comboi_core.lake.views import view_sql

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["count_deleted", "next_manifest", "read_manifest", "sweep", "view_sql", "write_chunk", "write_manifest"]

_ROW_GROUP_ROWS = 122_880
_ROW_GROUP_BYTES = "32MB"
"""Bounds a writer's memory where rows are wide: 1 GB of 5 kB rows peaks at 0.2 GB, without it at 1.5."""
WRITING = (
    f"FORMAT parquet, COMPRESSION zstd, RETURN_STATS, ROW_GROUP_SIZE {_ROW_GROUP_ROWS}, "
    f"ROW_GROUP_SIZE_BYTES {literal(_ROW_GROUP_BYTES)}"
)
"""Options of each COPY that writes bronze."""
FORMER_FIELDS = frozenset({"max_cursor"})
"""What manifests of earlier versions say of a file and nobody reads any more."""
_DATA = re.compile(r"load=(\d+)/[^/]+\.parquet")
_MANIFEST = re.compile(r"_loads/(\d+)-(\d+)(?:-[0-9a-f]+)?\.json")


def write_chunk(con: DuckDBPyConnection, lake: Lake, select_sql: str, path: str) -> tuple[int, int]:
    """Stream a SELECT into one zstd Parquet file, put in place in one step.

    Args:
        select_sql: What `Source.select` gave; run once.
        path: The file's path in the lake.

    Returns:
        Rows and bytes. Without rows no file is written, and the answer is (0, 0).

    Raises:
        LakeUnavailable: the file cannot be written.
        duckdb.Error: what reading the source raised, for `Source.translate`.
    """
    with lake.stage(path) as staged:
        copied = con.execute(f"COPY ({select_sql}) TO {literal(str(staged))} ({WRITING})")
        names = [column[0] for column in copied.description]
        stats = dict(zip(names, copied.fetchall()[0], strict=True))
        if not stats["count"]:
            staged.unlink(missing_ok=True)
            return 0, 0
    return stats["count"], stats["file_size_bytes"]


def count_deleted(con: DuckDBPyConnection, lake: Lake, path: str) -> int:
    """Return how many tombstones a data file holds.

    Raises:
        duckdb.Error: the lake cannot be read; see `Workspace.duckdb`.
    """
    lake.attach(con)
    file = f"read_parquet({literal(lake.uri(path))}, hive_partitioning = false)"
    typed = f"SELECT NULL::BOOLEAN AS {DELETED} WHERE false UNION ALL BY NAME SELECT * FROM {file}"
    return int(one_row(con, f"SELECT count(*) FROM ({typed}) WHERE {DELETED}")[0])


def write_manifest(lake: Lake, manifest: Manifest, attempt: str = "") -> str:
    """Write a manifest and return its path. Equal manifests give equal bytes.

    Args:
        attempt: See `manifest_path`.
    """
    path = manifest_path(manifest.source, manifest.table, manifest.sequence, manifest.fence, attempt)
    lake.write(path, _encode(manifest))
    return path


def read_manifest(lake: Lake, path: str) -> Manifest:
    """Return a manifest.

    Raises:
        LakeNotFound: it does not exist.
        ManifestUnreadable: it is damaged, or has a version or fields that this comboi does not know.
    """
    from pydantic import ValidationError

    data = lake.read(path)
    try:
        plain = json.loads(data)
        version = plain.get("version")
        if version != FORMAT_VERSION:
            raise ManifestUnreadable(f"{path} has version {version}, but this comboi reads version {FORMAT_VERSION}")
        manifest: Manifest = _adapter().validate_json(data, strict=True)
    except (ValueError, AttributeError, ValidationError) as error:
        raise ManifestUnreadable(f"{path} is not a manifest: {str(error).splitlines()[0]}") from error
    known = json.loads(_encode(manifest))
    if not _within(plain, known):
        raise ManifestUnreadable(f"{path} has fields that this comboi does not know")
    return manifest


def _within(plain: Any, known: Any) -> bool:
    """Whether what was read says nothing that is not known; an older manifest lacks what was added since."""
    if isinstance(plain, dict) and isinstance(known, dict):
        fields = {name: value for name, value in plain.items() if name not in FORMER_FIELDS}
        return fields.keys() <= known.keys() and all(_within(value, known[name]) for name, value in fields.items())
    if isinstance(plain, list) and isinstance(known, list):
        return len(plain) == len(known) and all(map(_within, plain, known))
    return bool(plain == known)


def next_manifest(
    previous: Manifest | None,
    load: LoadPlan,
    files: tuple[DataFile, ...],
    *,
    fence: int,
    run_id: str,
    primary_key: tuple[str, ...],
    owner: str = "",
) -> Manifest:
    """Return the manifest of a load: earlier files and the new ones, or the new ones alone where the load replaces.

    Columns that the source no longer has stay, since earlier rows have values in them; without a source type.

    Raises:
        CommitConflict: the load does not follow `previous`.
    """
    place = f"{load.source}.{load.table}"
    if previous is not None and load.sequence != previous.sequence + 1:
        raise CommitConflict(f"{place}: load {load.sequence} does not follow load {previous.sequence}")
    earlier = () if previous is None or load.replaces else previous.files
    gone: tuple[Column, ...] = ()
    unique = load.key_unique
    if previous is not None and not load.replaces:
        unique = unique and previous.key_unique and previous.primary_key == tuple(primary_key)
        present = {column.name.lower() for column in load.columns}
        gone = tuple(
            replace(column, source_type="") for column in previous.columns if column.name.lower() not in present
        )
    return Manifest(
        source=load.source,
        table=load.table,
        sequence=load.sequence,
        fence=fence,
        run_id=run_id,
        mode=load.mode,
        primary_key=tuple(primary_key),
        window=load.window,
        watermark=load.watermark,
        columns=load.columns + gone,
        files=earlier + tuple(sorted(files, key=lambda file: file.path)),
        key_unique=unique,
        whole=previous.whole if previous is not None and not load.replaces else load.sequence,
        inputs=_inputs(previous if not load.replaces else None, load),
        origin=load.origin,
        owner=owner,
        relations=load.relations,
        born=(previous.born if previous is not None else "") or run_id,
        deletes=load.deletes or (previous is not None and not load.replaces and previous.deletes),
        forgotten=previous.forgotten if previous is not None and not load.replaces else 0,
    )


def _inputs(previous: Manifest | None, load: LoadPlan) -> tuple[SourceFile, ...]:
    """The files that the table is made from now; a file that was read again counts as it was then."""
    known = {file.path: file for file in previous.inputs} if previous else {}
    known |= {file.path: file for file in load.moved} if previous else {}
    known |= {file.path: file for chunk in load.chunks for file in chunk.files}
    return tuple(known[path] for path in sorted(known))


def sweep(lake: Lake, source: str, table: str, committed: Manifest, *, path: str = "", keep: int = 1) -> int:
    """Delete the manifests before the last `keep`, and the data files that none of those lists.

    Args:
        path: Where the committed manifest lies; default: where one lies that has no `attempt` in its name.

    Only the lease's holder may call this, right after its commit. What belongs to a later load than the committed one
    stays: another run may be writing it. Killed halfway, it is finished by the next one.

    Returns:
        How many files were deleted.
    """
    folder = table_folder(source, table)
    place = path or manifest_path(source, table, committed.sequence, committed.fence)
    manifests: list[tuple[int, int, str]] = []
    data: list[str] = []
    for path in lake.list(folder):
        name = path.removeprefix(f"{folder}/")
        if (load := _DATA.fullmatch(name)) and int(load[1]) <= committed.sequence:
            data.append(path)
        elif found := _MANIFEST.fullmatch(name):
            manifests.append((int(found[1]), int(found[2]), path))
    rivals = [path for load, _, path in manifests if load == committed.sequence and path != place]
    earlier = sorted(entry for entry in manifests if entry[0] < committed.sequence)
    split = max(len(earlier) - (keep - 1), 0)
    listed = {file.path for file in committed.files}
    for *_, path in earlier[split:]:
        listed |= {file.path for file in read_manifest(lake, path).files}
    # Manifests first: one that is there has all its files.
    useless = [*(path for *_, path in earlier[:split]), *rivals, *(path for path in data if path not in listed)]
    lake.delete(useless)
    lake.tidy()
    return len(useless)


@lru_cache
def _adapter() -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(Manifest)


def _encode(manifest: Manifest) -> bytes:
    return json.dumps(asdict(manifest), ensure_ascii=False, sort_keys=True, indent=1).encode()
