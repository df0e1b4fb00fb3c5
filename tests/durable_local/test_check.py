"""`python -m durable_local check`: what would be otherwise in Azure, for any app."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from durable_local_helpers import APPS, write_app

from durable_local import AppLoadError, Host
from durable_local.check import check_app
from durable_local.findings import RULES

ROOT = Path(__file__).parents[2]

HEAD = """
import azure.durable_functions as df
import azure.functions as func
app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)
"""
ACTIVITY = "\n@app.activity_trigger(input_name='x')\ndef work(x): ...\n"
FINE = HEAD + ACTIVITY + "\n@app.route(route='x')\ndef web(req) -> str: return 'x'\n"

BREAKS = [
    ("@app.route(route='admin/x')\ndef f(req): ...", ("f", "route-reserved")),
    ("@app.route(route='X')\ndef z(req): ...", ("z", "route-taken")),
    ("@app.route(route='{*rest}')\ndef a(req): ...", ("web", "route-order")),
    ("@app.function_name('host')\n@app.route(route='y')\ndef f(req): ...", ("host", "function-name")),
    ("@app.activity_trigger(input_name='a__b')\ndef f(a__b): ...", ("f", "argument-name")),
    ("@app.timer_trigger(arg_name='t', schedule='never')\ndef f(t): ...", ("f", "schedule")),
    ("@app.timer_trigger(arg_name='t', schedule='%UNSET%')\ndef f(t): ...", ("f", "schedule")),
    ("@app.route(route='/y')\ndef f(req): ...", ("", "load")),
    ("@app.route(route='{y:what}')\ndef f(req): ...", ("", "load")),
    ("@app.activity_trigger(input_name='x')\ndef f(x: dict | None): ...", ("", "load")),
    ("raise SystemExit(3)", ("", "load")),
    (
        "@app.timer_trigger(arg_name='t', schedule='0 0 0 * * *')\n"
        "@app.retry(strategy='fixed_delay', max_retry_count='3')\ndef f(t): ...",
        ("f", "retry-policy"),
    ),
]
DIFFERS = [
    ("@app.timer_trigger(arg_name='t', schedule='01:00:00')\ndef f(t): ...", ("f", "schedule-interval")),
    ("@app.timer_trigger(arg_name='t', schedule='0 0 22-6 * * *')\ndef f(t): ...", ("f", "schedule-range")),
    ("@app.queue_trigger(arg_name='m', queue_name='q', connection='c')\ndef f(m): ...", ("f", "not-served-here")),
    (
        "@app.route(route='other')\n"
        "@app.retry(strategy='fixed_delay', max_retry_count='3', delay_interval='00:00:01')\ndef f(req): ...",
        ("f", "retry-ignored"),
    ),
]
FILES = [
    ("host.json", '{"version": "2.0"}', ("extension-bundle", True)),
    ("host.json", '{"extensionBundle": {"id": "b"}}', ("host-version", True)),
    ("host.json", '{"version": "2.0", "extensionBundle": {"id": "b"}}', None),
    (
        "host.json",
        '{"version": "2.0", "functionTimeout": "00:05:00", "extensionBundle": {"id": "b"}}',
        ("function-timeout", False),
    ),
    ("host.json", "{", ("load", True)),
    ("requirements.txt", "azure-functions\n# azure-functions-durable\n", ("requirements", True)),
    ("requirements.txt", "azure-functions-durable-extras\n", ("requirements", True)),
    ("requirements.txt", "Azure_Functions.Durable>=1.3 # sdk\n", None),
    ("requirements.txt", "-r more.txt\n", None),
    ("local.settings.json", '{"Values": {"A": "1"}}', ("local-settings", False)),
    ("local.settings.json", '{"Values": {"AzureWebJobs.web.Disabled": "true"}}', ("disabled", False)),
]


def test_the_page_lists_all_rules_and_which_of_them_break():
    breaking = {rule for _, (_, rule) in BREAKS} | {one[0] for *_, one in FILES if one and one[1]}
    rows = [f"| `{rule}` | {text} | {'yes' if rule in breaking else ''} |" for rule, text in RULES.items()]
    assert "\n".join(row.replace("|  |", "| |") for row in rows) in (ROOT / "docs" / "durable_local.md").read_text()
    used = {rule for _, (_, rule) in BREAKS + DIFFERS} | {one[0] for *_, one in FILES if one}
    assert used == set(RULES)


def rules(app: Path) -> set[tuple[str, str, bool]]:
    return {(one.function, one.rule, one.breaks) for one in check_app(app)}


def test_nothing_to_say_of_an_app_that_is_the_same_in_azure(tmp_path):
    assert rules(write_app(tmp_path, FINE)) == set()
    assert rules(APPS / "core") == set()


@pytest.mark.parametrize(("text", "expected"), BREAKS)
def test_what_breaks_is_refused_by_a_strict_host(tmp_path, text, expected):
    app = write_app(tmp_path, f"{FINE}\n{text}\n")
    assert rules(app) == {(*expected, True)}
    with pytest.raises(AppLoadError):
        Host(app, tmp_path / "hub.db", strict=True).start()


@pytest.mark.parametrize(("text", "expected"), DIFFERS)
def test_what_differs_is_said_at_the_start(tmp_path, text, expected, caplog: pytest.LogCaptureFixture):
    app = write_app(tmp_path, f"{FINE}\n{text}\n")
    assert rules(app) == {(*expected, False)}
    with Host(app, tmp_path / "hub.db", strict=True):
        pass
    assert f"function '{expected[0]}': " in caplog.text and f"[{expected[1]}]" in caplog.text


@pytest.mark.parametrize(("name", "text", "expected"), FILES)
def test_the_files_beside_the_app(tmp_path, name, text, expected):
    app = write_app(tmp_path, FINE)
    (app / "more.txt").write_text("azure-functions-durable\n")
    (app / name).write_text(text)
    found = {(rule, breaks) for _, rule, breaks in rules(app)}
    assert (found == set()) if expected is None else (expected in found)


def command(*words: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", "durable_local", "check", *words], env=environment, capture_output=True, text=True
    )


@pytest.mark.slow
def test_the_command_and_its_exit_codes(tmp_path):
    app = write_app(tmp_path, FINE + DIFFERS[2][0] + "\n")
    done = command(str(app))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0].startswith(
        "differs function 'f': it is not served here: its trigger queueTrigger"
    )
    assert done.stdout.splitlines()[1] == "0 would break in Azure, 1 would differ"
    (app / "function_app.py").write_text(f"{FINE}\n{BREAKS[0][0]}\n{DIFFERS[2][0].replace('def f', 'def g')}\n")
    done = command(str(app), "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 1
    assert [(one["function"], one["rule"], one["breaks"]) for one in found] == [
        ("f", "route-reserved", True),
        ("g", "not-served-here", False),
    ]
    assert all(one["message"] and one["remedy"] for one in found)
    assert command(str(tmp_path)).returncode == 1
