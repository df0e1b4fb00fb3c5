"""The real Python worker's checks of parameters and annotations: an app that loads here loads there."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from typing import Any

from azure.functions import get_binding_registry
from azure.functions._thirdparty import typing_inspect

from .errors import AppLoadError

_CANNOT = "cannot load function"


def check_function(name: str, function: Callable[..., Any], bindings: list[Any]) -> bool:
    """Refuse what the worker refuses (AppLoadError). Returns whether the function wants a `context` argument."""
    parameters = dict(inspect.signature(function).parameters)
    bound = {binding.name: binding for binding in bindings if binding.name != "$return"}
    annotations = _annotations(name, function)
    wants_context = "context" in parameters and "context" not in bound
    if wants_context:
        _check_context(name, annotations)
        del parameters["context"]
    _check_names(name, set(parameters), set(bound))
    for parameter in parameters:
        if parameter in annotations:
            _check_parameter(name, bound[parameter], annotations[parameter])
    if any(binding.name == "$return" for binding in bindings) and "return" in annotations:
        returned = next(binding for binding in bindings if binding.name == "$return")
        _check_return(name, returned, annotations["return"])
    return wants_context


def _annotations(name: str, function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except Exception as error:
        raise AppLoadError(f"{_CANNOT} '{name}': its annotations do not resolve: {error}") from error


def _check_context(name: str, annotations: dict[str, Any]) -> None:
    found = annotations.get("context")
    if found is not None and getattr(found, "__name__", "") != "Context":
        raise AppLoadError(
            f"{_CANNOT} '{name}': the 'context' parameter is expected to be of type azure.functions.Context, "
            f"got {found!r}; the context_name of orchestrators and entities must be 'context'"
        )


def _check_names(name: str, parameters: set[str], bound: set[str]) -> None:
    if parameters - bound:
        raise AppLoadError(
            f"{_CANNOT} '{name}': parameters {sorted(parameters - bound)} are declared in Python but bound by "
            "no decorator"
        )
    if bound - parameters:
        raise AppLoadError(
            f"{_CANNOT} '{name}': {sorted(bound - parameters)} are declared in decorators but missing from the "
            "Python function; of orchestrators and entities, context_name must be 'context'"
        )


def _check_parameter(name: str, binding: Any, annotation: Any) -> None:
    if not isinstance(annotation, type) and not typing_inspect.is_generic_type(annotation):
        raise AppLoadError(
            f"{_CANNOT} '{name}': binding {binding.name} has invalid non-type annotation {annotation!r}; "
            "use a plain class such as dict, or none"
        )
    converter = get_binding_registry().get(binding.type)
    if _read_as_text(converter, annotation):
        return
    if converter is None or not _accepts(converter.check_input_type_annotation, annotation):
        raise AppLoadError(
            f"{_CANNOT} '{name}': type of {binding.name} binding \"{binding.type}\" does not match its Python "
            f"annotation {annotation!r}"
        )


def _check_return(name: str, binding: Any, annotation: Any) -> None:
    if not isinstance(annotation, type):
        raise AppLoadError(f"{_CANNOT} '{name}': invalid non-type return annotation {annotation!r}")
    converter = get_binding_registry().get(binding.type)
    if converter is None or not _accepts(converter.check_output_type_annotation, annotation):
        raise AppLoadError(
            f"{_CANNOT} '{name}': Python return annotation \"{annotation.__name__}\" does not match binding type "
            f'"{binding.type}"'
        )


def _read_as_text(converter: Any, annotation: Any) -> bool:
    """The worker hands str and bytes parameters over as they are, unless the binding has an implicit output."""
    implicit = converter is not None and getattr(converter, "has_implicit_output", lambda: False)()
    return annotation in (str, bytes) and not implicit


def _accepts(check: Callable[[Any], bool], annotation: Any) -> bool:
    try:
        return bool(check(annotation))
    except TypeError:
        return False
