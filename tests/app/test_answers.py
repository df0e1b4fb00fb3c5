"""The frame around activities, and the workspace that it opens."""

from __future__ import annotations

import json
import logging
import os
import re

import pytest

from comboi_core.app.answers import MESSAGE_LENGTH, answer
from comboi_core.app.workspace import open_workspace
from comboi_core.building.validation.project import project_problems, reference_problems, script_problems
from comboi_core.domain.errors import (
    ConfigChanged,
    ConfigError,
    LakeRefused,
    LakeUnavailable,
    ReferenceMissing,
    SourceAuthFailed,
)
from comboi_core.domain.redaction import redactor


def fails_with(error: Exception):
    def work(workspace, payload):
        raise error

    return work


@pytest.mark.usefixtures("workspace")
def test_a_result_is_passed_through():
    def work(workspace, payload):
        return {"pipeline": workspace.project.pipeline, "got": payload["x"]}

    assert answer(work, {"x": 5}) == {"pipeline": "sales", "got": 5}


@pytest.mark.usefixtures("workspace")
def test_an_error_becomes_data_with_its_remedy_and_whether_it_is_transient(caplog):
    with caplog.at_level(logging.INFO, "comboi"):
        result = answer(fails_with(LakeUnavailable("the disk is full")), {"run_id": "r", "item": {"name": "a.b"}})

    assert result == {"error": LakeUnavailable("the disk is full").record()}
    (logged,) = caplog.records
    assert (logged.run_id, logged.item, logged.code, logged.activity) == ("r", "a.b", "lake_unavailable", "work")


@pytest.mark.usefixtures("workspace")
def test_what_is_done_is_logged_with_run_table_attempt_and_time(caplog):
    payload = {"run_id": "r", "attempt": 2, "item": {"kind": "table", "name": "shop.orders"}}
    with caplog.at_level(logging.INFO, "comboi"):
        answer(lambda workspace, payload: {}, payload)

    (logged,) = caplog.records
    assert (logged.run_id, logged.table, logged.attempt) == ("r", "shop.orders", 2) and logged.seconds >= 0


@pytest.mark.usefixtures("workspace")
@pytest.mark.parametrize("error", [SourceAuthFailed, LakeRefused])
@pytest.mark.parametrize("rotated", [True, False])
def test_a_refused_login_is_tried_once_more_if_its_secret_was_rotated(monkeypatch, error, rotated):
    calls = []
    monkeypatch.setattr("comboi_core.app.answers.secrets_renewed", lambda since: rotated)

    def work(workspace, payload):
        calls.append(payload)
        if len(calls) == 1:
            raise error("refused")
        return {"done": True}

    result = answer(work, {})

    assert (result.get("done", False), len(calls)) == (rotated, 1 + rotated)


@pytest.mark.usefixtures("workspace")
@pytest.mark.parametrize("error", [ConfigError, RuntimeError, KeyError, RecursionError, AssertionError])
def test_no_secret_leaves_in_an_error_or_a_log(error, caplog):
    redactor.add("open-sesame-4711")

    with caplog.at_level(logging.INFO, "comboi"):
        result = answer(fails_with(error("postgresql://u:hunter2@db said open-sesame-4711")), {})

    told = json.dumps(result) + caplog.text
    assert "open-sesame-4711" not in told and "hunter2" not in told


@pytest.mark.usefixtures("workspace")
def test_an_unforeseen_exception_is_an_internal_error_that_names_its_kind(caplog):
    result = answer(fails_with(ZeroDivisionError("division by zero")), {})

    assert result["error"]["code"] == "internal_error" and not result["error"]["transient"]
    assert result["error"]["message"] == "ZeroDivisionError: division by zero"
    assert "test_answers.py" in caplog.text, "the log has the traceback"


@pytest.mark.usefixtures("workspace")
def test_a_secret_that_is_an_ordinary_word_does_not_change_codes():
    redactor.add("lake")

    error = answer(fails_with(LakeUnavailable("the lake is dry")), {})["error"]

    assert (error["code"], error["message"]) == ("lake_unavailable", "the *** is dry")


@pytest.mark.usefixtures("workspace")
def test_a_long_message_is_cut_for_the_history():
    result = answer(fails_with(ConfigError("\n".join(f"line {n} is wrong" for n in range(5000)))), {})

    assert len(json.dumps(result)) < 2000 + MESSAGE_LENGTH // 10
    assert result["error"]["message"].startswith("line 0 is wrong\n")


@pytest.mark.usefixtures("workspace")
def test_a_run_keeps_to_the_configuration_it_was_planned_with(workspace):
    assert "error" not in answer(lambda *_: {}, {"config_hash": workspace.project.config_hash})
    assert answer(lambda *_: {}, {"config_hash": "0123456789abcdef"})["error"]["code"] == "config_changed"


def test_a_broken_configuration_is_an_error_as_data(make, tmp_path):
    make(None)
    (tmp_path / "configs" / "initial.yml").write_text("pipeline: [")

    assert answer(lambda *_: {}, {})["error"]["code"] == "config_invalid"


def test_an_edit_of_either_file_is_seen_and_the_other_activities_refuse(make, tmp_path):
    make(None)
    before = open_workspace()
    make(lambda _, datasets: datasets["gold"].pop())

    assert len(open_workspace().project.datasets()) == 3
    with pytest.raises(ConfigChanged):
        open_workspace(config_hash=before.project.config_hash)


def test_an_edit_of_a_transformations_file_in_another_folder_is_seen(make, tmp_path):
    make(None)
    other = tmp_path / "elsewhere" / "datasets.txt"
    other.parent.mkdir()
    (tmp_path / "configs" / "transformations.yml").rename(other)
    make(lambda pipeline, _: pipeline.update(transformations_file="elsewhere/datasets.txt"))
    before = open_workspace().project.config_hash

    other.write_text(other.read_text().replace("alias: i0", "alias: i9"))

    assert open_workspace().project.config_hash != before


def test_the_log_file_of_the_project_is_written(make, tmp_path):
    make(lambda pipeline, _: pipeline.update(monitoring={"log_path": "logs/comboi.log"}))

    answer(fails_with(LakeUnavailable("the disk is full")), {"run_id": "r1"})

    entry = json.loads((tmp_path / "logs" / "comboi.log").read_text().splitlines()[-1])
    assert (entry["run_id"], entry["message"], entry["code"]) == ("r1", "the disk is full", "lake_unavailable")
    for handler in list(logging.getLogger("comboi").handlers):
        if getattr(handler, "baseFilename", "").startswith(str(tmp_path)):
            logging.getLogger("comboi").removeHandler(handler)
            handler.close()


def test_references_are_resolved_when_a_source_is_opened_and_become_secrets(workspace, monkeypatch):
    monkeypatch.setenv("SHOP_CONNECTION", "host=db password=from-the-environment")

    resolved = workspace.resolved(workspace.project.source("shop").connection.model_dump(exclude_none=True))

    assert resolved == {"conn_str": "host=db password=from-the-environment"}
    assert "from-the-environment" not in redactor.text("it is from-the-environment")


def test_an_address_out_of_the_environment_stays_readable_and_whatever_the_vault_has_does_not(make, monkeypatch):
    values = {"DB_HOST": "db.example.com", "DB_USER": "comboi-reader", "ODD": "odd-password"}
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("comboi_core.secrets.stores.key_vault", lambda url: lambda name: f"kept-in-the-vault-{name}")
    connection = {"conn_str": "host={{env:DB_HOST}} user={{env:DB_USER}} dbname={{keyvault:db}} password={{env:ODD}}"}

    def change(pipeline, _):
        pipeline["sources"][0]["connection"] = connection
        pipeline["key_vault"] = {"vault_url": "https://one.vault.azure.net/"}

    workspace = make(change)
    workspace.resolved(workspace.project.source("shop").connection.model_dump(exclude_none=True))

    said = "comboi-reader at db.example.com, kept-in-the-vault-db: odd-password is wrong"
    assert redactor.text(said) == "comboi-reader at db.example.com, ***: *** is wrong"


@pytest.mark.parametrize("text", ["{{keyvault:hook}}", "{{env:HOOK}}", "https://hooks.example.com/{{env:PART}}"])
def test_what_is_a_secret_by_its_place_is_hidden_once_it_is_resolved(workspace, make, monkeypatch, text):
    monkeypatch.setenv("HOOK", "https://hooks.example.com/B0/of-the-hook")
    monkeypatch.setenv("PART", "B0/of-the-hook")
    monkeypatch.setattr("comboi_core.secrets.stores.key_vault", lambda url: lambda name: os.environ["HOOK"])
    workspace = make(lambda pipeline, _: pipeline.update(key_vault={"vault_url": "https://one.vault.azure.net/"}))

    assert workspace.resolved(text, secret=True) == os.environ["HOOK"]

    assert "of-the-hook" not in redactor.text(f"no answer of {os.environ['HOOK']}")


def test_a_source_whose_reference_has_no_value_is_not_opened(workspace, monkeypatch):
    monkeypatch.delenv("SHOP_CONNECTION", raising=False)

    with pytest.raises(ReferenceMissing, match="SHOP_CONNECTION"), workspace.source(None, "shop", "orders"):
        raise AssertionError("it was opened")


def test_every_reference_without_a_value_is_named_once(workspace, monkeypatch):
    monkeypatch.delenv("SHOP_CONNECTION", raising=False)
    monkeypatch.setenv("CRM_CONNECTION", "x")

    (problem,) = reference_problems(workspace.project)

    assert re.match(r"\S*initial\.yml:\d+: \{\{env:SHOP_CONNECTION\}\}: .* is not set\. Set SHOP_CONNECTION: ", problem)
    line = int(problem.split(":")[1])
    assert (
        "{{env:SHOP_CONNECTION}}"
        in (workspace.project.root / "configs" / "initial.yml").read_text().splitlines()[line - 1]
    )


def test_a_secret_without_a_vault_to_ask_is_a_problem(make, monkeypatch):
    monkeypatch.setenv("SHOP_CONNECTION", "x")
    monkeypatch.setenv("CRM_CONNECTION", "x")

    def change(pipeline, _):
        pipeline["masking"] = {"salt": "{{keyvault:salt}}"}

    (problem,) = reference_problems(make(change).project)

    assert "{{keyvault:salt}}: the configuration names no key vault. Add `key_vault: " in problem


def test_scripts_are_checked_with_the_line_of_their_dataset(make, tmp_path):
    def change(_, datasets):
        datasets["silver"][1]["quality_checks"] = ["no_such_check"]

    workspace = make(change)
    (tmp_path / "transformations" / "b.sql").unlink()
    (tmp_path / "transformations" / "top.sql").write_text("SELEC 1")

    problems = script_problems(workspace.project)

    assert len(problems) == 3
    places = workspace.project.places
    assert any(problem.startswith(places["b"]) for problem in problems)
    assert any(problem.startswith(places["a"]) and "no_such_check.py" in problem for problem in problems)
    assert any("top.sql" in problem for problem in problems)
    assert script_problems(workspace.project, only=["c"]) == []


def test_validation_reports_scripts_and_references_together(workspace, tmp_path, monkeypatch):
    for name in ("SHOP_CONNECTION", "CRM_CONNECTION"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "transformations" / "c.sql").unlink()

    assert len(project_problems(workspace.project)) == 3
