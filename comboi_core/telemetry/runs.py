"""A finished run as signals: one request, a dependency per table and dataset and per attempt at them, metrics.

The names here are what queries are written against: `docs/operations.md` lists them, and its tests hold it to them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from comboi_core.domain.contracts.building import CheckRecord
from comboi_core.domain.contracts.record import DatasetRecord, Retried, RunRecord, TableRecord
from comboi_core.telemetry.signals import Signal, span_id

METRICS = {
    "comboi.rows": "rows that a table's load landed, or a dataset has",
    "comboi.bytes": "bytes written for it",
    "comboi.seconds": "seconds it took",
    "comboi.checks_passed": "checks of a dataset that passed",
    "comboi.checks_failed": "checks of a dataset that failed, warnings included",
    "comboi.shortfalls": "things of a table or dataset that readers do not see although it succeeded",
    "comboi.freshness_seconds": "seconds since the start of a table's last good load",
    "comboi.run_seconds": "seconds that the run took",
    "comboi.run_rows": "rows that the run's loads landed",
}
"""Names in customMetrics -> what they say."""
TYPES = {"table": "comboi table", "dataset": "comboi dataset", "attempt": "comboi attempt"}
"""What a dependency's `type` is."""
GOOD = ("succeeded",)


def run_signals(record: RunRecord, freshness: Mapping[str, float] | None = None) -> list[Signal]:
    """Return what is told of a finished run.

    Args:
        record: The run record.
        freshness: `source.table` -> seconds since the start of its last good load.
    """
    shared = {"pipeline": record["pipeline"], "trigger": record.get("trigger")}
    signals = [_run(record, shared)]
    for kind, name, stage, item in items(record):
        dimensions = {**shared, "kind": kind, "stage": stage, "item": name, "status": item["status"]}
        signals += _item(record, kind, name, item, dimensions)
    for name, seconds in (freshness or {}).items():
        dimensions = {**shared, "kind": "table", "stage": "bronze", "item": name}
        signals.append(_metrics(record, dimensions, {"comboi.freshness_seconds": seconds})[0])
    return signals


def items(record: RunRecord) -> Iterator[tuple[str, str, str, TableRecord | DatasetRecord]]:
    """Yield kind (`table` or `dataset`), name, stage and record of everything that the run was to do."""
    for table in record["tables"]:
        yield "table", f"{table['source']}.{table['table']}", "bronze", table
    for dataset in record["datasets"]:
        yield "dataset", dataset["name"], dataset["stage"], dataset


def _run(record: RunRecord, shared: dict[str, Any]) -> Signal:
    error: Mapping[str, Any] = record.get("error") or {}
    done = list(items(record))
    failed = [name for _, name, _, item in done if item["status"] == "failed"]
    short = [name for _, name, _, item in done if item.get("shortfalls")]
    return Signal(
        "request",
        str(record["started_at"]),
        f"run {record['pipeline']}",
        operation=record["run_id"],
        id=span_id(record["run_id"]),
        seconds=record["seconds"],
        success=record["status"] in GOOD,
        code=record["status"],
        properties={
            **shared,
            "status": record["status"],
            "stage": record.get("stage"),
            "full_refresh": record.get("full_refresh"),
            "failed": ", ".join(failed) or None,
            "shortfalls": ", ".join(short) or None,
            "code": error.get("code"),
            "message": error.get("message"),
        },
        measurements={
            "comboi.run_seconds": record["seconds"],
            "comboi.run_rows": sum(item.get("rows") or 0 for kind, _, _, item in done if kind == "table"),
        },
    )


def _item(
    record: RunRecord, kind: str, name: str, item: TableRecord | DatasetRecord, dimensions: dict[str, Any]
) -> list[Signal]:
    signals = []
    span = span_id(record["run_id"], name)
    error: Mapping[str, Any] = item.get("error") or {}
    if item.get("started_at"):  # what was skipped never began
        signals.append(
            Signal(
                "dependency",
                item["started_at"],
                name,
                operation=record["run_id"],
                id=span,
                parent=span_id(record["run_id"]),
                seconds=item.get("seconds") or 0.0,
                success=item["status"] in GOOD,
                code=error.get("code") or item["status"],
                type=TYPES[kind],
                properties={
                    **dimensions,
                    **{key: item.get(key) for key in ("mode", "sequence", "watermark", "attempts", "reason")},
                    **{key: error.get(key) for key in ("code", "message", "remedy")},
                    "shortfalls": ", ".join(one["code"] for one in item.get("shortfalls") or ()) or None,
                },
            )
        )
    for number, failure in enumerate(item.get("retried") or (), start=1):
        if failure.get("started_at"):
            signals.append(_attempt(record, span, name, number, failure, dimensions))
    return signals + _metrics(record, dimensions, _measured(item))


def _attempt(
    record: RunRecord, span: str, name: str, number: int, failure: Retried, dimensions: dict[str, Any]
) -> Signal:
    """An attempt that failed and was tried again."""
    ended = failure.get("failed_at") or failure["started_at"]
    took = datetime.fromisoformat(ended) - datetime.fromisoformat(failure["started_at"])
    return Signal(
        "dependency",
        failure["started_at"],
        f"{name} {failure.get('activity') or ''}".strip(),
        operation=record["run_id"],
        id=span_id(record["run_id"], name, str(number)),
        parent=span,
        seconds=took.total_seconds(),
        success=False,
        code=failure["code"],
        type=TYPES["attempt"],
        properties={
            **dimensions,
            "activity": failure.get("activity"),
            "attempt": number,
            "code": failure["code"],
            "message": failure["message"],
        },
    )


def _measured(item: TableRecord | DatasetRecord) -> dict[str, float]:
    checks = cast("Sequence[CheckRecord]", item.get("checks") or ())
    nothing = (
        item["status"] in GOOD and item.get("files") == 0
    )  # its dependency says that it was looked at, and how long
    figures: dict[str, Any] = {
        "comboi.rows": None if nothing else item.get("rows"),
        "comboi.bytes": None if nothing else item.get("bytes"),
        "comboi.seconds": None if nothing else item.get("seconds"),
        "comboi.checks_passed": sum(bool(check["passed"]) for check in checks) if checks else None,
        "comboi.checks_failed": sum(not check["passed"] for check in checks) if checks else None,
    }
    figures["comboi.shortfalls"] = len(item.get("shortfalls") or ()) or None
    return {name: value for name, value in figures.items() if value is not None}


def _metrics(record: RunRecord, dimensions: dict[str, Any], values: dict[str, float]) -> list[Signal]:
    return [
        Signal(
            "metric",
            str(record["finished_at"]),
            name,
            operation=record["run_id"],
            parent=span_id(record["run_id"]),
            properties=dimensions,
            measurements={name: value},
        )
        for name, value in values.items()
    ]
