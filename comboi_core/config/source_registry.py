"""The types of sources: a new one is a folder in `comboi_core/sources` and a line here.

A package of somebody else's brings one with an entry point of the group `comboi.sources`, whose value is its
`SourceType`. Entry points are looked for only where a configuration, or a user, names a type that is not built in.

This layer may not import `sources`; so descriptors are named here, and imported when they are asked for.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from comboi_core.domain.errors import ConfigError
from comboi_core.domain.names import did_you_mean

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from comboi_core.config.source_type import SourceType

BUILT_IN = (
    "postgres",
    "azure_sql",
    "mysql",
    "sqlite",
    "files",
)
"""Each is a package `comboi_core.sources.NAME` with a `SOURCE_TYPE` in `descriptor.py`."""
GROUP = "comboi.sources"


@cache
def source_type(name: str) -> SourceType:
    """Return a type of source by its name, built in or brought by an installed package.

    Raises:
        ConfigError: there is none of that name, or the package that brings it is broken; the message tells which.
    """
    if name in BUILT_IN:
        found: SourceType = import_module(f"comboi_core.sources.{name}.descriptor").SOURCE_TYPE
        return found
    brought = _brought()
    if name not in brought:
        known = (*BUILT_IN, *brought)
        raise ConfigError(
            f"there is no type of source '{name}'{did_you_mean(name, known)}; known types: {', '.join(known)}",
            remedy=f"Name one of them, or install the package that brings '{name}' (an entry point of {GROUP}).",
        )
    return _loaded(brought[name])


def known_types() -> tuple[str, ...]:
    """Return the names of all types: the built-in ones, then those that installed packages bring."""
    return (*BUILT_IN, *_brought())


@cache
def _brought() -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points

    points = sorted(entry_points(group=GROUP), key=lambda point: point.name)
    return {point.name: point for point in points if point.name not in BUILT_IN}


def _loaded(point: EntryPoint) -> SourceType:
    from comboi_core.config.source_type import SourceType

    package = point.dist.name if point.dist else point.module
    place = f"the package {package} brings the type of source '{point.name}'"
    try:
        found = point.load()
    except Exception as error:
        raise ConfigError(f"{place}, but {point.value} cannot be imported: {type(error).__name__}: {error}") from error
    if not isinstance(found, SourceType) or found.name != point.name:
        raise ConfigError(f"{place}, but {point.value} is no SourceType of that name")
    return found
