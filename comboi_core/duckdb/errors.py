"""DuckDB's errors as text and position, whichever way the connection words them."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from comboi_core.domain.userscript import said_by


def error_details(error: Exception) -> tuple[str, int | None]:
    """Return a DuckDB error's text and its position: a count of bytes into the statement, where DuckDB gives one.

    With `errors_as_json` on, the exception's text is `Kind Error: {json}`; otherwise it has no position.
    """
    text = said_by(error)
    kind, brace, rest = text.partition("{")
    if brace and kind.endswith(": "):
        with suppress(ValueError, KeyError):
            fields: dict[str, Any] = json.loads(brace + rest)
            position = fields.get("position")
            return kind + fields["exception_message"], int(position) if position is not None else None
    return text, None
