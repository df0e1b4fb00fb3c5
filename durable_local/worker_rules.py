"""The Python worker's checks of parameters and annotations: an app that loads here loads there.

Read in the worker (4.34, `functions.py`, `bindings/meta.py`, `bindings/generic.py`) and compared with it, variant by
variant, in tests/durable_local/test_worker_rules.py. One function that the worker refuses takes the whole app with it.
"""

from __future__ import annotations

import collections.abc
import inspect
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from azure.functions import get_binding_registry

from .bindings import RETURN, Binding
from .errors import AppLoadError

_CLIENT = "durableClient"
# Private classes, which typing's stubs leave out; the worker asks for the same ones.
_ALIASES: tuple[Any, ...] = (typing._GenericAlias, typing._SpecialGenericAlias)  # type: ignore[attr-defined]
_NO_GENERICS = (typing.Union, tuple, typing.ClassVar, collections.abc.Callable)


@dataclass(frozen=True)
class Signature:
    """What a function that the worker accepts needs when it is called.

    Attributes:
        wants_context: Whether it has a `context` argument for the invocation.
        returns: The type of the binding that takes its return value, None if it must return nothing.
    """

    wants_context: bool
    returns: str | None


class _Refusal(Exception):
    """A reason why the worker does not load the function."""


def check_function(name: str, function: Callable[..., Any], bindings: Sequence[Binding]) -> Signature:
    """Check a function as the worker does. Raises AppLoadError with the worker's reason."""
    try:
        return _check(function, bindings)
    except _Refusal as reason:
        raise AppLoadError(f"cannot load function '{name}': {reason}") from reason


def _check(function: Callable[..., Any], bindings: Sequence[Binding]) -> Signature:
    parameters = set(inspect.signature(function).parameters)
    annotations = _annotations(function)
    returns: str | None = None
    explicit: str | None = None
    for binding in bindings:
        if binding.direction == "inout":
            raise _Refusal(f"binding {binding.name} has the direction inout, which the worker does not support")
        if binding.name == RETURN:
            if binding.direction != "out":
                raise _Refusal(f"binding {RETURN} must have the direction out")
            explicit = explicit or binding.type
        elif _has_implicit_output(binding.type):
            returns = binding.type
    bound = {binding.name: binding for binding in bindings if binding.name != RETURN}
    wants_context = "context" in parameters and "context" not in bound
    if wants_context:
        _check_context(annotations)
        parameters.discard("context")
    _check_names(parameters, set(bound))
    for parameter in sorted(parameters & set(annotations)):
        _check_parameter(bound[parameter], annotations[parameter])
    if explicit is not None and "return" in annotations:
        _check_return(explicit, annotations["return"])
    return Signature(wants_context, explicit or returns)


def _annotations(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except Exception as error:
        raise _Refusal(f"its annotations do not resolve: {error}") from error


def _check_context(annotations: dict[str, Any]) -> None:
    found = annotations.get("context")
    if "context" in annotations and not (isinstance(found, type) and found.__name__ == "Context"):
        raise _Refusal(
            f"the 'context' parameter is expected to be of type azure.functions.Context, got {found!r}; "
            "the context_name of orchestrators and entities must be 'context'"
        )


def _check_names(parameters: set[str], bound: set[str]) -> None:
    if parameters - bound:
        raise _Refusal(
            f"parameters {sorted(parameters - bound)} are declared in Python but bound by no decorator; "
            "of orchestrators and entities, context_name must be 'context'"
        )
    if bound - parameters:
        raise _Refusal(
            f"{sorted(bound - parameters)} are declared in decorators but missing from the Python function; "
            "of orchestrators and entities, context_name must be 'context'"
        )


def _check_parameter(binding: Binding, annotation: Any) -> None:
    written = _is_out(annotation)
    wanted = _written_type(binding, annotation) if written else annotation
    # The worker asks first whether a list of SDK objects is meant, and fails on forms whose origin is no class.
    origin = typing.get_origin(annotation)
    failing = origin is not None and not isinstance(origin, type)
    if failing or not (isinstance(wanted, type) or _is_generic(wanted)):
        raise _Refusal(
            f"binding {binding.name} has invalid non-type annotation {annotation!r}; "
            "use a plain class such as dict, or none"
        )
    if binding.direction == "out" and not written:
        raise _Refusal(f"binding {binding.name} is an output, so its annotation must be azure.functions.Out[...]")
    if binding.direction != "out" and written:
        raise _Refusal(f"binding {binding.name} is an input, so its annotation must not be azure.functions.Out[...]")
    plain = wanted in (str, bytes) and not _has_implicit_output(binding.type)
    kind = "generic" if plain else binding.type
    if not (_takes_output(kind, wanted) if written else _takes_input(kind, wanted)):
        raise _Refusal(
            f'type of {binding.name} binding "{binding.type}" does not match its Python annotation {annotation!r}'
        )


def _check_return(kind: str, annotation: Any) -> None:
    if not isinstance(annotation, type):
        raise _Refusal(f"invalid non-type return annotation {annotation!r}")
    if not _takes_output(kind, annotation):
        raise _Refusal(f'Python return annotation "{annotation.__name__}" does not match binding type "{kind}"')


def _is_out(annotation: Any) -> bool:
    origin = annotation.__origin__ if isinstance(annotation, _ALIASES[0]) else annotation
    return isinstance(origin, type) and origin.__name__ == "Out"


def _written_type(binding: Binding, annotation: Any) -> Any:
    arguments: tuple[Any, ...] = getattr(annotation, "__args__", ())
    if len(arguments) != 1:
        raise _Refusal(f"binding {binding.name} has invalid Out annotation {annotation!r}; write Out[...]")
    return arguments[0]


def _is_generic(annotation: Any) -> bool:
    """Generic classes and aliases of `typing`, with or without arguments; not Union, Tuple, ClassVar and Callable."""
    if isinstance(annotation, type):
        return issubclass(annotation, typing.Generic)
    return isinstance(annotation, _ALIASES) and annotation.__origin__ not in _NO_GENERICS


def _has_implicit_output(kind: str) -> bool:
    converter = get_binding_registry().get(kind)
    if converter is None:
        return kind != _CLIENT
    return bool(getattr(converter, "has_implicit_output", lambda: False)())


def _takes_input(kind: str, annotation: Any) -> bool:
    converter = get_binding_registry().get(kind)
    if converter is None:
        return _accepts(lambda one: issubclass(one, (str, bytes)), annotation)
    return _accepts(getattr(converter, "check_input_type_annotation", None), annotation)


def _takes_output(kind: str, annotation: Any) -> bool:
    converter = get_binding_registry().get(kind)
    if converter is None:
        return _accepts(lambda one: issubclass(one, (str, bytes, bytearray)), annotation)
    return _accepts(getattr(converter, "check_output_type_annotation", None), annotation)


def _accepts(check: Callable[[Any], bool] | None, annotation: Any) -> bool:
    try:
        return check is not None and bool(check(annotation))
    except (TypeError, NotImplementedError):
        return False
