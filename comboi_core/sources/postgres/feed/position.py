"""Positions in the server's log (LSN): `16/B374D848` as text, one number for comparisons."""

from __future__ import annotations


def number(position: str) -> int:
    """Return a position as a number that grows with the log.

    Raises:
        ValueError: the text is no position.
    """
    high, low = position.split("/")
    return int(high, 16) << 32 | int(low, 16)


def text(position: int) -> str:
    """Return a position as PostgreSQL prints it."""
    return f"{position >> 32:X}/{position & 0xFFFFFFFF:X}"
