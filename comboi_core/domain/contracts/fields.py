"""Kinds of fields that contracts share, with what the API's description says of them."""

from __future__ import annotations

from typing import Annotated, Any


class Described:
    """Adds keywords of JSON Schema to a field. They describe the field; nothing is checked by them."""

    def __init__(self, **keywords: Any) -> None:
        self.keywords = keywords

    def __get_pydantic_json_schema__(self, core: Any, handler: Any) -> dict[str, Any]:
        """Called by Pydantic, which the domain does not import."""
        return {**handler(core), **self.keywords}


Moment = Annotated[str, Described(format="date-time")]
"""ISO 8601."""
Count = Annotated[int, Described(minimum=0)]
Seconds = Annotated[float, Described(minimum=0)]
RUN_STATES = ("running", "succeeded", "failed", "partial", "cancelled", "skipped")
ITEM_STATES = ("pending", "queued", "running", "succeeded", "failed", "cancelled", "skipped")
RunStatus = Annotated[str, Described(enum=[*RUN_STATES, "unfinished", "unreadable"])]
"""`unfinished`: no host works on it at the moment; `unreadable`: its record is damaged."""
ItemStatus = Annotated[str, Described(enum=list(ITEM_STATES))]
