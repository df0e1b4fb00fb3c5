"""host.json as the Functions host reads it, the app settings over it, and the environment of a running app."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from durable_local_helpers import WAIT, http, until, write_app

from durable_local import AppLoadError, Host
from durable_local.settings import load_settings

ROOT = Path(__file__).parents[2]

APP = """
import os
import azure.functions as func
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
HOSTNAME = os.environ["WEBSITE_HOSTNAME"]

@app.route(route="where")
def where(req: func.HttpRequest) -> str:
    return f"{HOSTNAME} {os.getcwd()}"
"""

COMMENTED = """
// the version of this file
{
  "version": "2.0", /* not of
  the runtime */
  "extensions": {
    "http": {"routePrefix": "a//b"}, // two slashes in a string
    "durableTask": {"hubName": "x,}", "maxConcurrentActivityFunctions": 3,},
  },
}
"""


def write(folder: Path, text: str) -> Path:
    (folder / "host.json").write_text(text)
    return folder


def test_comments_and_a_comma_too_many(tmp_path):
    settings = load_settings(write(tmp_path, COMMENTED))
    assert (settings.route_prefix, settings.hub_name, settings.max_activities) == ("a//b", "x,}", 3)
    assert settings.findings == ()


def test_errors_name_the_line_of_the_file(tmp_path):
    with pytest.raises(AppLoadError, match="host.json is not valid JSON.*line 3 column 19"):
        load_settings(write(tmp_path, '{ // a\n /* b\n */ "version": 2.0.0\n}'))


def test_app_settings_go_before_host_json(tmp_path, monkeypatch: pytest.MonkeyPatch):
    write(tmp_path, '{"version": "2.0", "extensions": {"durableTask": {"maxConcurrentEntityFunctions": 3}}}')
    (tmp_path / "local.settings.json").write_text(
        '{"Values": {"AzureFunctionsJobHost__extensions__durableTask__maxConcurrentActivityFunctions": "4",'
        '"AzureFunctionsJobHost__extensions__durableTask__hubName": "local"}}'
    )
    monkeypatch.setenv("AZUREFUNCTIONSJOBHOST__Extensions__HTTP__RoutePrefix", "v1")
    monkeypatch.setenv("AzureFunctionsJobHost__extensions__durableTask__hubName", "environment")
    settings = load_settings(tmp_path)
    assert (settings.max_entities, settings.max_activities) == (3, 4)
    assert (settings.route_prefix, settings.hub_name) == ("v1", "environment")


def test_an_app_setting_that_is_no_number(tmp_path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AzureFunctionsJobHost__extensions__durableTask__maxConcurrentActivityFunctions", "many")
    with pytest.raises(AppLoadError, match="maxConcurrentActivityFunctions must be a whole number"):
        load_settings(tmp_path)


@pytest.mark.parametrize("text", ['{"extensions": {}}', '{"version": "4.0"}', '{"version": null}'])
def test_the_version_of_host_json(tmp_path, text):
    app = write_app(tmp_path, APP)
    write(app, text)
    with Host(app, tmp_path / "hub.db"):
        pass
    with pytest.raises(AppLoadError, match=r"does not start: host.json has .* version.*\[host-version\]"):
        Host(app, tmp_path / "hub.db", strict=True).start()


def test_the_app_finds_the_address_of_its_host(tmp_path):
    with Host(write_app(tmp_path, APP), tmp_path / "hub.db") as host:
        assert http("GET", f"{host.url}/api/where").text.split()[0] == host.url.removeprefix("http://")
    assert "WEBSITE_HOSTNAME" not in os.environ


def test_another_name_of_the_script(tmp_path, monkeypatch: pytest.MonkeyPatch):
    app = write_app(tmp_path, APP)
    (app / "function_app.py").rename(app / "main_app.py")
    monkeypatch.setenv("PYTHON_SCRIPT_FILE_NAME", "main_app.py")
    with Host(app, tmp_path / "hub.db") as host:
        assert http("GET", f"{host.url}/api/where").status == 200
    monkeypatch.setenv("PYTHON_SCRIPT_FILE_NAME", "../main_app.py")
    with pytest.raises(AppLoadError, match="PYTHON_SCRIPT_FILE_NAME"):
        Host(app, tmp_path / "hub.db").start()


def test_served_apps_work_in_their_folder(tmp_path):
    app = write_app(tmp_path, APP)
    command = [sys.executable, "-m", "durable_local", "serve", "app", "--port", "0", "--store", "hub.db"]
    served = subprocess.Popen(command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)})
    try:
        url = until(lambda: Host.find(tmp_path / "hub.db"))
        assert http("GET", f"{url}/api/where").text.split()[1] == str(app)
    finally:
        served.terminate()
        served.wait(WAIT)
