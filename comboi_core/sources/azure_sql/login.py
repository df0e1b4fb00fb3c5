"""Logging in to a database that may be asleep: a serverless one answers its first login with an error and wakes up."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from comboi_core.domain.errors import SourceUnreachable
from comboi_core.sources.azure_sql.transient import WAKING

WAKE_SECONDS = 120.0
"""How long a login goes on while the database wakes up. An attempt that has begun by then is waited for."""
WAKE_EVERY_SECONDS = 5.0
"""Between two attempts; Microsoft asks for at least five seconds (`azure_sql_transient.FAULTS`)."""

T = TypeVar("T")


def awake(
    log_in: Callable[[], T], *, now: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
) -> T:
    """Return what `log_in` returns, tried again while the database says that it wakes up.

    Args:
        log_in: Logs in; raises SourceUnreachable with the server's `number`, where it is known, in its context.
        now, sleep: The clock, in seconds.

    Raises:
        SourceUnreachable: the database did not wake up in WAKE_SECONDS; and everything else that `log_in` raises.
    """
    began = now()
    while True:
        try:
            return log_in()
        except SourceUnreachable as error:
            waited = now() - began
            if error.context.get("number") not in WAKING:
                raise
            asleep = SourceUnreachable(
                f"{error.message} (tried for {waited:.0f} s)",
                remedy="The database did not wake up: look at its state in the portal; run again when it is online.",
                **error.context,
            )
        if waited + WAKE_EVERY_SECONDS > WAKE_SECONDS:
            raise asleep
        sleep(WAKE_EVERY_SECONDS)
