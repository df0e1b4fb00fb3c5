"""Where the function app lies: `function_app.py`, `host.json` and what else the host serves."""

from __future__ import annotations

from pathlib import Path

_CORE = Path(__file__).resolve().parents[1]

INSTALLED = _CORE / "function_app_folder"
"""Where a wheel has the app; setup.py puts it there. In a checkout and in Azure there is no such folder."""
APP_FOLDER = INSTALLED if INSTALLED.is_dir() else _CORE.parent
"""The app's folder; in a checkout and in Azure the one in which comboi_core lies."""
CODE_FOLDER = _CORE.parent
"""The folder in which comboi_core lies."""
