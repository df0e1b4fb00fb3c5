"""What would be otherwise in Azure: one entry for each thing that is found in an app."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .errors import AppLoadError

RULES = {
    "load": "the app does not start: its script fails, or the worker refuses a function, or the host a route",
    "function-name": "a function's name is not one that the host takes; it leaves the function out",
    "argument-name": "so with the name of an argument, or two that differ by case only",
    "route-reserved": "a route begins with `admin` or `runtime`; the host leaves the function out",
    "route-taken": "two functions have one route and a method in common; the host leaves the second one by name out",
    "route-order": "a function is never called: one that comes first by name takes its requests",
    "schedule": "a timer's schedule cannot be read, or a setting in it is missing; the host leaves the function out",
    "host-version": 'host.json does not say `"version": "2.0"`; the host does not start',
    "extension-bundle": "host.json names no extension bundle, so there are no durable functions",
    "requirements": "requirements.txt lacks azure-functions-durable, so the app cannot be imported",
    "schedule-interval": "a timer has an interval, which works on dedicated plans only",
    "schedule-range": "a range of a schedule goes down, such as `22-6`: NCRONTAB takes it as `6-22`",
    "retry-policy": "a retry policy cannot be read; the host leaves the function out",
    "retry-ignored": "a function has a retry policy, and its trigger follows none",
    "not-served-here": "a trigger or binding needs Azure; the function is left out here",
    "disabled": "an app setting turns a function off, here as there",
    "function-timeout": "host.json limits how long functions run; here nothing ends them",
    "local-settings": "local.settings.json has settings, and is not deployed",
}
"""What is looked for, by the rule's name."""


@dataclass(frozen=True)
class Finding:
    """One difference.

    Attributes:
        function: The function's name; empty for the whole app.
        rule: A name from RULES.
        message: What Azure does.
        remedy: What to do.
        breaks: Whether something does not work in Azure; otherwise it works, but not in the same way.
    """

    function: str
    rule: str
    message: str
    remedy: str
    breaks: bool = True

    def __str__(self) -> str:
        subject = f"function '{self.function}': " if self.function else ""
        return f"{subject}{self.message} {self.remedy} [{self.rule}]"


def refuse(findings: Iterable[Finding]) -> None:
    """Raise AppLoadError that lists what breaks in Azure, if anything does."""
    broken = [finding for finding in findings if finding.breaks]
    if len(broken) == 1:
        raise AppLoadError(str(broken[0]))
    if broken:
        raise AppLoadError("Azure would refuse this app:\n" + "\n".join(f"- {finding}" for finding in broken))
