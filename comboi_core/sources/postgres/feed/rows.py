"""Reading the rows of changed keys: a key that has no row any more comes as a tombstone."""

from __future__ import annotations

from collections.abc import Sequence

from comboi_core.domain.load import Column
from comboi_core.domain.sql import identifier, literal
from comboi_core.sources.postgres import types


def of_keys(columns: tuple[Column, ...], key: tuple[str, ...], source: str, keys: Sequence[tuple[str, ...]]) -> str:
    """Return PostgreSQL's SELECT for c0, c1, ... of the rows of keys, and `gone`: whether there is no such row.

    PostgreSQL reads the keys from its own text, and spells those that are gone as it spells the others. The planner
    knows how many keys there are: it looks them up in an index, or reads the whole table where they are many.

    Args:
        key: The key's columns, all of them among `columns`.
        source: The FROM item, called `src`.
    """
    kinds = {column.name: column.source_type for column in columns}
    arrays = ", ".join(f"{_array([one[place] for one in keys])}::text[]" for place in range(len(key)))
    names = ", ".join(f"k{place}" for place in range(len(key)))
    typed = ", ".join(f"k{place}::{kinds[name]} AS {identifier(name)}" for place, name in enumerate(key))
    joined = " AND ".join(f"src.{identifier(name)} = k.{identifier(name)}" for name in key)
    found = ", ".join(
        f"{types.expression(column, _operand(column.name, key))} AS c{index}" for index, column in enumerate(columns)
    )
    return (
        f"SELECT {found}, src.{identifier(key[0])} IS NULL AS gone "
        f"FROM (SELECT DISTINCT {typed} FROM unnest({arrays}) AS texts ({names})) AS k "
        f"LEFT JOIN {source} ON {joined}"
    )


def _operand(name: str, key: tuple[str, ...]) -> str:
    own = f"src.{identifier(name)}"
    return f"coalesce({own}, k.{identifier(name)})" if name in key else own


def _array(values: Sequence[str]) -> str:
    quoted = ",".join('"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for value in values)
    return literal(f"{{{quoted}}}")
