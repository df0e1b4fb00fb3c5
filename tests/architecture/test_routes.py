"""Routes as the Functions host takes them: in the order of function names, case ignored; the first that fits answers.

So it was read in the source of azure-functions-host 4.1037. It knows no order of specificity. What it keeps for itself,
or would not serve for another reason, is a finding of the embedded host.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from comboi_core.web import openapi
from durable_local.loader import load_app
from durable_local.routing.match import split_path
from durable_local.routing.table import HttpFunction, find, http_functions

ROOT = Path(__file__).resolve().parents[2]
ASKED = [
    (method.upper(), path) for path, methods in openapi.PATHS.items() for method in methods if method != "parameters"
]


@pytest.fixture(scope="module")
def functions() -> list[HttpFunction]:
    served, findings = http_functions(load_app(ROOT).http, "api")
    assert not findings
    return served


@pytest.mark.parametrize(("method", "path"), ASKED)
def test_each_request_reaches_the_function_that_was_written_for_it(functions: list[HttpFunction], method, path):
    asked = re.sub(r"\{\w+\}", "x.y", path).strip("/")

    first, _ = find(functions, method, split_path(f"/api/{asked}"))

    assert first is not None
    assert first.route.template == f"api/{path.strip('/')}", f"{first.info.name} answers in its place"


def test_what_nothing_else_answers_comes_last(functions: list[HttpFunction]):
    assert functions[-1].route.template == "api/{*path}"
