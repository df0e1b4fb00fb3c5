"""The process that an app runs in, as the Functions host sets it up for the worker."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .settings import Settings


@contextmanager
def app_environment(app_dir: Path, settings: Settings, address: str) -> Iterator[None]:
    """App settings and the host's address in the environment, and the app's folder on the path, for so long.

    What is in the environment already is left as it is.
    """
    values = {"WEBSITE_HOSTNAME": address, **settings.values}
    added = [name for name in values if name not in os.environ]
    os.environ.update({name: values[name] for name in added})
    folder = str(app_dir)
    placed = folder not in sys.path
    if placed:
        sys.path.insert(0, folder)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)
        if placed and folder in sys.path:
            sys.path.remove(folder)
