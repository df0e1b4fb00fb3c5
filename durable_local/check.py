"""Tells what would be otherwise in Azure, without running anything but the app's own imports."""

from __future__ import annotations

import re
from pathlib import Path

from .environment import app_environment
from .errors import AppLoadError
from .findings import Finding
from .loader import FunctionApp, load_app
from .routing.table import http_functions
from .settings import Settings, load_settings
from .timers import timer_functions

_ADDRESS = "127.0.0.1:7071"
_DURABLE = re.compile(r"azure[-_.]functions[-_.]durable(?![\w.-])", re.IGNORECASE)
_INCLUDED = re.compile(r"^\s*(?:-r|--requirement)[ =]\s*(\S+)", re.MULTILINE)


def check_app(app_dir: Path) -> list[Finding]:
    """Everything about the app in `app_dir` that would be otherwise in Azure, what breaks first."""
    try:
        settings = load_settings(app_dir)
        with app_environment(app_dir, settings, _ADDRESS):
            app = load_app(app_dir)
            _, routes = http_functions(app.http, settings.route_prefix)
            _, timers = timer_functions(app, settings)
    except AppLoadError as error:
        return [Finding("", "load", f"the app does not start: {error}.", "Correct that, then check again.")]
    found = [*settings.findings, *app.findings, *routes, *timers, *deployment(app_dir, settings, app)]
    return sorted(found, key=lambda one: not one.breaks)


def deployment(app_dir: Path, settings: Settings, app: FunctionApp) -> list[Finding]:
    """What does not show on this machine: what the app lacks in Azure, and what the host does there."""
    durable = bool(app.orchestrators or app.activities or app.entities)
    found = (
        _bundle(settings) if durable else None,
        _packages(app_dir) if durable else None,
        _timeout(settings),
        _local_settings(settings),
    )
    return [one for one in found if one is not None]


def _bundle(settings: Settings) -> Finding | None:
    if settings.bundled:
        return None
    message = "the host has no Durable extension: host.json names no extension bundle."
    bundle = '{"id": "Microsoft.Azure.Functions.ExtensionBundle", "version": "[4.*, 5.0.0)"}'
    return Finding("", "extension-bundle", message, f'Add "extensionBundle": {bundle}.')


def _packages(app_dir: Path) -> Finding | None:
    """Azure installs what requirements.txt lists. Without such a file, the packages come along in another way."""
    file = app_dir / "requirements.txt"
    if not file.is_file() or _DURABLE.search(_requirements(file)):
        return None
    message = "the app cannot be imported: requirements.txt does not list azure-functions-durable."
    return Finding("", "requirements", message, "Add azure-functions-durable<2.")


def _timeout(settings: Settings) -> Finding | None:
    if settings.function_timeout is None:
        return None
    message = f"the host ends functions after {settings.function_timeout}; here nothing ends them."
    return Finding("", "function-timeout", message, "Keep each function below it.", breaks=False)


def _local_settings(settings: Settings) -> Finding | None:
    if not settings.values:
        return None
    message = f"local.settings.json is not deployed, so {', '.join(sorted(settings.values))} are not set there."
    return Finding("", "local-settings", message, "Add what the app needs to its app settings.", breaks=False)


def _requirements(path: Path, seen: frozenset[Path] = frozenset()) -> str:
    """The lines of a requirements file and of those that it includes, without comments."""
    if path in seen or not path.is_file():
        return ""
    text = re.sub(r"#[^\n]*", "", path.read_text(encoding="utf-8", errors="replace"))
    included = (path.parent / name for name in _INCLUDED.findall(text))
    return "\n".join([text, *(_requirements(one.resolve(), seen | {path}) for one in included)])
