"""Which transactions a snapshot of the server sees.

The log has a transaction's commit a moment before others see its rows, and much longer before it where a synchronous
standby does not answer. Whoever reads rows that the log names has to know.
"""

from __future__ import annotations

from dataclasses import dataclass

CURRENT = "pg_current_snapshot()::text"
_CIRCLE = 1 << 32


@dataclass(frozen=True)
class Snapshot:
    """A snapshot, as `pg_current_snapshot` prints it.

    Attributes:
        end: Transactions from this one on are not seen.
        running: Those before it that are not seen either.
    """

    end: int
    running: frozenset[int]

    @staticmethod
    def parse(text: str) -> Snapshot:
        """Return the snapshot of a text such as `10:20:10,14,15`."""
        _, end, running = text.split(":")
        return Snapshot(int(end), frozenset(int(xid) for xid in running.split(",") if xid))

    def sees(self, xid: int) -> bool:
        """Tell whether rows of a transaction (64 bits) that has committed are seen."""
        return xid < self.end and xid not in self.running

    def full(self, bits: int) -> int:
        """Return the 64-bit id of a transaction of which the log has the lower 32 bits: the one closest to `end`."""
        ahead = (bits - self.end) % _CIRCLE
        return self.end + (ahead if ahead < _CIRCLE // 2 else ahead - _CIRCLE)
