"""The frame around every activity: errors become data, secrets are taken out, failures are logged."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from typing import Any

from comboi_core.app.workspace import Workspace, open_workspace
from comboi_core.domain.errors import ComboiError, ErrorRecord, InternalError
from comboi_core.telemetry.logs import LOGGER
from comboi_core.telemetry.redaction import redactor

log = logging.getLogger(f"{LOGGER}.activities")

MESSAGE_LENGTH = 1500

Work = Callable[[Workspace, dict[str, Any]], dict[str, Any]]


def answer(work: Work, payload: dict[str, Any]) -> dict[str, Any]:
    """Do an activity's work and return its result, or `{"error": ErrorRecord}`; never raises.

    Args:
        work: The use case.
        payload: Its input; `config_hash`, where given, is the configuration it has to work with.
    """
    context = {"run_id": payload.get("run_id"), "activity": work.__name__, "item": _item(payload)}
    try:
        result = work(open_workspace(config_hash=payload.get("config_hash")), payload)
    except ComboiError as error:
        log.warning("%s", redactor.text(error.message), extra={**context, "code": error.code})
        return {"error": _record(error)}
    except Exception as error:
        # Redacted here already: in Azure, the worker's own handlers write records too, and know nothing of secrets.
        log.error("unforeseen error: %s", redactor.text(traceback.format_exc()), extra=context)
        return {"error": _record(InternalError(f"{type(error).__name__}: {error}"))}
    log.info("done", extra=context)
    return result


def _record(error: ComboiError) -> ErrorRecord:
    """Return the error without secrets, and short: it goes into orchestrations' histories. The log has all of it."""
    record = error.record()
    message = redactor.text(record["message"])
    if len(message) > MESSAGE_LENGTH:
        message = f"{message[:MESSAGE_LENGTH]} ... (the log has the rest)"
    return {**record, "message": message, "remedy": redactor.text(record["remedy"])}


def _item(payload: dict[str, Any]) -> str | None:
    item = payload.get("item")
    return item.get("name") if isinstance(item, dict) else None
