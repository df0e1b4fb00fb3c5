"""Load manifests: the files of a table as of a load.

A manifest is immutable. It lists all files since the last load that replaced the table, so a reader opens only one
manifest. Its name contains the fence, so a run that lost its lease cannot overwrite the manifest of its successor. If
one activity plans and publishes, the name also contains a text that is unique to the execution.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NotRequired

from typing_extensions import TypedDict

from comboi_core.domain.load import Column, Mode, Relation, SourceFile, Window
from comboi_core.domain.origin import Origin

FORMAT_VERSION = 2
LOADS_FOLDER = "_loads"
_MANIFEST = re.compile(r"(\d+)-(\d+)(?:-[0-9a-f]+)?\.json", re.ASCII)
LOAD_COLUMN = "_load"
DELETED = "_deleted"
"""A BOOLEAN column that data files of mode merge may have. True marks a tombstone: the source has deleted the row. A
tombstone has the primary key's values as they land; all its other columns are NULL. A file without the column has none.
"""
SOURCE_FILE = "_file"
"""The column with the source file of a row, for sources of type files."""
SOURCE_ROW = "_comboi_row"
"""A column of landed files that no manifest lists: the number of a row in its source file. With it readers find the
last of several rows with one key. Tables of files with mode merge have it."""
RESERVED_COLUMNS = frozenset({LOAD_COLUMN, DELETED, "_comboi_file", "file_row_number"})
"""Columns that comboi adds in bronze. No column of a source may have such a name, in upper or lower case."""


class FileRecord(TypedDict):
    """A file as data; see `DataFile`."""

    path: str
    load: int
    rows: int
    bytes: int
    folded: bool
    deleted: NotRequired[int]


@dataclass(frozen=True)
class DataFile:
    """One Parquet file of a load.

    Attributes:
        path: Path in the bronze lake.
        load: The sequence of the load that wrote it; a later load's row supersedes an earlier one's.
        folded: Whether its rows come from several loads. Their `_load` column then has the load.
        rows: Number of rows, tombstones included.
        bytes: File size in bytes.
        deleted: Number of tombstones.
    """

    path: str
    load: int
    rows: int
    bytes: int
    folded: bool = False
    deleted: int = 0

    def record(self) -> FileRecord:
        """Return the file as data."""
        told: FileRecord = {
            "path": self.path,
            "load": self.load,
            "rows": self.rows,
            "bytes": self.bytes,
            "folded": self.folded,
        }
        return {**told, "deleted": self.deleted} if self.deleted else told


@dataclass(frozen=True)
class Manifest:
    """The table `source.table` as of load `sequence`.

    Attributes:
        files: Every file a reader needs, oldest load first.
        columns: The table's columns as of this load, those that a mask drops included.
        primary_key: Key columns; readers of mode merge keep the latest row per key, and every row without one.
        key_unique: Whether each load among `files` holds each key once: by the source's own guarantee, or of files
            because it was looked at.
        inputs: Where the source is files: all those that the table was made from, by path. No file is landed twice.
        whole: The last load that read and replaced the whole table. 0 if not known.
        origin: What the table was made from; empty where an earlier comboi wrote the manifest.
        born: The run of load 1. If the numbers of loads start again, the same number means other rows. Empty in
            manifests
            of an earlier comboi.
        owner: The pipeline that loads the table; empty where an earlier comboi wrote the manifest.
        relations: The source's tables and views that the load was planned for; empty where the source cannot tell.
        deletes: Whether files may have tombstones (`DELETED`).
        forgotten: Tombstones of loads up to this one may be gone: the rows that they deleted are gone from every file.
    """

    source: str
    table: str
    sequence: int
    fence: int
    run_id: str
    mode: Mode
    primary_key: tuple[str, ...]
    window: Window | None
    watermark: str | None
    columns: tuple[Column, ...]
    files: tuple[DataFile, ...]
    key_unique: bool = False
    inputs: tuple[SourceFile, ...] = ()
    whole: int = 0
    origin: Origin = field(default_factory=dict)
    owner: str = ""
    born: str = ""
    relations: tuple[Relation, ...] = ()
    deletes: bool = False
    forgotten: int = 0
    version: int = FORMAT_VERSION

    @property
    def readable(self) -> tuple[Column, ...]:
        """The columns that readers see."""
        return tuple(column for column in self.columns if column.masked != "drop")

    @property
    def rows(self) -> int:
        """Rows that this load itself wrote, tombstones included."""
        return sum(file.rows for file in self.files if file.load == self.sequence)


def table_folder(source: str, table: str) -> str:
    """Return the folder of a table in the bronze lake."""
    return f"{source}/{table}"


def data_path(source: str, table: str, sequence: int, chunk: int, attempt: str) -> str:
    """Return the path of a chunk's file; `attempt` is unique per execution, so a doubled one cannot mix files."""
    return f"{table_folder(source, table)}/load={sequence:08d}/{chunk:05d}-{attempt}.parquet"


def manifest_path(source: str, table: str, sequence: int, fence: int, attempt: str = "") -> str:
    """Return the path of a load's manifest.

    Args:
        attempt: Unique per execution (hexadecimal); empty where every execution writes the same bytes.
    """
    ending = f"-{attempt}" if attempt else ""
    return f"{table_folder(source, table)}/{LOADS_FOLDER}/{sequence:08d}-{fence:08d}{ending}.json"


def is_manifest_of(path: str, source: str, table: str) -> bool:
    """Tell whether a path is that of a manifest of the table."""
    folder, _, name = path.rpartition("/")
    return folder == f"{table_folder(source, table)}/{LOADS_FOLDER}" and bool(_MANIFEST.fullmatch(name))


def loads_of(paths: Iterable[str]) -> list[tuple[int, int, str]]:
    """Return sequence, fence and path of each manifest among the paths, the newest load first."""
    found = ((_MANIFEST.fullmatch(path.rsplit("/", 1)[-1]), path) for path in paths)
    return sorted(((int(name[1]), int(name[2]), path) for name, path in found if name), reverse=True)
