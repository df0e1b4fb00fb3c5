"""Structured logs: one JSON object per line, secrets redacted; and the same records for Application Insights."""

from __future__ import annotations

import json
import logging
import time
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from comboi_core.telemetry.insights import Insights
from comboi_core.telemetry.redaction import redactor
from comboi_core.telemetry.signals import Signal, severity

LOGGER = "comboi"
MAX_BYTES = 10_000_000
FILES_KEPT = 3
CONTEXT_FIELDS = ("run_id", "pipeline", "activity", "table", "dataset", "item", "attempt", "code", "rows", "seconds")
"""What a record may carry beyond its message; `extra=` of a logging call gives it."""


def work_context(payload: dict[str, Any]) -> dict[str, Any]:
    """Return the context fields of an activity's payload: run, pipeline, attempt, and what it works on, if given.

    `item` is the name of a table or dataset; `table` or `dataset` is the same, where the payload says which it is.
    """
    item = payload.get("item")
    item = item if isinstance(item, dict) else {}
    found = {key: payload.get(key) for key in ("run_id", "pipeline", "attempt")} | {"item": item.get("name")}
    if item.get("kind") in ("table", "dataset"):
        found[item["kind"]] = item.get("name")
    return {key: value for key, value in found.items() if value is not None}


class JsonFormatter(logging.Formatter):
    """Formats a record as JSON: time (UTC), level, message, the context fields that it carries, the traceback."""

    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **context(record),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(redactor.value(entry), ensure_ascii=False)


def context(record: logging.LogRecord) -> dict[str, Any]:
    """Return the context fields that a record carries."""
    return {key: getattr(record, key) for key in CONTEXT_FIELDS if hasattr(record, key)}


class InsightsHandler(logging.Handler):
    """Passes records on to Application Insights, those about telemetry itself excepted."""

    def __init__(self, insights: Insights) -> None:
        super().__init__(logging.INFO)
        self.insights = insights

    def emit(self, record: logging.LogRecord) -> None:
        """See logging.Handler."""
        if record.name.startswith(f"{LOGGER}.telemetry"):
            return
        try:
            text = record.getMessage()
            if record.exc_info:
                text += "\n" + logging.Formatter().formatException(record.exc_info)
            fields = context(record)
            at = datetime.fromtimestamp(record.created, UTC).isoformat()
            run_id = fields.pop("run_id", None)
            level = severity(record.levelno)
            self.insights.send([Signal("message", at, text, operation=run_id, properties=fields, code=level)])
        except Exception:
            self.handleError(record)


def log_to_insights(insights: Insights) -> None:
    """Send logs to a resource of Application Insights from now on, and to no other one."""
    logger = logging.getLogger(LOGGER)
    ours = [handler for handler in logger.handlers if isinstance(handler, InsightsHandler)]
    if any(handler.insights is insights for handler in ours):
        return
    for handler in ours:
        logger.removeHandler(handler)
    logger.addHandler(InsightsHandler(insights))
    logger.setLevel(logging.INFO)


def log_to_file(path: Path) -> None:
    """Append logs to a file that rotates; asked again for the same file, nothing changes.

    A file that cannot be written costs a warning, never the run.
    """
    logger = logging.getLogger(LOGGER)
    wanted = str(path.resolve())
    if any(getattr(handler, "baseFilename", None) == wanted for handler in logger.handlers):
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(
            path, maxBytes=MAX_BYTES, backupCount=FILES_KEPT, encoding="utf-8", errors="replace"
        )
    except OSError as error:
        logger.warning("cannot write logs to %s: %s", path, error)
        return
    handler.setFormatter(JsonFormatter())
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
