"""Opening a stage's lake: references, what is hidden and what is not, and where local lakes are."""

from __future__ import annotations

import pytest

from comboi_core.domain.errors import ConfigError, ReferenceMissing
from comboi_core.domain.redaction import redactor

KEY = "cm90YXRlZGtl" * 7


def lakes(**of: str):
    def change(pipeline: dict, _: dict) -> None:
        pipeline["stages"]["bronze"] = {"data_lake": of}
        pipeline["key_vault"] = {"vault_url": "https://unit.vault.azure.net"}

    return change


def test_references_are_resolved_and_names_from_the_environment_stay_readable(make, monkeypatch):
    monkeypatch.setenv("LAKE_ACCOUNT", "acme-account")
    monkeypatch.setenv("LAKE_KEY", KEY)
    names = {"account_name": "{{env:LAKE_ACCOUNT}}", "file_system": "bronze-{{env:LAKE_ACCOUNT}}"}
    workspace = make(lakes(**names, credential="{{env:LAKE_KEY}}"))
    where = workspace.lake("bronze").describe()
    assert where == "https://acme-account.blob.core.windows.net/bronze-acme-account"
    assert redactor.text(f"{where} {KEY}") == f"{where} ***"


def test_a_credential_without_reference_is_hidden_all_the_same(make):
    key = "bGl0ZXJhbGtl" * 7
    make(lakes(connection_string=f"AccountName=acme;AccountKey={key}", file_system="bronze")).lake("bronze")
    assert key not in redactor.text(f"a {key} b")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [("SPACE", "Not A Container", "3 to 63"), ("KEY", "wrong!", "88 characters")],
)
def test_what_a_reference_stands_for_is_checked_and_not_shown(make, monkeypatch, name, value, says):
    monkeypatch.setenv("SPACE", "bronze")
    monkeypatch.setenv("KEY", KEY)
    monkeypatch.setenv(name, value)
    workspace = make(lakes(account_name="acme", file_system="{{env:SPACE}}", credential="{{env:KEY}}"))
    with pytest.raises(ConfigError, match=says) as caught:
        workspace.lake("bronze")
    assert not value or value not in caught.value.message
    assert caught.value.__context__ is None


def test_a_reference_without_value_is_named(make):
    with pytest.raises(ReferenceMissing, match="NOBODY_SET_THIS"):
        make(lakes(account_name="{{env:NOBODY_SET_THIS}}", file_system="bronze")).lake("bronze")


def test_local_lakes_count_from_the_project_or_from_the_lake_root(make, monkeypatch, tmp_path):
    monkeypatch.setenv("FOLDER", "from the environment")
    workspace = make(lakes(path="{{env:FOLDER}}/bronze"))
    assert workspace.lake("bronze").describe() == str(workspace.project.root / "from the environment" / "bronze")
    monkeypatch.setenv("COMBOI_LAKE_ROOT", str(tmp_path / "elsewhere"))
    assert workspace.lake("gold").describe() == str(tmp_path / "elsewhere" / "lake" / "gold")
