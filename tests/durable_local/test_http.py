"""HTTP triggers: routes, methods, parameters, responses."""

from __future__ import annotations

import pytest
from durable_local_helpers import http

from durable_local import AppLoadError
from durable_local.routes import compile_route


def call(host, method: str, path: str, body=None):
    return http(method, f"{host.url}/api/{path}", body)


def test_start_through_an_http_function(host):
    reply = call(host, "POST", "start/chain?id=by-http", {"n": 2})
    assert (reply.status, reply.headers["Location"].startswith(host.url)) == (202, True)
    assert host.wait("by-http")["output"] == 256


def test_the_most_specific_route_wins(host):
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
    assert (cookie.status, cookie.headers["Set-Cookie"]) == (201, "a=b; Path=/")


def test_nothing_there(host):
    assert call(host, "GET", "nothing").status == 404
    assert http("GET", host.url + "/elsewhere").status == 404


def test_a_failing_function_is_a_500_with_its_reason(host):
    reply = call(host, "GET", "fails")
    assert (reply.status, reply.text) == (500, "RuntimeError: http boom")


@pytest.mark.parametrize(
    ("template", "path", "expected"),
    [
        ("a/{b}", "a/x", {"b": "x"}),
        ("a/{b}", "a", None),
        ("a/{b?}", "a", {}),
        ("{*rest}", "", {}),
        ("{*rest}", "x/y", {"rest": "x/y"}),
        ("a/{b:int:min(5)}", "a/4", None),
        ("a/{b:int:min(5)}", "a/5", {"b": "5"}),
        ("a/{b:length(2,3)}", "a/xyz", {"b": "xyz"}),
        ("a/{b:length(2,3)}", "a/x", None),
        ("a/{b:guid}", "a/not-a-guid", None),
        ("a/{b:regex(^\\d{{2}}$)}", "a/123", None),
        ("a/{b:alpha}.{c}", "a/x.json", {"b": "x", "c": "json"}),
        ("a/{b:range(1,9)}", "a/10", None),
        ("a/{b:bool}", "a/True", {"b": "True"}),
        ("a.b", "axb", None),
    ],
)
def test_route_templates(template, path, expected):
    assert compile_route(template).match(path) == expected


@pytest.mark.parametrize("template", ["a/{b", "a/{b:nosuch}", "a/{b:length(x)}", "a/{}"])
def test_bad_templates_are_refused(template):
    with pytest.raises(AppLoadError):
        compile_route(template).match("a/bbb")
