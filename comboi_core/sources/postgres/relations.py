"""What a table or query really reads, and whether it is still what the load was planned for.

PostgreSQL's snapshots do not cover everything: a table that is written anew (most forms of ALTER TABLE, CLUSTER, VACUUM
FULL, TRUNCATE, REFRESH MATERIALIZED VIEW) shows itself empty to a snapshot that was taken before the other transaction
committed ("Caveats" in the chapter on concurrency control). A reader that waits for such a transaction's lock has taken
its snapshot by then: it reads no row and gets no error. The same happens where a table takes another one's name, or a
partition is attached that was filled in the same transaction. Definitions of views and policies of row-level security
are not covered either: the newest one counts, whatever the snapshot.

So a load remembers which relations it was planned for, the file that each is stored in, and what decides which of its
rows are seen. They are compared twice: at the end of the transaction that read them, which holds a lock on each
(`confirm`), and after it, since that transaction does not see new definitions (`confirm_after`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from comboi_core.domain.errors import SourceChanged
from comboi_core.domain.load import Relation

FIRST_OID = 16384
"""Relations below it are PostgreSQL's own, and are not looked at."""
_STORED = "('r', 'm', 'p', 'v', 'f')"
"""Tables, materialized views, partitioned tables, views, foreign tables; indexes and TOAST tables are not."""
_ABOVE = """ARRAY(
    SELECT relid::oid::text FROM pg_partition_ancestors(l.relation) AS a (relid)
    UNION SELECT inhparent::text FROM pg_catalog.pg_inherits WHERE inhrelid = l.relation)"""
# Each row of a catalog has another xmin after it was changed. Rules are a view's query. Policies count where they may
# hide rows, and with them who asks and what is set for it: they may look at both.
_RULES = """CASE WHEN c.relkind = 'v' OR (c.relrowsecurity AND current_setting('row_security') = 'on')
THEN md5(concat_ws('|',
    CASE WHEN c.relrowsecurity THEN concat(current_user, ':', (
        SELECT string_agg(setconfig::text, ',' ORDER BY setdatabase, setrole) FROM pg_catalog.pg_db_role_setting
        WHERE setrole IN (0, (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = session_user))
          AND setdatabase IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()))
    )) END,
    CASE WHEN c.relkind = 'v' THEN concat(c.relowner, c.reloptions) END, c.relrowsecurity, c.relforcerowsecurity,
    (SELECT string_agg(concat(oid, ':', xmin), ',' ORDER BY oid) FROM pg_catalog.pg_rewrite WHERE ev_class = c.oid),
    (SELECT string_agg(concat(oid, ':', xmin), ',' ORDER BY oid) FROM pg_catalog.pg_policy WHERE polrelid = c.oid)
)) END"""
# A view's rows are checked for its owner. Which view reads which table is not looked at.
_FILTERED = """c.relrowsecurity AND (row_security_active(c.oid) OR EXISTS (
    SELECT 1 FROM pg_catalog.pg_locks AS k JOIN pg_catalog.pg_class AS v ON v.oid = k.relation
        JOIN pg_catalog.pg_roles AS o ON o.oid = v.relowner
    WHERE k.pid = pg_backend_pid() AND v.relkind = 'v' AND NOT (o.rolsuper OR o.rolbypassrls)
      AND (c.relforcerowsecurity OR NOT pg_has_role(o.oid, c.relowner, 'USAGE'))))"""


def policies(oid: str) -> str:
    """Return a scalar subquery for the names of the policies that may filter what is read of a table."""
    return f"""(
        SELECT string_agg(polname, ', ' ORDER BY polname) FROM pg_catalog.pg_policy
        WHERE polrelid = {oid} AND polcmd IN ('r', '*'))"""


def locked(source: str) -> str:
    """Return a scalar subquery that locks what a FROM item reads, and gives as JSON what the transaction has locked.

    `pg_class` goes by the snapshot, functions such as `pg_relation_filenode` do not.
    """
    return f"""(
        SELECT json_agg(json_build_object(
            'id', l.relation::text, 'name', l.relation::regclass::text, 'kind', c.relkind,
            'storage', coalesce(pg_relation_filenode(l.relation)::text, ''), 'rules', coalesce({_RULES}, ''),
            'unseen', c.oid IS NULL OR coalesce(pg_relation_filenode(l.relation), 0) <> c.relfilenode,
            'above', {_ABOVE}, 'filtered', coalesce({_FILTERED}, false), 'policies', {policies("c.oid")}
        ) ORDER BY l.relation)::text
        FROM (SELECT 1) AS one LEFT JOIN (SELECT 1 FROM {source} LIMIT 0) AS locking ON true,
            pg_catalog.pg_locks AS l LEFT JOIN pg_catalog.pg_class AS c ON c.oid = l.relation
        WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND l.granted AND l.relation >= {FIRST_OID}
          AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
          AND coalesce(c.relkind, 'r') IN {_STORED}
    )"""


@dataclass(frozen=True)
class Locked:
    """A relation that a transaction has locked.

    Attributes:
        kind: PostgreSQL's letter for it (`pg_class.relkind`), or None where the snapshot does not know it.
        unseen: Whether the snapshot knows another file of it, or does not know the relation.
        above: The oids of what it is a partition or an heir of.
        filtered: Whether policies of row-level security may hide rows of it.
        policies: Their names; None where there are none, which hides every row.
    """

    relation: Relation
    kind: str | None
    unseen: bool
    above: tuple[str, ...]
    filtered: bool
    policies: str | None

    @property
    def told(self) -> str:
        """The relation and its policies, for people."""
        return f"{self.relation.name} ({f'policy {self.policies}' if self.policies else 'no policy lets rows through'})"


def parsed(found: str | None) -> tuple[Locked, ...]:
    """Return the relations that `locked` gave."""
    return tuple(
        Locked(
            Relation(one["id"], one["name"], one["storage"], one["rules"]),
            one["kind"],
            one["unseen"],
            tuple(one["above"]),
            one["filtered"],
            one["policies"],
        )
        for one in json.loads(found or "[]")
    )


def confirm(planned: Iterable[Relation], found: Iterable[Locked], place: str) -> None:
    """Check, in the transaction that read them, that the relations were those of the plan.

    Args:
        found: What the transaction has locked. It may be more than the plan names, what functions of a query read: of
            those, too, the snapshot has to know the file.

    Raises:
        SourceChanged: what was read need not be what was there.
    """
    now = {one.relation.id: one for one in found}
    before = {relation.id: relation for relation in planned}
    told = [f"{relation.name} is no longer read" for oid, relation in before.items() if oid not in now]
    for oid, one in now.items():
        if one.unseen or (oid in before and before[oid].storage != one.relation.storage):
            told.append(f"{one.relation.name} was rewritten or emptied")
        elif oid not in before and any(parent in before for parent in one.above):
            told.append(f"{one.relation.name} was attached")
    _refuse(told, place)


def confirm_after(planned: Iterable[Relation], found: Iterable[Locked], place: str) -> None:
    """Check, after the transaction that read them, that the relations are those of the plan.

    Args:
        found: What is locked by the statement that gave the plan's.

    Raises:
        SourceChanged: they are others, or others of their rows are seen.
    """
    now = {one.relation.id: one.relation for one in found}
    before = {relation.id: relation for relation in planned}
    told = [f"{relation.name} is no longer read" for oid, relation in before.items() if oid not in now]
    for oid, relation in now.items():
        if oid not in before:
            told.append(f"{relation.name} was attached")
        elif before[oid].storage != relation.storage:
            told.append(f"{relation.name} was rewritten or emptied")
        elif before[oid].rules != relation.rules:
            told.append(f"{relation.name} was defined anew, or its policies were changed")
    _refuse(told, place)


def _refuse(told: list[str], place: str) -> None:
    if told:
        raise SourceChanged(
            f"{place}: {'; '.join(told)} while the load was read; nothing of it was published",
            relations=told,
        )
