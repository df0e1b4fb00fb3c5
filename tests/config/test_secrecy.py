"""What is a secret of a configuration is known once it is read; addresses and names stay readable."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from comboi_core.config.secrecy import SECRET_KEYS, is_secret_name, known_secrets
from comboi_core.domain.redaction import Redactor, redactor

ENVIRONMENT = {
    "SHOP_PASSWORD": "pl4nted-1", "DB_HOST": "db.example.com", "WHOLE": "postgresql://u:pl4nted-2@db.example.com/x",
    "CRM_PWD": "pl4nted-3", "OF_SCRIPTS_TOKEN": "pl4nted-4", "ACCOUNT": "mylake", "ODD_NAME": "pl4nted-5",
    "PWD": "/home/somebody", "DEV_KEY": "short",
}  # fmt: skip
DOCUMENT = {
    "sources": [
        {"connection": {"conn_str": "postgresql://comboi:{{env:SHOP_PASSWORD}}@{{env:DB_HOST}}:5432/shop"}},
        {"connection": {"conn_str": "{{ env:WHOLE }}"}},
        {"connection": {"server": "{{env:DB_HOST}}", "user": "comboi", "password": "{{env:ODD_NAME}}"}},
        {"connection": {"dsn": "Server={{env:DB_HOST}};Uid=u;Pwd={{env:CRM_PWD}}"}},
        {"connection": {"conn_str": "host=db.example.com password=pl4nted-6 user={{keyvault:user}}"}},
    ],
    "stages": {"bronze": {"data_lake": {"account_name": "{{env:ACCOUNT}}", "credential": "pl4nted-7"}}},
    "notifications": [{"webhook": "https://hooks.example.com/pl4nted-8", "on": ["{{nonsense}}"]}],
}


def test_secrets_are_known_and_addresses_stay_readable(monkeypatch):
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    redactor = Redactor()
    for secret in known_secrets(DOCUMENT):
        redactor.add(secret)

    for number in (1, 2, 3, 4, 5, 7):
        assert redactor.text(f"it says pl4nted-{number}!") == "it says ***!", number
    assert redactor.text("password=pl4nted-6") == "password=***", "of a text that is not complete yet"
    assert "pl4nted-8" not in redactor.text("no answer of https://hooks.example.com/pl4nted-8")
    ordinary = "db.example.com mylake comboi /home/somebody short shop"
    assert redactor.text(ordinary) == ordinary


@pytest.mark.parametrize("name", ["PWD", "OLDPWD", "KEYBOARD", "TOKEN_URL", "HOST", "MONKEY", "COMPASS"])
def test_ordinary_variables_are_no_secrets(name):
    assert not is_secret_name(name)


def test_a_value_that_is_part_of_a_name_is_hidden_only_where_it_looks_like_a_password():
    redactor = Redactor()
    redactor.add("shop")
    redactor.keep(["shop.orders"])

    assert redactor.text("shop.orders failed: password=shop") == "shop.orders failed: password=***"


def test_the_page_on_secrets_tells_each_key_and_each_word():
    page = (Path(__file__).parents[2] / "docs" / "security.md").read_text(encoding="utf-8")
    rows = page.partition("## Which values are secrets")[2].split("\n")

    keys = next(row for row in rows if row.startswith("| of a key"))
    words = re.findall(r"`([A-Z_]+)`", next(row for row in rows if "last word" in row).partition("e.g.")[0])
    assert set(re.findall(r"`([a-z_]+)`", keys)) == SECRET_KEYS
    assert len(words) > 10 and all(is_secret_name(f"SHOP_{word}") for word in words)


@pytest.mark.parametrize(
    "value", ["*hunter22", "!hunter22", "&hunter22 *hunter23", "{a: hunter22}", "[hunter22]", "12345678"]
)
def test_a_secret_that_yaml_takes_for_something_else_is_in_no_message(files, value):
    files.replace('conn_str: "postgresql://u:hunter2@db/shop"', f"conn_str: {value}")

    told = " ".join(files.problems())

    assert "initial.yml:" in told and not re.search("hunter|12345678", told)
    if value[0] not in "*!&":  # what YAML itself refuses, nobody reads on
        assert "***" in redactor.text(value)
