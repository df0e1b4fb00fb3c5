"""The Functions host restarts when folders come and go below the app: none of comboi's may lie where it would see that.

Source of the rules: `FileMonitoringService`, `ScriptJobHostOptionsSetup` and `HostJsonFileConfigurationSource` of
azure-functions-host. The key stands at the top of host.json, and an app setting overrides it.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from comboi_core.app.place import APP_FOLDER
from comboi_core.config.project import STAGES, Project
from comboi_core.domain.errors import ConfigError

WORKERS = ("azure_functions_worker", "azure_functions_runtime", "proxy_worker")
"""What loads `function_app.py` on the real host, into its own process. Environment variables would not tell: the
embedded host takes FUNCTIONS_WORKER_RUNTIME out of local.settings.json as well."""
KEY = "fileWatchingEnabled"
OVERRIDE = f"AzureFunctionsJobHost__{KEY}"


def refuse_watched(project: Project, app: Path = APP_FOLDER) -> None:
    """Refuse a project whose own files would restart the host in the middle of a run; elsewhere than there, do nothing.

    Raises:
        ConfigError: names the folders.
    """
    if not any(name in sys.modules for name in WORKERS) or not watches(app):
        return
    below = [f"{key} ({path})" for key, path in _written(project) if path.resolve().is_relative_to(app)]
    if below:
        raise ConfigError(
            f"{', '.join(below)}: below the app's folder {app}, which the Functions host watches; it would restart in "
            "the middle of the first run",
            remedy=f'Put "{KEY}": false at the top of host.json, as comboi has it, or these folders elsewhere.',
        )


def watches(app: Path) -> bool:
    """Tell whether the host watches the app's folder, as far as host.json and the app settings say."""
    setting: Any = os.environ.get(OVERRIDE)
    if setting is None:
        file = app / "host.json"
        text = file.read_text(encoding="utf-8-sig") if file.is_file() else "{}"
        try:
            document = json.loads(text)
        except ValueError:  # the host takes comments there
            return not re.search(rf'^\s*"{KEY}"\s*:\s*false', text, re.IGNORECASE | re.MULTILINE)
        setting = next((value for key, value in document.items() if key.lower() == KEY.lower()), True)
    return str(setting).strip().lower() != "false"


def _written(project: Project) -> Iterator[tuple[str, Path]]:
    """Yield the folders that a run writes to, each with the key that names it."""
    file = project.pipeline_file
    for stage in STAGES:
        path = getattr(file.stages, stage).data_lake.path
        if path is not None and "{{" not in path:
            yield f"stages.{stage}.data_lake.path", project.lake_base / path
    if file.monitoring.log_path:
        yield "monitoring.log_path", project.root / file.monitoring.log_path
    if file.engine.temp_directory:
        yield "engine.temp_directory", Path(file.engine.temp_directory)
