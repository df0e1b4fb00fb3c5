"""Which function answers: the host's order of names, prefixes, functions in error, and routes that nobody reaches."""

from __future__ import annotations

from pathlib import Path

import pytest
from durable_local_helpers import http, write_app

from durable_local import AppLoadError, Host
from durable_local.loader import load_app
from durable_local.routing.table import http_functions

HEAD = """
import azure.functions as func
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
"""


def function(name: str, **route: object) -> str:
    options = ", ".join(f"{key}={value!r}" for key, value in route.items())
    return f"\n@app.route({options})\ndef {name}(req: func.HttpRequest) -> str:\n    return '{name}'\n"


def findings(folder: Path, *functions: str, prefix: str = "api") -> list[tuple[str, str]]:
    app = load_app(write_app(folder, HEAD + "".join(functions)))
    return [(one.function, one.rule) for one in http_functions(app.http, prefix)[1]]


def test_the_first_by_name_answers_and_a_method_may_pass_it_by(tmp_path):
    app = write_app(
        tmp_path,
        HEAD
        + function("b_any", route="{*path}", methods=["GET"])
        + function("C_plan", route="plan", methods=["GET", "POST"])
        + function("a_plan", route="plan/{id:int}", methods=["GET"]),
    )
    with Host(app, tmp_path / "hub.db") as host:
        answers = {
            asked: http(*asked.split(" ")[:1], host.url + asked.split(" ")[1]).text
            for asked in ("GET /api/plan", "POST /api/plan", "GET /api/plan/7", "GET /api/plan/x")
        }
    assert answers == {
        "GET /api/plan": "b_any",
        "POST /api/plan": "C_plan",
        "GET /api/plan/7": "a_plan",
        "GET /api/plan/x": "b_any",
    }


def test_underscores_sort_behind_letters_and_case_does_not_count(tmp_path):
    names = ["a-b", "a0", "ab", "AC", "ad", "a_b", "B"]
    text = "".join(
        f"\n@app.function_name({name!r})\n@app.route()\ndef f{index}(req) -> str: ...\n"
        for index, name in enumerate(reversed(names))
    )
    assert [info.name for info in load_app(write_app(tmp_path, HEAD + text)).http] == names


def test_a_leading_slash_under_a_prefix_ends_the_start(tmp_path):
    app = write_app(tmp_path, HEAD + function("slash", route="/x"))
    with pytest.raises(AppLoadError, match="'slash' begins with '/'.*routePrefix"):
        Host(app, tmp_path / "hub.db").start()
    (app / "host.json").write_text('{"version": "2.0", "extensions": {"http": {"routePrefix": ""}}}')
    with Host(app, tmp_path / "hub.db") as host:
        assert http("GET", f"{host.url}/x").text == "slash"


@pytest.mark.parametrize("route", ["admin", "/Runtime/x", "administration"])
def test_reserved_words_put_only_their_function_into_error(tmp_path, route):
    app = write_app(tmp_path, HEAD + function("bad", route=route) + function("good", route="x"))
    with Host(app, tmp_path / "hub.db") as host:
        assert http("GET", f"{host.url}/api/{route.strip('/')}").status == 404
        assert http("GET", f"{host.url}/api/x").text == "good"
    with pytest.raises(AppLoadError, match=r"'bad'.*keeps for itself.*\[route-reserved\]"):
        Host(app, tmp_path / "hub.db", strict=True).start()


def test_of_two_functions_on_a_route_the_second_by_name_is_dropped(tmp_path):
    first, second = function("a", route="x", methods=["GET", "POST"]), function("b", route="X/", methods=["POST"])
    app = write_app(tmp_path, HEAD + second + first)
    with Host(app, tmp_path / "hub.db") as host:
        assert http("POST", f"{host.url}/api/x").text == "a"
    assert findings(tmp_path, second, first) == [("b", "route-taken")]
    assert findings(tmp_path, function("a", route="x", methods=["GET"]), second) == []
    assert findings(tmp_path, function("a", route="x"), second) == [("b", "route-taken")]


def test_without_a_route_it_is_the_name(tmp_path):
    app = write_app(tmp_path, HEAD + function("empty", route="") + function("none"))
    with Host(app, tmp_path / "hub.db") as host:
        assert [http("GET", f"{host.url}/api/{name}").text for name in ("empty", "none")] == ["empty", "none"]


@pytest.mark.parametrize(
    ("earlier", "later", "found"),
    [
        ({"route": "{*path}"}, {"route": "plan", "methods": ["POST"]}, True),
        ({"route": "{*path}", "methods": ["GET"]}, {"route": "plan", "methods": ["POST"]}, False),
        ({"route": "{*path}", "methods": ["GET"]}, {"route": "plan", "methods": ["GET", "POST"]}, True),
        ({"route": "{name}"}, {"route": "special"}, True),
        ({"route": "special"}, {"route": "{name}"}, False),
        ({"route": "{id:int}"}, {"route": "{name}"}, False),
        ({"route": "{id:int}"}, {"route": "{id:range(1,9)}"}, True),
        ({"route": "{name:alpha}"}, {"route": "{name}"}, False),
        ({"route": "a/{b}"}, {"route": "a/{b?}"}, False),
        ({"route": "a/{b?}"}, {"route": "a/{b:guid}"}, True),
    ],
)
def test_functions_that_others_stand_before(tmp_path, earlier, later, found):
    expected = [("b", "route-order")] if found else []
    assert findings(tmp_path, function("a", **earlier), function("b", **later)) == expected


ASGI = """
import azure.functions as func
async def hello(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        return
    await send({"type": "http.response.start", "status": 201, "headers": [(b"x-path", scope["path"].encode())]})
    await send({"type": "http.response.body", "body": scope["method"].encode() + b" " + scope["query_string"]})
app = func.AsgiFunctionApp(hello, func.AuthLevel.ANONYMOUS)
"""

WSGI = """
import azure.functions as func
def hello(environ, start_response):
    start_response("201 Created", [("x-path", environ["PATH_INFO"])])
    return [(environ["REQUEST_METHOD"] + " " + environ["QUERY_STRING"]).encode()]
app = func.WsgiFunctionApp(hello, func.AuthLevel.ANONYMOUS)
"""


@pytest.mark.parametrize("text", [ASGI, WSGI])
def test_whole_web_apps_need_the_empty_prefix(tmp_path, text):
    app = write_app(tmp_path, text)
    with pytest.raises(AppLoadError, match="every AsgiFunctionApp and WsgiFunctionApp needs"):
        Host(app, tmp_path / "hub.db").start()
    (app / "host.json").write_text('{"version": "2.0", "extensions": {"http": {"routePrefix": ""}}}')
    with Host(app, tmp_path / "hub.db") as host:
        reply = http("PUT", f"{host.url}/deep/path?a=1")
    assert (reply.status, reply.headers["x-path"], reply.text) == (201, "/deep/path", "PUT a=1")
