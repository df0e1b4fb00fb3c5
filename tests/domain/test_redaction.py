"""Secrets do not leave the process, however they are spelled."""

from __future__ import annotations

import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comboi_core.domain.redaction import HIDDEN, MINIMUM_LENGTH, Redactor

SECRETS = st.text(st.characters(codec="utf-8"), min_size=8, max_size=40).filter(lambda text: text.strip("*") == text)


def hiding(*secrets: str) -> Redactor:
    redactor = Redactor()
    for secret in secrets:
        redactor.add(secret)
    return redactor


@given(secret=SECRETS)
def test_a_secret_is_hidden_as_it_is_and_as_messages_encode_it(secret):
    redactor = hiding(secret)

    for spelled in (secret, quote(secret, safe=""), quote_plus(secret), repr(secret)[1:-1], json.dumps(secret)[1:-1]):
        assert spelled not in redactor.text(f"before {spelled} after {spelled}")


@given(password=SECRETS.filter(lambda text: not set("[]") & set(text)))
def test_the_password_inside_a_secret_uri_is_hidden_by_itself(password):
    redactor = hiding(f"postgresql://user:{quote(password, safe='')}@db.example.com:5432/shop")

    assert password not in redactor.text(f"login failed with >{password}<")
    assert quote(password, safe="") not in redactor.text(f"login failed with >{quote(password, safe='')}<")


@pytest.mark.parametrize(
    ("connection", "password"),
    [
        ("host=db password=hunter2 user=u", "hunter2"),
        ("host=db password='hunt er2' user=u", "hunt er2"),
        (r"host=db password='hunt\'er2' user=u", "hunt'er2"),
        ("Server=db;Uid=u;Pwd={hunt;er2};Encrypt=yes", "hunt;er2"),
        ("AccountName=a;AccountKey=aHVudGVyMg==;EndpointSuffix=x", "aHVudGVyMg=="),
        ("postgresql://u:hunt@er2x@db/shop", "er2x"),
        ("postgresql://u:hunter2@[half/shop password=swordfish", "swordfish"),
    ],
)
def test_the_password_inside_any_secret_connection_string_is_hidden_by_itself(connection, password):
    assert password not in hiding(connection).text(f"could not log in: {password}!")


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://u:hunter2@db/shop",
        "postgresql://:hunter2@db/shop",
        "amqps://u:hunt@er2@db",
        "a password=hunter2 b",
        "a PASSWORD = hunter2 b",
        "pwd=hunter2;x",
        "Pwd={hunter2;x}",
        'password="hunter2 x"',
        "password='hunter2 x'",
        r"password='\'hunter2'",
        '{"password": "hunter2"}',
        "{'password': 'hunter2'}",
        "?sv=1&sig=hunter2&se=2",
        "AccountKey=hunter2==;a",
        "SharedAccessKey=hunter2",
        "x://a:b@c y://u:hunter2@d",
        "Bearer eyJ0eXAiOiJKV1QiLA.eyJhdWQiOiJodHR-hunter2.c2lnbmF0dXJl_-hunter2 ",
        "'eyJ0eXAiOiJKV1QiLA.eyJhdWQiOi-hunter2'",
        "postgresql://u:{{env:A}}hunter2@db/shop",
        "postgresql://u:{{hunter2}}@db/shop",
    ],
)
def test_what_looks_like_a_password_is_hidden_though_nobody_registered_it(text):
    shown = Redactor().text(text)

    assert "hunter2" not in shown and "er2@" not in shown and HIDDEN in shown


@pytest.mark.parametrize(
    "text",
    [
        'password authentication failed for user "comboi"',
        "Check user and password (or the secret).",
        "",
        "at 10:30:22, mail a@b.c",
        "https://example.com:8080/x mail a@b.c",
        "postgresql://user@db:5432/shop",
        "a:b@c",
        "signature=abc",
        "orders_password_resets has 5 rows",
        "monkeyJ0eXAiOiJKV1.example.com/longer-than-it.is",
        "eyJ0eXAiOiJKV1QiLA",
        "postgresql://comboi:{{env:SHOP_PASSWORD}}@db:5432/shop",
        '{"password": "{{ keyvault:shop }}", "sig": "{{env:SIG}}"}',
        '{"properties": {"password": {\n"not": {"enum": [null]}}, "pwd": ["x"]}}',
        "Server=db;Pwd = {{env:SHOP_PASSWORD}};Encrypt=yes",
    ],
)
def test_ordinary_text_stays_as_it_is(text):
    assert Redactor().text(text) == text


@pytest.mark.parametrize("secret", ["", "a", "abc", "1", " "])
def test_a_short_secret_is_hidden_only_where_it_looks_like_one(secret):
    redactor = hiding(secret)

    assert len(secret) < MINIMUM_LENGTH
    assert redactor.text("a banana, abc, 1") == "a banana, abc, 1"
    assert redactor.text("password=abc") == "password=***"


def test_a_secret_inside_a_longer_one_does_not_leave_the_rest_standing():
    assert hiding("swordfish", "swordfish-and-more").text("swordfish-and-more, swordfish") == f"{HIDDEN}, {HIDDEN}"
    assert hiding("swordfish-and-more", "swordfish").text("swordfish-and-more") == HIDDEN


def test_nested_values_are_redacted_and_others_are_left_alone():
    value = {"a": ["swordfish", ("x swordfish",), {"b": "swordfish"}], "n": 5, "none": None, "yes": True, "f": 1.5}

    assert hiding("swordfish").value(value) == {
        "a": [HIDDEN, [f"x {HIDDEN}"], {"b": HIDDEN}], "n": 5, "none": None, "yes": True, "f": 1.5,
    }  # fmt: skip


def test_a_secret_with_the_signs_of_patterns_is_taken_literally():
    assert hiding(r"a.*(b)\1[c]$").text(r"x a.*(b)\1[c]$ axxb") == f"x {HIDDEN} axxb"


@pytest.mark.parametrize(
    "text",
    [
        "a" * 500_000,
        "://a:" * 100_000,
        "password = " * 50_000,
        "password" + " " * 300_000,
        "pwd='" + "\\" * 200_000,
        "-eyJaaaaaaaa" * 50_000,
    ],
)
def test_long_and_strange_texts_are_passed_through_in_one_go(text):
    assert len(Redactor().text(text)) > 0


@pytest.mark.parametrize("length", range(4, 32))
def test_a_text_is_cut_only_after_its_secrets_are_out(length):
    cut = hiding("swordfish-and-more").cut("it says swordfish-and-more, and that is not all", length)

    assert len(cut) <= length and "swor" not in cut and cut.endswith("...")


def test_a_short_text_is_not_cut():
    assert hiding("swordfish").cut("it says swordfish", 11) == "it says ***"
    assert Redactor().cut("", 5) == ""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('LINE 1: ...word/fish" and more', 'LINE 1: ...*** and more'),
        ("LINE 1: SELECT 'pl4nted-sword...", "LINE 1: SELECT '***..."),
        ("LINE 1: SELECT 'pl4nted-sword…", "LINE 1: SELECT '***…"),
        ("...ed-sword/fis...", "...ed-sword/fis..."),  # a middle is no more known than any word
        ("...pl4nted-sword/fish\"...", "...***..."),
        ("...word%2Ffish%22...", "...***..."),
        ("pl4nted...", "pl4nted..."),
        ("postgresql://...", "postgresql://..."),
    ],
)  # fmt: skip
def test_what_others_have_left_of_a_secret_where_they_cut_a_text_is_hidden(text, shown):
    redactor = hiding('pl4nted-sword/fish"', "postgresql://u:x12345@db/shop")

    assert redactor.text(text) == shown


def test_the_path_of_a_secret_web_address_is_hidden_without_its_host():
    redactor = hiding("https://hooks.example.com:443/services/T0/B0/x1Y2z3x1Y2z3x1Y2z3?api-version=2016-06-01&code=abc")

    said = "Max retries exceeded with url: /services/T0/B0/x1Y2z3x1Y2z3x1Y2z3?api-version=2016-06-01&code=abc (no host)"
    assert redactor.text(said) == "Max retries exceeded with url: /*** (no host)"
    assert redactor.text("got x1Y2z3x1Y2z3x1Y2z3 at hooks.example.com on 2016-06-01") == (
        "got *** at hooks.example.com on 2016-06-01"
    )


@pytest.mark.parametrize(
    ("connection", "password"),
    [
        ("Server=db;Uid=u;Pwd={hunt}};er2};Encrypt=yes", "hunt};er2"),
        ('Server=db;User ID=u;Password="hunt"";er2";Encrypt=yes', 'hunt";er2'),
        ("Server=db;User ID=u;Password='hunt'';er2';Encrypt=yes", "hunt';er2"),
    ],
)
def test_the_password_of_a_string_whose_quotes_are_doubled_is_hidden_to_its_end(connection, password):
    assert "er2" not in Redactor().text(f"cannot log in with {connection}")
    assert "er2" not in hiding(connection).text(f"could not log in: {password}!")
