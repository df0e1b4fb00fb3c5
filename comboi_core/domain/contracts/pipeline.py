"""The entity `pipeline`: what it is asked and answers about its lease, its fence and its latest runs."""

from __future__ import annotations

from typing import TypedDict


class Cancelled(TypedDict):
    """Who cancelled a run, and when (ISO 8601)."""

    at: str
    by: str
