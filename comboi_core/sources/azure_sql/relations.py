"""Which tables, views and functions a table or query reads, and whether they are still what the load was planned for.

A snapshot does not cover everything: metadata has no versions, so a table that was truncated, switched, dropped or made
anew shows what it is now, and chunks of one load could be of two tables. The server refuses that within a transaction
(error 3961), but not between the plan and the activities of a load. So a load remembers what it was planned for, and
what was read is landed only if that is the same afterwards. Identifiers never come back, so the end tells enough.

Seen are the objects of this database that the configured `table:`, `query:` and `where:` name, and what their views,
functions and synonyms name in turn. Not seen: other databases and servers, SQL text that runs within a function, and
what the login may not see (VIEW DEFINITION shows what a view reads).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from itertools import groupby

from comboi_core.config.tables import TableConfig
from comboi_core.domain.errors import SourceChanged, SourceObjectMissing, SourceQueryFailed
from comboi_core.domain.load import Relation
from comboi_core.sources.azure_sql import sql
from comboi_core.sources.azure_sql.sight import Rows
from comboi_core.sources.azure_sql.text import names, parts

_DEFINED = ("V", "IF", "TF", "FN")
"""Views and functions: what sys.objects calls them."""
_SYNONYM = "SN"


def read(rows: Rows, config: TableConfig) -> tuple[Relation, ...]:
    """Return what a table or query reads now, ordered by its id in the database.

    `Relation.storage` is a digest of where its rows are kept, how it is defined, and which policies filter it.
    """
    named = [parts(config.table)] if config.table is not None else names(str(config.query))
    named = [*named, *names(config.where or "")]
    todo = [sql.object_id(name) for name in dict.fromkeys(named)]
    found: dict[str, Relation] = {}
    while todo:
        further: list[str] = []
        described = sorted(rows(sql.objects(todo)), key=lambda row: int(row["oid"] or 0))
        for oid, entries in groupby(described, key=lambda row: str(row["oid"])):
            if oid not in found:
                same = list(entries)
                found[oid] = _relation(oid, same)
                further += _within(rows, oid, same[0])
        todo = list(dict.fromkeys(further))
    return tuple(found[oid] for oid in sorted(found, key=int))


def confirm(planned: Iterable[Relation], now: Iterable[Relation], place: str) -> None:
    """Raise SourceChanged, after which the load is planned again, if something is not what it was.

    Args:
        now: What `read` gives after the rows were read.
        place: What errors name: `source.table`.
    """
    before, after = {one.id: one for one in planned}, {one.id: one for one in now}
    changed = [one.name for oid, one in before.items() if after.get(oid) != one]
    changed += [one.name for oid, one in after.items() if oid not in before and one.name not in changed]
    if changed:
        raise SourceChanged(
            f"{place}: {', '.join(changed)} was truncated, switched, filtered or made anew while it was read; nothing "
            "of it was published",
            relations=changed,
        )


def _relation(oid: str, entries: list[dict[str, str | None]]) -> Relation:
    facts = sorted(
        "|".join(str(row[name]) for name in ("defined", "part", "unit", "policy", "ruled")) for row in entries
    )
    digest = hashlib.sha256("\n".join(facts).encode()).hexdigest()[:32]
    return Relation(oid, f"{entries[0]['schema_name']}.{entries[0]['name']}", digest)


def _within(rows: Rows, oid: str, entry: dict[str, str | None]) -> list[str]:
    """Expressions for the ids of what an object reads itself; none where the login does not see that."""
    kind = str(entry["kind"]).strip()
    if kind == _SYNONYM:
        try:
            return [sql.object_id(parts(str(rows(sql.synonym(oid))[0]["base"])))]
        except ValueError:  # of another database
            return []
    if kind not in _DEFINED:
        return []
    try:
        return [str(row["oid"]) for row in rows(sql.referenced(str(entry["schema_name"]), str(entry["name"])))]
    except (SourceObjectMissing, SourceQueryFailed):
        return []
