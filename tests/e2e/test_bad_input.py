"""Wrong input: each a clear error that names the place and says what to do; nothing that was landed is lost."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from comboi_core.cli.demo.postgres import EmbeddedPostgres
from tests.support.project import PASSWORD_VARIABLE, Project

INITIAL, DATASETS = "configs/initial.yml", "configs/transformations.yml"


def line_of(project: Project, path: str, text: str) -> int:
    lines = (project.folder / path).read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


@pytest.fixture(scope="module")
def contents(first_run: Project) -> dict[str, list[tuple]]:
    """What `landed` holds."""
    return first_run.contents()


def broken_yaml(project: Project) -> list[str]:
    project.edit(INITIAL, "engine:", "engine: [")
    return [f"{INITIAL}:", "not valid YAML"]


def unknown_key(project: Project) -> list[str]:
    project.edit(INITIAL, "primary_key:", "primary_keys:")
    line = line_of(project, INITIAL, "primary_keys:")
    return [f"{INITIAL}:{line}:", "unknown key 'primary_keys'", "did you mean 'primary_key'?"]


def unknown_source_type(project: Project) -> list[str]:
    project.edit(INITIAL, "type: postgres", "type: postgre")
    return [f"{INITIAL}:{line_of(project, INITIAL, 'type: postgre')}:", "'postgre'", "did you mean 'postgres'?"]


def missing_script(project: Project) -> list[str]:
    (project.folder / "transformations" / "revenue.sql").unlink()
    line = line_of(project, DATASETS, "name: revenue")
    return [f"{DATASETS}:{line}:", "revenue", "orders_clean.sql"]


def script_without_transform(project: Project) -> list[str]:
    project.write("transformations/events_per_kind.py", "def transfrom(con, inputs):\n    return ''\n")
    return ["transformations/events_per_kind.py:", "transform"]


def missing_check_script(project: Project) -> list[str]:
    project.edit(DATASETS, "- amounts", "- amount")
    return [f"{DATASETS}:", "orders_clean", "transformations/quality/amount.py"]


def cycle(project: Project) -> list[str]:
    project.edit(
        DATASETS,
        "  - alias: events\n    source: shop\n    table: events\n",
        "  - alias: events\n    source: shop\n    table: events\n  - alias: o\n    dataset: orders_clean\n",
    )
    project.edit(
        DATASETS,
        "  - alias: orders\n    source: shop",
        "  - alias: e\n    dataset: events_per_kind\n  - alias: orders\n    source: shop",
    )
    return [f"{DATASETS}:", "circle", "orders_clean", "events_per_kind"]


def unknown_input(project: Project) -> list[str]:
    project.edit(DATASETS, "table: customers", "table: customer")
    line = line_of(project, DATASETS, "table: customer") - 2
    return [f"{DATASETS}:{line}:", "shop.customer", "did you mean 'shop.customers'?"]


@pytest.mark.parametrize(
    "damage",
    [
        broken_yaml,
        unknown_key,
        unknown_source_type,
        missing_script,
        script_without_transform,
        missing_check_script,
        cycle,
        unknown_input,
    ],
)
@pytest.mark.few(3)
def test_a_wrong_project_is_refused_with_file_and_line_before_anything_runs(
    first_run: Project, landed: Project, contents: dict[str, list[tuple]], damage: Callable[[Project], list[str]]
):
    expected = damage(landed)
    for command in ("run", "validate"):
        done = landed.comboi(command)
        said = done.stdout + done.stderr
        assert done.returncode == 1, said
        for text in expected:
            assert text in said, f"comboi {command} said:\n{said}"
        assert "Traceback" not in said
    for folder in ("configs", "transformations"):
        shutil.copytree(first_run.folder / folder, landed.folder / folder, dirs_exist_ok=True)
    assert landed.contents() == contents


def test_a_missing_environment_variable_is_named_with_the_remedy(landed: Project):
    landed.env = {}
    done = landed.comboi("run")
    assert done.returncode == 1
    assert f"the environment variable {PASSWORD_VARIABLE} is not set" in done.stdout
    assert f"export {PASSWORD_VARIABLE}=" in done.stdout
    assert f"the environment variable {PASSWORD_VARIABLE} is not set" in landed.comboi("validate").stderr


@pytest.mark.slow
def test_an_unreachable_database_is_tried_again_and_then_named(landed: Project):
    landed.env[PASSWORD_VARIABLE] = "postgresql://comboi:hidden-word@127.0.0.1:1/shop"
    landed.edit(INITIAL, "table: shop.", "on_change: warn\n    table: shop.")  # another server is refused before
    done = landed.comboi("run", "--json")
    record = json.loads(done.stdout)
    assert done.returncode == 1
    assert record["status"] == "failed"
    for table in record["tables"]:
        assert table["error"]["code"] == "source_unreachable"
        assert table["attempts"] == 2 and len(table["retried"]) == 1
    assert all(item["status"] == "skipped" for item in record["datasets"])
    assert_secret_is_nowhere(landed, "hidden-word", done.stdout + done.stderr)
    again = landed.comboi("run", "bronze")
    assert "source_unreachable" in again.stdout and "is being run by" not in again.stderr, "the lease was given back"
    assert len(landed.contents()["shop.orders"]) == 5000


def test_a_table_that_fails_while_its_rows_are_read_is_shown_like_any_other(landed: Project):
    query = "SELECT customer_id, 1 / (customer_id - 5) AS x FROM shop.customers"
    landed.edit(INITIAL, "table: shop.customers", f"query: {query}")
    done = landed.comboi("run", "bronze")
    assert done.returncode == 1
    assert "division by zero" in done.stdout and "Traceback" not in done.stderr
    assert len(landed.contents()["shop.customers"]) == 50


def test_a_wrong_password_is_an_error_that_never_shows_it(project: Project, tmp_path: Path):
    with EmbeddedPostgres(tmp_path / "tcp", tcp=True, password="the-right-word") as server:
        server.psql(
            "CREATE SCHEMA shop; CREATE TABLE shop.orders (order_id bigint primary key, updated_at timestamptz)"
        )
        project.env[PASSWORD_VARIABLE] = server.tcp_uri("the-wrong-word")
        done = project.comboi("run", "bronze", "--json")
    record = json.loads(done.stdout)
    assert done.returncode == 1
    assert {table["error"]["code"] for table in record["tables"]} == {"source_auth_failed"}
    assert {table["attempts"] for table in record["tables"]} == {1}, "a refused login is not tried again"
    assert_secret_is_nowhere(project, "the-wrong-word", done.stdout + done.stderr)


def assert_secret_is_nowhere(project: Project, secret: str, said: str) -> None:
    """Look in what was printed and in every file of the project: lake, history, log."""
    assert secret not in said
    for path in project.folder.rglob("*"):
        if path.is_file():
            assert secret.encode() not in path.read_bytes(), path


def test_a_dropped_table_fails_that_table_and_keeps_what_was_landed(landed: Project, database: EmbeddedPostgres):
    database.psql("DROP TABLE shop.events")
    done = landed.comboi("run")
    assert done.returncode == 1
    assert "source_object_missing" in done.stdout and "shop.events" in done.stdout
    assert len(landed.contents()["shop.events"]) == 3000


def test_a_script_that_raises_is_shown_with_its_line(landed: Project):
    landed.write("transformations/events_per_kind.py", "def transform(con, inputs):\n    return 1 / 0\n")
    done = landed.comboi("run")
    assert done.returncode == 1
    assert "transformations/events_per_kind.py:2" in done.stdout
    assert "ZeroDivisionError" in done.stdout


def test_a_wrong_column_in_sql_is_shown_with_line_and_the_columns_there_are(landed: Project):
    landed.write(
        "transformations/orders_clean.sql",
        "SELECT o.*, c.name,\n  c.town\nFROM orders o JOIN customers c USING (customer_id)\n",
    )
    done = landed.comboi("run")
    assert done.returncode == 1
    assert "transformations/orders_clean.sql:2" in done.stdout
    assert "city" in done.stdout


def test_unknown_names_on_the_command_line_are_refused(landed: Project):
    done = landed.comboi("run", "--select", "order_clean")
    assert done.returncode == 1 and "did you mean 'orders_clean'?" in done.stderr
    done = landed.comboi("run", "sliver")
    assert done.returncode == 1 and "did you mean 'silver'?" in done.stderr
    done = landed.comboi("status", "shop-20260101T000000Z-abcd")
    assert done.returncode == 1 and "there is no run" in done.stderr
    done = landed.comboi("run", "--config", "nowhere.yml")
    assert done.returncode == 1 and "nowhere.yml: no such file" in done.stderr


def test_malformed_requests_get_problem_documents(landed: Project):
    server = landed.start("serve", "--port", "0")
    try:
        base = server.stdout.readline().split(" at ")[1].strip().removesuffix("/runs")
        for body, detail in (
            (b"{", "not a JSON object"),
            (b"[]", "not a JSON object"),
            (b'{"stagee": "bronze"}', "did you mean 'stage'?"),
            (b'{"stage": 1}', "stage"),
            (b'{"stage": "sliver"}', "did you mean 'silver'?"),
            (b'{"select": ["nothing"]}', "nothing"),
        ):
            answer = requests.post(f"{base}/runs", data=body, timeout=300)
            assert answer.status_code == 400, body
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert detail in answer.json()["detail"], answer.text
            assert answer.json()["remedy"]
        for path in ("runs/shop-20260101T000000Z-abcd", "runs/..%2f..%2fetc", "tables/shop.nothing"):
            answer = requests.get(f"{base}/{path}", timeout=300)
            assert answer.status_code == 404, path
            assert answer.json()["code"] in ("run_not_found", "table_not_found")
        assert requests.get(f"{base}/runs?limit=x", timeout=300).status_code == 400
        assert requests.get(f"{base}/health", timeout=300).status_code == 200
    finally:
        server.terminate()
        assert server.wait(300) == 0


@pytest.mark.slow
def test_another_cursor_column_wants_a_full_refresh(landed: Project, database: EmbeddedPostgres):
    database.psql("ALTER TABLE shop.orders ADD changed timestamptz; UPDATE shop.orders SET changed = '2025-01-01+00'")
    landed.edit(INITIAL, "incremental_column: updated_at", "incremental_column: changed")
    done = landed.comboi("run", "bronze")
    assert done.returncode == 1
    assert "the cursor is changed, but the table was loaded with the cursor updated_at" in done.stdout
    landed.run("bronze", "--full-refresh")
    assert len(landed.contents()["shop.orders"]) == 5000
