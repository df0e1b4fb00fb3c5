"""What functions give back: return values and `azure.functions.Out` arguments, with the worker's rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import azure.functions as func
from azure.functions import get_binding_registry
from azure.functions.meta import Datum

from .loader import FunctionInfo


class Output(func.Out[Any]):
    """The argument of an output binding."""

    def __init__(self) -> None:
        self._value: Any = None

    def set(self, val: Any) -> None:
        self._value = val

    def get(self) -> Any:
        return self._value


@dataclass(frozen=True)
class Returned:
    """A return value, and whether a binding takes it. Without one, the value is None."""

    value: Any
    bound: bool


def returned(info: FunctionInfo, value: Any) -> Returned:
    """Check a return value as the worker does. Raises RuntimeError for a value that no binding takes."""
    if info.returns is None and value is not None:
        raise RuntimeError(f"function '{info.name}' without a $return binding returned a non-None value")
    return Returned(value, info.returns is not None)


def encode_http(value: Any) -> Datum:
    """What the host gets of an HTTP function's answer. Raises TypeError for what is neither text nor a response."""
    try:
        return get_binding_registry().get("http").encode(value, expected_type=None)
    except NotImplementedError:
        raise TypeError(
            f"unable to encode outgoing TypedData: unsupported type 'http' for Python type '{type(value).__name__}'; "
            "return azure.functions.HttpResponse or str"
        ) from None
