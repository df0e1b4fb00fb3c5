"""Loads a `function_app.py` and indexes what it defines, with the real worker's refusals."""

from __future__ import annotations

import importlib.util
import inspect
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from azure.functions.decorators.function_app import FunctionRegister

from .errors import AppLoadError, UnknownFunctionError
from .validate import check_function

log = logging.getLogger("durable_local")

MODULE_NAME = "function_app"
_RUNNABLE_BINDINGS = frozenset({"durableClient", "http"})
_DURABLE_NAMES = {
    "orchestrationTrigger": ("orchestrator", "orchestration"),
    "activityTrigger": ("activity", "activity"),
    "entityTrigger": ("entity", "entity_name"),
}


@dataclass(frozen=True)
class FunctionInfo:
    """One function: its durable name (or plain name), trigger and how to call it."""

    name: str
    trigger: Any
    call: Callable[..., Any]
    is_async: bool
    wants_context: bool
    client_names: tuple[str, ...]


@dataclass(frozen=True)
class FunctionApp:
    """The index of an app. Durable names are matched without regard to case, hence the lower-case keys."""

    directory: Path
    orchestrators: dict[str, FunctionInfo] = field(default_factory=dict)
    activities: dict[str, FunctionInfo] = field(default_factory=dict)
    entities: dict[str, FunctionInfo] = field(default_factory=dict)
    http: list[FunctionInfo] = field(default_factory=list)
    timers: list[FunctionInfo] = field(default_factory=list)

    def orchestrator(self, name: str) -> FunctionInfo:
        return _find("orchestrator", self.orchestrators, name)

    def activity(self, name: str) -> FunctionInfo:
        return _find("activity", self.activities, name)

    def entity(self, name: str) -> FunctionInfo:
        return _find("entity", self.entities, name)


def _find(kind: str, table: dict[str, FunctionInfo], name: str) -> FunctionInfo:
    found = table.get(name.lower())
    if found is None:
        raise UnknownFunctionError(kind, name, [info.name for info in table.values()])
    return found


def load_app(app_dir: Path) -> FunctionApp:
    """Import `app_dir/function_app.py` afresh and index it. Raises AppLoadError with what is wrong."""
    app = _single_app(_import(app_dir))
    with _root_logger_muted():
        try:
            functions = app.get_functions()
        except ValueError as error:
            raise AppLoadError(str(error)) from error
    index = FunctionApp(app_dir)
    for function in functions:
        _add(index, function)
    return index


def _import(app_dir: Path) -> ModuleType:
    script = app_dir / f"{MODULE_NAME}.py"
    if not script.is_file():
        raise AppLoadError(f"there is no {MODULE_NAME}.py in {app_dir}")
    spec = importlib.util.spec_from_file_location(MODULE_NAME, script)
    if spec is None or spec.loader is None:
        raise AppLoadError(f"{script} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    # Registered under its real name: payloads of custom classes are found through sys.modules.
    sys.modules[MODULE_NAME] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        sys.modules.pop(MODULE_NAME, None)
        raise AppLoadError(f"{script} failed to import: {type(error).__name__}: {error}") from error
    return module


def _single_app(module: ModuleType) -> FunctionRegister:
    apps = [value for value in vars(module).values() if isinstance(value, FunctionRegister)]
    if not apps:
        raise AppLoadError(f"there is no top level function app instance in {MODULE_NAME}.py")
    if len(apps) > 1:
        raise AppLoadError(
            f"more than one {type(apps[0]).__name__} or other top level function app instances are defined"
        )
    return apps[0]


def _add(index: FunctionApp, function: Any) -> None:
    trigger, name = function.get_trigger(), function.get_function_name()
    bindings = function.get_bindings()
    unsupported = {binding.type for binding in bindings if binding is not trigger} - _RUNNABLE_BINDINGS
    user_function = function.get_user_function()
    info = FunctionInfo(
        name=name,
        trigger=trigger,
        call=user_function,
        is_async=inspect.iscoroutinefunction(user_function),
        wants_context=check_function(name, user_function, bindings),
        client_names=tuple(binding.name for binding in bindings if binding.type == "durableClient"),
    )
    if unsupported:
        log.warning("function '%s' is not served: bindings %s need Azure", name, ", ".join(sorted(unsupported)))
    elif trigger.type == "httpTrigger":
        index.http.append(info)
    elif trigger.type == "timerTrigger":
        index.timers.append(info)
    elif trigger.type in _DURABLE_NAMES:
        _add_durable(index, info)
    else:
        log.warning("function '%s' is not served: its trigger %s needs Azure", name, trigger.type)


def _add_durable(index: FunctionApp, info: FunctionInfo) -> None:
    kind, attribute = _DURABLE_NAMES[info.trigger.type]
    name = getattr(info.trigger, attribute) or info.name
    table = {"orchestrator": index.orchestrators, "activity": index.activities, "entity": index.entities}[kind]
    if name.lower() in table:
        raise AppLoadError(f"two functions are {kind} '{name}'; durable names do not differ by case alone")
    table[name.lower()] = FunctionInfo(**{**vars(info), "name": name})


@contextmanager
def _root_logger_muted() -> Iterator[None]:
    """The SDK warns through the root logger about apps without HTTP functions, and configures it in passing."""
    root = logging.getLogger()
    quiet = logging.NullHandler()
    root.addHandler(quiet)
    root.addFilter(_refuse)
    try:
        yield
    finally:
        root.removeFilter(_refuse)
        root.removeHandler(quiet)


def _refuse(record: logging.LogRecord) -> bool:
    return False
