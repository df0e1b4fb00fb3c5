"""Where logs, telemetry and alerts go, and how long the task hub remembers."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator

from comboi_core.config.base import Model, SomeSeconds, Text
from comboi_core.config.written import reference_or

Occasion = Literal["failed", "warned", "recovered", "stale", "first_success"]
"""The events that an alert can report."""

Format = Literal["teams", "slack", "json"]
"""The format of an alert: an Adaptive Card for a Teams workflow, blocks for Slack, or comboi's own JSON."""

_URL = re.compile(r"(https://|http://(localhost|127\.0\.0\.1|\[::1\])[:/])\S+")
_REFERENCE = "{{"


def is_webhook(url: str) -> bool:
    """Tell whether alerts may be posted to a URL: it uses TLS, or is on this machine."""
    return bool(_URL.fullmatch(url))


class MonitoringConfig(Model):
    """Where logs and telemetry go.

    Attributes:
        log_path: The log file, one JSON object per line. A relative path starts at the project's folder. Default: no
            file.
        azure_connection_string: The connection string of Application Insights. Default: the environment variable
            APPLICATIONINSIGHTS_CONNECTION_STRING. With neither, no telemetry is sent.
    """

    log_path: str | None = None
    azure_connection_string: Text | None = None


class HistoryConfig(Model):
    """How long the task hub remembers ended runs. Their records stay in the lake.

    Attributes:
        keep: After this time, the task hub deletes what it stores about an ended run: history, inputs and outputs.
            Working files of a run without a record are deleted too.
    """

    keep: SomeSeconds = 7 * 86400.0


class NotificationConfig(Model):
    """A webhook, and the events that it is called for.

    Attributes:
        on: When to call the webhook. `failed`: something in a run failed. `warned`: a table or dataset succeeded, but
            readers do not see all of its rows or values; sent once until that changes. `recovered`: everything that had
            failed succeeded again. `stale`: a table was not landed within its `freshness`. `first_success`: the
            pipeline's first successful run.
        webhook: The webhook's URL. It is a secret, so write a reference: `{{keyvault:NAME}}` or `{{env:NAME}}`.
        format: The format of the message: `teams` (Adaptive Card for a Teams workflow), `slack` (Slack blocks) or
            `json` (comboi's own JSON).
    """

    on: tuple[Occasion, ...] = Field(min_length=1)
    webhook: Text = Field(json_schema_extra=reference_or(_URL.pattern, "An https:// URL, or {{keyvault:NAME}}."))
    format: Format = "teams"

    @field_validator("webhook")
    @classmethod
    def _reachable(cls, value: str) -> str:
        if _REFERENCE not in value and not is_webhook(value):
            raise ValueError("webhook: write an https:// URL, or better a reference to it: {{keyvault:NAME}}")
        return value
