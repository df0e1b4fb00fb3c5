"""The one place that opens DuckDB: memory, threads and the spill folder are always set."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from comboi_core.domain.folders import Scratch

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MAXIMUM_IDLE = 4
"""Instances that are kept for reuse; an idle one holds next to no memory."""


@dataclass(frozen=True)
class Limits:
    """What a DuckDB instance may use.

    Attributes:
        memory_limit: As DuckDB spells it, e.g. `1GB`.
        temp_directory: The folder below which the spill folder is made; default: the system's temporary folder.
    """

    memory_limit: str
    threads: int
    temp_directory: str | None = None


@dataclass
class _Instance:
    con: DuckDBPyConnection
    spill: Scratch

    def close(self) -> None:
        with suppress(Exception):
            self.con.close()
        self.spill.close()

    def pristine(self) -> bool:
        """Whether nothing is left of the one who had it: no attached database, no table, no view."""
        with suppress(Exception):
            left = self.con.execute(
                "SELECT (SELECT count(*) FROM duckdb_databases() WHERE NOT internal AND database_name <> 'memory') "
                "+ (SELECT count(*) FROM duckdb_tables()) + (SELECT count(*) FROM duckdb_views() WHERE NOT internal)"
            ).fetchone()
            return left == (0,)
        return False


@dataclass
class _Pool:
    lock: threading.Lock = field(default_factory=threading.Lock)
    idle: dict[Limits, list[_Instance]] = field(default_factory=lambda: defaultdict(list))

    def take(self, limits: Limits) -> _Instance:
        with self.lock:
            if self.idle[limits]:
                return self.idle[limits].pop()
        # No signature is looked for: reading 40 MB of an extension for it takes 0.3 s of CPU at each start. What is
        # loaded here comes by path from an installed package, as DuckDB itself does, and no user's statement runs here.
        return _open(limits, allow_unsigned_extensions=True)

    def give_back(self, limits: Limits, instance: _Instance) -> None:
        if instance.pristine():
            with self.lock:
                if len(self.idle[limits]) < MAXIMUM_IDLE:
                    self.idle[limits].append(instance)
                    return
        instance.close()


_POOL = _Pool()


@contextmanager
def open_duckdb(*, memory_limit: str, threads: int, temp_directory: str | None = None) -> Iterator[DuckDBPyConnection]:
    """Open an in-memory DuckDB of its own, with a spill folder of its own that goes away with it or its process."""
    instance = _open(Limits(memory_limit, threads, temp_directory))
    try:
        yield instance.con
    finally:
        instance.close()


@contextmanager
def borrow_duckdb(
    *, memory_limit: str, threads: int, temp_directory: str | None = None
) -> Iterator[DuckDBPyConnection]:
    """Borrow an in-memory DuckDB that keeps its loaded extensions: loading one takes 0.1 s of CPU.

    For work that leaves nothing behind; an instance in which something is left, or whose borrower failed, is closed.
    """
    limits = Limits(memory_limit, threads, temp_directory)
    instance = _POOL.take(limits)
    try:
        yield instance.con
    except BaseException:
        instance.close()
        raise
    _POOL.give_back(limits, instance)


def _open(limits: Limits, *, allow_unsigned_extensions: bool = False) -> _Instance:
    import duckdb

    spill = Scratch(limits.temp_directory)
    try:
        con = duckdb.connect(
            ":memory:",
            config={
                "memory_limit": limits.memory_limit,
                "threads": limits.threads,
                "temp_directory": str(spill.path),
                "preserve_insertion_order": False,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "allow_unsigned_extensions": allow_unsigned_extensions,
            },
        )
        con.execute("SET TimeZone = 'UTC'")
    except BaseException:
        spill.close()
        raise
    return _Instance(con, spill)
