"""Where the client sends the function key: to the one address that was given, and nowhere in clear."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

import pytest
from typer.testing import CliRunner

from comboi_core.cli.client import Api, ApiError, ApiUnreachable, KeyInDanger
from comboi_core.cli.commands import app
from comboi_core.domain.errors import ComboiError, RequestInvalid

pytestmark = pytest.mark.few(3)

KEY = "k3y-of-the-client-test=="


class Server:
    """A web server that answers every request as `answer` says, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.answer: tuple[int, dict[str, str], bytes] = (200, {}, b'{"runs": []}')
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append((self.path, dict(self.headers)))
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, headers, body = outer.answers.get(self.path, outer.answer)
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[Callable[[], Server]]:
    """Makes servers."""
    made: list[Server] = []

    def make() -> Server:
        made.append(Server())
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_redirect_is_not_followed_and_told_without_its_query(status, method, server):
    here, elsewhere = server(), server()
    here.answer = (status, {"Location": f"{elsewhere.url}/api/runs?code=of-somebody"}, b"")
    with pytest.raises(ApiUnreachable) as caught:
        Api(here.url, KEY).get("runs") if method == "get" else Api(here.url, KEY).post("runs", {})
    assert elsewhere.asked == [] and len(here.asked) == 1
    assert f"redirects to {elsewhere.url}; comboi does not follow redirects" in caught.value.message
    assert "of-somebody" not in caught.value.message and "--url" in caught.value.remedy


@pytest.mark.parametrize("location", ["", "http://[x", "/api/other"])
def test_a_redirect_to_nowhere_or_to_itself_is_not_followed_either(location, server):
    here = server()
    here.answer = (302, {"Location": location}, b"")
    with pytest.raises(ApiUnreachable):
        Api(here.url, KEY).get("runs")
    assert len(here.asked) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://app.example.com",
        "HTTP://APP.EXAMPLE.COM",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "http://10.0.0.1:7071",
        "http://127.1",
        "http://[2001:db8::1]",
    ],
)
def test_with_a_key_plain_http_is_for_loopback_only(url, monkeypatch):
    sent = []
    monkeypatch.setattr("requests.Session.request", lambda *given, **_: sent.append(given))
    with pytest.raises(KeyInDanger) as caught:
        Api(url, KEY)
    assert sent == [] and "https" in caught.value.remedy and KEY not in caught.value.message
    Api(url)  # without a key there is nothing to protect


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:7071", "http://localhost:7071/", "http://[::1]:7071", "https://a.example"]
)
def test_loopback_and_https_are_fine(url):
    assert Api(url, KEY).url == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        f"https://app.example.com/?code={KEY}",
        f"https://app.example.com/api#{KEY}",
        f"https://somebody:{KEY}@app.example.com",
        f"http://127.0.0.1@app.example.com/?{KEY}",
    ],
)
def test_an_address_with_a_key_in_it_is_refused_and_not_repeated(url):
    result = CliRunner().invoke(app, ["runs", "--url", url])
    assert result.exit_code == 1 and "COMBOI_KEY" in result.stderr
    assert KEY not in result.output + result.stderr


@pytest.mark.parametrize("url", ["http://127.0.0.1\\@app.example.com", "http://127.0.0.1 /", "http://a\n.example"])
def test_an_address_that_two_readers_may_read_differently_is_none(url):
    with pytest.raises(ApiUnreachable, match="is not the URL of an app"):
        Api(url, KEY)


@pytest.mark.parametrize("key", ["two\nlines", "a b", "schlüssel", "\u202ekey", "tab\t"])
def test_a_key_that_no_header_can_hold_is_refused_without_showing_it(key, server):
    with pytest.raises(RequestInvalid) as caught:
        Api(server().url, key)
    assert key not in caught.value.message


def test_the_key_stays_out_of_addresses_and_out_of_errors_that_repeat_it(server):
    here = server()
    here.answer = (400, {}, json.dumps({"code": "odd", "detail": f"your key {KEY} is odd", "remedy": "No."}).encode())
    with pytest.raises(ApiError):
        Api(here.url, KEY).get("runs", limit=1)
    assert KEY not in here.asked[0][0] and here.asked[0][1]["x-functions-key"] == KEY
    shown = CliRunner().invoke(app, ["runs", "--url", here.url, "--key", KEY])
    assert shown.exit_code == 1 and "is odd" in shown.stderr and KEY not in shown.output + shown.stderr


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_proxy_of_the_environment_never_sees_what_is_for_this_machine(name, server, monkeypatch):
    here, proxy = server(), server()
    for other in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, proxy.url)
    assert Api(here.url, KEY).get("runs") == {"runs": []}
    assert proxy.asked == [] and len(here.asked) == 1


def test_a_proxy_of_the_environment_is_used_for_the_way_out_without_a_key(server, monkeypatch):
    proxy = server()
    for other in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv("http_proxy", proxy.url)
    try:
        Api("http://app.example.com").get("runs")
    except ComboiError as error:
        pytest.fail(error.message)
    assert proxy.asked[0][0] == "http://app.example.com/api/runs"


NAMES = ["a/b", "../tables", "a?x=1", "a#b", "a%2Fb", "a b", "ü&\u202e"]


@pytest.mark.parametrize("command", ["status", "cancel", "checkpoints show", "checkpoints reset --yes"])
@pytest.mark.parametrize("name", NAMES)
def test_what_somebody_types_is_one_part_of_the_path(command, name, server):
    here = server()
    here.answer = (404, {}, b'{"code": "run_not_found", "title": "there is none"}')
    if command == "status":
        here.answers["/api/runs?limit=1"] = (200, {}, b'{"pipeline": "sales", "runs": []}')

    shown = CliRunner().invoke(app, [*command.split(), "--url", here.url, "--", name])

    asked = here.asked[-1][0]
    assert shown.exit_code == 1 and re.fullmatch(r"/api/(runs|tables)/[^/?#]+(/cancel)?", asked), asked
    assert unquote(asked.split("/")[3]) == name


@pytest.mark.parametrize("name", [".", ".."])
def test_a_name_that_leads_elsewhere_is_refused_before_anything_is_asked(name, server):
    here = server()

    shown = CliRunner().invoke(app, ["cancel", "--url", here.url, "--", name])

    assert shown.exit_code == 1 and "is not a valid name" in shown.stderr and here.asked == []


def test_json_for_a_program_holds_no_characters_that_steer_a_terminal(server):
    here = server()
    hostile = {"code": "odd", "title": "a\u202eb\x9b\u2066c\x7f\u200e"}
    here.answer = (500, {}, json.dumps(hostile).encode())

    shown = CliRunner().invoke(app, ["runs", "--json", "--url", here.url])

    assert json.loads(shown.stdout)["error"]["message"] == hostile["title"]
    assert not set("\u202e\x9b\u2066\x7f\u200e") & set(shown.stdout)
