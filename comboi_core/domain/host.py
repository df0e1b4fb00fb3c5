"""What the Functions host and the Durable extension say when the host was at fault, not the code that ran."""

from __future__ import annotations

SIGNS = (
    "Did not find any initialized language workers",
    "Non-Deterministic workflow detected",
    "hasn't (yet?) scheduled this task",
    "exited with code",
)
"""What the host and the extension say when a worker was missing, was taken for the orchestrator, or died."""


def is_host_fault(text: str) -> bool:
    """Tell from the text of a failure whether the host restarted or lost its worker."""
    return any(sign in text for sign in SIGNS)
