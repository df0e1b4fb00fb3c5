"""The place Splink works in: a schema of its own that goes away with everything in it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from comboi_core.domain.sql import identifier
from comboi_core.duckdb.rows import one_row

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SOURCE = "comboi_source"
"""The user's records, all columns."""

RECORDS = "comboi_records"
"""What Splink sees: `unique_id` (a number), `source_dataset` (where datasets are linked), the columns of Names; the
true identity, where it is known, which Splink leaves alone."""

UNIQUE_ID, SOURCE_DATASET, LABEL = "unique_id", "source_dataset", "comboi_label"

PAIRS = "comboi_pairs"
"""unique_id_l, unique_id_r, match_weight, match_probability: the pairs that match."""

NEAR = "comboi_near"
"""The same columns: the pairs that come nearest to the threshold from below."""

CLUSTERS = "comboi_clusters"
"""unique_id, cluster_id (of one of its records): the records that match another one."""

HEAVIEST = 1000
"""What stands for an infinite match weight."""


@dataclass(frozen=True)
class Workbench:
    """A schema for Splink's tables, and a connection that works in it."""

    con: DuckDBPyConnection
    schema: str

    def table(self, name: str) -> str:
        """Return the quoted name of one of its tables, for any connection to the same database."""
        return f"{identifier(self.schema)}.{identifier(name)}"

    def count(self, table: str) -> int:
        """Return how many rows one of its tables has."""
        return int(one_row(self.con, f"SELECT count(*) FROM {identifier(table)}")[0])


@contextmanager
def workbench(con: DuckDBPyConnection) -> Iterator[Workbench]:
    """Open a schema beside what is in the database, and drop it with all its tables afterwards."""
    schema = f"comboi_dedupe_{secrets.token_hex(4)}"
    con.execute(f"CREATE SCHEMA {schema}")
    try:
        with con.cursor() as own:
            own.execute(f"SET schema = '{schema}'")
            yield Workbench(own, schema)
    finally:
        con.execute(f"DROP SCHEMA {schema} CASCADE")
