"""A project whose lake is a folder."""

from __future__ import annotations

from tests.support.workspaces import make, workspace

__all__ = ["make", "workspace"]
