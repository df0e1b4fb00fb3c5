"""Loading apps, and refusing what the real worker refuses."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from durable_local import AppLoadError
from durable_local.errors import UnknownFunctionError
from durable_local.loader import FunctionApp, load_app
from durable_local.settings import load_settings

HEAD = """
import typing
import azure.durable_functions as df
import azure.functions as func
app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)
"""


def load(folder: Path, body: str, head: str = HEAD) -> FunctionApp:
    (folder / "function_app.py").write_text(head + body)
    return load_app(folder)


def test_string_annotations_of_a_whole_module_are_resolved(tmp_path):
    with pytest.raises(AppLoadError, match="invalid non-type annotation"):
        body = "@app.activity_trigger(input_name='x')\ndef work(x: dict | None): ...\n"
        load(tmp_path, body, "from __future__ import annotations\n" + HEAD)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (
            "@app.orchestration_trigger(context_name='ctx')\ndef o(ctx):\n    return 1\n",
            "must be 'context'",
        ),
        ("@app.entity_trigger(context_name='ctx')\ndef e(ctx):\n    return 1\n", "must be 'context'"),
        ("other = df.DFApp()\n", "more than one"),
        ("alias = app\n", "more than one"),
        ("@app.activity_trigger(input_name='x')\ndef a(x): ...\n" * 2, "unique"),
        ("@app.route(route='r')\ndef h(req: func.HttpRequest) -> dict: ...\n", "return annotation"),
        ("@app.route(route='r')\ndef h(req: int) -> str: ...\n", "does not match"),
        ("@app.activity_trigger(input_name='x')\ndef a(y): ...\n", "bound by no decorator"),
        ("@app.activity_trigger(input_name='x')\ndef a(x: 'Missing'): ...\n", "do not resolve"),
        ("@app.activity_trigger(input_name='x')\ndef a(x, context: int): ...\n", "'context' parameter"),
        ("raise RuntimeError('at import')\n", "RuntimeError: at import"),
        (
            "@app.activity_trigger(input_name='x', activity='Same')\ndef a(x): ...\n"
            "@app.activity_trigger(input_name='x', activity='same')\ndef b(x): ...\n",
            "differ in more than case",
        ),
    ],
)
def test_refused_apps(tmp_path, body, complaint):
    with pytest.raises(AppLoadError, match=complaint):
        load(tmp_path, body)


def test_a_folder_without_an_app(tmp_path):
    with pytest.raises(AppLoadError, match="no function_app.py"):
        load_app(tmp_path)
    with pytest.raises(AppLoadError, match="no top level function app"):
        load(tmp_path, "", "x = 1\n")


def test_blueprints_plain_apps_and_names(tmp_path, capfd: pytest.CaptureFixture[str]):
    body = """
blueprint = df.Blueprint()
@blueprint.activity_trigger(input_name="x", activity="Renamed")
def work(x): ...
@blueprint.function_name("named")
@blueprint.orchestration_trigger(context_name="context")
def orchestrate(context): ...
app = func.FunctionApp()
app.register_functions(blueprint)
@app.entity_trigger(context_name="context", entity_name="Counter")
def entity(context): ...
"""
    index = load(tmp_path, body)
    assert index.activity("RENAMED").name == "Renamed"
    assert index.orchestrator("named").name == "named"
    assert index.entity("counter").name == "Counter"
    with pytest.raises(UnknownFunctionError, match="Known activity functions: 'Renamed'. Did you mean 'Renamed'"):
        index.activity("renam")
    assert capfd.readouterr() == ("", "")


def test_functions_that_need_azure_are_left_out_and_named(tmp_path):
    body = """
@app.queue_trigger(arg_name="message", queue_name="q", connection="c")
def on_message(message: func.QueueMessage): ...
"""
    app = load(tmp_path, body)
    assert dataclasses.replace(app, findings=[]) == FunctionApp(tmp_path)
    assert [(one.function, one.rule, one.breaks) for one in app.findings] == [("on_message", "not-served-here", False)]


def test_host_json_in_any_case(tmp_path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HUB", "FromEnvironment")
    (tmp_path / "host.json").write_text(
        '{"version": "2.0", "Extensions": {"DurableTask": {"HubName": "%HUB%", "MaxConcurrentActivityFunctions": 3,'
        '"maxEntityOperationBatchSize": 7, "storageProvider": {"partitionCount": 4}}, "HTTP": {"RoutePrefix": ""}}}'
    )
    settings = load_settings(tmp_path)
    assert (settings.hub_name, settings.max_activities, settings.max_entity_batch) == ("FromEnvironment", 3, 7)
    assert (settings.route_prefix, settings.max_orchestrators) == ("", 5)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "not valid JSON"),
        ("[]", "JSON object"),
        ('{"extensions": {"durableTask": {"maxConcurrentEntityFunctions": 0}}}', "at least 1"),
        ('{"extensions": {"durableTask": {"hubName": "%NOT_SET_ANYWHERE%"}}}', "NOT_SET_ANYWHERE"),
    ],
)
def test_bad_host_json(tmp_path, text, complaint):
    (tmp_path / "host.json").write_text(text)
    with pytest.raises(AppLoadError, match=complaint):
        load_settings(tmp_path)
