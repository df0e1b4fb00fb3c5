"""Signals reach the endpoint as envelopes; an endpoint that is down, slow or wrong costs the caller nothing."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading

import pytest

from comboi_core.domain.redaction import redactor
from comboi_core.telemetry import insights as module
from comboi_core.telemetry.insights import Insights
from comboi_core.telemetry.logs import InsightsHandler, log_to_insights
from comboi_core.telemetry.signals import Signal, operation_id, span_id
from tests.doubles.ingestion import KEY, IngestionDouble

AT = "2026-11-23T06:00:00+00:00"
RUN = "sales-20261123T060000Z-7f3a"
PATIENCE = 120.0


def message(text: str = "hello", **more) -> Signal:
    return Signal("message", AT, text, code=1, **more)


def test_each_kind_arrives_in_its_table_under_the_operation_of_the_run(ingestion):
    insights = Insights(ingestion.connection_string)

    run = {"operation": RUN}
    insights.send(
        [
            message(**run, properties={"table": "shop.orders", "attempt": 2, "code": None}),
            Signal("request", AT, "run sales", **run, id=span_id(RUN), seconds=90061.5, success=False, code="failed"),
            Signal("dependency", AT, "shop.orders", **run, id="b", parent="a", seconds=0.25, type="comboi table"),
            Signal("metric", AT, "comboi.rows", **run, measurements={"comboi.rows": 0}),
            Signal("request", AT, "measured", **run, measurements={"n": 1.5, "bad": float("nan")}),
        ]
    )

    assert insights.flush(PATIENCE)
    (trace,) = ingestion.rows("traces")
    assert (trace["message"], trace["severityLevel"]) == ("hello", 1)
    assert trace["customDimensions"] == {"run_id": RUN, "table": "shop.orders", "attempt": "2"}
    request, measured = ingestion.rows("requests")
    assert (request["name"], request["duration"], request["success"]) == ("run sales", "1.01:01:01.500", False)
    assert (request["resultCode"], request["id"]) == ("failed", span_id(RUN))
    (dependency,) = ingestion.rows("dependencies")
    assert (dependency["operation_ParentId"], dependency["type"]) == ("a", "comboi table")
    (metric,) = ingestion.rows("customMetrics")
    assert (metric["name"], metric["value"]) == ("comboi.rows", 0)
    assert measured["customMeasurements"] == {"n": 1.5}
    everything = [trace, request, dependency, metric, measured]
    assert {row["operation_Id"] for row in everything} == {operation_id(RUN)}
    assert {row["cloud_RoleName"] for row in everything} == {"comboi"}
    assert all(row["timestamp"] == AT for row in everything)


def test_secrets_and_endless_texts_are_taken_out_on_the_way(ingestion):
    redactor.add("sesame-of-the-insights-test")
    insights = Insights(ingestion.connection_string)

    insights.send([message("sesame-of-the-insights-test", properties={"m": "pwd=hunter2", "long": "x" * 100_000})])

    assert insights.flush(PATIENCE)
    (trace,) = ingestion.rows("traces")
    assert trace["message"] == "***" and trace["customDimensions"]["m"] == "pwd=***"
    assert len(trace["customDimensions"]["long"]) == 8192


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_endpoint_is_asked_again(ingestion, status):
    ingestion.statuses = [status, status]
    insights = Insights(ingestion.connection_string)

    insights.send([message()])

    assert insights.flush(PATIENCE)
    assert ingestion.requests == 3 and len(ingestion.envelopes) == 1


def test_an_endpoint_that_refuses_is_not_asked_again(ingestion, caplog):
    ingestion.statuses = [400]
    insights = Insights(ingestion.connection_string)

    insights.send([message()])

    assert insights.flush(PATIENCE)
    assert ingestion.requests == 1 and "telemetry cannot be delivered (refused)" in caplog.text


def test_an_endpoint_that_is_down_is_said_once_and_its_return_too(ingestion, caplog):
    caplog.set_level(logging.WARNING, "comboi.telemetry")
    ingestion.statuses = [503] * 6
    insights = Insights(ingestion.connection_string)

    for _ in range(3):
        insights.send([message()])
        assert insights.flush(PATIENCE)

    texts = [record.message for record in caplog.records if record.name == "comboi.telemetry"]
    assert texts == [
        "telemetry cannot be delivered (retry); runs go on without it",
        "telemetry is delivered again; 2 signals were dropped meanwhile",
    ]
    assert len(ingestion.envelopes) == 1


def test_nobody_at_the_address_drops_signals_and_raises_nothing(ingestion, caplog):
    closed = IngestionDouble()
    closed.close()
    insights = Insights(closed.connection_string)

    insights.send([message()])

    assert insights.flush(PATIENCE) and "cannot be delivered (retry)" in caplog.text


def test_a_hanging_endpoint_keeps_neither_the_sender_nor_the_memory(ingestion, monkeypatch):
    monkeypatch.setattr(module, "CAPACITY", 50)
    hanging, released = threading.Event(), threading.Event()

    class Hanging:
        def post(self, signals):
            hanging.set()
            released.wait(PATIENCE)
            return "sent"

    monkeypatch.setattr(module, "open_transport", lambda _: Hanging())
    insights = Insights("unused")
    insights.send([message()])
    assert hanging.wait(PATIENCE)

    insights.send(message() for _ in range(10_000))  # returns although nothing is taken

    assert insights._queue.qsize() <= 50 and not insights.flush(0.01)
    released.set()
    assert insights.flush(PATIENCE)


@pytest.mark.parametrize(
    "nonsense", ["", "nonsense", "InstrumentationKey=secret-key-of-somebody", f"a=b=c;InstrumentationKey={KEY}"]
)
def test_a_connection_string_that_is_none_turns_telemetry_off_with_a_warning(nonsense, caplog):
    insights = Insights(nonsense)

    insights.send([message()])

    assert insights.flush(PATIENCE)
    assert "telemetry is off: the connection string of Application Insights cannot be used" in caplog.text
    assert "secret-key-of-somebody" not in caplog.text


def test_logs_arrive_as_traces_with_their_context_those_of_telemetry_itself_do_not(ingestion, logger):
    insights = Insights(ingestion.connection_string)
    log_to_insights(insights)
    log_to_insights(insights)

    logging.getLogger("comboi.activities").warning(
        "%s failed", "shop.orders", extra={"run_id": RUN, "table": "shop.orders", "attempt": 2, "code": "x"}
    )
    logging.getLogger("comboi.telemetry").warning("not this one")
    try:
        raise ValueError("postgresql://u:hunter2@db")
    except ValueError:
        logger.exception("broken")

    assert insights.flush(PATIENCE)
    first, second = ingestion.rows("traces")
    assert (first["message"], first["severityLevel"], first["operation_Id"]) == (
        "shop.orders failed",
        2,
        operation_id(RUN),
    )
    assert first["customDimensions"] == {"run_id": RUN, "table": "shop.orders", "attempt": "2", "code": "x"}
    assert second["severityLevel"] == 3 and second["operation_Id"] is None
    assert "ValueError" in second["message"] and "hunter2" not in second["message"]


def test_another_resource_takes_the_place_of_the_one_before(ingestion, logger):
    log_to_insights(Insights(ingestion.connection_string))
    other = Insights("unused")

    log_to_insights(other)

    assert [handler.insights for handler in logger.handlers if isinstance(handler, InsightsHandler)] == [other]


def test_what_is_left_is_sent_when_the_process_ends_and_nothing_is_imported_before(ingestion):
    program = (
        "import sys\n"
        "from comboi_core.telemetry.insights import insights_of\n"
        "from comboi_core.telemetry.signals import Signal\n"
        "assert not [name for name in sys.modules if name.startswith(('opencensus', 'requests'))]\n"
        f"insights_of({ingestion.connection_string!r}).send([Signal('message', {AT!r}, 'last words', code=1)])\n"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300)

    assert (done.returncode, done.stderr) == (0, "")
    assert [row["message"] for row in ingestion.rows("traces")] == ["last words"]


def test_a_process_ends_although_the_endpoint_hangs(ingestion):
    ingestion.delay = 600
    program = (
        "from comboi_core.telemetry.insights import insights_of\n"
        "from comboi_core.telemetry.signals import Signal\n"
        f"insights_of({ingestion.connection_string!r}).send([Signal('message', {AT!r}, 'lost', code=1)])\n"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300)

    assert done.returncode == 0 and ingestion.envelopes == []
