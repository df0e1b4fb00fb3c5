"""Telemetry by Entra ID: real azure-identity against a managed identity's endpoint, the header read at the wire."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from comboi_core.telemetry import insights as module
from comboi_core.telemetry.identity import IN_CLEAR, NO_IDENTITY, NO_ROLE, VARIABLE, Wanted, wanted_identity
from comboi_core.telemetry.insights import Insights, open_transport
from comboi_core.telemetry.signals import Signal
from tests.doubles.identity import IdentityDouble, signed_in

AT = "2026-11-23T06:00:00+00:00"
AUDIENCE = "https://monitor.azure.com/"
PATIENCE = 120.0


def message(text: str = "hello") -> Signal:
    return Signal("message", AT, text, code=1)


@pytest.fixture
def identity(monkeypatch: pytest.MonkeyPatch, ingestion) -> Iterator[IdentityDouble]:
    """A managed identity whose tokens the endpoint takes, and nothing else."""
    with signed_in(monkeypatch) as double:
        monkeypatch.setenv(VARIABLE, "Authorization=AAD")
        ingestion.tokens = {double.token}
        yield double


def sent(ingestion, *texts: str) -> bool:
    insights = Insights(ingestion.connection_string)
    for text in texts:
        insights.send([message(text)])
        assert insights.flush(PATIENCE)
    return [row["message"] for row in ingestion.rows("traces")] == list(texts)


def test_each_request_bears_a_token_of_the_identity_which_is_asked_for_once(ingestion, identity):
    assert sent(ingestion, "one", "two", "three")
    assert ingestion.authorizations == [f"Bearer {identity.token}"] * 3
    assert identity.asked == [(AUDIENCE, None)]


def test_a_user_assigned_identity_is_named(ingestion, identity, monkeypatch):
    monkeypatch.setenv(VARIABLE, "ClientId=0a1B2c3d;Authorization=AAD")
    assert sent(ingestion, "one")
    assert identity.asked == [(AUDIENCE, "0a1B2c3d")]


def test_a_token_at_its_end_is_renewed(ingestion, identity):
    identity.lifetime = 200
    assert sent(ingestion, "one", "two")
    assert len(identity.asked) == 2


def test_another_cloud_s_audience_comes_from_the_connection_string(ingestion, identity):
    ingestion.connection_string += ";AADAudience=https://monitor.azure.us/"
    assert sent(ingestion, "one")
    assert identity.asked == [("https://monitor.azure.us", None)]


@pytest.mark.parametrize("value", [None, "", " ; "])
def test_without_the_variable_no_token_is_asked_for(ingestion, identity, monkeypatch, value):
    monkeypatch.delenv(VARIABLE)
    if value is not None:
        monkeypatch.setenv(VARIABLE, value)
    ingestion.tokens = None
    assert sent(ingestion, "one")
    assert (ingestion.authorizations, identity.asked) == ([None], [])


@pytest.mark.parametrize(
    ("value", "client_id"),
    [
        ("Authorization=AAD", None),
        ("authorization=aad;", None),
        ("Authorization=AAD;ClientId=", None),
        (" Authorization = AAD ; ClientId = aBc ", "aBc"),
    ],
)
def test_the_convention_s_spellings(monkeypatch, value, client_id):
    monkeypatch.setenv(VARIABLE, value)
    assert wanted_identity() == Wanted(client_id)


@pytest.mark.parametrize("value", ["AAD", "Authorization=ikey", "ClientId=abc", "Authorization=AAD;TenantId=x", "=;="])
def test_what_is_not_understood_turns_telemetry_off_with_a_warning(ingestion, monkeypatch, caplog, value):
    monkeypatch.setenv(VARIABLE, value)
    insights = Insights(ingestion.connection_string)
    insights.send([message()])
    assert insights.flush(PATIENCE) and not ingestion.requests
    assert f"telemetry is off: {VARIABLE}: write Authorization=AAD" in caplog.text


def test_an_identity_without_the_role_is_told_so_without_its_token(ingestion, identity, caplog):
    ingestion.tokens = set()
    assert not sent(ingestion, "lost")
    assert f"telemetry cannot be delivered (retry: {NO_ROLE})" in caplog.text
    assert identity.token not in caplog.text


def test_no_identity_is_told_once_and_costs_telemetry_only(ingestion, identity, caplog):
    identity.status = 400
    assert not sent(ingestion, "lost", "lost too")
    assert len(identity.asked) == 1
    assert caplog.text.count(f"telemetry cannot be delivered (refused: {NO_IDENTITY})") == 1
    assert not ingestion.requests

    identity.status = 200
    ingestion.tokens = {identity.token}
    assert sent(ingestion, "there again")


def test_an_identity_s_endpoint_that_is_away_is_worth_another_attempt(ingestion, identity, monkeypatch):
    monkeypatch.setattr("azure.core.pipeline.policies.RetryPolicy.sleep", lambda *_, **__: None)
    identity.lifetime = 200
    transport = open_transport(ingestion.connection_string)
    assert (transport.post([message()]), transport.trouble) == ("sent", "")
    identity.close()
    assert transport.post([message()]) == "retry" and "Entra ID does not answer" in transport.trouble


def test_an_endpoint_in_clear_gets_no_token(ingestion, identity):
    transport = open_transport(ingestion.connection_string)
    transport.options.endpoint = "http://ingestion.example.com"
    assert (transport.post([message()]), transport.trouble) == ("refused", IN_CLEAR)
    assert not identity.asked


def test_a_redirect_to_an_address_in_clear_does_not_carry_the_token_there(ingestion, identity):
    ingestion.redirect = "http://ingestion.example.com"
    transport = open_transport(ingestion.connection_string)
    assert (transport.post([message()]), transport.trouble) == ("refused", IN_CLEAR)
    assert len(identity.asked) == 1


def test_an_identity_that_hangs_keeps_neither_the_sender_nor_the_end_of_the_process(ingestion, identity, monkeypatch):
    monkeypatch.setattr(module, "CAPACITY", 50)
    identity.delay = 60.0
    insights = Insights(ingestion.connection_string)
    insights.send([message()])
    while not identity.asked:
        time.sleep(0.01)

    insights.send(message() for _ in range(10_000))  # returns although no token comes

    assert insights._queue.qsize() <= 50 and not insights.flush(0.01)
    assert not ingestion.requests
