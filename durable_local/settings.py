"""host.json and local.settings.json: the settings that mean something to a local host."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import AppLoadError
from .findings import Finding
from .host_json import Document, overridden, read_json, section


@dataclass(frozen=True)
class Settings:
    """Host settings; the concurrency defaults are those of the Consumption plan.

    `bundled` says whether the host has extensions, without which there are no durable functions; `findings` what it
    would not take. `function_timeout` is for information only: nothing ends functions here.
    """

    hub_name: str = "Local"
    route_prefix: str = "api"
    max_activities: int = 10
    max_orchestrators: int = 5
    max_entities: int = 10
    max_entity_batch: int = 50
    default_version: str | None = None
    overrides_running: bool = False
    values: dict[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    bundled: bool = True
    function_timeout: str | None = None


def load_settings(app_dir: Path) -> Settings:
    """Settings of the app in `app_dir`; missing files are empty, unknown keys are ignored."""
    values = _values(read_json(app_dir / "local.settings.json").get("values"))
    written = read_json(app_dir / "host.json")
    host = overridden(written, values)
    extensions = section(host, "extensions")
    durable = section(extensions, "durableTask")
    http = section(extensions, "http")
    plain = Settings()
    return Settings(
        hub_name=expand(str(durable.get("hubname") or plain.hub_name), values),
        route_prefix=str(http.get("routeprefix", plain.route_prefix)),
        max_activities=_count(durable, "maxConcurrentActivityFunctions", plain.max_activities),
        max_orchestrators=_count(durable, "maxConcurrentOrchestratorFunctions", plain.max_orchestrators),
        max_entities=_count(durable, "maxConcurrentEntityFunctions", plain.max_entities),
        max_entity_batch=_count(durable, "maxEntityOperationBatchSize", plain.max_entity_batch),
        default_version=durable.get("defaultversion"),
        overrides_running=_overrides(durable.get("overridableexistinginstancestates")),
        values=values,
        findings=_version(written),
        function_timeout=None if host.get("functiontimeout") is None else str(host["functiontimeout"]),
        bundled=not written or "id" in section(host, "extensionBundle") or (app_dir / "extensions.csproj").is_file(),
    )


def expand(text: str, values: dict[str, str]) -> str:
    """Replace each `%NAME%` by the environment variable or local setting NAME. Raises AppLoadError if unset."""

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        found = os.environ.get(name, values.get(name))
        if found is None:
            raise AppLoadError(f"the setting %{name}% is missing; set it in the environment or in local.settings.json")
        return found

    return re.sub(r"%([^%\s]+)%", value, text)


def _values(found: Any) -> dict[str, str]:
    return {key: str(value) for key, value in found.items()} if isinstance(found, dict) else {}


def _version(written: Document) -> tuple[Finding, ...]:
    """The host wants to know which version of its file it reads; without a file, or with an empty one, it makes one."""
    if not written or str(written.get("version")) == "2.0":
        return ()
    said = f"'{written['version']}'" if written.get("version") else "no"
    message = f"the host does not start: host.json has {said} version."
    return (Finding("", "host-version", message, 'Write "version": "2.0" there.'),)


def _overrides(found: Any) -> bool:
    """Whether a start replaces a live instance of its id. .NET reads names in any case, and their numbers."""
    states = {"nonrunningstates": False, "0": False, "anystate": True, "1": True}
    text = "nonrunningstates" if found is None else str(found).lower()
    if text not in states:
        raise AppLoadError(
            "host.json: extensions.durableTask.overridableExistingInstanceStates must be NonRunningStates or AnyState"
        )
    return states[text]


def _count(section: Document, name: str, default: int) -> int:
    found = section.get(name.lower(), default)
    if isinstance(found, str) and found.strip().isascii() and found.strip().isdigit():
        found = int(found)  # app settings are texts
    if isinstance(found, bool) or not isinstance(found, int) or found < 1:
        raise AppLoadError(f"host.json: extensions.durableTask.{name} must be a whole number of at least 1")
    return found
