"""The cursor of a table in SQL Server: how each type of column moves, and how far below the watermark a load reads."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from comboi_core.sources.azure_sql.types import INTEGERS, base_name, modifiers
from comboi_core.sources.azure_sql.values import lowered
from comboi_core.sources.common import cursor_windows, zones
from comboi_core.sources.common.cursor_windows import DAY, DEFAULT_LAG

CursorKind = Literal["version", "instant", "local", "date", "integer"]
KINDS: dict[str, CursorKind] = {
    "timestamp": "version",
    "datetimeoffset": "instant",
    "datetime2": "local",
    "datetime": "local",
    "smalldatetime": "local",
    "date": "date",
    **dict.fromkeys(sorted(INTEGERS), "integer"),
}
"""By T-SQL's names of types; `timestamp` is the catalog's name for rowversion."""
_STEPS = {"datetime": 0.00334, "smalldatetime": 60.0}


@dataclass(frozen=True)
class Cursor(cursor_windows.Cursor):
    """The cursor of one table in SQL Server.

    Attributes:
        zone: The IANA name of the time zone whose clock writes it; None if it is not known, or plays no part.
    """

    zone: str | None = None

    @property
    def kind(self) -> CursorKind:
        """How the cursor moves; KeyError if a column of this type cannot be one."""
        return KINDS[base_name(self.type)]

    @property
    def clocked(self) -> bool:
        """Whether the server itself knows up to where no row can come any more, before a row is looked at."""
        return self.kind in ("version", "instant") or self.zone is not None

    @property
    def step(self) -> float:
        """The smallest difference between two cursors, in seconds; rounding moves one by half of it."""
        scale = modifiers(self.type)
        return _STEPS.get(base_name(self.type), max(10.0 ** -(scale[0] if scale else 7), 0.001))


def lag_seconds(cursor: Cursor, configured: float | None) -> float:
    """Return how far below the watermark a merge reads again, or how far behind an append stays."""
    if cursor.kind in ("version", "integer"):
        return 0.0
    lag = DEFAULT_LAG if configured is None else configured
    if cursor.kind == "date":
        return 0.0 if cursor.appends else max(math.ceil(lag / DAY) * DAY, 2 * DAY)
    return lag


def lowered_by(cursor: Cursor, low: str | None, lag: float) -> float:
    """Return how far below the watermark a load reads: 0 for appends, which stay behind instead."""
    if cursor.appends or low is None:
        return 0.0 if cursor.appends else lag
    return zones.lag_before(moment(low), lag, cursor.zone) if cursor.zone and lag else lag


def lowest(source_type: str, low: str, back: float) -> str:
    """Return a watermark, some seconds before it: what a load reads from, exclusively."""
    return lowered(source_type, low, back) if back else low


def moment(text: str) -> datetime:
    """Return a time that the server printed, cut to microseconds, without its offset."""
    return datetime.fromisoformat(text[:26])
