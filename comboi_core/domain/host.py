"""Recognises failures that the Functions host caused, and not the code that ran."""

from __future__ import annotations

SIGNS = (
    "Did not find any initialized language workers",
    "Non-Deterministic workflow detected",
    "hasn't (yet?) scheduled this task",
    "exited with code",
)
"""Messages of the host and of the Durable extension when a worker was missing, mixed up, or died."""


def is_host_fault(text: str) -> bool:
    """Tell from the text of a failure whether the host restarted or lost its worker."""
    return any(sign in text for sign in SIGNS)
