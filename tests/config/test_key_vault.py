"""The address of the vault: https, written out or from the environment, never from the vault itself."""

from __future__ import annotations

import pytest

VALID = ["https://sales.vault.azure.net/", "https://sales.vault.azure.cn", "https://127.0.0.1:8443/", "{{env:VAULT}}"]


def with_vault(files, url: str):
    return files.replace("pipeline: sales\n", f'pipeline: sales\nkey_vault: {{vault_url: "{url}"}}\n')


@pytest.mark.parametrize("url", [*VALID, "https://{{env:NAME}}.vault.azure.net/"])
def test_an_address_is_taken_as_it_is_written(files, url):
    assert with_vault(files, url).load().pipeline_file.key_vault.vault_url == url


@pytest.mark.parametrize("url", ["{{keyvault:address}}", "https://{{ keyvault:name }}.vault.azure.net/"])
def test_an_address_from_the_vault_itself_is_refused(files, url):
    problem = with_vault(files, url).problem()
    assert problem.startswith(files.line_of("key_vault")) and "cannot be in the vault" in problem


@pytest.mark.parametrize("url", ["http://sales.vault.azure.net/", "sales", "https://sales.vault.azure.net/secrets/x"])
def test_what_is_no_address_is_refused_before_any_run(files, url):
    problem = with_vault(files, url).problem()
    assert problem.startswith(files.line_of("key_vault")) and "https://NAME.vault.azure.net/" in problem


def test_the_configuration_s_hash_goes_by_the_reference_not_by_the_address(files, monkeypatch):
    project = with_vault(files, "{{env:VAULT}}").load()
    before = project.config_hash
    monkeypatch.setenv("VAULT", "https://other.vault.azure.net/")
    assert project.config_hash == before
