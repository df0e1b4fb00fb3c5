"""Triggers and bindings as the Functions host is told of them: the JSON that the worker sends for each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

RETURN = "$return"


@dataclass(frozen=True)
class Binding:
    """One binding. `settings` are its own properties, their names in lower case: the host takes them in any case."""

    name: str
    type: str
    direction: str
    settings: dict[str, Any] = field(default_factory=dict)

    def text(self, name: str) -> str | None:
        """A setting as text, None where there is none."""
        value = self.settings.get(name.lower())
        return None if value is None else str(value)

    def flag(self, name: str, default: bool) -> bool:
        """A setting that is true or false."""
        value = self.settings.get(name.lower(), default)
        return value.lower() == "true" if isinstance(value, str) else bool(value)


def read_bindings(function: Any) -> tuple[Binding, list[Binding]]:
    """The trigger and all bindings, the trigger included, of a function that azure-functions has indexed."""
    bindings = [_binding(text) for text in function.get_raw_bindings()]
    return bindings[function.get_bindings().index(function.get_trigger())], bindings


def outputs(bindings: Sequence[Binding]) -> tuple[str, ...]:
    """The arguments that functions write to."""
    return tuple(one.name for one in bindings if one.direction == "out" and one.name != RETURN)


def _binding(text: str) -> Binding:
    settings = {name.lower(): value for name, value in json.loads(text).items()}
    name, kind, direction = (str(settings.pop(key, "")) for key in ("name", "type", "direction"))
    return Binding(name, kind, direction.lower(), settings)
