"""The app's routes as the Functions host registers them: in the order of function names; the first that fits answers.

Read in azure-functions-host: `FunctionMetadataManager` sorts, `ScriptHost.ValidateFunction` puts functions into error,
and `WebScriptHostHttpRoutesManager` maps what is left. A template that ASP.NET Core refuses ends the host's start.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ..findings import Finding
from ..host_rules import function_order
from ..loader import FunctionInfo
from .match import Path, Route, compile_route, split_path
from .template import Literal, Parameter, TemplateError, parameters

_RESERVED = ("admin", "runtime")
_ANONYMOUS = "anonymous"
# Values for parameters of all kinds: one of them passes any constraint that is not a list of words.
_SAMPLES = ("x", "a-b", "7", "a.txt", "true", "2024-02-03", "00000000-0000-4000-8000-000000000000", "abcdefghijklmnop")


@dataclass(frozen=True)
class HttpFunction:
    """A function with its route and methods (an empty set means all); `locked` ones want the host's key."""

    info: FunctionInfo
    route: Route
    methods: frozenset[str]
    locked: bool

    def answers(self, method: str, path: Path) -> dict[str, str] | None:
        """The route's parameters, if this function answers; else None."""
        return None if self.methods and method not in self.methods else self.route.match(path)


def http_functions(functions: Iterable[FunctionInfo], prefix: str) -> tuple[list[HttpFunction], list[Finding]]:
    """The HTTP functions in the host's order, without those that it puts into error, and why it does so.

    Raises TemplateError for what ends the host's start.
    """
    served: list[HttpFunction] = []
    claimed: list[tuple[str, HttpFunction]] = []
    findings: list[Finding] = []
    for info in sorted(functions, key=lambda info: function_order(info.name)):
        route = _route_of(info)
        methods = _methods(info)
        place = route.strip("/").lower()
        if place.startswith(_RESERVED):
            findings.append(_reserved(info, route))
            continue
        other = next((one for taken, one in claimed if taken == place and _overlap(one.methods, methods)), None)
        if other is not None:
            findings.append(_taken(info, route, other))
            continue
        level = (info.trigger.text("authLevel") or "function").lower()
        function = HttpFunction(info, _compile(info, prefix, route), methods, locked=level != _ANONYMOUS)
        claimed.append((place, function))
        served.append(function)
    return served, findings + _never_reached(served)


def find(functions: Sequence[HttpFunction], method: str, path: Path) -> tuple[HttpFunction | None, dict[str, str]]:
    """Who answers a request, with the route's parameters."""
    for function in functions:
        parameters = function.answers(method, path)
        if parameters is not None:
            return function, parameters
    return None, {}


def _route_of(info: FunctionInfo) -> str:
    route = info.trigger.text("route") or ""
    return route if route.strip() else info.name


def _methods(info: FunctionInfo) -> frozenset[str]:
    found = info.trigger.settings.get("methods") or ()
    return frozenset(str(method).upper() for method in ([found] if isinstance(found, str) else found))


def _overlap(one: frozenset[str], other: frozenset[str]) -> bool:
    return not one or not other or bool(one & other)


def _compile(info: FunctionInfo, prefix: str, route: str) -> Route:
    template = f"{prefix}/{route}" if prefix else route
    try:
        return compile_route(template)
    except TemplateError as error:
        if prefix and route.startswith("/"):
            raise TemplateError(
                template,
                f"the route of '{info.name}' begins with '/', and the Functions host does not start with it: two "
                'slashes follow each other. Set "extensions": {"http": {"routePrefix": ""}} in host.json, which every '
                "AsgiFunctionApp and WsgiFunctionApp needs, or take the slash away",
            ) from error
        raise TemplateError(template, f"function '{info.name}': {str(error).partition(': ')[2]}") from error


def _reserved(info: FunctionInfo, route: str) -> Finding:
    return Finding(
        info.name,
        "route-reserved",
        f"Azure does not serve it: its route '{route}' begins with a word that the host keeps for itself.",
        "Let it begin with something other than 'admin' and 'runtime'.",
    )


def _taken(info: FunctionInfo, route: str, other: HttpFunction) -> Finding:
    return Finding(
        info.name,
        "route-taken",
        f"Azure does not serve it: '{other.info.name}' has the route '{route}' already.",
        "Give one of the two another route or other methods.",
    )


def _never_reached(functions: Sequence[HttpFunction]) -> list[Finding]:
    """Functions whose requests others answer, method by method, on each path that was tried."""
    findings = []
    for index, function in enumerate(functions):
        paths = list(_paths(function.route))
        lost: dict[str, str] = {}
        for method in sorted(function.methods) or ["GET"]:
            firsts = [found.info.name for path in paths if (found := find(functions[: index + 1], method, path)[0])]
            if firsts and function.info.name not in firsts:
                lost[method] = firsts[0]
        if lost:
            findings.append(_behind(function, lost))
    return findings


def _behind(function: HttpFunction, lost: dict[str, str]) -> Finding:
    name, first = function.info.name, next(iter(lost.values()))
    asked = f"{'/'.join(lost) if function.methods else 'any method'} {function.route.template}"
    return Finding(
        name,
        "route-order",
        f"Azure never calls it for {asked}: '{first}' comes first in the order of names, and answers.",
        f"Rename one of the two, so that '{name}' comes first.",
    )


def _paths(route: Route) -> Iterator[Path]:
    """Some paths that the route takes: parameters with values that their constraints let through, and without."""
    named = parameters(route.segments)
    values = {one.name: [text for text in _SAMPLES if _passes(route, one, text)] for one in named}
    for turn in range(len(_SAMPLES) if all(values.values()) else 0):
        segments = [
            "".join(
                part.text if isinstance(part, Literal) else values[part.name][turn % len(values[part.name])]
                for part in parts
            )
            for parts in route.segments
        ]
        for end in range(len(segments) + 1):
            path = split_path("/" + "/".join(segments[:end]))
            if route.match(path) is not None:
                yield path


def _passes(route: Route, parameter: Parameter, text: str) -> bool:
    return all(check(text) for constrained, check in route.checks if constrained is parameter)
