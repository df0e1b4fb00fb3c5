"""The frame around every activity: errors become data, secrets are taken out, failures are logged."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from comboi_core.app.logs import send_logs
from comboi_core.app.workspace import Workspace, open_workspace
from comboi_core.domain.errors import ComboiError, ErrorRecord, InternalError, LakeRefused, SourceAuthFailed
from comboi_core.domain.redaction import redactor
from comboi_core.domain.userscript import said_by
from comboi_core.secrets.vault import secrets_renewed, secrets_version
from comboi_core.telemetry.logs import LOGGER, work_context

log = logging.getLogger(f"{LOGGER}.activities")

MESSAGE_LENGTH = 1500
WORKED_WITH = frozenset(
    ("plan", "path", "page", "details", "manifest", "item", "items", "datasets", "files", "rest", "commit", "found")
    + ("watermark", "window", "after", "outcomes", "waves")
)
"""Fields of results that later activities take: paths, names, cursors, and parts that are framed already. They stay as
they are; all others are texts."""

Asked = TypeVar("Asked", bound=Mapping[str, Any])
Work = Callable[[Workspace, Any], Mapping[str, Any]]


def answer(work: Work, payload: dict[str, Any]) -> dict[str, Any]:
    """Do an activity's work and return its result, or `{"error": ErrorRecord}`; never raises.

    An error that the work returns is logged and redacted as one that it raises. So are all texts of a result: they go
    into histories, custom statuses and run records.

    Args:
        work: The use case.
        payload: Its input; `config_hash`, where given, is the configuration it has to work with.
    """

    def opened() -> Mapping[str, Any]:
        workspace = open_workspace(config_hash=payload.get("config_hash"))
        send_logs(workspace)
        return _result(work, workspace, payload)

    return _framed(work.__name__, payload, opened)


def part(work: Callable[[Workspace, Asked], Any], workspace: Workspace, payload: Asked) -> Any:
    """Do one of several pieces of work of an activity in the frame of `answer`: one that fails leaves the others be."""
    return _framed(work.__name__, payload, lambda: _result(work, workspace, payload))


def _framed(name: str, payload: Mapping[str, Any], do: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
    context = {**work_context(payload), "activity": name}
    started = time.monotonic()
    try:
        result = do()
    except ComboiError as error:
        result = {"error": error.record()}
    except Exception as error:
        log.error("unforeseen error: %s", traceback.format_exc(), extra=context)
        return {"error": _shortened(InternalError(f"{type(error).__name__}: {said_by(error)}").record())}
    context["seconds"] = round(time.monotonic() - started, 3)
    if failure := result.get("error"):
        log.warning("%s", failure["message"], extra={**context, "code": failure["code"]})
        return _redacted(result) | {"error": _shortened(failure)}
    if "outcomes" not in result:  # else each part has said so itself
        log.log(logging.DEBUG if result.get("unchanged") else logging.INFO, "done", extra=context)
    return _redacted(result)


def _redacted(result: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value if key in WORKED_WITH else redactor.value(value) for key, value in result.items()}


def _result(work: Work, workspace: Workspace, payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """Do the work; once more where a login was refused whose secret has been rotated in the vault meanwhile."""
    version = secrets_version()
    try:
        return work(workspace, payload)
    except (SourceAuthFailed, LakeRefused):
        if not secrets_renewed(since=version):
            raise
    return work(workspace, payload)


def _shortened(error: ErrorRecord) -> ErrorRecord:
    """Return the error without secrets, and short: it goes into orchestrations' histories. The log has all of it."""
    record: ErrorRecord = redactor.value(dict(error))
    if len(record["message"]) > MESSAGE_LENGTH:
        record["message"] = f"{record['message'][:MESSAGE_LENGTH]} ... (the log has the rest)"
    return record
