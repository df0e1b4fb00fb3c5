"""The rows of one table or dataset in the lake."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from comboi_core.app.workspace import Workspace
from comboi_core.devtools.reading import QueryFailed, open_reader
from comboi_core.domain.names import did_you_mean
from comboi_core.domain.sql import identifiers

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS = 100_000


@dataclass(frozen=True)
class Relation:
    """A bronze table or a published dataset, as readers see it now. Each call asks the lake again.

    Attributes:
        name: `source.table`, or the dataset's name.
    """

    name: str
    _workspace: Workspace

    @property
    def columns(self) -> dict[str, str]:
        """The columns: name -> DuckDB type.

        Raises:
            LakeNotFound: nothing of it is in the lake yet.
        """
        with open_reader(self._workspace) as reader:
            return reader.columns(reader.select(self.name))

    def read(self, columns: Sequence[str] = (), *, limit: int | None = None) -> pa.Table:
        """Return the rows, all of them in memory.

        Args:
            columns: Only these; default: all.
            limit: So many rows at most.

        Raises:
            LakeNotFound: nothing of it is in the lake yet.
            QueryFailed: it has no such column.
        """
        with open_reader(self._workspace) as reader:
            select = reader.select(self.name)
            known = reader.columns(select)
            for column in columns:
                if column not in known:
                    raise QueryFailed(f"{self.name} has no column '{column}'{did_you_mean(column, known)}")
            chosen = identifiers(columns) if columns else "*"
            at_most = f" LIMIT {int(limit)}" if limit is not None else ""
            return reader.arrow(f"SELECT {chosen} FROM ({select}){at_most}")

    def batches(self, rows: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
        """Yield the rows batch by batch, for what is larger than memory.

        Args:
            rows: About so many in each.

        Raises:
            LakeNotFound: nothing of it is in the lake yet.
        """
        with open_reader(self._workspace) as reader:
            yield from reader.batches(reader.select(self.name), rows)
