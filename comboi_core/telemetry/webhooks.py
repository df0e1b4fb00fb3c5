"""Posting alerts: tried again with growing delays, within bounds, and never with the URL in what is said of it."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from comboi_core.config.monitoring import is_webhook
from comboi_core.domain.redaction import redactor

TIMEOUT = (3.0, 5.0)
"""Seconds to connect, and to wait for the answer."""
DELAYS = (1.0, 3.0)
"""Seconds before the second and the third attempt, unless the service names others."""
LONGEST_DELAY = 5.0
_BUSY = (408, 425, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class Delivery:
    """What came of posting an alert.

    Attributes:
        told: The status that the service answered with, or why there is none.
    """

    sent: bool
    told: str
    attempts: int


def post(url: str, payload: dict[str, Any], *, event: str) -> Delivery:
    """Post an alert without secrets; never raises.

    Args:
        url: The webhook, references resolved; it is a secret.
        event: Names what is told, the same in each attempt, so that a receiver can tell repetitions (`X-Comboi-Event`).
    """
    import requests

    redactor.add(url)
    if not is_webhook(url):
        return Delivery(False, "the webhook is no https:// URL", 0)
    body = json.dumps(redactor.value(payload), ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json; charset=utf-8", "X-Comboi-Event": event}
    told = ""
    for attempt in range(1, len(DELAYS) + 2):
        wait = DELAYS[min(attempt, len(DELAYS)) - 1]
        try:
            # A redirected POST would arrive as a GET, and the secret path somewhere else.
            answer = requests.post(url, data=body, headers=headers, timeout=TIMEOUT, allow_redirects=False)
        except requests.RequestException as failed:
            told = f"cannot be reached: {type(failed).__name__}"
            if isinstance(failed, (requests.exceptions.InvalidURL, requests.exceptions.InvalidHeader)):
                return Delivery(False, told, attempt)
        else:
            told = f"answers {answer.status_code}"
            if answer.ok and not answer.is_redirect:
                return Delivery(True, told, attempt)
            if answer.status_code not in _BUSY:
                return Delivery(False, told, attempt)
            wait = _asked_delay(answer.headers.get("Retry-After"), wait)
        if attempt <= len(DELAYS):
            time.sleep(wait)
    return Delivery(False, told, len(DELAYS) + 1)


def _asked_delay(asked: str | None, otherwise: float) -> float:
    return min(LONGEST_DELAY, float(asked)) if asked and asked.isdecimal() else otherwise
