"""Structured logs: one JSON object per line, secrets redacted; and the same records for Application Insights."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from comboi_core.domain.folders import make_private
from comboi_core.domain.redaction import redactor
from comboi_core.telemetry.insights import Insights
from comboi_core.telemetry.signals import Signal, severity

LOGGER = "comboi"
MAX_BYTES = 10_000_000
FILES_KEPT = 3
CONTEXT_FIELDS = ("run_id", "pipeline", "activity", "table", "dataset", "item", "attempt", "code", "rows", "seconds")
"""What a record may carry beyond its message; `extra=` of a logging call gives it."""


def work_context(payload: Mapping[str, Any]) -> dict[str, Any]:
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
        if traceback := traceback_of(record):
            entry["traceback"] = traceback
        return json.dumps(redactor.value(entry), ensure_ascii=False)


def context(record: logging.LogRecord) -> dict[str, Any]:
    """Return the context fields that a record carries."""
    return {key: getattr(record, key) for key in CONTEXT_FIELDS if hasattr(record, key)}


def traceback_of(record: logging.LogRecord) -> str | None:
    """Return the traceback that a record carries, as text; None without one."""
    if record.exc_info and not record.exc_text:
        return logging.Formatter().formatException(record.exc_info)
    return record.exc_text


class _Guard:
    """Makes log records without secrets; see `guard_logs`."""

    def __init__(self, make: Callable[..., logging.LogRecord]) -> None:
        self._make = make

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record = self._make(*args, **kwargs)
        try:
            said, traceback = record.getMessage(), traceback_of(record)
        except Exception:  # arguments that do not fit: the handler says so
            return record
        if (shown := redactor.text(said)) != said:
            record.msg, record.args = shown, ()
        if traceback and (shown := redactor.text(traceback)) != traceback:
            record.exc_info, record.exc_text = None, shown
        return record


class _GuardedStream:
    """Standard output or standard error, with secrets taken out of each piece that is written."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(redactor.text(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def guard_logs() -> None:
    """Have all that this process logs or prints made without secrets from now on, whoever does and wherever it goes.

    Handlers that are not ours, as those of the worker in Azure, loggers of libraries, and what user code prints get
    none either; nor do tracebacks of what nobody caught. Asked again, nothing changes.
    """
    make = logging.getLogRecordFactory()
    if not isinstance(make, _Guard):
        logging.setLogRecordFactory(_Guard(make))
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and not isinstance(stream, _GuardedStream):
            setattr(sys, name, _GuardedStream(stream))


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
            text = "\n".join(filter(None, (record.getMessage(), traceback_of(record))))
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


class _PrivateFile(RotatingFileHandler):
    """A log file that only this user can read, if it was not there before."""

    def _open(self) -> Any:
        return open(
            self.baseFilename, self.mode, encoding=self.encoding, errors=self.errors,
            opener=lambda path, flags: os.open(path, flags, 0o600),
        )  # fmt: skip


def log_to_file(path: Path) -> None:
    """Append logs to a file that rotates; asked again for the same file, nothing changes.

    A file that cannot be written costs a warning, never the run.
    """
    logger = logging.getLogger(LOGGER)
    wanted = str(path.resolve())
    if any(getattr(handler, "baseFilename", None) == wanted for handler in logger.handlers):
        return
    try:
        make_private(path.parent)
        handler = _PrivateFile(path, maxBytes=MAX_BYTES, backupCount=FILES_KEPT, encoding="utf-8", errors="replace")
    except OSError as error:
        logger.warning("cannot write logs to %s: %s", path, error)
        return
    handler.setFormatter(JsonFormatter())
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
