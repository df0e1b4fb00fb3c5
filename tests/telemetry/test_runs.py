"""A run record as signals: its parts, their times and figures, and only what the record really has."""

from __future__ import annotations

from comboi_core.telemetry.runs import METRICS, run_signals
from comboi_core.telemetry.signals import span_id

RUN = "sales-20261123T060000Z-7f3a"
ERROR = {"code": "check_failed", "message": "not_null(customer_id)", "remedy": "Look.", "transient": False}
RETRIED = {
    "code": "source_unreachable",
    "message": "refused",
    "activity": "plan_table",
    "started_at": "2026-11-23T06:00:01+00:00",
    "failed_at": "2026-11-23T06:00:03.500000+00:00",
}

SHORT = {"code": "future_cursor", "message": "3 rows wait for 2027", "remedy": "Mend the clock.", "rows": 3}


def record(**changes):
    return {
        "run_id": RUN,
        "pipeline": "sales",
        "trigger": "timer",
        "status": "failed",
        "started_at": "2026-11-23T06:00:00+00:00",
        "finished_at": "2026-11-23T06:01:00+00:00",
        "seconds": 60.0,
        "error": None,
        "tables": [
            {
                "source": "shop",
                "table": "orders",
                "status": "succeeded",
                "rows": 10,
                "bytes": 2048,
                "seconds": 4.5,
                "attempts": 2,
                "started_at": "2026-11-23T06:00:01+00:00",
                "retried": [RETRIED],
                "shortfalls": [SHORT],
            }
        ],
        "datasets": [
            {
                "stage": "silver",
                "name": "orders_clean",
                "status": "failed",
                "rows": None,
                "seconds": 2.0,
                "started_at": "2026-11-23T06:00:10+00:00",
                "checks": [{"passed": True}, {"passed": False}],
                "error": ERROR,
            },
            {"stage": "gold", "name": "revenue", "status": "skipped"},
        ],
        **changes,
    }


def of(kind, signals):
    return {signal.name: signal for signal in signals if signal.kind == kind}


def test_the_run_is_a_request_that_failed_with_what_failed():
    (run,) = of("request", run_signals(record())).values()

    assert (run.name, run.id, run.seconds, run.success, run.code) == ("run sales", span_id(RUN), 60.0, False, "failed")
    assert run.properties["failed"] == "orders_clean"
    assert run.measurements == {"comboi.run_seconds": 60.0, "comboi.run_rows": 10}


def test_what_began_is_below_the_run_what_was_skipped_is_not():
    spans = of("dependency", run_signals(record()))

    assert set(spans) == {"shop.orders", "shop.orders plan_table", "orders_clean"}
    table, attempt, dataset = spans["shop.orders"], spans["shop.orders plan_table"], spans["orders_clean"]
    assert table.parent == dataset.parent == span_id(RUN) and attempt.parent == table.id
    assert (table.success, table.seconds, table.properties["attempts"]) == (True, 4.5, 2)
    assert (attempt.success, attempt.seconds, attempt.code) == (False, 2.5, "source_unreachable")
    assert (dataset.code, dataset.properties["message"]) == ("check_failed", "not_null(customer_id)")
    assert len({span.id for span in spans.values()}) == 3


def test_metrics_are_those_that_the_record_has_and_freshness():
    metrics = [signal for signal in run_signals(record(), {"shop.orders": 59.0}) if signal.kind == "metric"]

    found = {(signal.name, signal.properties["item"]): signal.measurements[signal.name] for signal in metrics}
    assert found == {
        ("comboi.rows", "shop.orders"): 10,
        ("comboi.bytes", "shop.orders"): 2048,
        ("comboi.seconds", "shop.orders"): 4.5,
        ("comboi.shortfalls", "shop.orders"): 1,
        ("comboi.seconds", "orders_clean"): 2.0,
        ("comboi.checks_passed", "orders_clean"): 1,
        ("comboi.checks_failed", "orders_clean"): 1,
        ("comboi.freshness_seconds", "shop.orders"): 59.0,
    }
    assert {name for name, _ in found} <= set(METRICS)


def test_a_run_that_never_was_planned_says_why():
    signals = run_signals(record(tables=[], datasets=[], error=ERROR))

    (run,) = signals
    assert run.properties["code"] == "check_failed" and run.properties["failed"] is None


def test_the_same_record_gives_the_same_ids():
    assert run_signals(record()) == run_signals(record())


def test_shortfalls_can_be_asked_for_by_code_and_by_number():
    told = record()
    told["tables"][0]["shortfalls"] = [
        {"code": code, "message": "m", "remedy": "r", "rows": None} for code in ("future_cursor", "duplicate_keys")
    ]

    signals = run_signals(told)

    item = next(one for one in signals if one.kind == "dependency" and one.name == "shop.orders")
    assert item.properties["shortfalls"] == "future_cursor, duplicate_keys"
    assert signals[0].properties["shortfalls"] == "shop.orders"
    assert next(one for one in signals if one.name == "comboi.shortfalls").measurements == {"comboi.shortfalls": 2}
