"""Packages of extras. They are imported when they are used; an error about a missing one names its extra."""

from __future__ import annotations

import sys
from importlib.util import find_spec

from comboi_core.domain.errors import ExtraMissing

EXTRAS = {"azure-sql": ("mssql_python",), "bruin": ("jinja2",), "splink": ("splink", "sqlglot")}
"""Each extra of pyproject.toml and the modules that comboi imports of it."""


def require(extra: str, feature: str) -> None:
    """Raise an error if a package of an extra is not installed. Nothing is imported.

    Args:
        extra: A key of `EXTRAS`.
        feature: What needs it, as the subject of a sentence: "a source of type azure_sql".

    Raises:
        ExtraMissing: a package is missing. The message has the command that installs it.
    """
    missing = [module for module in EXTRAS[extra] if not _is_there(module)]
    if missing:
        command = f"pip install 'comboi[{extra}]'"
        package = missing[0].replace("_", "-")
        raise ExtraMissing(f"{feature} needs {package}, which is not installed: {command}", remedy=f"Run `{command}`.")


def _is_there(module: str) -> bool:
    if module in sys.modules:
        return sys.modules[module] is not None
    return find_spec(module) is not None
