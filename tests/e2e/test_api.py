"""The HTTP API of the shipped app on the embedded host: what it says of itself, starts at once, cancelling."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, assume, settings
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from comboi_core.web import openapi
from comboi_core.web.answers import HEADERS
from tests.support.keyed import key_of
from tests.support.project import ROOT, Project

SLOW = """
def transform(con, inputs):
    import pathlib, time
    pathlib.Path("started").touch()
    while not pathlib.Path("go").exists():
        time.sleep(0.02)
    return f"SELECT what, count(*) AS n FROM {inputs['events']} GROUP BY what"
"""
"""A transformation that works until the test lets it end."""

# Which names and moments are right depends on the configuration: what fits the schema may be refused all the same.
schema = schemathesis.openapi.from_dict(openapi.document())


@contextmanager
def served(project: Project, **extra: str) -> Iterator[str]:
    """Keep the app up; give the URL of its API."""
    server = project.start("serve", "--port", "0", **extra)
    try:
        line = ""
        while " at http://" not in line:
            line = server.stdout.readline()
            assert line, "comboi serve ended"
        yield line.split(" at ")[1].strip().removesuffix("/runs")
    finally:
        server.terminate()
        assert server.wait(300) == 0


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, database) -> Iterator[str]:
    """The API of a project that has run once."""
    from tests.support.project import refill

    refill(database)
    project = Project.create(tmp_path_factory.mktemp("api") / "project", database.uri)
    project.run()
    with served(project) as url:
        yield url


def follow(url: str, run_id: str) -> dict[str, Any]:
    """Wait for the end of a run."""
    while (record := requests.get(f"{url}/runs/{run_id}", timeout=300).json())["status"] == "running":
        time.sleep(0.05)
    return record


def until(condition) -> Any:
    """Wait for something true."""
    while not (found := condition()):
        time.sleep(0.02)
    return found


@pytest.mark.slow
def test_a_parameter_without_a_value_is_not_given(api):
    assert requests.get(f"{api}/runs?cursor=&limit=&status=", timeout=300).status_code == 200


def test_the_document_is_served_and_names_every_route_of_the_app(api):
    described = requests.get(f"{api}/openapi.json", timeout=300).json()

    assert described["servers"] == [{"url": api}]
    routes = set()
    # By its path: other apps of the tests have a function_app, too.
    spec = spec_from_file_location("comboi_function_app", ROOT / "function_app.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    for function in module.app.get_functions():
        trigger = function.get_trigger()
        if trigger.type == "httpTrigger" and trigger.route != "{*path}":
            routes |= {
                (f"/{trigger.route}", str(getattr(method, "value", method)).lower()) for method in trigger.methods
            }
    assert routes == {(path, method) for path, methods in described["paths"].items() for method in methods}


@schema.parametrize()
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_the_answers_are_as_the_document_says(case, api):
    assume("\n" not in "".join(map(str, (case.path_parameters or {}).values())))  # the web server's own 404
    assume("" not in map(str, (case.query or {}).values()))  # the Functions host passes such a parameter over
    # The key is always sent here (tests/e2e/conftest.py); what comes without it is tested below.
    answer = case.call(base_url=api, timeout=60)
    # What is no sound HTTP (NUL in an address, bytes that are no UTF-8) is answered by the embedded host itself.
    assume(answer.status_code != 400 or answer.json().keys() != {"title", "status", "detail"})
    case.validate_response(answer, excluded_checks=[positive_data_acceptance, ignored_auth])


OPEN = {"monitor"}
EVERY = [
    (method.upper(), path.strip("/").replace("{run_id}", "x").replace("{name}", "orders"))
    for path, methods in openapi.document()["paths"].items()
    for method in methods
]


@pytest.mark.parametrize(("method", "path"), [*EVERY, ("GET", "nothing"), ("DELETE", "runs")])
@pytest.mark.parametrize("key", ["", "wrong"])
def test_another_user_of_the_machine_gets_nothing_but_the_empty_page(api, method, path, key):
    answer = requests.request(method, f"{api}/{path}", headers={"x-functions-key": key}, timeout=300)
    assert answer.status_code == (200 if path in OPEN else 401)
    management = f"{api.removesuffix('/api')}/runtime/webhooks/durabletask/instances"
    assert requests.get(management, headers={"x-functions-key": key}, timeout=300).status_code == 401


@pytest.mark.parametrize("path", [path for method, path in EVERY if method == "GET"] + ["nothing"])
def test_every_answer_is_kept_by_nobody_and_taken_for_what_it_is(api, path):
    answer = requests.get(f"{api}/{path}", timeout=300)
    for name, value in HEADERS.items():
        assert answer.headers[name] == value or (path == "monitor" and name == "Content-Security-Policy")
    foreign = requests.get(f"{api}/{path}", headers={"Sec-Fetch-Site": "cross-site"}, timeout=300)
    assert foreign.status_code == 403


def test_management_links_are_handed_out_on_request_and_none_holds_the_key(api):
    plain = requests.post(f"{api}/runs", json={"stage": "gold"}, timeout=300)
    assert set(plain.json()) == {"run_id"} and plain.headers["Location"] == f"{api}/runs/{plain.json()['run_id']}"
    follow(api, plain.json()["run_id"])
    asked = requests.post(f"{api}/runs?links=true", json={"stage": "gold"}, timeout=300)
    links = asked.json()
    assert key_of(f"{api}/") not in asked.text
    shown = requests.get(links["statusQueryGetUri"], headers={"x-functions-key": ""}, timeout=300)
    assert shown.status_code in (200, 202) and shown.json()["instanceId"] == links["run_id"]
    follow(api, links["run_id"])
    assert requests.post(f"{api}/runs?links=yes", json={}, timeout=300).status_code == 400


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "nothing", 404, "route_not_found"),
        ("GET", "", 404, "route_not_found"),
        ("GET", "runs/x/y/z", 404, "route_not_found"),
        ("GET", "runs/%2e%2e%2fetc", 404, "run_not_found"),
        ("PUT", "runs", 405, "method_not_allowed"),
        ("DELETE", "runs/sales-20261123T060000Z-7f3a91", 405, "method_not_allowed"),
        ("GET", "tables/shop.orders/reset", 405, "method_not_allowed"),
        ("GET", "runs?limit=0", 400, "request_invalid"),
        ("GET", "runs?table=nothing", 400, "request_invalid"),
        ("POST", "runs/shop-20260101T000000Z-abcd/cancel", 404, "run_not_found"),
    ],
)
def test_what_is_not_there_is_a_problem_document(api, method, path, status, code):
    answer = requests.request(method, f"{api}/{path}", timeout=300)

    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
    assert answer.json()["code"] == code and answer.json()["remedy"]
    assert (status != 405) or answer.headers["Allow"]


def test_a_body_that_is_too_large_is_refused_as_such(api):
    answer = requests.post(f"{api}/runs", data=b" " * 200_000, timeout=300)

    assert (answer.status_code, answer.json()["code"]) == (413, "request_too_large")


@pytest.mark.slow
def test_of_a_hundred_starts_at_once_one_runs_and_the_others_are_told_which(project: Project):
    with served(project) as url, ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(lambda _: requests.post(f"{url}/runs", json={}, timeout=300), range(100)))
        assert Counter(answer.status_code for answer in answers) == {202: 1, 409: 99}
        run_id = next(answer.json()["run_id"] for answer in answers if answer.status_code == 202)
        for refused in (answer.json() for answer in answers if answer.status_code == 409):
            assert refused["holder"]["run_id"] == run_id and run_id in refused["detail"] and refused["remedy"]
        assert follow(url, run_id)["status"] == "succeeded"
        assert [run["run_id"] for run in requests.get(f"{url}/runs", timeout=300).json()["runs"]] == [run_id]


@pytest.mark.slow
def test_a_hundred_starts_with_one_key_are_one_run_for_all(project: Project):
    headers = {"Idempotency-Key": "nightly 2026-11-23"}
    with served(project) as url, ThreadPoolExecutor(20) as pool:

        def start(_):
            return requests.post(f"{url}/runs", json={"stage": "bronze"}, headers=headers, timeout=300)

        answers = list(pool.map(start, range(100)))
        assert Counter(answer.status_code for answer in answers) == {202: 100}
        (run_id,) = {answer.json()["run_id"] for answer in answers}
        assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
        follow(url, run_id)
        assert start(0).json()["run_id"] == run_id, "the key is remembered after the run"
        other = requests.post(f"{url}/runs", json={"stage": "gold"}, headers=headers, timeout=300)
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
        assert len(requests.get(f"{url}/runs", timeout=300).json()["runs"]) == 1


def test_a_cancelled_run_finishes_what_is_in_flight_gives_the_lease_back_and_is_recorded(project: Project):
    project.write("transformations/events_per_kind.py", SLOW)
    project.edit("configs/initial.yml", "engine:", "engine:\n  parallel_datasets: 1")
    with served(project) as url:
        run_id = requests.post(f"{url}/runs", json={}, timeout=300).json()["run_id"]
        until((project.folder / "started").exists)
        live = requests.get(f"{url}/runs/{run_id}", timeout=300).json()
        states = {item["name"]: item["status"] for item in live["datasets"]}
        assert states["events_per_kind"] == "running" and states["revenue"] == "pending"
        first = requests.post(f"{url}/runs/{run_id}/cancel", timeout=300)
        assert first.status_code == 202 and first.json()["status"] == "cancelling"
        assert first.headers["Location"] == f"{url}/runs/{run_id}"
        assert requests.post(f"{url}/runs/{run_id}/cancel", timeout=300).json() == first.json()
        shown = requests.get(f"{url}/runs/{run_id}", timeout=300).json()
        assert shown["status"] == "running" and shown["cancelled"] == first.json()["cancelled"]
        refused = requests.post(f"{url}/runs", json={}, timeout=300)
        assert refused.status_code == 409, "the lease is held until the run has ended"
        (project.folder / "go").touch()

        record = follow(url, run_id)
        assert record["status"] == "cancelled" and record["cancelled"]["by"] == "http"
        after = {item["name"]: item for item in record["datasets"]}
        assert after["events_per_kind"]["status"] == "succeeded", "what was in flight is finished"
        assert after["revenue"]["status"] == "skipped" and "cancelled by http" in after["revenue"]["reason"]
        assert {table["status"] for table in record["tables"]} == {"succeeded"}
        again = requests.post(f"{url}/runs/{run_id}/cancel", timeout=300)
        assert (again.status_code, again.json()["code"]) == (409, "run_ended")
        following = requests.post(f"{url}/runs", json={}, timeout=300).json()["run_id"]
        assert follow(url, following)["status"] == "succeeded", "the next run is not cancelled with it"
        listed = requests.get(f"{url}/runs?status=cancelled", timeout=300).json()["runs"]
        assert [run["run_id"] for run in listed] == [run_id]


@pytest.mark.slow
def test_the_command_line_cancels_what_a_killed_host_left_and_the_next_run_ends_it_first(project: Project):
    project.write("transformations/events_per_kind.py", SLOW)
    run = project.start("run")
    until((project.folder / "started").exists)
    run.kill()
    run.communicate()

    said = project.comboi("cancel")
    assert said.returncode == 0 and "stops after the tables" in said.stdout, said.stdout + said.stderr
    assert "no host is running it" in said.stdout
    (project.folder / "go").touch()
    done = project.comboi("run", "bronze")
    assert done.returncode == 0 and "finishing run shop-" in done.stdout, done.stdout + done.stderr
    assert ": cancelled" in done.stdout and "/runs/20" in done.stdout, done.stdout
    nothing = project.comboi("cancel", "--json")
    assert (nothing.returncode, json.loads(nothing.stdout)["error"]["code"]) == (1, "run_not_found")


@pytest.mark.slow
def test_a_table_to_reset_is_looked_up_before_anyone_is_asked(project: Project):
    wrong = project.comboi("checkpoints", "reset", "ordres")
    assert wrong.returncode == 1 and "did you mean" in wrong.stderr and "[y/N]" not in wrong.stdout + wrong.stderr

    short = project.comboi("checkpoints", "reset", "orders", "--yes", "--json")
    assert short.returncode == 0, short.stderr
    assert (json.loads(short.stdout)["table"], json.loads(short.stdout)["reload"]) == ("orders", True)
    assert "shop.orders" in project.comboi("checkpoints", "show", "orders").stdout


@pytest.mark.slow
def test_a_big_table_stops_between_two_calls_and_the_next_run_reads_it_whole(project: Project):
    """Chunks of 100 rows and a deadline that passes at once: a call per chunk, so that there are many gaps."""
    project.edit("configs/initial.yml", "chunk_rows: 2000", "chunk_rows: 100")
    project.edit("configs/initial.yml", "engine:", "engine:\n  soft_deadline: 0.001s")
    with served(project) as url:
        run_id = requests.post(f"{url}/runs", json={"select": ["orders"], "stage": "bronze"}, timeout=300).json()[
            "run_id"
        ]

        def landed() -> Any:
            table = requests.get(f"{url}/runs/{run_id}", timeout=300).json()["tables"]
            progress = table[0].get("progress", {}) if table else {}
            return progress if progress.get("chunks_done", 0) > 2 else None

        progress = until(landed)
        assert progress["chunks"] == 50 and 0 < progress["rows"] < 5000 and progress["estimated_rows"]
        requests.post(f"{url}/runs/{run_id}/cancel", timeout=300)
        record = follow(url, run_id)
        assert (record["status"], record["tables"][0]["status"]) == ("cancelled", "cancelled")
    assert "shop.orders" not in {name for name, kept in project.commits().items() if kept["sequence"]}
    project.run("bronze")
    assert len(project.contents()["shop.orders"]) == 5000
