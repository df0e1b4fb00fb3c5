"""A secret is found however a text spells it."""

from __future__ import annotations

import base64
import html
import json
import shlex
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comboi_core.domain.redaction import HIDDEN, Redactor
from comboi_core.domain.spellings import decoded, spellings

HOSTILE = "pl4nted p@ss/w'ö\"rd %41{x}\\n+&amp;]''€😀"
PEM = "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n".format(
    "\n".join(f"MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC{n:02d}line+{n:02d}/=" for n in range(3))
)

SPELLED: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "url": lambda text: quote(text, safe=""),
    "url in lower case": lambda text: "".join(
        f"%{octet:02x}" if octet > 127 or chr(octet) in " /@'\"{}%+&\\]" else chr(octet) for octet in text.encode()
    ),
    "url that keeps slashes": quote,
    "form": quote_plus,
    "url twice": lambda text: quote(quote(text, safe=""), safe=""),
    "json": lambda text: json.dumps(text)[1:-1],
    "json with its characters": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "json with escaped slashes": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "json within json": lambda text: json.dumps(json.dumps(text))[3:-3],
    "python": lambda text: repr(text)[1:-1],
    "python in ascii": lambda text: ascii(text)[1:-1],
    "bytes of python": lambda text: repr(text.encode())[2:-1],
    "html": lambda text: html.escape(text, quote=True),
    "html by number": lambda text: "".join(f"&#{ord(character)};" for character in text),
    "html by hexadecimal number": lambda text: "".join(f"&#x{ord(character):x};" for character in text),
    "html of json": lambda text: html.escape(json.dumps(text)),
    "sql": lambda text: text.replace("'", "''"),
    "sql name": lambda text: text.replace('"', '""').replace("]", "]]"),
    "odbc": lambda text: "{" + text.replace("}", "}}") + "}",
    "shell": shlex.quote,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 of utf-16": lambda text: base64.b64encode(text.encode("utf-16-le")).decode(),
    "base64 without padding": lambda text: base64.b64encode(text.encode()).decode().rstrip("="),
    "url-safe base64": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    **{
        f"base64 after {before} characters": lambda text, before=before: base64.b64encode(
            f"{'u' * before}:{text}:further".encode()
        ).decode()
        for before in range(3)
    },
    "base64 in a url": lambda text: quote(base64.b64encode(text.encode()).decode(), safe=""),
    "base64 in lines": lambda text: base64.encodebytes(b"x" * 100 + text.encode()).decode(),
    "hexadecimal": lambda text: text.encode().hex(),
    "hexadecimal in capitals": lambda text: text.encode().hex().upper(),
}
ESCAPES = [way for way in SPELLED if not way.startswith(("base64", "url-safe", "hexadecimal", "bytes"))]


def readable(text: str) -> str:
    """Return what somebody who tries can read out of a text: its base64 and hexadecimal, at any place."""
    seen = [text, decoded(text)[0]]
    for start in range(4):
        for word in text.replace("\n", "").translate(str.maketrans("-_", "+/")).split(HIDDEN):
            piece = word[start : start + (len(word) - start) // 4 * 4]
            try:
                seen.append(base64.b64decode(piece).decode("latin-1"))
            except ValueError:
                continue
    return "\n".join(seen)


@pytest.mark.parametrize("way", SPELLED)
@pytest.mark.parametrize("secret", [HOSTILE, "hunter2!", "a-key+with/signs==", "s3cret"])
def test_every_spelling_is_hidden(secret, way):
    redactor = Redactor()
    redactor.add(secret)
    spelled = SPELLED[way](secret)

    shown = redactor.text(f"before {spelled} after")

    assert HIDDEN in shown and spelled not in shown and secret not in readable(shown)
    assert shown.startswith("before ") and shown.endswith("after"), "the rest of the text stays"
    assert len(shown) <= len("before *** after") + len(spelled) // 2 + 200


@given(
    secret=st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=8, max_size=40).filter(
        lambda text: text.strip("\\ ") == text
    ),
    ways=st.lists(st.sampled_from(ESCAPES), min_size=1, max_size=2),
)
def test_spellings_of_spellings_are_hidden(secret, ways):
    redactor = Redactor()
    redactor.add(secret)
    text = secret
    for way in ways:
        text = SPELLED[way](text)

    assert text not in redactor.text(f"({text})") or secret.isdecimal()


@pytest.mark.parametrize("way", ["as it is", "json", "python", "url", "base64", "html"])
def test_of_a_private_key_every_line_is_hidden(way):
    redactor = Redactor()
    redactor.add(PEM)

    shown = redactor.text(f"cannot read {SPELLED[way](PEM)}!")

    assert not any(line in readable(shown) for line in PEM.splitlines()[1:-1])
    assert redactor.text(f"bad line: {PEM.splitlines()[2]}") == f"bad line: {HIDDEN}"


def test_the_key_of_a_json_document_is_hidden_line_by_line_though_its_line_ends_are_escaped():
    redactor = Redactor()
    redactor.add(json.dumps({"type": "service_account", "private_key": PEM}))

    assert redactor.text(f"bad line: {PEM.splitlines()[1]}") == f"bad line: {HIDDEN}"


def test_escapes_are_taken_off_and_every_character_knows_where_it_began():
    text, places = decoded('a%2541 \\u00f6 &lt;"" ')

    assert text == "aA ö <' "
    assert places == [0, 1, 6, 7, 13, 14, 18, 20, 21]


@pytest.mark.parametrize("text", ["100% of it", "a\\", "%zz \\u12 &nothing here", "", "\ud800", "\\ud800 \\U99999999"])
def test_what_is_no_escape_is_left_alone(text):
    assert Redactor().text(text) == text
    decoded(text)


@pytest.mark.slow
def test_a_text_is_compared_with_few_of_many_secrets_at_each_place():
    many = Redactor()
    for number in range(500):
        many.add(f"{number * 7919 % 9973:04d}-a-secret-{number * 7919}")
    assert sum(len(spellings(secret)) for secret in many._secrets) > 4000
    assert max(map(len, many._heads.values())) < 100, "what is compared at one place of a text"
