"""Secrets out of a vault through whole runs, good and bad ones: they work, and stand nowhere afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
import yaml

from comboi_core.cli.demo.postgres import EmbeddedPostgres
from tests.doubles.ingestion import IngestionDouble
from tests.doubles.vault import VaultDouble
from tests.doubles.webhook import WebhookDouble
from tests.support.patched import Patched
from tests.support.project import CONFIG, Project, refill

PASSWORD = "pl4nted p@ss/w'ö\"rd %41{x}"
SALT = "pl4nted-salt-of-the-masks"
WRONG = "pl4nted-wrong-password"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL that asks for the planted password."""
    with EmbeddedPostgres(tmp_path_factory.mktemp("guarded"), tcp=True, password=PASSWORD) as server:
        yield server


@dataclass
class Planted:
    """A project all of whose secrets come out of a vault, and everything that they could have leaked into.

    Attributes:
        said: What commands printed.
    """

    project: Patched
    vault: VaultDouble
    ingestion: IngestionDouble
    service: WebhookDouble
    said: list[str] = field(default_factory=list)

    def comboi(self, *arguments: str) -> int:
        """Run a command; return its exit code."""
        done = self.project.comboi(*arguments)
        self.said.append(done.stdout + done.stderr)
        return done.returncode

    def leaks(self) -> dict[str, set[str]]:
        """Return place -> the secrets that stand there, in any spelling that texts use."""
        places = {str(path): path.read_bytes() for path in self.project.folder.rglob("*") if path.is_file()}
        places |= {f"output {number}": text.encode() for number, text in enumerate(self.said)}
        places["telemetry"] = json.dumps(self.ingestion.envelopes, ensure_ascii=False).encode()
        places["alerts"] = json.dumps(self.service.payloads, ensure_ascii=False).encode()
        found: dict[str, set[str]] = {}
        for place, content in places.items():
            for secret in {*self.vault.secrets.values(), PASSWORD}:
                spellings = {secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1]}
                spellings |= {repr(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
                spellings |= {json.dumps(spelling)[1:-1] for spelling in list(spellings)}
                if any(spelling.encode() in content for spelling in spellings):
                    found.setdefault(place, set()).add(secret)
        return found


@pytest.fixture
def planted(tmp_path: Path, guarded: EmbeddedPostgres) -> Iterator[Planted]:
    """Everything on, everything from the vault."""
    refill(guarded)
    vault, ingestion, service = VaultDouble(tmp_path), IngestionDouble(), WebhookDouble()
    vault.secrets = {
        "password": PASSWORD,
        "salt": SALT,
        "insights": ingestion.connection_string,
        "hook": service.url,
    }
    project = Patched.of(Project.create(tmp_path / "project", "not used"), vault.prelude())
    config = json.loads(json.dumps(CONFIG))
    conn_str = guarded.tcp_uri("PLACE").replace("PLACE", "{{keyvault:password}}")
    config["sources"][0]["connection"]["conn_str"] = conn_str
    config["sources"][0]["tables"][2]["mask"] = {"name": "hash"}
    config |= {
        "key_vault": {"vault_url": vault.url},
        "masking": {"salt": "{{keyvault:salt}}"},
        "notifications": [{"on": ["failed", "first_success"], "webhook": "{{keyvault:hook}}", "format": "json"}],
    }
    config["monitoring"]["azure_connection_string"] = "{{keyvault:insights}}"
    project.write("configs/initial.yml", yaml.safe_dump(config, sort_keys=False))
    yield Planted(project, vault, ingestion, service)
    for double in (vault, ingestion, service):
        double.close()


@pytest.mark.slow
def test_a_run_with_every_secret_from_the_vault_leaves_none_of_them_anywhere(planted: Planted):
    assert planted.comboi("run") == 0, planted.said

    assert planted.ingestion.rows("requests") and planted.service.payloads, "everything was on"
    assert planted.project.lake("bronze").list("runs") and (planted.project.folder / ".comboi" / "hub.db").exists()
    assert planted.comboi("status", "--json") == 0
    assert planted.leaks() == {}
    assert planted.vault.asked.count("password") == 1, "one process reads a secret once"


@pytest.mark.parametrize("trouble", ["wrong password", "bad host", "no such secret", "a query that fails", "a script"])
@pytest.mark.few(1)
def test_a_failed_run_says_what_is_wrong_without_any_secret(planted: Planted, trouble: str):
    {
        "wrong password": lambda: planted.vault.secrets.update(password=WRONG),
        "bad host": lambda: planted.project.edit("configs/initial.yml", "127.0.0.1", "no-such-host.invalid"),
        "no such secret": lambda: planted.vault.secrets.pop("salt"),
        "a query that fails": lambda: planted.project.edit("configs/initial.yml", "shop.events", "shop.nothing"),
        "a script": lambda: planted.project.write(
            "transformations/events_per_kind.py",
            f"def transform(con, inputs):\n    raise ValueError({PASSWORD!r} + {SALT!r})\n",
        ),
    }[trouble]()

    assert planted.comboi("run") == 1
    planted.comboi("status", "--json")

    assert planted.service.payloads[0]["occasion"] == "failed"
    # The script itself holds them, on purpose; nothing else may.
    script = str(planted.project.folder / "transformations" / "events_per_kind.py")
    assert {place: found for place, found in planted.leaks().items() if place != script} == {}


@pytest.mark.slow
def test_a_rotated_password_is_taken_by_the_next_run(planted: Planted, guarded: EmbeddedPostgres):
    assert planted.comboi("run", "bronze") == 0, planted.said
    guarded.psql("ALTER ROLE comboi PASSWORD 'pl4nted-second-password'")
    try:
        assert planted.comboi("run", "bronze") == 1
        planted.vault.secrets["password"] = "pl4nted-second-password"
        assert planted.comboi("run", "bronze") == 0, planted.said
    finally:
        escaped = PASSWORD.replace("'", "''")
        guarded.psql(f"ALTER ROLE comboi PASSWORD '{escaped}'")
    assert planted.leaks() == {}


@pytest.mark.slow
def test_a_password_that_is_rotated_while_the_host_is_up_is_taken_within_the_run(
    planted: Planted, guarded: EmbeddedPostgres
):
    with planted.project.start("serve", "--port", "0") as host:
        try:
            assert planted.comboi("run", "bronze") == 0, planted.said
            planted.vault.secrets["password"] = "pl4nted-third-password"
            guarded.psql("ALTER ROLE comboi PASSWORD 'pl4nted-third-password'")
            assert planted.comboi("run", "bronze") == 0, planted.said
        finally:
            host.terminate()
            escaped = PASSWORD.replace("'", "''")
            guarded.psql(f"ALTER ROLE comboi PASSWORD '{escaped}'")
    assert planted.leaks() == {}
