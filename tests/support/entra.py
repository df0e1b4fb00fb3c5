"""A PostgreSQL that takes access tokens as Azure's does: in the place of the password, in clear within TLS."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from comboi_core.cli.demo.postgres import EmbeddedPostgres
from comboi_core.domain.sql import literal
from tests.doubles.tls_front import TlsFront

ROLE = "id-comboi-dev-1a2b3c"


@dataclass
class EntraPostgres:
    """A server, and TLS in front of it.

    What it does not have: Entra ID. Its role has the one token that it takes as a password.
    """

    server: EmbeddedPostgres
    front: TlsFront

    @property
    def connection(self) -> dict[str, str]:
        """A source's connection, as it is configured."""
        place = f"localhost:{self.front.port}/postgres?sslmode=verify-full&sslrootcert={self.front.certificate}"
        return {"conn_str": f"postgresql://{ROLE}@{place}", "authentication": "managed_identity"}

    def takes(self, token: str) -> None:
        """Take this token and no other one."""
        self.server.psql(f'ALTER ROLE "{ROLE}" PASSWORD {literal(token)}')

    def end(self, pid: str) -> None:
        """End a connection, and wait until it is gone."""
        self.server.psql(f"SELECT pg_terminate_backend({pid}, 30000)")


@contextmanager
def entra_postgres(folder: Path) -> Iterator[EntraPostgres]:
    """Start one, with its data in a folder."""
    with EmbeddedPostgres(folder, tcp=True, password="not used") as server:
        rules = folder / "cluster" / "pg_hba.conf"
        rules.write_text(rules.read_text().replace("scram-sha-256", "password"))
        server.psql(f'SELECT pg_reload_conf(); CREATE ROLE "{ROLE}" LOGIN; GRANT pg_read_all_data TO "{ROLE}"')
        front = TlsFront(server.port, folder)
        try:
            yield EntraPostgres(server, front)
        finally:
            front.close()
