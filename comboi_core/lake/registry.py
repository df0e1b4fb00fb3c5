"""Kinds of lakes: adding one is one file and one line here."""

from __future__ import annotations

from pathlib import Path

from comboi_core.config.project import LakeConfig
from comboi_core.domain.ports import Lake
from comboi_core.lake.local import LocalLake


def open_lake(config: LakeConfig, folder: Path) -> Lake:
    """Return the lake that the configuration names.

    Args:
        folder: `config.path`, resolved against the project's folder. It is made when the first file is written.
    """
    return LocalLake(folder)
