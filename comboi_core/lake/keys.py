"""Counts the keys of a load: how many rows share a key, and how many have none.

If the source does not guarantee unique keys, readers of a merged table see one of the rows that share a key. So before
a load is committed, the key columns of its files are read and counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from comboi_core.domain.manifest import SOURCE_FILE, DataFile
from comboi_core.domain.ports import Lake
from comboi_core.domain.sql import identifiers, literal
from comboi_core.duckdb.rows import one_row
from comboi_core.lake.views import without_key

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True)
class Keys:
    """The keys of a load.

    Attributes:
        rows: All rows.
        without: Rows with NULL in the key.
        distinct: Different keys of the other rows; of files, those of each file for itself.
        unique: Whether no two rows share a key, of different files neither.
    """

    rows: int = 0
    without: int = 0
    distinct: int = 0
    unique: bool = True

    @property
    def hidden(self) -> int:
        """How many rows are hidden, because they share a key with another row that readers see instead."""
        return self.rows - self.without - self.distinct


def count_keys(
    con: DuckDBPyConnection, lake: Lake, files: tuple[DataFile, ...], primary_key: tuple[str, ...], *, per_file: bool
) -> Keys:
    """Count the keys of a load's files, whichever of them a key stands in.

    Args:
        per_file: Whether the source is files: there a later file has later versions of rows, which is no loss, and only
            a key that one file has twice is.

    Raises:
        duckdb.Error: the lake cannot be read; see `Workspace.duckdb`.
    """
    if not files:
        return Keys()
    lake.attach(con)
    paths = ", ".join(literal(lake.uri(file.path)) for file in files)
    rows = f"read_parquet([{paths}], hive_partitioning = false, union_by_name = true)"
    without = without_key(primary_key)
    key = identifiers(primary_key)
    within = f"{key}, {SOURCE_FILE}" if per_file else key
    # GROUP BY, for it spills to disk where count(DISTINCT) would have to fit into memory.
    once = f"SELECT {within} FROM {rows} WHERE NOT {without} GROUP BY ALL"
    keyless, distinct, different = one_row(
        con,
        f"SELECT (SELECT count(*) FROM {rows} WHERE {without}), coalesce(sum(files), 0)::BIGINT, count(*) "
        f"FROM (SELECT count(*) AS files FROM ({once}) GROUP BY {key})",
    )
    total = sum(file.rows for file in files)
    return Keys(total, keyless, distinct, unique=different == total - keyless)
