"""Which columns the settings name, and the names that Splink knows them under.

Splink sees columns under names of comboi's own choosing, so no column of the user's can clash with one of Splink's. In
conditions that users write as SQL, the columns are replaced where they stand; the rest of the text stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from comboi_core.config.splink import SplinkConfig
from comboi_core.config.splink_comparisons import Comparison, Rule
from comboi_core.domain.errors import DedupeError
from comboi_core.domain.sql import identifier

if TYPE_CHECKING:
    from sqlglot import exp

_COLUMN_ARGUMENTS = ("col_name", "_col")
"""How the names of arguments end that hold a column, e.g. `surname_col_name` and `long_col`."""
_OWN_NAME = re.compile(r"\bcomboi_\d+(?=\b|_[lr]\b)")

Place = tuple[int, int, str, str]
"""Where a column stands in an SQL text: from, to (exclusive), the column, what follows its name (`_l`, `_r`, or "")."""


@dataclass(frozen=True)
class Names:
    """The columns' names in Splink's table; SQL does not tell upper from lower case.

    Attributes:
        columns: Name in Splink's table -> the column as the configuration writes it first.
    """

    columns: Mapping[str, str]

    def of(self, column: str) -> str:
        """Return the name that Splink knows the column under."""
        wanted = column.lower()
        return next((name for name, known in self.columns.items() if known.lower() == wanted), column)

    def said(self, text: str) -> str:
        """Return a text of Splink's or DuckDB's with the user's names."""
        return _OWN_NAME.sub(lambda found: self.columns.get(found[0], found[0]), text)


UNCHANGED = Names({})


def columns_used(config: SplinkConfig) -> dict[str, str]:
    """Return each column that the settings name, with the place that names it first; not those of the survivor's rule.

    Raises:
        DedupeError: a condition is no SQL.
    """
    used = {config.unique_id_column_name: "unique_id_column_name"}
    for column, place in _used(config):
        used.setdefault(column, place)
    return used


def _used(config: SplinkConfig) -> Iterator[tuple[str, str]]:
    if config.links or config.survivor.knows_sources:
        yield config.source_dataset_column_name, "source_dataset_column_name"
    for comparison in config.comparisons:
        for column in compared(comparison):
            yield column, f"comparison {comparison.shown}"
    for key, rule in all_rules(config):
        for column in (*rule.columns, *rule.arrays_to_explode, *in_condition(rule.blocking_rule)):
            yield column, f"{key} {rule.shown}"
    for column in config.additional_columns_to_retain:
        yield column, "additional_columns_to_retain"
    if config.training and config.training.estimate_m_from_label_column:
        yield config.training.estimate_m_from_label_column, "estimate_m_from_label_column"


def all_rules(config: SplinkConfig) -> Iterator[tuple[str, Rule]]:
    """Yield every rule with the key it stands under."""
    for rule in config.blocking_rules_to_generate_predictions:
        yield "blocking_rules_to_generate_predictions", rule
    if config.training:
        for rule in config.training.deterministic_rules:
            yield "deterministic_rules", rule
        for rule in config.training.em_blocking:
            yield "em_blocking", rule


def compared(comparison: Comparison) -> list[str]:
    """Return the columns that a comparison looks at, each once, in the order in which they appear."""
    adjusting = [level.tf_adjustment_column for level in comparison.comparison_levels if level.tf_adjustment_column]
    return distinct([*weighed(comparison), *adjusting])


def weighed(comparison: Comparison) -> list[str]:
    """Return the columns that decide which level of a comparison a pair is on, each once."""
    found = [str(comparison.column)] if comparison.type is not None else []
    found += [value for key, value in comparison.args.items() if is_column(key, value)]
    for level in comparison.comparison_levels:
        found += [] if level.is_else else in_level(level.sql_condition)
    return distinct(found)


def distinct(columns: Iterable[str]) -> list[str]:
    """Return the columns, each once, in the spelling that comes first."""
    found: dict[str, str] = {}
    for column in columns:
        found.setdefault(column.lower(), column)
    return list(found.values())


def is_column(key: str, value: Any) -> bool:
    """Whether an argument of a comparison names a column."""
    return key.endswith(_COLUMN_ARGUMENTS) and isinstance(value, str)


def in_condition(sql: str | None) -> list[str]:
    """Return the columns of a rule's condition."""
    return [column for _, _, column, _ in _places(sql, _beside_tables)] if sql else []


def in_level(sql: str) -> list[str]:
    """Return the columns of a level's condition."""
    return [column for _, _, column, _ in _places(sql, _with_sides)]


def rewritten_condition(sql: str, names: Names) -> str:
    """Return a rule's condition (`l.name = r.name`) over Splink's names."""
    return _rewritten(sql, _beside_tables, names)


def rewritten_level(sql: str, names: Names) -> str:
    """Return a level's condition (`name_l = name_r`) over Splink's names."""
    return _rewritten(sql, _with_sides, names)


Reader = Callable[[str, "exp.Column"], Place]


def _rewritten(sql: str, read: Reader, names: Names) -> str:
    for start, end, column, side in sorted(_places(sql, read), reverse=True):
        name = names.of(column) + side
        sql = sql[:start] + (name if name.isidentifier() else identifier(name)) + sql[end:]
    return sql


@lru_cache(maxsize=1024)
def _places(sql: str, read: Reader) -> tuple[Place, ...]:
    from sqlglot import exp

    return tuple(read(sql, column) for column in _parsed(sql).find_all(exp.Column))


def _parsed(sql: str) -> exp.Condition:
    import sqlglot
    from sqlglot import exp

    try:
        trees = sqlglot.parse(sql, dialect="duckdb")
    except sqlglot.errors.SqlglotError as error:
        cause = " ".join(re.sub(r"\x1b\[\d*m", "", str(error)).split())
        raise DedupeError(f"`{sql}` is not a valid SQL condition: {cause}") from error
    tree = trees[0] if len(trees) == 1 else None
    if not isinstance(tree, exp.Condition) or tree.find(exp.Query) or any(node.comments for node in tree.walk()):
        raise DedupeError(
            f"`{sql}` is not a simple SQL condition; write one expression without comments and subqueries"
        )
    return tree


def _beside_tables(sql: str, column: exp.Column) -> Place:
    parts = column.parts
    if len(parts) < 2 or parts[0].name.lower() not in ("l", "r"):
        raise DedupeError(
            f"`{sql}`: '{column.sql()}' belongs to neither record; write l.NAME and r.NAME, or a list of columns"
        )
    return (*_span(parts[1]), parts[1].name, "")


def _with_sides(sql: str, column: exp.Column) -> Place:
    first = column.parts[0]
    if not re.search(r".(_l|_r)$", first.name, re.IGNORECASE):
        raise DedupeError(f"`{sql}`: '{column.sql()}' belongs to neither record; write columns as NAME_l and NAME_r")
    return (*_span(first), first.name[:-2], first.name[-2:].lower())


def _span(part: Any) -> tuple[int, int]:
    return part.meta["start"], part.meta["end"] + 1


def renamed(config: SplinkConfig) -> Names:
    """Return the columns that Splink needs, each with a name of comboi's own that clashes with nothing."""
    return Names({f"comboi_{number}": column for number, column in enumerate(distinct(columns_used(config)))})
