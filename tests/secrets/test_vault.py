"""Values of a vault are kept, shared between threads, and read again when they were rotated."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from comboi_core.domain.errors import ReferenceMissing, VaultUnavailable
from comboi_core.secrets.stores import environment, key_vault, resolve
from comboi_core.secrets.vault import Vault, secrets_renewed, secrets_version


def stores(vault):
    return {"env": environment, "keyvault": key_vault(vault.url)}


def test_a_value_is_read_once_for_all_who_ask_within_its_lifetime(vault):
    vault.secrets["password"] = "first"
    vault.delay = 0.1

    with ThreadPoolExecutor(8) as pool:
        values = set(pool.map(key_vault(vault.url), ["password"] * 8))

    assert values == {"first"} and vault.asked == ["password"]


def test_a_rotated_value_is_seen_once_the_old_one_has_lived(vault):
    vault.secrets["password"] = "first"
    patient, hasty = Vault(vault.url), Vault(vault.url, lifetime=0)
    assert (patient.value("password"), hasty.value("password")) == ("first", "first")

    vault.secrets["password"] = "second"

    assert (patient.value("password"), hasty.value("password")) == ("first", "second")


def test_after_a_refused_login_a_rotated_value_is_seen_at_once(vault):
    vault.secrets |= {"password": "first", "other": "same"}
    store = key_vault(vault.url)
    assert [store("password"), store("other")] == ["first", "same"]
    version = secrets_version()
    assert not secrets_renewed(since=version)

    vault.secrets["password"] = "second"

    assert secrets_renewed(since=version) and store("password") == "second"
    assert not secrets_renewed(since=secrets_version())


def test_logins_that_were_refused_at_once_all_learn_of_the_rotation(vault):
    vault.secrets["password"] = "first"
    key_vault(vault.url)("password")
    version = secrets_version()
    vault.secrets["password"] = "second"

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(lambda _: secrets_renewed(since=version), range(4)))


def test_a_value_that_cannot_be_read_again_stays(vault):
    vault.secrets |= {"password": "first", "gone": "x", "rotated": "old"}
    store = key_vault(vault.url)
    assert [store(name) for name in ("password", "gone", "rotated")] == ["first", "x", "old"]
    version = secrets_version()

    del vault.secrets["gone"]
    assert not secrets_renewed(since=version) and store("gone") == "x"
    vault.secrets["rotated"] = "new"
    vault.statuses["password"] = 503
    assert not secrets_renewed(since=version) and store("password") == "first"
    del vault.statuses["password"]
    assert secrets_renewed(since=version) and store("rotated") == "new"


def test_a_busy_vault_is_asked_a_few_times_only(vault):
    vault.statuses["password"] = 503

    with pytest.raises(VaultUnavailable):
        key_vault(vault.url)("password")

    assert vault.asked == ["password"] * 4


def test_a_failure_is_not_kept(vault):
    store = key_vault(vault.url)
    with pytest.raises(ReferenceMissing):
        store("password")

    vault.secrets["password"] = "created meanwhile"

    assert store("password") == "created meanwhile"


def test_many_references_are_fetched_side_by_side(vault):
    names = [f"secret-{number}" for number in range(8)]
    vault.secrets |= {name: f"value of {name}" for name in names}
    vault.pair = threading.Barrier(2)  # no request is answered before another one has come

    filled, values = resolve([f"{{{{keyvault:{name}}}}}" for name in names], stores(vault))

    assert filled == list(values.values()) == [f"value of {name}" for name in names]
    assert vault.most > 1 and sorted(vault.asked) == names


def test_every_reference_without_a_value_is_named_at_once(vault, monkeypatch):
    monkeypatch.delenv("COMBOI_TEST_VALUE", raising=False)
    vault.secrets["there"] = "x"
    vault.statuses["forbidden"] = 403

    with pytest.raises(ReferenceMissing) as caught:
        resolve("{{keyvault:there}}{{keyvault:gone}}{{keyvault:forbidden}}{{env:COMBOI_TEST_VALUE}}", stores(vault))

    for name in ("{{keyvault:gone}}", "{{keyvault:forbidden}}", "{{env:COMBOI_TEST_VALUE}}", vault.url):
        assert name in caught.value.message
    assert "keyvault:there" not in caught.value.message
    for remedy in ("az keyvault secret set", "Key Vault Secrets User", "export COMBOI_TEST_VALUE="):
        assert remedy in caught.value.remedy


def test_trying_again_is_proposed_only_where_it_may_help(vault):
    vault.statuses |= {"busy": 503, "busier": 429}

    with pytest.raises(VaultUnavailable) as caught:
        resolve("{{keyvault:busy}}{{keyvault:busier}}", stores(vault))
    assert caught.value.transient

    with pytest.raises(ReferenceMissing, match="gone") as caught:
        resolve("{{keyvault:busy}}{{keyvault:gone}}", stores(vault))
    assert not caught.value.transient


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [
        ("ForbiddenByRbac", "Key Vault Secrets User"),
        ("ForbiddenByPolicy", "secret permission `Get`"),
        ("ForbiddenByFirewall", "firewall"),
        ("SecretDisabled", "Enable"),
        ("SomethingNew", "Key Vault Secrets User"),
    ],
)
def test_a_refusal_tells_the_permission_that_is_missing(vault, reason, remedy):
    vault.statuses["password"], vault.reasons["password"] = 403, reason

    with pytest.raises(ReferenceMissing, match=f"403 {reason}") as caught:
        key_vault(vault.url)("password")

    assert remedy in caught.value.remedy


@pytest.mark.parametrize("empty", ["", None])
def test_an_empty_secret_is_none(vault, empty):
    vault.secrets["password"] = empty

    with pytest.raises(ReferenceMissing, match="is empty"):
        key_vault(vault.url)("password")


@pytest.mark.parametrize("url", ["", "nonsense", "https://", "https://exa mple/"])
def test_a_vault_url_that_is_none_is_an_error_with_the_place(vault, url):
    with pytest.raises((ReferenceMissing, VaultUnavailable), match=r"\{\{keyvault:password\}\}"):
        key_vault(url)("password")
