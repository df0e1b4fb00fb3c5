"""Loads a function app's script and indexes what it defines, with the refusals of the real worker and host."""

from __future__ import annotations

import dataclasses
import importlib.util
import inspect
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from azure.functions.decorators.function_app import FunctionRegister

from .bindings import Binding, outputs, read_bindings
from .errors import AppLoadError, UnknownFunctionError
from .findings import Finding
from .host_rules import check_names, function_order, is_disabled
from .retries import RetryPolicy, read_policy
from .worker_rules import check_function

SCRIPT = "function_app.py"
_SCRIPT_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*\.py")
_RUNNABLE_BINDINGS = frozenset({"durableClient", "http"})
_DURABLE_NAMES = {
    "orchestrationTrigger": ("orchestrator", "orchestration"),
    "activityTrigger": ("activity", "activity"),
    "entityTrigger": ("entity", "entityName"),
}


@dataclass(frozen=True)
class FunctionInfo:
    """One function: its durable name (or plain name), trigger and how to call it.

    Attributes:
        outputs: Arguments that get an `azure.functions.Out`.
        returns: The type of the binding that takes the return value; None if the function must return nothing.
        disabled: An app setting turns it off.
        retry: How it is called again after a failure; of timer functions only.
    """

    name: str
    trigger: Binding
    call: Callable[..., Any]
    is_async: bool
    wants_context: bool
    client_names: tuple[str, ...]
    outputs: tuple[str, ...] = ()
    returns: str | None = None
    disabled: bool = False
    retry: RetryPolicy | None = None


@dataclass(frozen=True)
class FunctionApp:
    """The index of an app. Durable names are matched without regard to case, hence the lower-case keys.

    HTTP functions and timers stand in the host's order. `findings` says what Azure does otherwise, and which functions
    it would not serve: those are left out here too.
    """

    directory: Path
    orchestrators: dict[str, FunctionInfo] = field(default_factory=dict)
    activities: dict[str, FunctionInfo] = field(default_factory=dict)
    entities: dict[str, FunctionInfo] = field(default_factory=dict)
    http: list[FunctionInfo] = field(default_factory=list)
    timers: list[FunctionInfo] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

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
    """Import the app's script afresh and index it. Raises AppLoadError with what is wrong.

    The script is function_app.py, or what the environment variable PYTHON_SCRIPT_FILE_NAME says.
    """
    name = _script_name()
    app = _single_app(_import(app_dir, name), name)
    with _root_logger_muted():
        try:
            functions = app.get_functions()
        except (ValueError, KeyError) as error:
            raise AppLoadError(str(error)) from error
    index = FunctionApp(app_dir)
    for function in sorted(functions, key=lambda one: function_order(str(one.get_function_name()))):
        _add(index, function)
    return index


def _script_name() -> str:
    name = os.environ.get("PYTHON_SCRIPT_FILE_NAME") or SCRIPT
    if not _SCRIPT_NAME.fullmatch(name):
        raise AppLoadError(f"PYTHON_SCRIPT_FILE_NAME: '{name}' is not the name of a Python file, such as {SCRIPT}")
    return name


def _import(app_dir: Path, name: str) -> ModuleType:
    script = app_dir / name
    if not script.is_file():
        raise AppLoadError(f"there is no {name} in {app_dir}")
    module_name = script.stem
    spec = importlib.util.spec_from_file_location(module_name, script)
    if spec is None or spec.loader is None:
        raise AppLoadError(f"{script} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    # Registered under its real name: payloads of custom classes are found through sys.modules.
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        sys.modules.pop(module_name, None)
        raise AppLoadError(f"{script} failed to import: {type(error).__name__}: {error}") from error
    return module


def _single_app(module: ModuleType, name: str) -> FunctionRegister:
    apps = [value for value in vars(module).values() if isinstance(value, FunctionRegister)]
    if not apps:
        raise AppLoadError(f"there is no top level function app instance in {name}")
    if len(apps) > 1:
        raise AppLoadError(
            f"more than one {type(apps[0]).__name__} or other top level function app instances are defined"
        )
    return apps[0]


def _add(index: FunctionApp, function: Any) -> None:
    name, user_function = function.get_function_name(), function.get_user_function()
    trigger, bindings = read_bindings(function)
    signature = check_function(name, user_function, bindings)
    wrong = check_names(name, bindings)
    if wrong is not None:
        index.findings.append(wrong)
        return
    info = FunctionInfo(
        name=name,
        trigger=trigger,
        call=user_function,
        is_async=inspect.iscoroutinefunction(user_function),
        wants_context=signature.wants_context,
        client_names=tuple(binding.name for binding in bindings if binding.type == "durableClient"),
        outputs=outputs(bindings),
        returns=signature.returns,
        disabled=is_disabled(name),
    )
    try:
        policy = read_policy(function.get_setting("retry_policy"))
    except AppLoadError as error:
        message = f"the host leaves it out for its retry policy: {error}."
        index.findings.append(Finding(name, "retry-policy", message, "Correct what @app.retry is given."))
        return
    if policy is not None and trigger.type == "timerTrigger":
        info = dataclasses.replace(info, retry=policy)
    elif policy is not None:
        index.findings.append(_not_retried(name))
    unsupported = {binding.type for binding in bindings if binding is not trigger} - _RUNNABLE_BINDINGS
    if unsupported:
        index.findings.append(_unserved(name, f"bindings {', '.join(sorted(unsupported))}"))
    elif trigger.type == "httpTrigger":
        index.http.append(info)
        index.findings.extend([_off(name)] if info.disabled else [])
    elif trigger.type not in _DURABLE_NAMES and trigger.type != "timerTrigger":
        index.findings.append(_unserved(name, f"trigger {trigger.type}"))
    elif info.disabled:
        index.findings.append(_off(name))
    elif trigger.type == "timerTrigger":
        index.timers.append(info)
    else:
        _add_durable(index, info)


def _unserved(name: str, what: str) -> Finding:
    return Finding(
        name, "not-served-here", f"it is not served here: its {what} need Azure.", "Try it in Azure.", breaks=False
    )


def _not_retried(name: str) -> Finding:
    return Finding(
        name,
        "retry-ignored",
        "its retry policy is not followed: of the triggers that are served here, the timer alone has retries.",
        "Remove @app.retry; durable functions have RetryOptions.",
        breaks=False,
    )


def _off(name: str) -> Finding:
    return Finding(
        name, "disabled", "an app setting turns it off.", f"Remove AzureWebJobs.{name}.Disabled.", breaks=False
    )


def _add_durable(index: FunctionApp, info: FunctionInfo) -> None:
    kind, setting = _DURABLE_NAMES[info.trigger.type]
    name = info.trigger.text(setting) or info.name
    table = {"orchestrator": index.orchestrators, "activity": index.activities, "entity": index.entities}[kind]
    if name.lower() in table:
        raise AppLoadError(f"two functions are {kind} '{name}'; durable names have to differ in more than case")
    table[name.lower()] = dataclasses.replace(info, name=name)


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
