"""The frame around every activity: errors become data, secrets are taken out, failures are logged."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable
from typing import Any

from comboi_core.app.notifying import send_logs
from comboi_core.app.workspace import Workspace, open_workspace
from comboi_core.domain.errors import ComboiError, ErrorRecord, InternalError, LakeRefused, SourceAuthFailed
from comboi_core.secrets.vault import secrets_renewed, secrets_version
from comboi_core.telemetry.logs import LOGGER, work_context
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
    context = {**work_context(payload), "activity": work.__name__}
    started = time.monotonic()
    try:
        workspace = open_workspace(config_hash=payload.get("config_hash"))
        send_logs(workspace)
        result = _result(work, workspace, payload)
    except ComboiError as error:
        log.warning("%s", redactor.text(error.message), extra={**context, "code": error.code})
        return {"error": _record(error)}
    except Exception as error:
        # Redacted here already: in Azure, the worker's own handlers write records too, and know nothing of secrets.
        log.error("unforeseen error: %s", redactor.text(traceback.format_exc()), extra=context)
        return {"error": _record(InternalError(f"{type(error).__name__}: {error}"))}
    log.info("done", extra={**context, "seconds": round(time.monotonic() - started, 3)})
    return result


def _result(work: Work, workspace: Workspace, payload: dict[str, Any]) -> dict[str, Any]:
    """Do the work; once more where a login was refused whose secret has been rotated in the vault meanwhile."""
    version = secrets_version()
    try:
        return work(workspace, payload)
    except (SourceAuthFailed, LakeRefused):
        if not secrets_renewed(since=version):
            raise
    return work(workspace, payload)


def _record(error: ComboiError) -> ErrorRecord:
    """Return the error without secrets, and short: it goes into orchestrations' histories. The log has all of it."""
    record = error.record()
    message = redactor.text(record["message"])
    if len(message) > MESSAGE_LENGTH:
        message = f"{message[:MESSAGE_LENGTH]} ... (the log has the rest)"
    return {**record, "message": message, "remedy": redactor.text(record["remedy"])}
