"""Where logs, telemetry and alerts go, and how long the task hub remembers."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator

from comboi_core.config.base import Model, SomeSeconds, Text
from comboi_core.config.written import reference_or

Occasion = Literal["failed", "warned", "recovered", "stale", "first_success"]
"""What an alert may be about."""

Format = Literal["teams", "slack", "json"]
"""How an alert is written: an Adaptive Card for a Teams workflow, blocks for Slack, or comboi's own JSON."""

_URL = re.compile(r"(https://|http://(localhost|127\.0\.0\.1|\[::1\])[:/])\S+")
_REFERENCE = "{{"


def is_webhook(url: str) -> bool:
    """Tell whether alerts may be posted there: over TLS, or to this very machine."""
    return bool(_URL.fullmatch(url))


class MonitoringConfig(Model):
    """Where logs and telemetry go.

    Attributes:
        log_path: A file of JSON lines; a relative path counts from the project's folder.
        azure_connection_string: Of Application Insights; without it APPLICATIONINSIGHTS_CONNECTION_STRING counts, and
            without both nothing is sent.
    """

    log_path: str | None = None
    azure_connection_string: Text | None = None


class HistoryConfig(Model):
    """How long the task hub remembers runs that have ended. Their records stay in the lake.

    Attributes:
        keep: After so long, what Durable Functions knows of an ended run is deleted: histories, inputs and outputs. So
            are the working files of a run that never got a record.
    """

    keep: SomeSeconds = 7 * 86400.0


class NotificationConfig(Model):
    """A webhook, and on which occasions it is called.

    Attributes:
        on: `failed`: a run failed, as a whole or in part. `warned`: a table or dataset succeeded, but readers do not
            see all of its rows or values; told once as long as it stays so. `recovered`: everything that had failed
            succeeded again. `stale`: a table has not been landed within its `freshness`. `first_success`: the
            pipeline's first.
        webhook: The URL, which is a secret: `{{keyvault:NAME}}` or `{{env:NAME}}`.
        format: How the alert is written: a card for a Teams workflow, blocks for Slack, or comboi's own JSON.
    """

    on: tuple[Occasion, ...] = Field(min_length=1)
    webhook: Text = Field(json_schema_extra=reference_or(_URL.pattern, "An https:// URL, or {{keyvault:NAME}}."))
    format: Format = "teams"

    @field_validator("webhook")
    @classmethod
    def _reachable(cls, value: str) -> str:
        if _REFERENCE not in value and not is_webhook(value):
            raise ValueError("webhook: an https:// URL, best as a reference: {{keyvault:NAME}}")
        return value
