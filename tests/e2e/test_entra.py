"""No password and no key anywhere: every command signs in with the app's identity, and its token stands nowhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from comboi_core.telemetry.identity import VARIABLE
from tests.doubles.identity import IdentityDouble, signed_in
from tests.doubles.ingestion import IngestionDouble
from tests.support.entra import ROLE, EntraPostgres, entra_postgres
from tests.support.project import CONFIG, Project, refill


@pytest.fixture(scope="module")
def entra(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EntraPostgres]:
    with entra_postgres(tmp_path_factory.mktemp("entra")) as started:
        yield started


@pytest.fixture
def identity(monkeypatch: pytest.MonkeyPatch, entra: EntraPostgres) -> Iterator[IdentityDouble]:
    with signed_in(monkeypatch) as double:
        entra.takes(double.token)
        yield double


@pytest.fixture
def ingestion(identity: IdentityDouble) -> Iterator[IngestionDouble]:
    double = IngestionDouble()
    double.tokens = {identity.token}
    yield double
    double.close()


@pytest.fixture
def keyless(tmp_path: Path, entra: EntraPostgres, identity: IdentityDouble, ingestion: IngestionDouble) -> Project:
    """A project whose database and telemetry take tokens of the identity, and nothing else."""
    refill(entra.server)
    project = Project.create(tmp_path / "project", "not used")
    config = json.loads(json.dumps(CONFIG))
    config["sources"][0]["connection"] = entra.connection
    project.write("configs/initial.yml", yaml.safe_dump(config, sort_keys=False))
    project.env |= {
        **identity.variables,
        VARIABLE: "Authorization=AAD;ClientId=abc",
        "APPLICATIONINSIGHTS_CONNECTION_STRING": ingestion.connection_string,
        "AZURE_CLIENT_ID": "abc",
    }
    return project


def leaks(project: Project, identity: IdentityDouble, said: list[str]) -> list[str]:
    """Return where the token, or a piece of it, stands in what a project's commands left behind."""
    pieces = [piece.encode() for piece in identity.token.split(".")]
    places = {str(path): path.read_bytes() for path in project.folder.rglob("*") if path.is_file()}
    places |= {f"output {number}": text.encode() for number, text in enumerate(said)}
    assert any(path.endswith("hub.db") for path in places)
    return [place for place, content in places.items() if any(piece in content for piece in pieces)]


@pytest.mark.slow
def test_every_command_that_asks_the_database_signs_in_and_leaves_no_token_behind(
    keyless: Project, identity: IdentityDouble, ingestion: IngestionDouble
):
    said = []
    for command in (
        ("plan", "--json"),
        ("run", "--json"),
        ("doctor", "--json"),
        ("new", "table", "shop", "shop.events", "--name", "more_events"),
        ("run", "--select", "shop.more_events"),
        ("status", "--json"),
    ):
        asked = len(identity.asked)
        done = keyless.comboi(*command)
        said.append(done.stdout + done.stderr)
        assert done.returncode == 0, said[-1]
        databases = [client for resource, client in identity.asked[asked:] if "ossrdbms-aad" in resource]
        assert databases == ([] if command[0] == "status" else ["abc"]), "one token per process"

    assert len(keyless.contents()["shop.orders"]) == 5000
    assert ingestion.rows("requests") and set(ingestion.authorizations) == {f"Bearer {identity.token}"}
    assert leaks(keyless, identity, said) == []
    assert identity.token not in json.dumps(ingestion.envelopes)


@pytest.mark.parametrize("trouble", ["refused", "no identity"])
def test_a_run_that_may_not_in_says_what_to_do_and_shows_no_token(
    keyless: Project, identity: IdentityDouble, entra: EntraPostgres, trouble: str
):
    if trouble == "refused":
        entra.takes("another one")
    else:
        identity.status = 400

    done = keyless.comboi("run", "--json")

    assert done.returncode == 1
    errors = [table["error"] for table in json.loads(done.stdout)["tables"] if table.get("error")]
    assert {error["code"] for error in errors} == {"source_auth_failed"}
    wanted = f"pgaadauth_create_principal('{ROLE}'" if trouble == "refused" else "Give the function app a managed"
    assert all(wanted in error["remedy"] for error in errors)
    assert leaks(keyless, identity, [done.stdout + done.stderr]) == []
