"""The app as Azure serves it: with its own route prefix and key, and a proxy in front that adds a path."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import requests

from tests.support.browser import chromium, tab
from tests.support.keyed import hubs, key_of
from tests.support.project import ROOT, Project, refill
from tests.support.proxy import proxied

PREFIX = "etl/v1"
GATE = "/gate/comboi"


@dataclass
class Deployed:
    """The app, its key, and the address in front of it."""

    project: Project
    app: str
    key: str
    gate: str

    @property
    def api(self) -> str:
        return f"{self.gate}/{PREFIX}"


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory, database) -> Iterator[Deployed]:
    refill(database)
    project = Project.create(tmp_path_factory.mktemp("deployed") / "project", database.uri)
    host = json.loads((ROOT / "host.json").read_text())
    host["extensions"]["http"]["routePrefix"] = PREFIX
    project.write("host.json", json.dumps(host))
    shutil.copy(ROOT / "function_app.py", project.folder)
    store = project.folder / "app-hub.db"
    hubs.add(store)
    serving = subprocess.Popen(
        [sys.executable, "-m", "durable_local", "serve", ".", "--port", "0", "--store", str(store), "--key"],
        cwd=project.folder, env=project.environment(COMBOI_TIMER_SCHEDULE="0 0 6 29 2 *"), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        told, found = "", None
        while found is None:
            line = serving.stdout.readline()
            told += line
            assert line, f"the host ended: {told}"
            found = re.search(r"http://127\.0\.0\.1:\d+", line)
        with proxied(found[0], GATE) as gate:
            yield Deployed(project, found[0], key_of(f"{found[0]}/"), gate)
    finally:
        serving.terminate()
        serving.wait(300)


def ended(address: str, key: str) -> dict:
    while (record := requests.get(address, headers={"x-functions-key": key}, timeout=300).json())[
        "status"
    ] == "running":
        time.sleep(0.05)
    return record


def test_the_command_line_runs_it_from_outside(deployed: Deployed):
    done = deployed.project.comboi("run", "--url", deployed.api, COMBOI_KEY=deployed.key)
    assert done.returncode == 0, done.stdout + done.stderr
    listed = deployed.project.comboi("runs", "--json", "--url", f"{deployed.api}/", COMBOI_KEY=deployed.key)
    runs = json.loads(listed.stdout)
    assert runs[0]["status"] == "succeeded"
    shown = deployed.project.comboi("status", runs[0]["run_id"], "--url", deployed.api, COMBOI_KEY=deployed.key)
    assert shown.returncode == 0 and "orders_clean" in shown.stdout


@pytest.mark.parametrize("path", ["", "/api", "/etl", GATE])
def test_an_address_with_no_comboi_says_how_to_write_it(deployed: Deployed, path: str):
    address = deployed.gate.removesuffix(GATE) + path
    done = deployed.project.comboi("runs", "--url", address, COMBOI_KEY=deployed.key)
    assert done.returncode == 1 and "there is no comboi at" in done.stderr and "/PATH/api" in done.stderr


def test_without_its_key_nothing_is_told(deployed: Deployed):
    done = deployed.project.comboi("runs", "--url", deployed.api, COMBOI_KEY="wrong")
    assert done.returncode == 1 and "--key" in done.stderr


def test_the_location_of_a_run_leads_back_through_the_proxy(deployed: Deployed):
    asked = {"headers": {"x-functions-key": deployed.key}, "timeout": 60}
    started = requests.post(f"{deployed.api}/runs", json={"stage": "gold"}, **asked)
    location = started.headers["Location"]
    assert location == f"{deployed.api}/runs/{started.json()['run_id']}"
    assert ended(location, deployed.key)["status"] == "succeeded"
    cancelled = requests.post(f"{location}/cancel", **asked)
    assert cancelled.json()["code"] == "run_ended"


@pytest.mark.parametrize(
    ("headers", "address"),
    [
        ({"X-Forwarded-Proto": "https"}, "https://{app}/etl/v1"),
        ({"X-Forwarded-Proto": "https, http", "X-Forwarded-Host": "etl.example.com, inner"}, "https://etl.example.com/etl/v1"),
        ({"X-Forwarded-Host": "etl.example.com:8443", "X-Forwarded-Prefix": "/a/b/"}, "http://etl.example.com:8443/a/b/etl/v1"),
        ({"X-Forwarded-Proto": "javascript", "X-Forwarded-Host": "a b", "X-Forwarded-Prefix": "//x"}, "http://{app}/etl/v1"),
    ],
)  # fmt: skip
def test_addresses_are_as_the_caller_has_them(deployed: Deployed, headers: dict[str, str], address: str):
    app = deployed.app.removeprefix("http://")
    key = {"x-functions-key": deployed.key}
    described = requests.get(f"{deployed.app}/{PREFIX}/openapi.json", headers=key | headers, timeout=300).json()
    assert described["servers"] == [{"url": address.format(app=app)}]


def test_a_path_that_is_not_there_is_named_as_it_was_asked_for(deployed: Deployed):
    key = {"x-functions-key": deployed.key}
    wrong = requests.delete(f"{deployed.app}/{PREFIX}/runs", headers=key, timeout=300).json()
    assert wrong["detail"] == f"/{PREFIX}/runs has no DELETE, but GET, POST"
    assert requests.get(f"{deployed.app}/{PREFIX}/x", headers=key, timeout=300).json()["code"] == "route_not_found"


@pytest.mark.slow
@pytest.mark.parametrize("place", ["?code=", "#code="])
def test_the_page_takes_its_key_from_its_address_and_out_of_it(deployed: Deployed, place: str):
    with chromium() as browser, tab(browser) as one:
        one.page.goto(f"{deployed.api}/monitor{place}{deployed.key}")
        one.page.wait_for_selector("#table table", timeout=120_000)
        assert one.page.url == f"{deployed.api}/monitor"
        one.page.click("#run-now:enabled", timeout=120_000)
        one.page.click("dialog button[type=submit]")
        one.page.wait_for_selector("#run-title .is-succeeded", timeout=120_000)
        assert one.complaints == []
        assert [url for url in one.requests if not url.startswith(f"{deployed.api}/")] == []
        assert not any(deployed.key in url for url in one.requests if "/monitor" not in url)
