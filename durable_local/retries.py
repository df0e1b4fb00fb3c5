"""Retry policies of functions (`@app.retry`), as the Functions host follows them for timer functions.

The waits are those of the WebJobs SDK: FixedDelayRetryAttribute, and RandomizedExponentialBackoffStrategy behind
ExponentialBackoffRetryAttribute (https://github.com/Azure/azure-webjobs-sdk). Microsoft's page on retries names the
triggers that follow a policy; of those that are served here it is the timer alone
(https://learn.microsoft.com/azure/azure-functions/functions-bindings-error-pages#retries).
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from .errors import AppLoadError
from .timespan import parse_timespan

_RANDOMIZATION = 0.2
_ENDLESS = -1


@dataclass(frozen=True)
class RetryPolicy:
    """How a function that has failed is called again.

    Attributes:
        count: Calls after the first one at most; -1: without end.
        minimum: The wait before the second call, in seconds; of the strategy `fixed_delay`, before each.
        maximum: The longest wait, in seconds; None: all are alike.
    """

    count: int
    minimum: float
    maximum: float | None

    def goes_on(self, retried: int) -> bool:
        """Whether there is another call after `retried` repetitions."""
        return self.count == _ENDLESS or retried < self.count

    def wait(self, retried: int) -> float:
        """Return the seconds to wait after `retried` repetitions."""
        if self.maximum is None or retried == 0:
            return self.minimum
        spread = random.uniform(1 - _RANDOMIZATION, 1 + _RANDOMIZATION)
        exponent = min(retried - 1, 60)  # 2**60 times any wait is above any maximum
        return min(self.minimum + spread * 2**exponent * self.minimum, self.maximum)


def read_policy(setting: Any) -> RetryPolicy | None:
    """Return the policy that a function's setting `retry_policy` stands for; None if there is none.

    Raises:
        AppLoadError: the host would refuse the function for it.
    """
    if setting is None:
        return None
    strategy = setting.strategy.replace("_", "").lower()
    try:
        count = int(setting.max_retry_count)
    except (TypeError, ValueError):
        raise AppLoadError(f"max_retry_count: expected a whole number, got {setting.max_retry_count!r}") from None
    if count < _ENDLESS:
        raise AppLoadError(f"max_retry_count: expected -1 (without end) or more, got {count}")
    if strategy == "fixeddelay":
        return RetryPolicy(count, _seconds(setting, "delay_interval"), None)
    if strategy != "exponentialbackoff":
        raise AppLoadError(f"strategy: expected fixed_delay or exponential_backoff, got {setting.strategy!r}")
    shortest, longest = _seconds(setting, "minimum_interval"), _seconds(setting, "maximum_interval")
    if shortest > longest:
        raise AppLoadError("minimum_interval is longer than maximum_interval")
    return RetryPolicy(count, shortest, longest)


def _seconds(setting: Any, name: str) -> float:
    text = getattr(setting, name)
    span = parse_timespan(text) if isinstance(text, str) else None
    if span is None or span < timedelta(0):
        raise AppLoadError(f"{name}: expected a time span such as 00:00:05, got {text!r}")
    return span.total_seconds()
