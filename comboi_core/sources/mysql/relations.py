"""What a table or query really reads, and whether it is still what the load was planned for.

InnoDB refuses to show a snapshot of a table that was written anew after it was taken (error 1412). What it does not
tell is that a table was emptied by TRUNCATE, written anew, or given another one's name after the load was planned and
before its rows were read. So a load remembers which tables it was planned for, and by which numbers InnoDB stores them:
each TRUNCATE and each ALTER TABLE that writes the rows anew gives new ones. They want the right PROCESS; without it the
times at which the tables were made have to do, which TRUNCATE leaves as they are on MariaDB.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from comboi_core.config.tables import TableConfig
from comboi_core.domain.errors import SourceChanged
from comboi_core.domain.load import Relation
from comboi_core.sources.mysql import sql, text
from comboi_core.sources.mysql.catalog import Rows

_DEPTH = 8
"""So many views deep are relations looked for."""
_SYSTEM = frozenset({"information_schema", "performance_schema", "mysql", "sys"})
BLIND = (
    "the account may not see by which numbers InnoDB stores tables (grant it PROCESS): a table that is emptied by "
    "TRUNCATE between planning and reading is not noticed"
)


def read(ask: Rows, config: TableConfig, *, mariadb: bool, numbered: bool) -> tuple[Relation, ...]:
    """Return the tables and views that a table or query reads, as far as their names stand in it and in the views.

    Args:
        numbered: Whether InnoDB's numbers can be asked for.
    """
    wanted: tuple[tuple[str, ...], ...]
    wanted = (text.parts(config.table),) if config.table is not None else text.names(str(config.query))
    wanted += text.names(config.where or "")
    found: dict[str, Relation] = {}
    for _ in range(_DEPTH):
        if not wanted:
            break
        views = []
        for row in ask(sql.relations(wanted)):
            schema, name = str(row["schema_name"]), str(row["name"])
            if f"{schema}.{name}" in found or schema.lower() in _SYSTEM:
                continue
            views += [str(row["definition"])] if row["definition"] else []
            ids = None
            if numbered and row["engine"] == "InnoDB":
                ids = ask(sql.table_ids(schema, name, mariadb=mariadb))[0]["ids"]
            rules = hashlib.md5(str(row["definition"]).encode(), usedforsecurity=False).hexdigest()
            found[f"{schema}.{name}"] = Relation(
                f"{schema}.{name}",
                f"{schema}.{name}",
                "" if row["definition"] else ids or row["created"] or "",
                rules if row["definition"] else "",
            )
        wanted = tuple({name: None for view in views for name in text.names(view)})
    return tuple(sorted(found.values(), key=lambda one: one.id))


def confirm(planned: Iterable[Relation], now: Iterable[Relation], place: str) -> None:
    """Check that the relations are those of the plan.

    Raises:
        SourceChanged: what was read need not be what was there.
    """
    there = {one.id: one for one in now}
    told = []
    for one in planned:
        found = there.get(one.id)
        if found is None:
            told.append(f"{one.name} is no longer there")
        elif found.storage != one.storage:
            told.append(f"{one.name} was rewritten, emptied or replaced")
        elif found.rules != one.rules:
            told.append(f"{one.name} was defined anew")
    if told:
        raise SourceChanged(
            f"{place}: {'; '.join(told)} while the load was read; nothing of it was published", relations=told
        )
