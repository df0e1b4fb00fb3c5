"""The activity after a run; as all others, it may run twice, at once or in part, with the same outcome."""

from __future__ import annotations

import azure.durable_functions as df

from comboi_core.app import notifying
from comboi_core.app.answers import answer

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def notify_run(payload: dict):
    """Send a finished run's telemetry and alerts."""
    return answer(notifying.notify_run, payload)
