"""Kinds of lakes: adding one is one file and one line here; and the containers that files of a source are in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from comboi_core.config.lakes import LakeConfig
from comboi_core.domain.ports import Lake
from comboi_core.lake.local import LocalLake

if TYPE_CHECKING:
    from comboi_core.lake.azure.source import SourceContainer


def open_container(config: LakeConfig) -> SourceContainer:
    """Return the container that a source's files are in; nothing is read before the first use.

    Args:
        config: A place in Azure, with its references resolved.

    Raises:
        ConfigError: the connection string, the key or the endpoint is none.
    """
    from comboi_core.lake.azure.account import account_of
    from comboi_core.lake.azure.source import SourceContainer

    return SourceContainer(account_of(config), str(config.file_system), config.folder)


def open_lake(config: LakeConfig, *, base: Path, temp_directory: str | None = None) -> Lake:
    """Return the lake that the configuration names; nothing is read or made before the first use.

    Args:
        config: With its references resolved.
        base: What a relative `path` counts from.
        temp_directory: Where files are staged for upload; default: the system's temporary folder.

    Raises:
        ConfigError: the connection string, the key or the endpoint is none.
    """
    if config.path is not None:
        return LocalLake((base / config.path).resolve())
    from comboi_core.lake.azure.account import account_of
    from comboi_core.lake.azure.lake import AzureLake

    return AzureLake(account_of(config), str(config.file_system), config.folder, temp_directory=temp_directory)
