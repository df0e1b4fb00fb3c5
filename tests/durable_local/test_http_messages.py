"""What HTTP functions are given, and what becomes of what they give back."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from durable_local_helpers import WAIT, http, write_app

from durable_local import Host
from durable_local.connections import Limits

APP = """
import json
import azure.functions as func
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

@app.route(route="shown/{*rest}")
def shown(req: func.HttpRequest) -> func.HttpResponse:
    found = {
        "url": req.url, "params": dict(req.params), "route": dict(req.route_params),
        "headers": dict(req.headers), "bytes": len(req.get_body()),
    }
    return func.HttpResponse(json.dumps(found), mimetype="application/json")

@app.route(route="text", methods=["POST"])
def text(req: func.HttpRequest) -> str:
    return req.get_body().decode()

@app.route(route="thing/{name}")
def thing(req: func.HttpRequest):
    return {"none": None, "number": 5, "bytes": b"x", "response": func.HttpResponse("r")}[req.route_params["name"]]

@app.route(route="cookie", methods=["POST"])
def cookie(req: func.HttpRequest) -> func.HttpResponse:
    response = func.HttpResponse("ok")
    for line in req.get_json():
        response.headers.add("Set-Cookie", line)
    return response

@app.route(route="out/{name}", binding_arg_name="answer")
def out(req: func.HttpRequest, answer: func.Out[func.HttpResponse]) -> None:
    name = req.route_params["name"]
    if name == "written":
        answer.set(func.HttpResponse("written", status_code=202))
    if name == "returned":
        return "returned"

@app.generic_trigger("req", "httpTrigger", route="generic/{id:int}", methods=["GET"], authLevel="anonymous")
@app.generic_output_binding(arg_name="$return", type="http")
def generic(req: func.HttpRequest) -> str:
    return f"generic {req.route_params['id']}"

@app.generic_trigger(arg_name="req", type="httpTrigger", auth_level="anonymous")
def silent(req):
    pass
"""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    folder: Path = tmp_path_factory.mktemp("messages")
    with Host(write_app(folder, APP), folder / "hub.db", strict=True) as running:
        yield running


def shown(host: Host, target: str, lines: bytes = b"", body: bytes = b"") -> dict:
    """What the function sees of a raw request."""
    address = host.url.removeprefix("http://")
    name, port = address.split(":")
    with socket.create_connection((name, int(port)), timeout=WAIT) as client:
        head = f"POST /api/shown/{target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n".encode()
        client.sendall(head + lines + b"\r\n" + body)
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    return json.loads(answer.partition(b"\r\n\r\n")[2])


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("a=1&a=2", {"a": "1,2"}),
        ("a=1&A=2", {"a": "1,2"}),
        ("a=1&a=&a=3", {"a": "1,3"}),
        ("a=&b&c=1", {"c": "1"}),
        ("a=x+y%2Bz", {"a": "x y+z"}),
        ("a=b=c&&d=%C3%A9", {"a": "b=c", "d": "é"}),
        ("=1", {"": "1"}),
        ("", {}),
    ],
)
def test_queries(host, query, expected):
    assert shown(host, f"x?{query}")["params"] == expected


def test_repeated_headers_are_joined_and_names_are_lower(host):
    headers = shown(host, "x", b"X-One: 1\r\nx-one:\r\nx-one: 2\r\nX-Empty:\r\n")["headers"]
    assert (headers["x-one"], headers["x-empty"]) == ("1,2", "")
    assert all(name == name.lower() for name in headers)


@pytest.mark.parametrize(
    ("target", "url", "rest"),
    [
        ("a%20b/%C3%A9?q=%20x", "a%20b/%C3%A9?q=%20x", "a b/é"),
        ("a%2Fb", "a%2Fb", "a%2Fb"),
        ("%41/./b/../c/", "A/c/", "A/c/"),
        ("100%25", "100%25", "100%"),
    ],
)
def test_addresses(host, target, url, rest):
    found = shown(host, target)
    assert (found["url"], found["route"]) == (f"{host.url}/api/shown/{url}", {"rest": rest})


def test_a_body_without_its_length_is_empty(host):
    chunked = b"Transfer-Encoding: chunked\r\n"
    assert shown(host, "x", chunked, b"3\r\nabc\r\n0\r\n\r\n")["bytes"] == 0
    assert shown(host, "x", b"Content-Length: 3\r\n", b"abc")["bytes"] == 3


def test_bodies_of_many_megabytes(host):
    size = 100 * 1024 * 1024
    assert http("POST", f"{host.url}/api/shown/x", b"x" * size).json["bytes"] == size
    assert shown_status(host, b"Content-Length: %d\r\n" % (size + 1)) == 413


def shown_status(host: Host, lines: bytes) -> int:
    address = host.url.removeprefix("http://")
    with socket.create_connection(tuple(address.split(":")), timeout=WAIT) as client:
        client.sendall(f"POST /api/shown/x HTTP/1.1\r\nHost: {address}\r\n".encode() + lines + b"\r\n")
        return int(client.recv(65536).split()[1])


def test_bodies_that_are_too_much_together_are_told_to_come_again(tmp_path):
    limits = Limits(body_bytes=100, bodies_bytes=150)
    with Host(write_app(tmp_path, APP), tmp_path / "hub.db", limits=limits) as host:
        address = host.url.removeprefix("http://")
        with socket.create_connection(tuple(address.split(":")), timeout=WAIT) as slow:
            slow.sendall(f"POST /api/text HTTP/1.1\r\nHost: {address}\r\nContent-Length: 90\r\n\r\n".encode())
            slow.sendall(b"x" * 80)
            replies = [http("POST", f"{host.url}/api/text", b"y" * 61) for _ in range(50)]
            assert 503 in {reply.status for reply in replies}
            assert http("POST", f"{host.url}/api/text", b"y" * 60).status == 200
            slow.sendall(b"x" * 10)
            assert slow.recv(65536).startswith(b"HTTP/1.1 200")
        assert http("POST", f"{host.url}/api/text", b"y" * 61).status == 200


TEXT, JSON = "text/plain; charset=utf-8", "application/json; charset=utf-8"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hello", (200, TEXT, "hello")),
        ("", (204, None, "")),
        ("null", (204, None, "")),
        ('"x"', (200, TEXT, "x")),
        ("5", (200, JSON, "5")),
        ('{"a": [1, "é"]}', (200, JSON, '{"a":[1,"é"]}')),
        ('{"body": "b", "status": 201}', (201, TEXT, "b")),
        ('{"Body": {"c": 1}, "statusCode": "202", "headers": {"X-A": 7}}', (202, JSON, '{"c":1}')),
        ('{"body": "b", "status": "what"}', (200, TEXT, "b")),
    ],
)
def test_a_returned_text_is_read_as_json_first(host, text, expected):
    reply = http("POST", f"{host.url}/api/text", text.encode())
    assert (reply.status, reply.headers.get("Content-Type"), reply.text) == expected


def test_headers_of_an_answer_that_a_text_describes(host):
    reply = http("POST", f"{host.url}/api/text", b'{"body": "b", "headers": {"X-A": 7, "Content-Type": "text/csv"}}')
    assert (reply.headers["X-A"], reply.headers["Content-Type"]) == ("7", "text/csv")


@pytest.mark.parametrize(
    ("name", "status", "text"),
    [("none", 500, "NoneType"), ("number", 500, "int"), ("bytes", 500, "bytes"), ("response", 200, "r")],
)
def test_what_is_no_answer_is_an_error(host, name, status, text):
    reply = http("GET", f"{host.url}/api/thing/{name}")
    assert reply.status == status and text in reply.text


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a=b; Path=/; HttpOnly", "a=b; path=/; httponly"),
        ("a=b; Secure; SameSite=Lax; Max-Age=60", "a=b; max-age=60; secure; samesite=lax"),
        ("a=b; Domain=example.org; SameSite=None", "a=b; domain=example.org; samesite=none"),
        (
            "a=b; Expires=Wed, 21 Oct 2026 07:28:00 GMT",
            "a=b; expires=Wed, 21 Oct 2026 07:28:00 GMT",
        ),
        ("a=b%2F", "a=b%252F"),
    ],
)
def test_cookies_are_written_as_the_host_does(host, line, expected):
    assert http("POST", f"{host.url}/api/cookie", [line]).headers["Set-Cookie"] == expected


@pytest.mark.parametrize("line", ["a=b; Expires=Wed, 99 Oct 2026 07:28:00 GMT", "a=b; Max-Age=soon"])
def test_a_cookie_that_the_worker_cannot_read_is_an_error(host, line):
    assert http("POST", f"{host.url}/api/cookie", [line]).status == 500


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("out/written", 202, "written"),
        ("out/nothing", 204, ""),
        ("out/returned", 500, "without a $return binding"),
        ("generic/7", 200, "generic 7"),
        ("generic/x", 404, ""),
        ("silent", 204, ""),
    ],
)
def test_output_arguments_and_generic_triggers(host, path, status, text):
    reply = http("GET", f"{host.url}/api/{path}")
    assert reply.status == status and text in reply.text
