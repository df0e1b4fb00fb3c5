"""Runs of the shipped app with telemetry and alerts on, seen from the wire."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from comboi_core.app.logs import VARIABLE
from comboi_core.cli.demo.postgres import EmbeddedPostgres
from comboi_core.telemetry.signals import operation_id
from tests.doubles.ingestion import IngestionDouble
from tests.doubles.webhook import WebhookDouble
from tests.support.project import CONFIG, Project, refill

HOOK = "HOOK"


@pytest.fixture
def ingestion() -> Iterator[IngestionDouble]:
    """An endpoint of Application Insights."""
    double = IngestionDouble()
    yield double
    double.close()


@pytest.fixture(scope="module")
def sent(
    tmp_path_factory: pytest.TempPathFactory, database: EmbeddedPostgres
) -> Iterator[tuple[dict[str, Any], IngestionDouble]]:
    """The record of a run, and the endpoint that it told."""
    refill(database)
    project, double = Project.create(tmp_path_factory.mktemp("sent") / "project", database.uri), IngestionDouble()
    yield project.run(**{VARIABLE: double.connection_string}), double
    double.close()


@pytest.fixture
def service() -> Iterator[WebhookDouble]:
    """A service that takes alerts."""
    double = WebhookDouble()
    yield double
    double.close()


def names(record: dict) -> set[str]:
    return {f"{item['source']}.{item['table']}" for item in record["tables"]} | {
        item["name"] for item in record["datasets"]
    }


def test_a_run_arrives_under_one_operation_with_its_parts_and_figures(sent: tuple[dict[str, Any], IngestionDouble]):
    record, ingestion = sent

    (request,) = ingestion.rows("requests")
    assert (request["name"], request["success"], request["resultCode"]) == ("run shop", True, "succeeded")
    assert request["customMeasurements"]["comboi.run_rows"] == 8050
    spans = {row["name"]: row for row in ingestion.rows("dependencies") if row["type"] != "comboi attempt"}
    assert set(spans) == names(record) and {row["operation_ParentId"] for row in spans.values()} == {request["id"]}
    rows = {
        row["customDimensions"]["item"]: row["value"]
        for row in ingestion.rows("customMetrics")
        if row["name"] == "comboi.rows"
    }
    assert set(rows) == names(record) and rows["shop.orders"] == 5000
    operations = {row["operation_Id"] for table in ("requests", "dependencies") for row in ingestion.rows(table)}
    assert operations == {operation_id(record["run_id"])}


def test_logs_arrive_with_run_table_and_attempt(sent: tuple[dict[str, Any], IngestionDouble]):
    record, ingestion = sent

    traces = [row for row in ingestion.rows("traces") if row["customDimensions"].get("table") == "shop.orders"]
    assert {row["customDimensions"]["activity"] for row in traces} >= {"plan_table", "extract_chunks", "publish_load"}
    assert {(row["operation_Id"], row["customDimensions"]["attempt"]) for row in traces} == {
        (operation_id(record["run_id"]), "1")
    }


@pytest.mark.parametrize("trouble", ["nobody there", "hanging", "refusing"])
@pytest.mark.slow
def test_a_run_goes_on_as_without_telemetry_whatever_the_endpoint_does(
    project: Project, ingestion: IngestionDouble, trouble: str
):
    if trouble == "nobody there":
        ingestion.close()
    ingestion.delay = 600.0 if trouble == "hanging" else 0.0
    ingestion.statuses = [400] * 1000 if trouble == "refusing" else []

    record = project.run("bronze", **{VARIABLE: ingestion.connection_string})

    assert record["status"] == "succeeded" and ingestion.envelopes == []


@pytest.mark.slow
def test_failure_and_recovery_are_told_and_the_record_says_so(project: Project, service: WebhookDouble):
    hooks = [{"on": ["failed", "recovered"], "webhook": f"{{{{env:{HOOK}}}}}", "format": "slack"}]
    project.write("configs/initial.yml", yaml.safe_dump(CONFIG | {"notifications": hooks}))
    script = "transformations/orders_clean.sql"
    right = (project.folder / script).read_text()
    project.write(script, right.replace("o.*,", "o.* REPLACE (-amount AS amount),"))

    failed = project.comboi("run", **{HOOK: service.url})
    project.write(script, right)
    record = project.run(**{HOOK: service.url})

    assert failed.returncode == 1 and service.url not in failed.stdout + failed.stderr
    assert [payload["text"] for payload in service.payloads] == ["✗ shop: run failed", "✓ shop: recovered"]
    assert "negative amounts" in str(service.payloads[0])
    (told,) = record["notifications"]
    assert told["sent"] and (told["on"], told["format"], told["webhook"]) == ("recovered", "slack", 0)


@pytest.mark.slow
def test_a_webhook_that_is_down_does_not_fail_the_run(project: Project, service: WebhookDouble):
    service.close()
    hooks = [{"on": ["first_success"], "webhook": f"{{{{env:{HOOK}}}}}"}]
    project.write("configs/initial.yml", yaml.safe_dump(CONFIG | {"notifications": hooks}))

    record = project.run("bronze", **{HOOK: service.url})

    (told,) = record["notifications"]
    assert record["status"] == "succeeded" and not told["sent"] and told["told"].startswith("cannot be reached")
    shown = project.comboi("status", **{HOOK: service.url}).stdout
    assert f"! alert 'first_success' to webhook 1 (teams) was not delivered: {told['told']}" in shown
    assert service.url not in shown
