"""Requests that are odd, forged or broken: each is refused in words, none is a 500 and none reaches the app."""

from __future__ import annotations

import json
import logging

import pytest
from durable_local_helpers import APPS, WEBHOOK, http, manage

from durable_local import Host
from durable_local.guard import HEADERS
from tests.durable_local.test_connections import connect, received

NESTED = b"[" * 90_000 + b"]" * 90_000


@pytest.fixture(autouse=True)
def no_traceback(caplog):
    """Whatever a client sends, the log has no traceback of it."""
    caplog.set_level(logging.WARNING)
    yield
    assert [record for record in caplog.records if record.exc_info] == []


def raw(host, head: str, body: bytes = b"") -> tuple[int, dict[str, str], bytes]:
    """Send a request as it stands, `HOST` replaced; give status, headers and body of the answer."""
    address = host.url.removeprefix("http://")
    lines = "\r\n".join([*(line.replace("HOST", address) for line in head.split("\n")), "Connection: close", "", ""])
    with connect(host.url, lines.encode("latin-1") + body) as made:
        top, _, rest = received(made).partition(b"\r\n\r\n")
    first, *others = top.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in others)}
    return int(first.split(" ")[1]), headers, rest


def refused(host, status: int, head: str, body: bytes = b"") -> str:
    found, headers, text = raw(host, head, body)
    assert (found, headers["content-type"].split(";")[0]) == (status, "application/problem+json"), text
    assert json.loads(text)["status"] == status
    for name, value in HEADERS.items():
        assert headers[name.lower()] == value
    return json.loads(text)["detail"]


@pytest.mark.parametrize(
    "value",
    [
        "evil.example:PORT", "127.0.0.1", "localhost", "127.0.0.1:1", "localhost:PORT.evil.example", "[::1",
        "[::1]:PORT", "a@127.0.0.1:PORT", "127.0.0.1:PORT/x", "127.0.0.1:99999999999", "127.1:PORT", "", "\xff",
        "localhost:PORT,localhost:PORT",
        "127.0.0.1:PORT#", "xn--", "]",
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/api/default_route", f"{WEBHOOK}/instances"])
def test_a_host_name_that_is_not_exactly_ours_is_refused(host, value, path):
    status, _, _ = raw(host, f"GET {path} HTTP/1.1\nHost: {value.replace('PORT', host.url.rsplit(':', 1)[1])}")
    assert status in (400, 403)


@pytest.mark.parametrize(
    "origin",
    ["https://HOST", "http://evil.example", "null", "http://HOST.evil.example", "http://[", "HOST", "http://127.0.0.1:1",
     "http://HOST/", "file://", "http://a@HOST", "", "\xff"],
)  # fmt: skip
def test_an_origin_that_is_not_exactly_ours_is_refused(host, origin):
    status, _, _ = raw(host, f"POST /api/start/chain HTTP/1.1\nHost: HOST\nOrigin: {origin}\nContent-Length: 0")
    assert status in (400, 403)


def test_our_own_origin_is_that_of_the_name_by_which_we_were_called(host):
    port = host.url.rsplit(":", 1)[1]
    assert raw(host, "GET /api/default_route HTTP/1.1\nHost: HOST\nOrigin: http://HOST")[0] == 200
    assert (
        raw(host, f"GET /api/default_route HTTP/1.1\nHost: LocalHost:{port}\nOrigin: http://localhost:{port}")[0] == 200
    )
    refused(host, 403, f"GET /api/default_route HTTP/1.1\nHost: localhost:{port}\nOrigin: http://127.0.0.1:{port}")


@pytest.mark.parametrize(
    ("site", "status"),
    [("cross-site", 403), ("same-site", 403), ("something new", 403), ("same-origin", 200), ("none", 200)],
)
def test_what_a_page_of_another_site_asks_for_is_not_even_read(host, site, status):
    assert raw(host, f"GET /api/default_route HTTP/1.1\nHost: HOST\nSec-Fetch-Site: {site}")[0] == status
    assert raw(host, f"GET {WEBHOOK}/instances HTTP/1.1\nHost: HOST\nSec-Fetch-Site: {site}")[0] == status


@pytest.mark.parametrize(
    "target",
    ["/api/items/%zz", "/api/items/%", "/api/items/%ff",
     "/api/default_route?a=%ff", "/api/items/a%00b",
     "/api/default_route?a=%00",
     "/api/items/%ed%a0%80", "http://evil.example/api/default_route", "*", "api/hello", "/api/items/\xff"],
)  # fmt: skip
def test_an_address_that_is_no_text_is_refused(host, target):
    assert raw(host, f"GET {target} HTTP/1.1\nHost: HOST")[0] in (400, 404)
    refused(host, 400, f"GET {WEBHOOK}/instances?x=%zz HTTP/1.1\nHost: HOST")


@pytest.mark.parametrize(
    "head",
    [
        "GET /api/default_route HTTP/1.1",
        "GET /api/default_route HTTP/1.1\nHost: HOST\nHost: HOST",
        "GET /api/default_route HTTP/1.1\nHost: HOST\nHost: evil.example",
        "GET /api/default_route HTTP/1.1\nHost: HOST\nOrigin: http://HOST\nOrigin: http://evil.example",
        "GET /api/default_route HTTP/1.1\nHost: HOST\nx-functions-key: a\nx-functions-key: b",
        "POST /api/client/x HTTP/1.1\nHost: HOST\nContent-Length: 2\nContent-Length: 3",
        "POST /api/client/x HTTP/1.1\nHost: HOST\nContent-Length: -1",
        "POST /api/client/x HTTP/1.1\nHost: HOST\nContent-Length: 2\nTransfer-Encoding: chunked",
        "GET /api/default_route HTTP/1.1\nHost: HOST\nX-Latin: \xff",
        "GET /api/default_route HTTP/1.1\nHost: HOST\nX-Long: " + "x" * 100_000,
        "GET /api/" + "x" * 100_000 + " HTTP/1.1\nHost: HOST",
        "GET /api/default_route HTTP/9.9\nHost: HOST",
        "\x16\x03\x01\x02\x00",
        "nonsense",
    ],
)
def test_what_is_no_sound_http_is_refused(host, head):
    assert refused(host, 400, head)
    assert http("GET", f"{host.url}/api/default_route").status == 200


@pytest.mark.parametrize("length", [9, 5_000_000])
def test_a_length_that_is_not_true_ends_the_request_alone(host, length):
    with connect(
        host.url, b"POST /api/client/x HTTP/1.1\r\nHost: %s\r\nContent-Length: " + b"%d\r\n\r\n{}" % length
    ) as one:
        one.shutdown(1)
        assert b"200 OK" not in received(one)
    assert http("GET", f"{host.url}/api/default_route").status == 200


@pytest.mark.parametrize(
    "body",
    [NESTED, b'{"a":' * 90_000 + b"1" + b"}" * 90_000, b"NaN", b"[Infinity]", b"{", b"\xff",
     b'"\xed\xa0\x80"', b"[" * 101 + b"]" * 101, b'"' + b'\\"' * 50_000, b"[" * 200_000],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/orchestrators/chain", "/entities/counter/a?op=add"])
def test_a_body_that_is_no_json_is_a_bad_request(host, path, body):
    reply = manage(host, "POST", path, body, headers={"Content-Type": "application/json"})
    assert (reply.status, bool(reply.json["detail"]), bool(reply.json["Message"])) == (400, True, True)


def test_a_body_as_deep_as_any_that_is_taken_can_be_read_again(host):
    deep = b"[" * 100 + b"]" * 100
    started = manage(host, "POST", "/orchestrators/waits", deep).json["id"]
    shown = manage(host, "GET", f"/instances/{started}")
    assert shown.status == 202 and json.dumps(shown.json["input"]).encode() == deep


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        *[("GET", f"/instances?top={value}", 200) for value in ("9" * 26, "9" * 5000, "x", "1e3", "1_0", "%D9%A3", "")],
        *[("GET", f"/entities?lastOperationTimeTo={value}", 200) for value in ("9" * 26, "x")],
        *[("GET", f"/instances?createdTimeFrom={value}", 200) for value in ("9" * 26, "x", "-1", "9999-99-99")],
        *[("GET", f"/instances?runtimeStatus={value}", 200) for value in ("9" * 5000, "%D9%A3")],
        *[("GET", f"/{what}?top={value}", 400) for what in ("instances", "entities") for value in ("-1", "0")],
        *[("DELETE", f"/instances?createdTimeFrom={value}", 400) for value in ("9" * 26, "x")],
        ("POST", "/orchestrators/chain?timeout=1e999&pollingInterval=1", 400),
        ("POST", "/orchestrators/chain?timeout=nan&pollingInterval=x", 202),
    ],
)  # fmt: skip
def test_a_value_that_is_none_is_ignored_or_refused(host, method, path, status):
    reply = manage(host, method, path)
    assert (reply.status, "problem" in reply.headers["Content-Type"]) == (status, status == 400), reply


@pytest.mark.parametrize("token", ["!", "9" * 26, "gICA", "\u00e9", "AAAA" * 2000])
def test_a_token_of_a_page_that_is_none_of_ours_is_no_failure(host, token):
    headers = {"x-ms-continuation-token": token}
    assert manage(host, "GET", "/instances", headers=headers).status in (200, 400)
    assert manage(host, "GET", "/entities", headers=headers).status in (200, 400)


def test_moments_at_the_ends_of_time_are_moments(host):
    for moment in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00%2B23:59"):
        assert manage(host, "GET", f"/instances?createdTimeFrom={moment}").status == 200


def test_another_encoding_of_a_body_is_not_guessed(host):
    for kind in ("application/json; charset=nonsense", "application/json; charset=utf-16"):
        reply = manage(host, "POST", "/orchestrators/chain", b'{"n": 2}', headers={"Content-Type": kind})
        assert reply.status == 202
    packed = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    assert manage(host, "POST", "/orchestrators/chain", b"\x1f\x8b\x08\x00", headers=packed).status == 400


def test_a_client_that_asks_first_is_told_to_go_on(host):
    head = "POST /api/client/get_status HTTP/1.1\nHost: HOST\nExpect: 100-continue\nContent-Length: 24"
    status, _, rest = raw(host, head, b'{"instance_id": "nobody"}'[:24])
    assert status == 100 and b"HTTP/1.1 " in rest


def test_every_answer_of_the_host_itself_has_the_headers(host):
    for reply in (
        manage(host, "GET", "/instances"),
        manage(host, "GET", "/instances/none"),
        http("GET", f"{host.url}/x"),
    ):
        assert {name: reply.headers[name] for name in HEADERS} == HEADERS


def test_the_port_that_http_has_by_itself_may_be_left_out():
    from durable_local.guard import Guard

    assert Guard("127.0.0.1:80")._hosts == {"127.0.0.1", "localhost", "127.0.0.1:80", "localhost:80"}
    assert Guard("127.0.0.1:8080")._hosts == {"127.0.0.1:8080", "localhost:8080"}


def test_two_hosts_of_a_machine_are_strangers_to_each_other(tmp_path):
    with Host(APPS / "core", tmp_path / "a.db") as one, Host(APPS / "core", tmp_path / "b.db") as other:
        assert http("GET", f"{one.url}/api/default_route", headers={"Origin": other.url}).status == 403
