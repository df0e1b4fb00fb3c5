"""What `data_lake:` may hold."""

from __future__ import annotations

import pytest

GOLD = "{path: lake/gold}"


@pytest.mark.parametrize(
    "lake",
    [
        "{account_name: acme, file_system: gold}",
        '{account_name: "{{env:NAME}}", file_system: "{{env:SPACE}}-gold", credential: "{{keyvault:lake-key}}"}',
        '{account_url: "https://acme.blob.core.windows.net", file_system: gold, sas_token: "{{env:SAS}}", folder: a/b}',
        '{connection_string: "{{env:LAKE}}", file_system: gold-1, folder: "{{env:FOLDER}}"}',
        '{path: "{{env:LAKE}}/gold"}',
    ],
)
def test_the_ways_to_configure_a_lake(files, lake):
    files.replace(GOLD, lake)
    assert files.load().pipeline_file.stages.gold.data_lake.model_fields_set


@pytest.mark.parametrize(
    ("lake", "says"),
    [
        ("{}", "give exactly one of path:, account_name:, account_url:, connection_string:"),
        ("{path: a, account_name: acme, file_system: b}", "give exactly one of path:"),
        ("{account_name: acme, connection_string: x, file_system: b}", "give exactly one of path:"),
        ("{file_system: b}", "give exactly one of path:"),
        ("{path: a, file_system: b}", "file_system: is for lakes in Azure"),
        ("{account_name: acme}", "file_system: this key is missing"),
        ("{account_name: acme, file_system: Gold}", "3 to 63 small letters"),
        ("{account_name: acme, file_system: a--b}", "3 to 63 small letters"),
        ("{account_name: acme, file_system: ab}", "3 to 63 small letters"),
        ("{account_name: acme, file_system: gold, folder: /a}", "folder: write a path inside the container"),
        ("{account_name: acme, file_system: gold, folder: a/../b}", "folder: write a path inside the container"),
        ("{account_name: acme, file_system: gold, credential: a, sas_token: b}", "credential: or sas_token:, not both"),
        ("{connection_string: a, file_system: gold, credential: b}", "connection_string: or credential:, not both"),
        ('{account_url: "https://acme?sig=x", file_system: gold}', "into sas_token:"),
        ("{account_name: acme, file_system: gold, credental: a}", "(did you mean 'credential'?)"),
        ("{account_name: acme, file_sytem: gold}", "(did you mean 'file_system'?)"),
        ('{account_name: "", file_system: gold}', "is empty"),
        ("{path: [a]}", "expected text"),
    ],
)
def test_what_is_wrong_with_a_lake_is_said_at_its_line(files, lake, says):
    files.replace(GOLD, lake)
    matching = [problem for problem in files.problems() if says in problem]
    assert len(matching) == 1 and matching[0].startswith(f"{files.line_of(lake)}: ")


def test_a_credential_takes_part_in_the_hash_by_its_reference(files, monkeypatch):
    files.replace(GOLD, '{account_name: acme, file_system: gold, credential: "{{env:KEY}}"}')
    monkeypatch.setenv("KEY", "a")
    before = files.load().config_hash
    monkeypatch.setenv("KEY", "b")
    assert files.load().config_hash == before
