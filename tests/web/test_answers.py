"""Problem documents (RFC 9457)."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from comboi_core.domain.errors import ConfigError, LakeUnavailable, RequestInvalid, RunRefused
from comboi_core.telemetry.redaction import redactor
from comboi_core.web.answers import STATUS_OF_CODE, Answer, problem


@pytest.mark.parametrize(
    ("error", "status"), [(RequestInvalid, 400), (RunRefused, 409), (ConfigError, 503), (LakeUnavailable, 503)]
)
def test_an_error_becomes_a_problem_with_code_and_remedy(error, status):
    answer = problem(error("it went wrong", remedy="Do this."))

    assert (answer.status, answer.content_type) == (status, "application/problem+json")
    assert json.loads(answer.text) == {
        "type": f"urn:comboi:error:{error.code}",
        "title": error.code.replace("_", " "),
        "status": status,
        "detail": "it went wrong",
        "code": error.code,
        "remedy": "Do this.",
        "transient": error.transient,
    }


def test_the_context_is_told_but_cannot_take_the_place_of_what_a_problem_says():
    body = problem(RunRefused("busy", holder={"run_id": "a"}, status="x", detail="y", code="z", opened=object())).body

    assert body["holder"] == {"run_id": "a"} and "opened" not in body
    assert (body["status"], body["detail"], body["code"]) == (409, "busy", "run_in_progress")


def test_no_secret_is_told_in_message_remedy_or_context():
    redactor.add("open-sesame-4712")

    told = problem(ConfigError("a open-sesame-4712", remedy="b open-sesame-4712", problems=["c open-sesame-4712"])).text

    assert "open-sesame-4712" not in told and told.count("***") == 3


def test_a_secret_that_is_an_ordinary_word_does_not_change_the_status(monkeypatch):
    monkeypatch.setattr(redactor, "_secrets", ("lake", "unavailable"))

    assert problem(LakeUnavailable("x")).status == 503


@pytest.mark.parametrize("text", ["\ud800", "ä\u202e\x00", '"\n'])
def test_any_text_can_be_sent(text):
    assert json.loads(Answer(200, {"a": text}).text.encode())


def test_the_page_on_the_api_lists_every_code_under_its_status():
    text = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
    rows = {int(row[1]): row[2] for row in re.finditer(r"^\| (\d{3}) \| (.*) \|$", text, re.MULTILINE)}

    for code, status in STATUS_OF_CODE.items():
        assert re.search(rf"\b{code}\b", rows[status]), f"{code} is not listed under {status}"
