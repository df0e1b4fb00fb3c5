"""Landing one table of any source into a local lake, load by load, without the orchestration around it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from comboi_core.config.source_registry import source_type
from comboi_core.config.sources import SourceConfig
from comboi_core.domain.load import Checkpoint, LoadPlan
from comboi_core.domain.manifest import Manifest, data_path
from comboi_core.lake.bronze import DataFile, next_manifest, view_sql, write_chunk, write_manifest
from comboi_core.lake.local import LocalLake

SOURCE: TypeAdapter[Any] = TypeAdapter(SourceConfig)


@dataclass
class Landing:
    """A table called `t` of a source called `s`; `table` is its configuration, `connection` the source's."""

    con: Any
    lake: LocalLake
    kind: str
    connection: dict[str, str]
    table: dict[str, Any]
    manifest: Manifest | None = None
    plans: list[LoadPlan] = field(default_factory=list)

    def open(self, **changed: Any) -> Any:
        """Open the adapter."""
        table = {"name": "t"} | self.table | changed
        config = SOURCE.validate_python(
            {"name": "s", "type": self.kind, "connection": self.connection, "tables": [table]}
        )
        return source_type(self.kind).open(
            self.con, source="s", table=config.tables[0], connection=dict(self.connection)
        )

    def plan(self, *, full_refresh: bool = False, **changed: Any) -> LoadPlan:
        """Plan the next load."""
        adapter = self.open(**changed)
        try:
            return adapter.plan(self.checkpoint, full_refresh=full_refresh)
        finally:
            adapter.close()

    def load(self, *, full_refresh: bool = False, planned: LoadPlan | None = None, **changed: Any) -> list[dict]:
        """Plan, extract and commit a load; return the table's current state."""
        adapter = self.open(**changed)
        try:
            plan = planned or adapter.plan(self.checkpoint, full_refresh=full_refresh)
            self.plans.append(plan)
            if not plan.unchanged:
                self._commit(plan, self._extract(adapter, plan), {"name": "t"} | self.table | changed)
        finally:
            adapter.close()
        return self.rows()

    def _extract(self, adapter: Any, plan: LoadPlan) -> tuple[DataFile, ...]:
        files = []
        for chunk in plan.chunks:
            path = data_path("s", "t", plan.sequence, chunk.index, "0")
            try:
                rows, size = write_chunk(self.con, self.lake, adapter.select(plan, chunk), path)
            except Exception as error:
                raise adapter.translate(error) from None
            files += [DataFile(path, plan.sequence, rows, size)] if rows else []
        return tuple(files)

    def _commit(self, plan: LoadPlan, files: tuple[DataFile, ...], table: dict[str, Any]) -> None:
        self.manifest = next_manifest(
            self.manifest, plan, files, fence=1, run_id="r", primary_key=tuple(table.get("primary_key", ()))
        )
        write_manifest(self.lake, self.manifest)

    @property
    def checkpoint(self) -> Checkpoint:
        """The committed state, as an activity has it."""
        if self.manifest is None:
            return Checkpoint()
        made = self.manifest
        return Checkpoint(made.sequence, made.watermark, "m", made.columns, inputs=made.inputs)

    def rows(self) -> list[dict[str, Any]]:
        """The table's current state without the columns that tell where a row is from, in some order that stays."""
        if self.manifest is None:
            return []
        result = self.con.execute(view_sql(self.lake, self.manifest, "current"))
        names = [column[0] for column in result.description]
        rows = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
        return sorted(
            ({k: v for k, v in row.items() if k not in ("_file", "_modified")} for row in rows),
            key=lambda row: repr(sorted(row.items())),
        )

    def types(self) -> dict[str, str]:
        """The columns' types, without those that tell where a row is from."""
        assert self.manifest is not None
        return {
            column.name: column.type for column in self.manifest.columns if column.name not in ("_file", "_modified")
        }

    @property
    def said(self) -> LoadPlan:
        """The last plan."""
        return self.plans[-1]


def lake_in(folder: Path) -> LocalLake:
    """A lake below a folder."""
    return LocalLake(folder / "lake")
