"""Structured logs: one JSON object per line, secrets redacted."""

from __future__ import annotations

import json
import logging
import time
from logging.handlers import RotatingFileHandler
from pathlib import Path

from comboi_core.telemetry.redaction import redactor

LOGGER = "comboi"
MAX_BYTES = 10_000_000
FILES_KEPT = 3
CONTEXT_FIELDS = ("run_id", "activity", "item", "code")


class JsonFormatter(logging.Formatter):
    """Formats a record as JSON: time (UTC), level, message, the context fields that it carries, the traceback."""

    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **{key: getattr(record, key) for key in CONTEXT_FIELDS if hasattr(record, key)},
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(redactor.value(entry), ensure_ascii=False)


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
