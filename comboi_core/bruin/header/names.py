"""What the names in an asset mean: landed tables and datasets."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

from comboi_core.domain.names import did_you_mean, table_id

BRONZE = "bronze"


@dataclass(frozen=True)
class Known:
    """What can be named.

    Attributes:
        tables: `source.table` of all sources.
        natives: Names of the datasets of the YAML file, with their stages.
        assets: Names of the assets' datasets, of those too that cannot be used as they are.
        disabled: Names of assets with `enabled: false`.
        complete: Whether there can be nothing else; not so where the YAML files could not be read.
    """

    tables: Collection[str]
    natives: Mapping[str, str]
    assets: Collection[str]
    disabled: Collection[str] = ()
    complete: bool = True

    def find(self, name: str) -> str | None:
        """Return the dataset's name or `source.table` for a name; None if it means nothing.

        SQL does not tell `Orders` from `orders`; where only one name differs in that way, it is meant.

        Raises:
            ValueError: it could mean several things.
        """
        found = self._meanings.get(name) or self._in_any_case.get(name.lower())
        if found is None:
            return None
        if len(found) > 1:
            raise ValueError(f"'{name}' could be {' or '.join(sorted(found))}; write SOURCE.TABLE")
        return next(iter(found))

    def missing(self, name: str) -> str:
        """Return what to say of a name that means nothing."""
        if name in self.disabled:
            return f"the asset '{name}' has `enabled: false`; enable it, or read something else"
        return f"there is no table and no dataset '{name}'{did_you_mean(name, self._meanings)}"

    def is_table(self, target: str) -> bool:
        """Whether a result of `find` is a landed table."""
        return target not in self.natives and target not in self.assets

    @cached_property
    def _meanings(self) -> dict[str, set[str]]:
        """Return what each name that can be written means; a dataset's own name comes before all others."""
        meant: dict[str, set[str]] = {}
        for table in self.tables:
            source, _, bare = table.partition(".")
            for name in {table, table_id(BRONZE, bare)}:
                meant.setdefault(name, set()).add(table_id(source, bare))
        for name, stage in self.natives.items():
            meant.setdefault(f"{stage}.{name}", set()).add(name)
        for name in (*self.natives, *self.assets):
            meant[name] = {name}
        return meant

    @cached_property
    def _in_any_case(self) -> dict[str, set[str]]:
        meant: dict[str, set[str]] = {}
        for name, targets in self._meanings.items():
            meant.setdefault(name.lower(), set()).update(targets)
        return meant
