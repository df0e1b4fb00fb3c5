"""DuckDB's extensions, from their wheels."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from comboi_core.domain.errors import ConfigError


def extension_path(name: str) -> Path:
    """Return an extension's file in its wheel; loaded by path, so neither network nor home directory is needed.

    Raises:
        ConfigError: the wheel is not installed.
    """
    spec = find_spec(f"duckdb_extension_{name}")
    folders = [Path(place) for place in spec.submodule_search_locations or ()] if spec else []
    for found in (path for folder in folders for path in folder.glob(f"extensions/*/{name}.duckdb_extension")):
        return found
    raise ConfigError(
        f"DuckDB's extension {name} is not installed",
        remedy=f"Install the package duckdb-extension-{name.replace('_', '-')} in the same version as duckdb.",
    )
