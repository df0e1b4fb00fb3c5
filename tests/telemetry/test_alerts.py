"""Alerts in the form that each service takes; hostile text stays text, secrets stay away, delays stay bounded."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from comboi_core.domain.redaction import redactor
from comboi_core.telemetry import webhooks
from comboi_core.telemetry.alerts import FORMATS, alert_of
from comboi_core.telemetry.webhooks import post
from tests.doubles.webhook import WebhookDouble

HOSTILE = "[click](http://evil) <!channel> *bold* pwd=hunter2 " + "long " * 1000


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebhookDouble]:
    """A service; nobody waits between attempts."""
    for proxy in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(proxy, raising=False)
    monkeypatch.setattr(webhooks, "DELAYS", (0.0, 0.0))
    double = WebhookDouble()
    yield double
    double.close()


def record(failures: int = 1):
    error = {"code": "check_failed", "message": HOSTILE, "remedy": HOSTILE, "transient": False}
    return {
        "run_id": "sales-20261123T060000Z-7f3a",
        "pipeline": "sales",
        "status": "failed",
        "started_at": "2026-11-23T06:00:00+00:00",
        "seconds": 61.5,
        "error": None,
        "tables": [{"source": "shop", "table": f"t{n}", "status": "failed", "error": error} for n in range(failures)],
        "datasets": [],
    }


def alert(occasion="failed", failures=1, about=()):
    return alert_of(occasion, list(about), record(failures), {"shop.t0": 7200.0})


def test_teams_gets_an_adaptive_card_whose_texts_are_no_markdown():
    payload = FORMATS["teams"](alert())

    (attachment,) = payload["attachments"]
    card = attachment["content"]
    assert payload["type"] == "message" and card["type"] == "AdaptiveCard" and card["version"] == "1.4"
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert {block["type"] for block in card["body"]} == {"RichTextBlock"}
    texts = [inline["text"] for block in card["body"] for inline in block["inlines"]]
    assert texts[0] == "✗ sales: run failed" and any("[click]" in text for text in texts)


def test_slack_gets_blocks_of_plain_text():
    payload = FORMATS["slack"](alert())

    assert {block["text"]["type"] for block in payload["blocks"]} == {"plain_text"}
    assert payload["text"] == "✗ sales: run failed" and "shop.t0  check_failed" in json.dumps(payload)


@pytest.mark.parametrize("form", FORMATS)
def test_many_failures_with_endless_texts_stay_within_what_the_services_take(form):
    payload = json.dumps(FORMATS[form](alert(failures=1000)))

    assert len(payload) < 28_000 and "995" in payload


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    ("occasion", "about", "expected"),
    [("stale", ["shop.t0"], "7200 seconds"), ("recovered", ["shop.t0"], "had failed"), ("first_success", [], "first")],
)
def test_every_occasion_can_be_written_in_every_format(form, occasion, about, expected):
    assert expected in json.dumps(FORMATS[form](alert(occasion, about=about)))


def test_an_alert_is_posted_without_secrets_and_names_its_event(service):
    redactor.add("sesame-of-the-alert-test")

    done = post(service.url, {"text": "pwd=hunter2 sesame-of-the-alert-test"}, event="run/failed")

    assert (done.sent, done.told, done.attempts) == (True, "answers 202", 1)
    assert service.payloads == [{"text": "pwd=*** ***"}] and service.events == ["run/failed"]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_service_is_asked_again(service, status):
    service.statuses = [status, status]
    service.headers = {"Retry-After": "0"}

    assert post(service.url, {}, event="e").attempts == 3 and len(service.payloads) == 3


@pytest.mark.parametrize("status", [302, 307, 400, 403, 404, 410])
def test_a_service_that_refuses_or_sends_elsewhere_is_not_asked_again(service, status):
    service.statuses = [status]
    service.headers = {"Location": service.url}

    done = post(service.url, {}, event="e")

    assert (done.sent, done.told, len(service.payloads)) == (False, f"answers {status}", 1)


def test_a_service_that_is_down_is_told_without_the_url(service):
    service.close()

    done = post(service.url, {}, event="e")

    assert not done.sent and done.attempts == 3 and "the-secret-path" not in done.told
    assert redactor.text(f"calling {service.url}") == "calling ***"


@pytest.mark.parametrize("url", ["", "ftp://x/y", "http://example.com/hook", "https://", "https://[bad/", "{{env:X}}"])
def test_what_is_no_webhook_is_not_called(url):
    done = post(url, {}, event="e")

    assert not done.sent and done.attempts <= 1


@pytest.mark.parametrize(("asked", "waits"), [("2", 2.0), ("3600", webhooks.LONGEST_DELAY), ("x", 1.0), (None, 1.0)])
def test_the_delay_that_a_service_asks_for_counts_within_bounds(asked, waits):
    assert webhooks._asked_delay(asked, 1.0) == waits


@pytest.mark.parametrize("form", FORMATS)
def test_a_shortfall_is_told_with_what_is_missing_and_what_to_do(form):
    run = record() | {"status": "succeeded"}
    shortfall = {"code": "future_cursor", "message": "3 rows wait for 2027", "remedy": "Mend the clock.", "rows": 3}
    run["tables"] = [
        {"source": "shop", "table": name, "status": "succeeded", "shortfalls": [shortfall]} for name in ("t0", "t1")
    ]

    text = json.dumps(FORMATS[form](alert_of("warned", ["shop.t0"], run, {})), ensure_ascii=False)

    assert "sales: succeeded with shortfalls: 1" in text
    assert "shop.t0" in text and "shop.t1" not in text
    assert all(part in text for part in ("future_cursor", "3 rows wait for 2027", "Mend the clock."))
