"""The frame around every activity: errors become data, secrets are taken out, failures are logged."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from comboi_core.app.workspace import Workspace, open_workspace
from comboi_core.domain.errors import ComboiError, InternalError
from comboi_core.telemetry.logs import LOGGER
from comboi_core.telemetry.redaction import redactor

log = logging.getLogger(f"{LOGGER}.activities")

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
        record = redactor.value(error.record())
        log.warning(record["message"], extra={**context, "code": record["code"]})
        return {"error": record}
    except Exception as error:
        log.exception("unforeseen error", extra=context)
        return {"error": redactor.value(InternalError(f"{type(error).__name__}: {error}").record())}
    log.info("done", extra=context)
    return result


def _item(payload: dict[str, Any]) -> str | None:
    item = payload.get("item")
    return item.get("name") if isinstance(item, dict) else None
