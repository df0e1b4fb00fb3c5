"""The double in a process of its own, as a server is.

Not for looks: Microsoft's driver waits for large values without letting go of Python's lock, and a double in the same
process could never send them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from multiprocessing import get_context
from multiprocessing.managers import BaseManager
from pathlib import Path
from typing import Any

from tests.doubles.tds.database import Database
from tests.doubles.tds.server import Fault, Log, TdsServer


class _Servers:
    """What lives in the other process: servers by their ports, each with a database of its own."""

    def __init__(self) -> None:
        self._servers: dict[str, TdsServer] = {}
        self._open: dict[tuple[str, int], ExitStack] = {}

    def start(self, certificate: Path | None, users: dict[str, str], tokens: tuple[str, ...]) -> str:
        server = TdsServer(Database(), certificate=certificate, users=users, tokens=tokens).__enter__()
        self._servers[server.address] = server
        return server.address

    def stop(self, address: str) -> None:
        self._servers[address].stop()

    def run(self, address: str, text: str) -> None:
        self._servers[address].database.run(text)

    def begin(self, address: str, texts: tuple[str, ...], began: timedelta) -> int:
        stack = ExitStack()
        opened = stack.enter_context(self._servers[address].database.transaction(began=began))
        self._open[address, opened.number] = stack
        for text in texts:
            opened.run(text)
        return opened.number

    def commit(self, address: str, number: int) -> None:
        self._open.pop((address, number)).close()

    def set(self, address: str, changes: dict[str, Any]) -> None:
        server = self._servers[address]
        for name, value in changes.items():
            setattr(server if hasattr(server, name) else server.database, name, value)

    def log(self, address: str) -> Log:
        return self._servers[address].log


class _Manager(BaseManager):
    pass


_Manager.register("servers", _Servers)


class Double:
    """One server, as tests see it."""

    def __init__(self, servers: Any, address: str) -> None:
        self._servers, self.address = servers, address

    def run(self, text: str) -> None:
        """Run T-SQL, each statement by itself, as somebody else than comboi."""
        self._servers.run(self.address, text)

    @contextmanager
    def transaction(self, *texts: str, began: timedelta = timedelta()) -> Iterator[None]:
        """Run T-SQL in a transaction that is open for the block, and commits at its end.

        Args:
            began: How long ago the transaction is said to have begun.
        """
        number = self._servers.begin(self.address, texts, began)
        try:
            yield
        finally:
            self._servers.commit(self.address, number)

    def set(self, **changes: Any) -> None:
        """Change attributes of the server or its database, e.g. `shows_state`, `read_only`, `denied`, `tokens`."""
        self._servers.set(self.address, changes)

    def fail(self, *faults: Fault) -> None:
        """Have the next answers fail."""
        self.set(faults=list(faults))

    @property
    def log(self) -> Log:
        """What clients have sent so far."""
        return self._servers.log(self.address)

    def stop(self) -> None:
        """Stop listening, and cut every connection."""
        self._servers.stop(self.address)


class Doubles:
    """The process; from `with` to the end of the block."""

    def __enter__(self) -> Doubles:
        self._manager = _Manager(ctx=get_context("spawn"))
        self._manager.start()
        self._servers = self._manager.servers()  # type: ignore[attr-defined]
        return self

    def __exit__(self, *_: object) -> None:
        self._manager.shutdown()

    @contextmanager
    def server(
        self, *, users: dict[str, str], tokens: tuple[str, ...] = (), certificate: Path | None = None
    ) -> Iterator[Double]:
        """Start a server with an empty database; see `server.TdsServer`."""
        double = Double(self._servers, self._servers.start(certificate, users, tokens))
        try:
            yield double
        finally:
            double.stop()
