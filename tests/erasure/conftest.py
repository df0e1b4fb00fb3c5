"""A project whose lake is a folder; a table of bronze with its loads."""

from __future__ import annotations

from tests.lake.conftest import con, table
from tests.support.workspaces import make, workspace

__all__ = ["con", "make", "table", "workspace"]
