"""What comboi knows of files in a folder or a container."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from comboi_core.config.source_type import NewTable, SourceType
from comboi_core.domain.ports import Source
from comboi_core.sources.files.config import FilesSource, FilesTable
from comboi_core.sources.files.sample import EXAMPLES, SAMPLE

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def _open(con: DuckDBPyConnection, *, source: str, table: FilesTable, connection: dict[str, Any]) -> Source:
    from comboi_core.sources.files.table import TableOfFiles

    return TableOfFiles(con, source=source, table=table, connection=connection)


SOURCE_TYPE = SourceType(
    name="files",
    model=FilesSource,
    open=_open,
    sample=SAMPLE,
    new_table=NewTable(
        place="path",
        without_key="primary_key: [...]  # if rows have one: a later file's row then takes an earlier one's place",
    ),
    examples=EXAMPLES,
)
