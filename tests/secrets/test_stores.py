"""Values of references: the environment, and Key Vault through the real Azure SDK against a double at the wire."""

from __future__ import annotations

import pytest

from comboi_core.config.project import KeyVaultConfig
from comboi_core.config.references import Reference
from comboi_core.domain.errors import ConfigError, ReferenceMissing, VaultUnavailable
from comboi_core.secrets.stores import environment, key_vault, no_vault, resolve, stores_of


def test_an_environment_variable_is_taken_as_it_is(monkeypatch):
    monkeypatch.setenv("COMBOI_TEST_VALUE", " p@ss wörd\n")

    assert environment("COMBOI_TEST_VALUE") == " p@ss wörd\n"


def test_a_variable_that_is_not_set_is_named_with_how_to_set_it(monkeypatch):
    monkeypatch.delenv("COMBOI_TEST_VALUE", raising=False)

    with pytest.raises(ReferenceMissing, match=r"\{\{env:COMBOI_TEST_VALUE\}\}") as caught:
        environment("COMBOI_TEST_VALUE")
    assert "export COMBOI_TEST_VALUE=" in caught.value.remedy


def test_without_a_vault_the_message_says_how_to_name_one():
    with pytest.raises(ReferenceMissing, match=r"\{\{keyvault:password\}\}") as caught:
        no_vault("password")
    assert "vault_url" in caught.value.remedy


def test_references_are_resolved_wherever_they_stand_and_once_each():
    asked = []

    def store(name: str) -> str:
        asked.append(name)
        return f"value-of-{name}"

    value = {"a": "x{{env:A}}y{{env:A}}", "b": ["{{keyvault:B}}", 5, None], "c": ("{{env:A}}",)}

    filled, values = resolve(value, {"env": store, "keyvault": store})

    assert filled == {"a": "xvalue-of-Ayvalue-of-A", "b": ["value-of-B", 5, None], "c": ["value-of-A"]}
    assert asked == ["A", "B"]
    assert values == {Reference("env", "A"): "value-of-A", Reference("keyvault", "B"): "value-of-B"}
    assert value["b"][0] == "{{keyvault:B}}"


def test_a_value_that_looks_like_a_reference_is_a_value():
    filled, _ = resolve("{{env:A}}", {"env": lambda _: "{{env:B}} \\1 {{nonsense}}"})

    assert filled == "{{env:B}} \\1 {{nonsense}}"


def test_the_vault_gives_the_secret(vault):
    vault.secrets["postgres-password"] = "p@ss/wörd {{env:X}}"

    assert key_vault(vault.url)("postgres-password") == "p@ss/wörd {{env:X}}"
    assert vault.asked == ["postgres-password"]


def test_a_secret_that_the_vault_has_not_is_named_with_the_vault(vault):
    with pytest.raises(ReferenceMissing, match="there is no such secret") as caught:
        key_vault(vault.url)("nothing")
    assert "{{keyvault:nothing}}" in caught.value.message and vault.url in caught.value.message


def test_an_identity_without_the_right_is_told_which_role_it_needs(vault):
    vault.statuses["password"] = 403

    with pytest.raises(ReferenceMissing, match="the vault answers 403") as caught:
        key_vault(vault.url)("password")
    assert "Key Vault Secrets User" in caught.value.remedy and not caught.value.transient


def test_a_token_that_the_vault_refuses_asks_for_signing_in(vault):
    vault.statuses["password"] = 401

    with pytest.raises(ReferenceMissing) as caught:
        key_vault(vault.url)("password")
    assert "az login" in caught.value.remedy


def test_without_any_identity_the_message_says_how_to_get_one(vault, monkeypatch):
    monkeypatch.setattr("azure.identity.DefaultAzureCredential.signed_in", False)

    with pytest.raises(ReferenceMissing, match="no identity to sign in with") as caught:
        key_vault(vault.url)("password")
    assert "managed identity" in caught.value.remedy and vault.asked == []


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_vault_is_worth_another_attempt(vault, status):
    vault.statuses["password"] = status

    with pytest.raises(VaultUnavailable, match=f"the vault answers {status}") as caught:
        key_vault(vault.url)("password")
    assert caught.value.transient


def test_a_vault_that_does_not_answer_is_worth_another_attempt(vault):
    with pytest.raises(VaultUnavailable, match="cannot be reached"):
        key_vault("https://unit.vault.azure.net:1/")("password")


def test_a_vault_behind_an_untrusted_certificate_gets_no_token(vault, monkeypatch):
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    vault.secrets["password"] = "x"

    with pytest.raises(VaultUnavailable, match="cannot be reached"):
        key_vault(vault.url)("password")
    assert vault.asked == []


def test_a_vault_without_encryption_gets_no_token(vault):
    with pytest.raises(VaultUnavailable):
        key_vault(f"http://unit.vault.azure.net:{vault.port}/")("password")
    assert vault.asked == []


FROM_THE_ENVIRONMENT = KeyVaultConfig(vault_url="{{env:COMBOI_TEST_VAULT}}")


def test_the_vault_s_address_may_come_from_the_environment(vault, monkeypatch):
    monkeypatch.setenv("COMBOI_TEST_VAULT", vault.url)
    vault.secrets["password"] = "x"

    assert resolve("{{keyvault:password}}", stores_of(FROM_THE_ENVIRONMENT)) == (
        "x",
        {Reference("keyvault", "password"): "x"},
    )


def test_a_vault_without_address_is_missed_only_where_a_secret_is_asked_for(monkeypatch):
    monkeypatch.delenv("COMBOI_TEST_VAULT", raising=False)
    stores = stores_of(FROM_THE_ENVIRONMENT)

    assert resolve("no reference", stores) == ("no reference", {})
    with pytest.raises(ReferenceMissing, match="COMBOI_TEST_VAULT is not set") as caught:
        resolve("{{keyvault:password}}", stores)
    assert "export COMBOI_TEST_VAULT=" in caught.value.remedy


@pytest.mark.parametrize("url", ["http://unit.vault.azure.net/", "unit", "https://unit.vault.azure.net/secrets/x", " "])
def test_an_address_out_of_the_environment_that_is_none_is_told_with_its_name(vault, monkeypatch, url):
    monkeypatch.setenv("COMBOI_TEST_VAULT", url)

    with pytest.raises(ConfigError, match=r"vault_url: \{\{env:COMBOI_TEST_VAULT\}\} is") as caught:
        resolve("{{keyvault:password}}", stores_of(FROM_THE_ENVIRONMENT))
    assert "terraform output vault_url" in caught.value.remedy and vault.asked == []
