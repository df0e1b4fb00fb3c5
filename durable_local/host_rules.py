"""The Functions host's rules of names and of disabled functions, which hold for every trigger.

Read in azure-functions-host (`Utility.cs`, `WorkerFunctionMetadataProvider.cs`) and the WebJobs SDK.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from .bindings import RETURN, Binding
from .findings import Finding

_FUNCTION = re.compile(r"[a-z][a-z0-9_-]{0,127}", re.IGNORECASE | re.ASCII)
# Underscores are allowed since host 4.1038, two in a row are not.
_BINDING = re.compile(r"(?!.*__)[a-zA-Z_][a-zA-Z0-9_]{0,127}", re.ASCII)


def function_order(name: str) -> str:
    """The key by which the host sorts functions, and so routes: ordinal, in upper case."""
    return name.upper()


def check_names(name: str, bindings: Sequence[Binding]) -> Finding | None:
    """Why the host puts the function into error, None if its name and those of its arguments are fine."""
    if not _FUNCTION.fullmatch(name) or name.lower() == "host":
        return Finding(
            name,
            "function-name",
            "Azure does not serve it: this is not a valid name.",
            "Use a letter first, then letters, digits, '_' and '-', 128 at most, and not 'host'.",
        )
    seen: dict[str, str] = {}
    for binding in bindings:
        if binding.name != RETURN and not _BINDING.fullmatch(binding.name):
            return Finding(
                name,
                "argument-name",
                f"Azure does not serve it: the argument name '{binding.name}' is not valid.",
                "Use letters, digits and single underscores, no digit first, 128 at most.",
            )
        other = seen.setdefault(binding.name.lower(), binding.name)
        if other is not binding.name or [one.name for one in bindings].count(binding.name) > 1:
            return Finding(
                name,
                "argument-name",
                f"Azure does not serve it: its arguments '{other}' and '{binding.name}' do not differ but by case.",
                "Give each argument a name of its own.",
            )
    return None


def is_disabled(name: str) -> bool:
    """Whether an app setting turns the function off: AzureWebJobs.NAME.Disabled, in Linux also with underscores."""
    wanted = {f"azurewebjobs.{name}.disabled".lower(), f"azurewebjobs_{name}_disabled".lower()}
    return any(setting.lower() in wanted and _is_on(value) for setting, value in os.environ.items())


def _is_on(value: str) -> bool:
    """As the WebJobs SDK reads a flag: true in any case, or 1."""
    return value.strip().lower() == "true" or value.strip() == "1"
