"""host.json and local.settings.json: the settings that mean something to a local host."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import AppLoadError


@dataclass(frozen=True)
class Settings:
    """Host settings; the concurrency defaults are those of the Consumption plan."""

    hub_name: str = "Local"
    route_prefix: str = "api"
    max_activities: int = 10
    max_orchestrators: int = 5
    max_entities: int = 10
    max_entity_batch: int = 50
    default_version: str | None = None
    values: dict[str, str] = field(default_factory=dict)


def load_settings(app_dir: Path) -> Settings:
    """Settings of the app in `app_dir`; missing files are empty, unknown keys are ignored."""
    values = _values(_read(app_dir / "local.settings.json").get("values"))
    extensions = _section(_read(app_dir / "host.json"), "extensions")
    durable = _section(extensions, "durableTask")
    http = _section(extensions, "http")
    plain = Settings()
    return Settings(
        hub_name=expand(str(durable.get("hubname") or plain.hub_name), values),
        route_prefix=str(http.get("routeprefix", plain.route_prefix)).strip("/"),
        max_activities=_count(durable, "maxConcurrentActivityFunctions", plain.max_activities),
        max_orchestrators=_count(durable, "maxConcurrentOrchestratorFunctions", plain.max_orchestrators),
        max_entities=_count(durable, "maxConcurrentEntityFunctions", plain.max_entities),
        max_entity_batch=_count(durable, "maxEntityOperationBatchSize", plain.max_entity_batch),
        default_version=durable.get("defaultversion"),
        values=values,
    )


def expand(text: str, values: dict[str, str]) -> str:
    """Replace each `%NAME%` by the environment variable or local setting NAME. Raises AppLoadError if unset."""

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        found = os.environ.get(name, values.get(name))
        if found is None:
            raise AppLoadError(f"the setting %{name}% is neither in the environment nor in local.settings.json")
        return found

    return re.sub(r"%([^%\s]+)%", value, text)


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise AppLoadError(f"{path.name} is not valid JSON: {error}") from error
    if not isinstance(document, dict):
        raise AppLoadError(f"{path.name} must hold a JSON object")
    return _lowered(document)


def _lowered(document: dict[str, Any]) -> dict[str, Any]:
    return {key.lower(): value for key, value in document.items()}


def _section(document: dict[str, Any], name: str) -> dict[str, Any]:
    found = document.get(name.lower())
    return _lowered(found) if isinstance(found, dict) else {}


def _values(found: Any) -> dict[str, str]:
    return {key: str(value) for key, value in found.items()} if isinstance(found, dict) else {}


def _count(section: dict[str, Any], name: str, default: int) -> int:
    found = section.get(name.lower(), default)
    if isinstance(found, bool) or not isinstance(found, int) or found < 1:
        raise AppLoadError(f"host.json: extensions.durableTask.{name} must be a whole number of at least 1")
    return found
