"""Where this process's logs and telemetry go, as the project says."""

from __future__ import annotations

import logging
import os
from functools import lru_cache

from comboi_core.app.workspace import Workspace
from comboi_core.domain.errors import ComboiError
from comboi_core.domain.redaction import redactor
from comboi_core.telemetry.insights import Insights, insights_of
from comboi_core.telemetry.logs import LOGGER, log_to_insights

log = logging.getLogger(f"{LOGGER}.telemetry")

VARIABLE = "APPLICATIONINSIGHTS_CONNECTION_STRING"


def send_logs(workspace: Workspace) -> None:
    """Have this process's logs go to Application Insights too, where it is configured."""
    insights = telemetry(workspace)
    if insights:
        log_to_insights(insights)


def telemetry(workspace: Workspace) -> Insights | None:
    """Return where telemetry goes; None where nothing names a place, or the name cannot be resolved (it is logged)."""
    configured = workspace.project.pipeline_file.monitoring.azure_connection_string
    if configured is None:
        given = os.environ.get(VARIABLE)
        return insights_of(given) if given else None
    try:
        return insights_of(str(workspace.resolved(configured, secret=True)))
    except ComboiError as missing:
        _warn_once(f"telemetry is off: monitoring.azure_connection_string: {redactor.text(missing.message)}")
        return None


@lru_cache(maxsize=64)
def _warn_once(text: str) -> None:
    """Every activity asks for telemetry; one line per process is enough to say that there is none."""
    log.warning("%s", text)
