"""Exit codes and messages of the commands that need neither host nor database, and the client of the API."""

from __future__ import annotations

import json
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.testing import CliRunner

from comboi_core.cli.client import Api, ApiError, ApiForbidden, ApiUnreachable
from comboi_core.cli.commands import app
from comboi_core.cli.hosting import left_behind
from comboi_core.cli.options import complete_names, complete_stages, complete_tables

runner = CliRunner()


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A valid project; its reference has a value."""
    monkeypatch.setenv("CLI_TEST_SHOP", "host=db")
    source = {
        "name": "shop",
        "type": "postgres",
        "connection": {"conn_str": "{{env:CLI_TEST_SHOP}}"},
        "tables": [{"name": "orders", "table": "orders"}],
    }
    stages = {stage: {"data_lake": {"path": f"lake/{stage}"}} for stage in ("bronze", "silver", "gold")}
    files = {
        "initial": {"pipeline": "sales", "sources": [source], "stages": stages},
        "transformations": {"silver": [{"name": "a", "inputs": [{"alias": "i", "source": "shop", "table": "orders"}]}]},
    }
    (tmp_path / "configs").mkdir()
    for name, content in files.items():
        (tmp_path / "configs" / f"{name}.yml").write_text(yaml.safe_dump(content))
    (tmp_path / "transformations").mkdir()
    (tmp_path / "transformations" / "a.sql").write_text("SELECT * FROM i")
    return tmp_path / "configs" / "initial.yml"


def comboi(*arguments: str | Path) -> Any:
    return runner.invoke(app, [str(argument) for argument in arguments])


def test_a_valid_project_is_said_to_be_one(config):
    result = comboi("validate", "--config", config)

    assert result.exit_code == 0, result.output
    assert "pipeline sales: 1 tables, 1 datasets" in result.stdout


def test_a_queue_section_is_noted(config):
    config.write_text(config.read_text() + "queue: {name: jobs}\n")

    result = comboi("validate", "--config", config, "--json")

    answer = json.loads(result.stdout)
    assert result.exit_code == 0 and answer["valid"] and "queue" in answer["notes"][0]


def test_problems_in_the_files_are_listed_on_stderr(config):
    config.write_text(config.read_text().replace("pipeline: sales", "pipline: '[/x]'"))

    result = comboi("validate", "--config", config)

    assert result.exit_code == 1 and result.stdout == ""
    assert "did you mean 'pipeline'?" in result.stderr and "what to do" in result.stderr


def test_problems_beyond_the_files_are_listed_too(config, monkeypatch):
    monkeypatch.delenv("CLI_TEST_SHOP")
    (config.parent.parent / "transformations" / "a.sql").write_text("SELEC [/x]")

    result = comboi("validate", "--config", config)
    machine = comboi("validate", "--config", config, "--json")

    assert result.exit_code == machine.exit_code == 1
    assert "a.sql:1" in result.stderr and "CLI_TEST_SHOP" in result.stderr
    assert len(json.loads(machine.stdout)["problems"]) == 2


def test_a_password_in_the_file_is_not_repeated(config):
    config.write_text(config.read_text().replace("name: shop", "name: postgresql://u:hunter2@db/x"))

    result = comboi("validate", "--config", config)

    assert result.exit_code == 1 and "hunter2" not in result.output


@pytest.mark.parametrize("command", ["validate", "status", "runs"])
def test_a_configuration_that_is_not_there_is_an_error_of_two_lines(command, tmp_path):
    result = comboi(command, "--config", tmp_path / "configs" / "nowhere.yml")

    assert result.exit_code == 1 and "no such file" in result.stderr and "Traceback" not in result.output
    assert "--config" in result.stderr, "what to do"


def test_before_the_first_run_there_is_none_to_show(config):
    listed, one = comboi("runs", "--config", config), comboi("status", "--config", config)

    assert (listed.exit_code, one.exit_code) == (0, 1)
    assert "no run yet" in listed.stdout and "comboi run" in one.stderr


@pytest.mark.parametrize("arguments", [["runs", "-n", "0"], ["runs", "-n", "101"], ["runs", "-n", "x"], ["nonsense"]])
def test_wrong_usage_exits_with_two(arguments):
    assert comboi(*arguments).exit_code == 2


def page(path: str) -> bytes:
    """Two pages of runs, the second one behind a cursor; the filter has to be repeated."""
    assert "status=failed" in path
    if "cursor=a" in path:
        return json.dumps({"runs": [{"run_id": "b", "status": "failed"}], "next": None}).encode()
    return json.dumps({"runs": [{"run_id": "a", "status": "failed"}], "next": "a"}).encode()


class _Answers(BaseHTTPRequestHandler):
    """Stands in for a deployed app: what it answers is in the path."""

    asked: list[tuple[str, str, dict[str, str]]] = []

    def do_GET(self) -> None:
        self.asked.append((self.command, self.path, dict(self.headers)))
        path = self.path.split("?")[0]
        status, body = {
            "/api/ok": (200, b'{"runs": []}'),
            "/api/problem": (
                409,
                json.dumps({"code": "run_in_progress", "detail": "busy", "remedy": "Wait."}).encode(),
            ),
            "/api/html": (502, b"<html>Bad Gateway</html>"),
            "/api/site": (200, b"<html>Another site</html>"),
            "/api/list": (200, b"[]"),
            "/api/key": (401, b""),
            "/api/runs": (200, page(self.path) if path == "/api/runs" else b""),
        }[path]
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture
def deployed() -> Iterator[str]:
    """The URL of a deployed app."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    _Answers.asked.clear()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def test_the_client_sends_the_key_and_leaves_out_what_was_not_given(deployed):
    assert Api(deployed, "the-key").get("ok", limit=5, status=None) == {"runs": []}

    (_, path, headers) = _Answers.asked[0]
    assert (
        path == "/api/ok?limit=5" and headers["x-functions-key"] == "the-key" and headers["x-comboi-trigger"] == "cli"
    )


def test_a_problem_of_the_api_is_passed_on_with_its_code_and_remedy(deployed):
    with pytest.raises(ApiError) as caught:
        Api(deployed).post("problem", {})
    assert (caught.value.code, caught.value.message, caught.value.remedy) == ("run_in_progress", "busy", "Wait.")


def test_an_answer_that_is_no_json_is_told_by_its_status(deployed):
    with pytest.raises(ApiError, match="502"):
        Api(deployed).get("html")


def test_an_app_that_does_not_answer_is_an_error_with_a_remedy(deployed):
    with pytest.raises(ApiUnreachable, match="does not answer"):
        Api("http://127.0.0.1:1").get("ok")
    assert comboi("runs", "--url", "http://127.0.0.1:1").exit_code == 1


@pytest.mark.parametrize("url", ["app", "ftp://app", "http://", ""])
def test_a_url_that_is_none_is_not_taken_for_an_app_that_is_down(url):
    with pytest.raises(ApiUnreachable, match="is not the URL of an app"):
        Api(url).get("ok")


def test_the_url_may_end_with_the_prefix_of_the_api(deployed):
    assert Api(f"{deployed}/api/").get("ok") == Api(deployed).get("ok")


@pytest.mark.parametrize(
    "command",
    [
        ["run"],
        ["plan"],
        ["checkpoints", "list"],
        ["cancel"],
        ["runs", "--status", "failed"],
        ["backfill", "shop.orders", "--from", "1", "--to", "2"],
        ["erase", "--yes", "--table", "shop.orders", "--key", "1"],
        ["status"],
        ["serve"],
    ],
)
def test_a_folder_without_a_project_is_left_as_it_was(tmp_path, command, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = comboi(*command)

    assert result.exit_code == 1 and "configs/initial.yml" in result.stderr, result.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["configs/initial.yml/hub.db", "taken.db"])
def test_a_task_hub_that_cannot_be_opened_is_not_taken_for_a_port(config, place, monkeypatch):
    (config.parent.parent / "taken.db.lock").mkdir()
    monkeypatch.setenv("COMBOI_HUB", str(config.parent.parent / place))
    result = comboi("plan", "--config", config)

    assert result.exit_code == 1 and "task hub: " in result.stderr and "access rights" in result.stderr


@pytest.mark.parametrize(
    "command", [["build", "a", "--out"], ["package", "--output"], ["demo", "--folder"], ["schema", "--out"]]
)
def test_a_place_that_cannot_be_written_is_named_with_the_option_for_another(config, command, monkeypatch):
    monkeypatch.chdir(config.parent.parent)
    monkeypatch.setenv("COMBOI_CONFIG", str(config))
    result = comboi(*command, config / "below" / "it")

    assert result.exit_code == 1 and "cannot be written: " in result.stderr and command[-1] in result.stderr


@pytest.mark.parametrize("port", ["65536", "-1", "x"])
def test_serve_refuses_a_port_that_there_is_not(config, port):
    assert comboi("serve", "--config", config, "--port", port).exit_code == 2


@pytest.mark.parametrize(("path", "says"), [("site", "200"), ("list", "200")])
def test_a_url_that_is_no_comboi_app_is_an_error(deployed, path, says):
    with pytest.raises(ApiError, match=says):
        Api(deployed).get(path)


def test_an_app_that_wants_a_key_says_how_to_give_one(deployed):
    with pytest.raises(ApiForbidden, match="401") as caught:
        Api(deployed).get("key")
    assert "--key" in caught.value.remedy


def test_runs_are_collected_over_the_pages_with_the_same_filter(deployed):
    result = comboi("runs", "--url", deployed, "--status", "failed", "--json")

    assert result.exit_code == 0, result.output
    assert [run["run_id"] for run in json.loads(result.stdout)] == ["a", "b"]


@pytest.mark.parametrize("command", ["status", "runs", "run", "plan"])
def test_after_json_errors_are_json_on_stdout_too(command, tmp_path):
    result = comboi(command, "--json", "--config", tmp_path / "configs" / "nowhere.yml")

    error = json.loads(result.stdout)["error"]
    assert result.exit_code == 1 and error["code"] == "config_invalid" and error["remedy"] and not result.stderr


def test_the_next_command_without_json_tells_people(tmp_path):
    nowhere = tmp_path / "configs" / "nowhere.yml"
    comboi("runs", "--json", "--config", nowhere)

    assert "what to do" in comboi("runs", "--config", nowhere).stderr


def test_the_shell_completes_stages_tables_and_datasets(config, monkeypatch):
    monkeypatch.setenv("COMBOI_CONFIG", str(config))

    assert complete_names("") == ["shop.orders", "a"]
    assert complete_names("ord") == ["shop.orders"] and complete_tables("") == ["shop.orders"]
    assert complete_stages("s") == ["silver"]
    config.write_text("pipeline: [")
    assert complete_names("") == []


def test_runs_of_other_pipelines_in_the_task_hub_are_told_apart():
    own, other = "sales-20261123T060000Z-7f3a91", "stock-20261123T060000Z-7f3a91"

    assert left_behind([other, own, f"{own}:0:0", "something"], "sales") == ([own], [other])


def test_the_version_is_that_of_the_package():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]

    assert comboi("--version").stdout.strip() == f"comboi {project['version']}"


def test_the_help_tells_the_exit_codes():
    assert "130" in comboi("--help").stdout


@pytest.mark.parametrize(
    ("words", "stage", "select"),
    [
        ("--select orders people", None, ["orders", "people"]),
        ("-s orders people -s items", None, ["orders", "people", "items"]),
        ("--select orders people silver", "silver", ["orders", "people"]),
        ("silver --select orders people --full-refresh", "silver", ["orders", "people"]),
        ("--select silver", None, ["silver"]),
        ("--select=orders people", None, ["orders", "people"]),
    ],
)
@pytest.mark.parametrize("command", ["run", "plan"])
def test_select_takes_several_names(command, words, stage, select, monkeypatch):
    asked: list[tuple] = []
    known = typer.main.get_command(app).commands[command]
    monkeypatch.setattr(known, "callback", lambda **given: asked.append((given["stage"], given["select"])))
    known.main(words.split(), standalone_mode=False)

    assert asked == [(stage, select)]
