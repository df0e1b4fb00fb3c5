"""HTTP triggers: routes, methods, parameters, responses."""

from __future__ import annotations

from durable_local_helpers import http


def call(host, method: str, path: str, body=None):
    return http(method, f"{host.url}/api/{path}", body)


def test_start_through_an_http_function(host):
    reply = call(host, "POST", "start/chain?id=by-http", {"n": 2})
    assert (reply.status, reply.headers["Location"].startswith(host.url)) == (202, True)
    assert host.wait("by-http")["output"] == 256


def test_the_first_route_by_function_name_answers(host):
    assert call(host, "GET", "items/special").text == "special"
    assert call(host, "GET", "items/7").json == {"id": "7"}
    assert call(host, "GET", "items/7/wheel").json == {"id": "7", "part": "wheel"}
    assert call(host, "GET", "items/seven").text == "name seven"
    assert call(host, "GET", "ITEMS/Special").text == "special"


def test_methods_headers_and_defaults(host):
    assert call(host, "POST", "items/7").status == 404
    assert call(host, "GET", "items/7").headers["X-Item"] == "1"
    assert call(host, "PUT", "files/a/b%20c?q=x").text == "PUT a/b c x"
    assert call(host, "GET", "default_route").text == "default_route"
    cookie = call(host, "GET", "cookies")
    assert (cookie.status, cookie.headers["Set-Cookie"]) == (201, "a=b; path=/")


def test_nothing_there(host):
    assert call(host, "GET", "nothing").status == 404
    assert http("GET", host.url + "/elsewhere").status == 404


def test_a_failing_function_is_a_500_with_its_reason(host):
    reply = call(host, "GET", "fails")
    assert (reply.status, reply.text) == (500, "RuntimeError: http boom")
