"""What works differently in Azure: one finding for each thing in an app."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .errors import AppLoadError

RULES = {
    "load": "the app does not start: its script fails, the worker refuses a function, or the host refuses a route",
    "function-name": "the host does not accept a function's name, and leaves the function out",
    "argument-name": "the host does not accept an argument's name, or two arguments differ by case only",
    "route-reserved": "a route begins with `admin` or `runtime`; the host leaves the function out",
    "route-taken": "two functions share a route and a method; the host leaves out the second one by name",
    "route-order": "a function is never called: one that comes first by name takes its requests",
    "schedule": "a timer's schedule cannot be read, or lacks a setting; the host leaves the function out",
    "host-version": 'host.json does not say `"version": "2.0"`; the host does not start',
    "extension-bundle": "host.json names no extension bundle, so there are no durable functions",
    "requirements": "requirements.txt lacks azure-functions-durable, so the app cannot be imported",
    "schedule-interval": "a timer has an interval, which works on dedicated plans only",
    "schedule-range": "a range of a schedule runs backwards, such as `22-6`: NCRONTAB reads it as `6-22`",
    "retry-policy": "a retry policy cannot be read; the host leaves the function out",
    "retry-ignored": "a function has a retry policy that its trigger ignores",
    "not-served-here": "a trigger or binding needs Azure; the function is left out here",
    "disabled": "an app setting turns a function off, here as in Azure",
    "function-timeout": "host.json limits how long functions run; here nothing ends them",
    "local-settings": "local.settings.json has settings, and is not deployed",
}
"""What `check` looks for, by the name of the rule."""


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
