"""Domain dataclasses to JSON and back."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import lru_cache
from typing import Any, TypeVar

from pydantic import TypeAdapter

T = TypeVar("T")


@lru_cache
def _cached(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _adapter(kind: type[T]) -> TypeAdapter[T]:
    key: Any = kind  # lru_cache's stub takes no type for a key, and does not carry its kind over
    return _cached(key)


def decode(kind: type[T], value: Any) -> T:
    """Make a dataclass from what `json.loads` gives; pydantic's ValidationError if it does not fit."""
    return _adapter(kind).validate_python(value)


def decode_json(kind: type[T], data: bytes) -> T:
    """Make a dataclass from JSON."""
    return _adapter(kind).validate_json(data)


def encode_json(value: Any) -> bytes:
    """Return a dataclass or plain structure as JSON; values made the same way give the same bytes."""
    plain = value if isinstance(value, (dict, list)) else asdict(value)
    return json.dumps(plain, ensure_ascii=False, indent=1).encode()
