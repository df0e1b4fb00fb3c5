"""A real MariaDB for the whole session, a database of its own for each test."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.support.mariadb import MariaDb, mariadb, run
from tests.support.shop import SourceShop

_NUMBERS = itertools.count()


class Shop(SourceShop):
    """One table of the source called `shop`, in MariaDB."""

    kind = "mysql"

    def __init__(self, con: Any, database: str, server: MariaDb) -> None:
        super().__init__(con, database, server.connection(database))
        self.server = server

    def run(self, text: str) -> list[tuple[Any, ...]]:
        """Run SQL as the superuser, `{s}` being the test's database."""
        return self.server.run(self.filled(text))

    @contextmanager
    def transaction(self, text: str) -> Iterator[None]:
        """Run SQL in a second session's transaction, which stays open for the block and commits at its end."""
        session = self.server.connect(autocommit=False)
        try:
            run(session, self.filled(text))
            yield
            session.commit()
        finally:
            session.close()

    def read(self, adapter: Any, load: Any, meanwhile: Any = lambda: None) -> list[tuple[Any, ...]]:
        """Return the rows of a load, read as an activity does; `meanwhile` is called after the first chunk."""
        rows: list[tuple[Any, ...]] = []
        try:
            with adapter.reading(load):
                for chunk in load.chunks:
                    rows += self.con.execute(adapter.select(load, chunk)).fetchall()
                    if chunk.index == 0:
                        meanwhile()
            adapter.confirm(load)
            return rows
        except Exception as error:
            failed = adapter.translate(error)
        raise failed


@pytest.fixture(scope="session")
def db() -> Iterator[MariaDb]:
    with mariadb() as server:
        yield server


@pytest.fixture
def shop(con: Any, db: MariaDb) -> Iterator[Shop]:
    database = f"t{next(_NUMBERS)}"
    db.run(f"CREATE DATABASE {database}")
    made = Shop(con, database, db)
    yield made
    made.close()
