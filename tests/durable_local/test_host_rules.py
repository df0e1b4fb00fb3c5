"""Names of functions and arguments, and functions that an app setting turns off."""

from __future__ import annotations

import pytest
from durable_local_helpers import http, start, write_app

from durable_local import AppLoadError, Host
from durable_local.bindings import Binding
from durable_local.host_rules import check_names, is_disabled
from durable_local.loader import load_app

HEAD = """
import azure.durable_functions as df
import azure.functions as func
app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)
"""


def rule(name: str, *arguments: str) -> str | None:
    found = check_names(name, [Binding(argument, "activityTrigger", "in") for argument in arguments])
    return None if found is None else found.rule


@pytest.mark.parametrize("name", ["a", "A_b-c9", "hosts", "a" * 128])
def test_names_that_the_host_takes(name):
    assert rule(name, "x") is None


@pytest.mark.parametrize("name", ["", "1a", "_a", "a.b", "a b", "ä", "host", "HOST", "a" * 129])
def test_names_that_put_a_function_into_error(name):
    assert rule(name, "x") == "function-name"


@pytest.mark.parametrize("arguments", [("x",), ("_x",), ("a_b",), ("x9", "$return"), ("a" * 128,)])
def test_argument_names_that_the_host_takes(arguments):
    assert rule("f", *arguments) is None


@pytest.mark.parametrize("arguments", [("a__b",), ("ä",), ("a" * 129,), ("x", "X"), ("x", "x"), ("",)])
def test_argument_names_that_put_a_function_into_error(arguments):
    assert rule("f", *arguments) == "argument-name"


BAD_NAMES = (
    HEAD
    + """
@app.function_name("host")
@app.route(route="a")
def reserved(req) -> str: return "a"

@app.activity_trigger(input_name="a__b")
def double(a__b): ...

@app.route(route="good")
def good(req) -> str: return "good"
"""
)


def test_functions_in_error_are_left_out_and_the_others_served(tmp_path):
    app = write_app(tmp_path, BAD_NAMES)
    assert {(one.function, one.rule) for one in load_app(app).findings} == {
        ("host", "function-name"),
        ("double", "argument-name"),
    }
    with Host(app, tmp_path / "hub.db") as host:
        assert (http("GET", f"{host.url}/api/a").status, http("GET", f"{host.url}/api/good").text) == (404, "good")
    with pytest.raises(AppLoadError) as refused:
        Host(app, tmp_path / "hub.db", strict=True).start()
    assert "function 'host': " in str(refused.value) and "function 'double': " in str(refused.value)


DISABLED = (
    HEAD
    + """
@app.route(route="off")
def a_off(req) -> str: return "off"

@app.route(route="{*path}")
def z_rest(req) -> str: return "rest"

@app.activity_trigger(input_name="x")
def work(x): ...

@app.orchestration_trigger(context_name="context")
def calls(context):
    yield context.call_activity("work", 1)
"""
)


def test_functions_that_are_turned_off(tmp_path, monkeypatch: pytest.MonkeyPatch):
    app = write_app(tmp_path, DISABLED)
    (app / "local.settings.json").write_text('{"Values": {"AzureWebJobs.A_OFF.Disabled": "True"}}')
    monkeypatch.setenv("AzureWebJobs_work_Disabled", "1")
    with Host(app, tmp_path / "hub.db") as host:
        # It keeps its route: the catch-all does not answer in its place.
        assert http("GET", f"{host.url}/api/off").status == 404
        assert http("GET", f"{host.url}/api/other").text == "rest"
        assert "'work' doesn't exist" in host.wait(start(host, "calls"))["output"]


@pytest.mark.parametrize(("value", "off"), [("true", True), ("TRUE", True), ("1", True), ("0", False), ("yes", False)])
def test_what_turns_a_function_off(monkeypatch: pytest.MonkeyPatch, value, off):
    monkeypatch.setenv("AzureWebJobs.NAME.Disabled", value)
    assert (is_disabled("name"), is_disabled("other")) == (off, False)
