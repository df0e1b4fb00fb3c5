"""Microsoft's driver, ready to be used; where something of it is missing, the error holds the command that mends it."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

from comboi_core.domain.errors import ConfigError
from comboi_core.domain.extras import require

PROVIDER_VARIABLE = "MSSQL_PYTHON_NATIVE_PROVIDER"
"""Chooses between the driver's two providers: msodbcsql18 (default) and mssql-odbc, which needs no system library."""

LIBRARIES = {
    "libltdl.so.7": "libltdl7",
    "libkrb5.so.3": "libkrb5-3",
    "libgssapi_krb5.so.2": "libgssapi-krb5-2",
}
"""System libraries that msodbcsql18 wants on Linux, and Debian's packages that bring them."""


def load() -> Any:
    """Return the module `mssql_python`.

    Raises:
        ExtraMissing: the package is not installed.
        ConfigError: it cannot be loaded, or a system library that its provider needs is missing.
    """
    require("azure-sql", "a source of type azure_sql")
    try:
        import mssql_python
    except ImportError as error:
        raise ConfigError(
            f"the driver for Azure SQL cannot be loaded: {error}",
            remedy="Run `pip install --force-reinstall 'comboi[azure-sql]'`.",
        ) from None
    missing = missing_libraries() if mssql_python.ProviderManager.effective() == "msodbcsql18" else []
    if missing:
        raise ConfigError(
            f"Microsoft's driver for Azure SQL needs system libraries that are missing: {', '.join(missing)}",
            remedy=f"Run `apt-get install -y {' '.join(LIBRARIES[name] for name in missing)}`, or set "
            f"{PROVIDER_VARIABLE}=mssql-odbc to use the provider that needs none.",
        )
    # A pool hands out sessions as others left them, and keeps them for minutes after the work is done.
    mssql_python.pooling(enabled=False)
    return mssql_python


def missing_libraries() -> list[str]:
    """Return the system libraries of msodbcsql18 that this machine lacks."""
    return [name for name in LIBRARIES if sys.platform == "linux" and not _loadable(name)]


def _loadable(name: str) -> bool:
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True
