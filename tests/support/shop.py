"""One table of a database that is called `shop`, planned and read without the orchestration around it."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from comboi_core.config.source_registry import source_type
from comboi_core.config.sources import SourceConfig
from comboi_core.domain.load import Checkpoint, LoadPlan

_SOURCE: TypeAdapter[Any] = TypeAdapter(SourceConfig)


class SourceShop:
    """A source's table, as a test uses it; `close` closes what was opened.

    Attributes:
        kind: The source's type.
        con: The DuckDB that reads.
        schema: The test's schema, for which `{s}` stands in texts.
        connection: The source's connection, as it is configured.
    """

    kind: str

    def __init__(self, con: Any, schema: str, connection: dict[str, Any]) -> None:
        self.con = con
        self.schema = schema
        self.connection = connection
        self.opened: list[Any] = []

    def open(self, *, con: Any = None, connection: dict[str, Any] | None = None, **table: Any) -> Any:
        """Open the table `orders` of the test's schema, or what `table` says."""
        if "query" not in table:
            table.setdefault("table", f"{self.schema}.orders")
        given = {key: self.filled(value) if isinstance(value, str) else value for key, value in table.items()}
        source = {"name": "shop", "type": self.kind, "connection": connection or self.connection}
        config = _SOURCE.validate_python(source | {"tables": [{"name": "orders"} | given]})
        resolved = config.connection.model_dump(exclude_none=True)
        adapter = source_type(self.kind).open(
            con or self.con, source="shop", table=config.tables[0], connection=resolved
        )
        self.opened.append(adapter)
        return adapter

    def plan(self, checkpoint: Checkpoint | None = None, *, full_refresh: bool = False, **table: Any) -> LoadPlan:
        """Plan a load."""
        return self.open(**table).plan(checkpoint or Checkpoint(), full_refresh=full_refresh)

    def land(
        self, checkpoint: Checkpoint | None = None, *, full_refresh: bool = False, **table: Any
    ) -> tuple[LoadPlan, list[tuple[str | None, ...]], Checkpoint]:
        """Plan and read a load; return the plan, the rows as text in order, and the checkpoint after it."""
        checkpoint = checkpoint or Checkpoint()
        adapter = self.open(**table)
        load = adapter.plan(checkpoint, full_refresh=full_refresh)
        rows: list[tuple[str | None, ...]] = []
        for chunk in load.chunks:
            select = adapter.select(load, chunk)
            try:
                rows += self.con.execute(f"SELECT COLUMNS(*)::VARCHAR FROM ({select})").fetchall()
            except Exception as error:
                failed = adapter.translate(error)
            else:
                continue
            raise failed  # outside of the handler, as activities do: the original may hold a secret
        if load.unchanged:
            return load, rows, checkpoint
        after = Checkpoint(load.sequence, load.watermark, None, load.columns, relations=load.relations)
        return load, sorted(rows, key=repr), after

    def filled(self, text: str) -> str:
        """Return a text with the test's schema in place of `{s}`."""
        return text.replace("{s}", self.schema)

    def close(self) -> None:
        """Close what was opened."""
        for adapter in self.opened:
            adapter.close()
