"""The files of a configuration."""

from __future__ import annotations

from tests.config.conftest import files, make_files

__all__ = ["files", "make_files"]
