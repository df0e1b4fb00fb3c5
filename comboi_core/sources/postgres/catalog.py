"""What PostgreSQL's catalog says of the table or query that is read."""

from __future__ import annotations

from dataclasses import dataclass

from comboi_core.config.tables import TableConfig
from comboi_core.domain.errors import ConfigError, SourceChanged, SourceFiltered, SourceObjectMissing
from comboi_core.domain.load import Column
from comboi_core.sources.postgres import relations, sql, types
from comboi_core.sources.postgres.relations import Locked
from comboi_core.sources.postgres.session import PostgresSession

FOREIGN = "f"
"""PostgreSQL's letter for a foreign table."""
_LOOKS = 3
"""How often a table is looked at, until two statements see the same one."""
_UNSETTLED = (
    "A pooler such as PgBouncer that ignores the startup parameter `options` takes them away: connect past it, or give "
    "the role the settings that docs/sources.md lists."
)


@dataclass(frozen=True)
class Table:
    """A table; for a query, that there is none.

    Attributes:
        rows: The planner's count, or None if it is not known.
    """

    oid: str | None = None
    kind: str | None = None
    rows: int | None = None
    size: int = 0

    @property
    def row_bytes(self) -> float:
        """Bytes per row, 0 if unknown."""
        return self.size / self.rows if self.rows else 0.0


@dataclass(frozen=True)
class Shape:
    """What a load is planned for.

    Attributes:
        columns: All of them, in the source's order.
        required: The names of those that are never NULL.
        relations: What is read.
    """

    columns: tuple[Column, ...]
    required: frozenset[str]
    relations: tuple[Locked, ...]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the run record has to say of the relations."""
        filtered = "; ".join(one.told for one in self.relations if one.filtered)
        foreign = ", ".join(one.relation.name for one in self.relations if one.kind == FOREIGN)
        said = []
        if filtered:
            said.append(
                "row-level security applies: only rows that its policies let the role see are landed, of " + filtered
            )
        if foreign:
            said.append(
                f"foreign tables are read ({foreign}): whether another session rewrites or empties what is behind "
                "them meanwhile cannot be seen"
            )
        return tuple(said)

    @property
    def foreign(self) -> bool:
        """Whether rows come from another server, whose transactions this one does not show."""
        return any(one.kind == FOREIGN for one in self.relations)


class Catalog:
    """The catalog, asked for one table or query.

    Args:
        relation: The table or query as a FROM item.
        source: The same with the configured condition, called `src`.
    """

    def __init__(self, session: PostgresSession, config: TableConfig, relation: str, source: str, place: str) -> None:
        self._session = session
        self._config = config
        self._relation = relation
        self._from = source
        self._place = place

    def look(self) -> tuple[Table, Shape]:
        """Return table and shape, both of the same table, whoever takes its name meanwhile."""
        for _ in range(_LOOKS):
            table, shape = self.find(), self.shape()
            if table.oid is None or int(table.oid) < relations.FIRST_OID or not shape.columns:
                return table, shape
            if any(one.relation.id == table.oid for one in shape.relations):
                return table, shape
        raise SourceChanged(f"{self._place}: {self._config.table} is another table each time that the plan looks at it")

    def shape(self) -> Shape:
        """Return columns and relations.

        Raises:
            ConfigError: the session does not have comboi's settings.
        """
        given = f"{relations.locked(self._from)} AS relations, {sql.unsettled(self._session.settings)} AS unsettled"
        digits: dict[str, str] = {}
        if self._config.table is not None:
            found = self._session.rows(sql.table_columns(self._config.table, given))
            if not found:
                self.find()  # a table without columns is there
        else:
            # The driver knows the digits of a query's numerics, PostgreSQL's SQL the names of its types.
            described = self._session.describe(f"SELECT * FROM {self._relation} AS src")
            digits = {name: kind.removeprefix("DECIMAL") for name, kind in described if kind.startswith("DECIMAL")}
            found = self._session.rows(sql.query_columns(self._relation, tuple(name for name, _ in described), given))
        if found:
            self._refuse_unsettled(found[0]["unsettled"])
        columns = []
        for row in found:
            name, kind = str(row["name"]), str(row["type"])
            source_type = kind + digits.get(name, "") if kind == "numeric" else kind
            columns.append(Column(name, source_type, types.landed_type(source_type)))
        required = frozenset(str(row["name"]) for row in found if row["required"] == "true")
        return Shape(tuple(columns), required, relations.parsed(found[0]["relations"] if found else None))

    def locked(self) -> tuple[Locked, ...]:
        """Return what the transaction has locked, what it reads next included.

        Raises:
            ConfigError: the session does not have comboi's settings.
        """
        given = f"{relations.locked(self._from)} AS relations, {sql.unsettled(self._session.settings)} AS unsettled"
        (found,) = self._session.rows(f"SELECT {given}")
        self._refuse_unsettled(found["unsettled"])
        return relations.parsed(found["relations"])

    def find(self) -> Table:
        """Return the table.

        Raises:
            SourceObjectMissing: there is none.
            SourceFiltered: policies hide rows of it, and the connection does not say `row_security: apply`.
        """
        if self._config.table is None:
            return Table()
        found = self._session.rows(sql.find_table(self._config.table))
        if not found:
            raise SourceObjectMissing(f"{self._place}: the source has no table {self._config.table}")
        (row,) = found
        if row["filtered"] == "true" and self._session.settings["row_security"] == "off":
            policies = f"policy {row['policies']}" if row["policies"] else "no policy lets it see any"
            told = f"row-level security hides rows of {self._config.table} from the role ({policies})"
            raise SourceFiltered(f"{self._place}: {told}")
        rows = int(row["rows"] or -1)
        return Table(row["oid"], row["kind"], rows if rows >= 0 else None, int(row["size"] or 0))

    def _refuse_unsettled(self, settings: str | None) -> None:
        if settings:
            told = f"{self._place}: the session does not have comboi's settings: {settings}"
            raise ConfigError(told, remedy=_UNSETTLED)
