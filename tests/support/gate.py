"""A gate in the source: the reading of one row of `shop.orders` waits as long as a test wants.

The table's `where:` calls a function that waits for a lock when rows are read for a chunk, not while a load is planned.
"""

from __future__ import annotations

import time

from comboi_core.cli.demo.postgres import EmbeddedPostgres
from tests.support.project import Project
from tests.support.sessions import Session

ROW = 2500
_LOCK = 20261123
_FUNCTION = f"""
CREATE FUNCTION shop.gate(number bigint) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
    IF number = {ROW} AND current_query() LIKE '%AS c0%' THEN PERFORM pg_advisory_xact_lock_shared({_LOCK}); END IF;
    RETURN true;
END $$"""
_WAITING = "FROM pg_stat_activity WHERE application_name = 'comboi' AND wait_event = 'advisory'"


class Gate:
    """Closed until `open`; a context of its own."""

    def __init__(self, project: Project, database: EmbeddedPostgres) -> None:
        self._database = database
        database.psql(_FUNCTION)
        project.edit("configs/initial.yml", "table: shop.orders", "table: shop.orders\n    where: shop.gate(order_id)")
        self._keeper = Session(database)
        self._keeper.run(f"SELECT pg_advisory_lock({_LOCK})")

    def wait(self) -> str:
        """Wait until a reader stands at the gate; return the process id of its backend."""
        deadline = time.monotonic() + 120
        while not (found := self._database.psql(f"SELECT pid {_WAITING} LIMIT 1").strip()):
            assert time.monotonic() < deadline, "nobody came to the gate"
            time.sleep(0.02)
        return found

    def open(self) -> None:
        """Let readers through from now on."""
        self._keeper.close()

    def __enter__(self) -> Gate:
        return self

    def __exit__(self, *_: object) -> None:
        self.open()
