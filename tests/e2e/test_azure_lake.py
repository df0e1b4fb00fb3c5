"""Whole runs on a lake in Azure: Azurite stands in for the storage account."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from comboi_core.cli.demo.postgres import EmbeddedPostgres
from tests.doubles.azurite import Azurite
from tests.doubles.flaky_storage import flaky_storage
from tests.support.azure import AzureProject
from tests.support.killing import Undisturbed, instants, kill_and_run_again, prepare
from tests.support.patched import HASTY, Patched

SEED, TIMES = 20261124, 3

hits: list[int] = []


@pytest.fixture(scope="module")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory, database: EmbeddedPostgres, storage: Azurite
) -> Iterator[Undisturbed]:
    """A first run, and a second one after changes."""
    yield prepare(tmp_path_factory.mktemp("azure"), database, partial(AzureProject.make, storage=storage))
    assert not hits or any(hits), "no run was killed: the test has lost its aim"


@pytest.fixture
def project(undisturbed: Undisturbed, tmp_path: Path) -> AzureProject:
    """The project after its first run, the source changed since."""
    return undisturbed.before.copy(tmp_path / "project")


@pytest.mark.slow
def test_two_runs_bring_the_source_s_rows_and_leave_nothing_on_the_disk(undisturbed, database):
    query = "SELECT count(*), sum(amount), count(*) FILTER (WHERE status = 'paid') FROM shop.orders"
    count, total, paid = database.psql(query).strip().split("|")
    orders = undisturbed.contents["shop.orders"]
    assert (len(orders), str(sum(row[2] for row in orders))) == (int(count), total)
    assert sum(row[3] == "paid" for row in orders) == int(paid)
    assert len(undisturbed.contents["shop.events"]) == 3500
    assert len(undisturbed.contents["orders_clean"]) == int(count)
    assert {row[3] for row in undisturbed.contents["revenue"]} == {3500}
    before = undisturbed.before
    assert not (before.folder / "lake").exists()
    published = before.lake("gold").list(""), before.lake("silver").list("")
    refined = ["refined/events_per_kind.parquet", "refined/orders_clean.parquet"]
    assert published == (["metrics/revenue.parquet"], refined)
    assert any(path.startswith("runs/") for path in before.lake("bronze").list(""))


@pytest.mark.slow
def test_the_key_is_nowhere_to_be_read(undisturbed, storage):
    before = undisturbed.before
    written = [path.read_bytes() for path in before.folder.rglob("*") if path.is_file()]
    lake = before.lake("bronze")
    written += [lake.read(path) for path in lake.list("") if path.endswith(".json")]
    assert len(written) > 20 and not [text for text in written if storage.key.encode() in text]


@pytest.mark.parametrize("number", range(TIMES))
@pytest.mark.kill
def test_a_run_killed_at_any_instant_loses_and_doubles_nothing(undisturbed, tmp_path, number):
    hits.append(kill_and_run_again(undisturbed, tmp_path / "project", instants(SEED + number, undisturbed.seconds)[:1]))


@pytest.mark.slow
def test_a_run_on_a_busy_account_waits_and_loses_nothing(undisturbed, project, storage):
    """DuckDB's own client waits 503 out, but neither 429 nor each reset: there the run's retries come in."""
    project.edit("configs/initial.yml", "attempts: 2", "attempts: 6")
    with flaky_storage(storage.port) as flaky:
        flaky.every(20, 503, "reset", "lose", 429, *[503] * 100)
        project.through(flaky.port)
        project.run()
        assert {fault for fault, *_ in flaky.faults} == {503, 429, "reset", "lose"}
    project.through(storage.port)
    assert project.contents() == undisturbed.contents


@pytest.mark.slow
def test_an_account_that_does_not_answer_is_named(project, storage):
    with flaky_storage(storage.port) as flaky:
        port = flaky.port
    project.through(port)
    done = Patched.of(project, HASTY).comboi("run")
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == 1
    assert f"http://127.0.0.1:{port}" in said and "cannot be reached" in said
    assert "what to do: Check the account" in said and storage.key not in said


@pytest.mark.slow
def test_a_wrong_key_is_named_without_showing_it(project, storage):
    wrong = "A" * 86 + "=="
    project.env["LAKE_CONNECTION"] = storage.connection_string.replace(storage.key, wrong)
    done = project.comboi("run")
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == 1 and "answers 403" in said and "what to do: Check the key" in said
    assert wrong not in said and storage.key not in said
