"""Keys as PostgreSQL compares them: which columns land in one spelling of equal values, and what is told where that
cannot be.

Readers of the lake compare keys by what stands there. So a key's columns land as `postgres_types.CANONICAL` says, in
every mode: datasets merge by them as well. The columns of foreign keys do too, on both sides: else they would join no
more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from comboi_core.domain.errors import SchemaDrift
from comboi_core.domain.load import Column
from comboi_core.domain.shortfall import Shortfall
from comboi_core.domain.sql import identifier, literal
from comboi_core.sources.postgres.text import relation
from comboi_core.sources.postgres.types import CANONICAL, INTEGERS, base_name

Ask = Callable[[str], list[dict[str, str | None]]]

_TEXTS = frozenset({"text", "character varying", "character", "bpchar", "name"})
_OPEN = "('jsonb', 'citext')"
"""Types whose equal values have no spelling in common that PostgreSQL could be asked for, wherever they stand."""
_OPEN_WITHIN = "('numeric', 'float4', 'float8', 'interval', 'bpchar')"
"""Types that have one for a column's value, but not within arrays, ranges and composite types."""
_ALIKE = INTEGERS | {"boolean", "uuid", "oid", "date", "timestamp without time zone", "timestamp with time zone"}
"""Types whose values are equal where they look equal, so that PostgreSQL need not be asked."""

_TWO_ROWS = "a key that is written in another way later is a second row in the lake"


@dataclass(frozen=True)
class Keys:
    """The keys of one table or query.

    Attributes:
        ask: Runs SQL; each row is column -> text.
        place: What errors name: `source.table`.
        primary_key: The columns that the configuration names.
        table: The table's name; None for a query.
        query: What stands after FROM for a query.
    """

    ask: Ask
    place: str
    primary_key: tuple[str, ...]
    table: str | None
    query: str

    def in_one_spelling(
        self, columns: tuple[Column, ...], committed: tuple[Column, ...], *, anew: bool
    ) -> tuple[Column, ...]:
        """Return the columns, marked where equal values land in one spelling.

        A column that was landed as it is written keeps that until the table is read anew: in two spellings its values
        would double.

        Args:
            committed: The columns of the committed load.
            anew: Whether the load is the first one or replaces the table.
        """
        named = {column.name.lower() for column in committed if column.canonical}
        if anew:
            named = {name.lower() for name in self.primary_key} | self._referring(columns)
        return tuple(
            replace(column, canonical=True)
            if column.name.lower() in named and (not anew or _spelled(column))
            else column
            for column in columns
        )

    def refuse_other_equality(self, columns: tuple[Column, ...], committed: tuple[Column, ...]) -> None:
        """Raise SchemaDrift where a merged table's key has got a type that compares otherwise than its landed keys do.

        PostgreSQL's own conversion would give them another spelling: 2.00 of a `numeric`, landed as 2, becomes the
        text 2.00, a second row.
        """
        before = {column.name.lower(): column for column in committed}
        for column in self._key(columns):
            known = before.get(column.name.lower())
            was, now = (base_name(one.source_type) if one else "" for one in (known, column))
            landed = known is not None and known.type == "VARCHAR" and (known.canonical or was == "inet")
            to_text = was in ("character", "bpchar") and now in _TEXTS  # blanks at the end are gone either way
            if known and landed and was and was != now and not to_text:
                raise SchemaDrift(
                    f"{self.place}: column {column.name} of the primary key changed from {known.source_type} to "
                    f"{column.source_type}, which writes and compares values otherwise: a row that was landed and its "
                    "next version would be two",
                    remedy="Run the table with --full-refresh, and so datasets that merge by this column.",
                )

    def shortfalls(
        self, columns: tuple[Column, ...], committed: tuple[Column, ...], *, merged: bool
    ) -> tuple[Shortfall, ...]:
        """Return what `key_equality` tells: keys of whose equality in PostgreSQL readers of the lake know nothing.

        Args:
            columns: As `in_one_spelling` gives them.
            merged: Whether readers see one row per key.
        """
        key = {column.name for column in self._key(columns)}
        spelled = [column for column in columns if _spelled(column) and column.type == "VARCHAR"]
        as_written = [column for column in spelled if not column.canonical]
        others = tuple(column for column in as_written if column.name not in key)
        referring = self._referring(others)
        respelled = _respelled([column for column in spelled if column.name in key], committed)
        anew = f"Read the table anew with `comboi run bronze --select {self.place} --full-refresh`."
        told = (
            (
                respelled,
                f"from this load on, {_listed(respelled)} lands in one spelling of equal values (2.00 as 2); datasets "
                "that merge by it have rows in the former spellings as well",
                "Build datasets that merge, delete and insert, or keep versions by this key with --full-refresh.",
            ),
            (
                found := [column for column in as_written if merged and column.name in key],
                f"{_listed(found)} was landed by an earlier comboi, as PostgreSQL writes it: {_TWO_ROWS}",
                anew,
            ),
            (
                found := [column for column in others if column.name.lower() in referring],
                f"{_listed(found)}, of a foreign key, was landed as PostgreSQL writes it, the key on the other side in "
                "one spelling of equal values: they may not join",
                anew,
            ),
            (
                unequal := self._unequal(columns) if merged else [],
                f"PostgreSQL compares values of {', '.join(unequal)} by more than their spelling: {_TWO_ROWS}",
                "Name a key of another type, or set `mode: full`.",
            ),
        )
        return tuple(
            Shortfall("key_equality", f"{self.place}: {message}", remedy) for found, message, remedy in told if found
        )

    def _key(self, columns: tuple[Column, ...]) -> list[Column]:
        names = {name.lower() for name in self.primary_key}
        return [column for column in columns if column.name.lower() in names]

    def _referring(self, columns: tuple[Column, ...]) -> set[str]:
        """Return the columns of foreign keys, of this table and of those that refer to it, in lower case."""
        if self.table is None or not any(_spelled(column) for column in columns):
            return set()
        found = self.ask(f"""
            SELECT DISTINCT a.attname::text AS name FROM pg_constraint c JOIN pg_attribute a
            ON (a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey))
                OR (a.attrelid = c.confrelid AND a.attnum = ANY (c.confkey))
            WHERE c.contype = 'f' AND a.attrelid = to_regclass({literal(relation(self.table))})""")
        return {str(row["name"]).lower() for row in found}

    def _unequal(self, columns: tuple[Column, ...]) -> list[str]:
        """Return the key's columns whose equal values may look different, with what makes them so."""
        key = [column for column in self._key(columns) if base_name(column.source_type) not in _ALIKE]
        if not key:
            return []
        found = {row["name"]: row["collated"] for row in self.ask(_unequal(self._types(key)))}
        return [
            f"{column.name} ({column.source_type}{', a collation that is not deterministic' if collated else ''})"
            for column in key
            if column.name in found
            for collated in (found[column.name] == "true",)
        ]

    def _types(self, key: list[Column]) -> str:
        """Return a SELECT of `name, type, rule`, the last one being the collation of the key's columns."""
        if self.table is not None:
            names = ", ".join(literal(column.name) for column in key)
            return f"""
                SELECT attname::text, atttypid, attcollation FROM pg_attribute
                WHERE attrelid = to_regclass({literal(relation(self.table))}) AND attname IN ({names})"""
        values = ", ".join(
            f"({literal(column.name)}, pg_typeof({operand})::oid, "
            f"{f'pg_collation_for({operand})::regcollation::oid' if _collated(column) else '0::oid'})"
            for column in key
            for operand in (f"q.{identifier(column.name)}",)
        )
        return f"""
            SELECT v.name, v.type, v.rule
            FROM (SELECT 1) one LEFT JOIN (SELECT * FROM {self.query} AS s LIMIT 0) AS q ON true,
                LATERAL (VALUES {values}) AS v (name, type, rule)"""


def _respelled(key: list[Column], committed: tuple[Column, ...]) -> list[Column]:
    """Return the key's columns that were landed as they are written so far, and are in one spelling from now on."""
    before = {column.name.lower(): column for column in committed if column.type == "VARCHAR" and not column.canonical}
    return [
        column
        for column in key
        if column.canonical
        and (known := before.get(column.name.lower()))
        and base_name(known.source_type) == base_name(column.source_type)
    ]


def _spelled(column: Column) -> bool:
    return base_name(column.source_type) in CANONICAL


def _collated(column: Column) -> bool:
    return base_name(column.source_type).removesuffix("[]") in _TEXTS


def _listed(columns: list[Column]) -> str:
    return ", ".join(f"{column.name} ({column.source_type})" for column in columns)


def _unequal(types: str) -> str:
    """Give `name, collated` of the columns whose type is open, or holds one that is, at whatever depth.

    Args:
        types: A SELECT of `name, type, rule`, the last one being the collation.
    """
    return f"""
        WITH RECURSIVE parts (name, type, rule, within) AS (
            SELECT given.*, false FROM ({types}) AS given
            UNION
            SELECT p.name, i.type, i.rule, i.within FROM parts p JOIN pg_type t ON t.oid = p.type, LATERAL (
                SELECT t.typbasetype, p.rule, p.within WHERE t.typtype = 'd'
                UNION ALL SELECT t.typelem, p.rule, true WHERE t.typcategory = 'A' AND t.typelem <> 0
                UNION ALL SELECT a.atttypid, a.attcollation, true FROM pg_attribute a
                    WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
                UNION ALL SELECT r.rngsubtype, r.rngcollation, true FROM pg_range r
                    -- a column that PostgreSQL 13 does not have
                    WHERE t.oid IN (r.rngtypid, (to_jsonb(r) ->> 'rngmultitypid')::oid)
            ) AS i (type, rule, within)
        ), found AS (
            SELECT p.name, coalesce(NOT c.collisdeterministic, false) AS collated,
                t.typname IN {_OPEN} OR (p.within AND t.typname IN {_OPEN_WITHIN}) AS open
            FROM parts p JOIN pg_type t ON t.oid = p.type LEFT JOIN pg_collation c ON c.oid = p.rule
        )
        SELECT name, bool_or(collated)::text AS collated FROM found WHERE open OR collated GROUP BY name"""
