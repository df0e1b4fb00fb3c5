"""Problem documents (RFC 9457)."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from comboi_core.domain.errors import ConfigError, LakeUnavailable, RequestInvalid, RunRefused
from comboi_core.domain.redaction import redactor
from comboi_core.web.answers import HEADERS, STATUS_OF_CODE, Answer, RequestForeign, problem, refuse_foreign
from comboi_core.web.starting import parse_links


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
    for secret in ("lake", "unavailable"):
        redactor.add(secret)

    assert problem(LakeUnavailable("x")).status == 503


@pytest.mark.parametrize("text", ["\ud800", "ä\u202e\x00", '"\n'])
def test_any_text_can_be_sent(text):
    assert json.loads(Answer(200, {"a": text}).text.encode())


def test_the_page_on_the_api_lists_every_code_under_its_status():
    text = (Path(__file__).resolve().parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
    rows = {int(row[1]): row[2] for row in re.finditer(r"^\| (\d{3}) \| (.*) \|$", text, re.MULTILINE)}

    for code, status in STATUS_OF_CODE.items():
        assert re.search(rf"\b{code}\b", rows[status]), f"{code} is not listed under {status}"


@pytest.mark.parametrize("site", ["cross-site", "same-site", "Cross-Site"])
def test_a_request_of_another_sites_page_is_refused_unless_it_has_the_key_in_its_header(site):
    with pytest.raises(RequestForeign) as refused:
        refuse_foreign({"sec-fetch-site": site})
    assert problem(refused.value).status == 403
    refuse_foreign({"sec-fetch-site": site, "x-functions-key": "k"})


@pytest.mark.parametrize("headers", [{}, {"sec-fetch-site": "same-origin"}, {"sec-fetch-site": "none"}])
def test_requests_of_programs_and_of_our_own_page_are_not(headers):
    refuse_foreign(headers)


def test_every_answer_has_the_headers_of_all_and_may_have_a_policy_of_its_own():
    assert Answer(200, {}).all_headers == HEADERS == problem(RunRefused("busy")).all_headers
    own = Answer(200, "", {"Content-Security-Policy": "x"}).all_headers
    assert own == HEADERS | {"Content-Security-Policy": "x"}


@pytest.mark.parametrize(("params", "wanted"), [({}, False), ({"links": "true"}, True), ({"links": "FALSE"}, False)])
def test_management_links_are_sent_on_request_only(params, wanted):
    assert parse_links(params) is wanted
    with pytest.raises(RequestInvalid):
        parse_links({"links": "1"})
