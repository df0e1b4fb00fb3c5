"""Clients that keep the host waiting, and more of them than there are files."""

from __future__ import annotations

import socket
import subprocess
import sys
import urllib.error
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from durable_local_helpers import APPS, WAIT, http, until

from durable_local.connections import Limits, default_connections

pytestmark = pytest.mark.few(2)

LIMITED = Path(__file__).with_name("serve_limited.py")
WHOLE = b"GET /api/default_route HTTP/1.1\r\nHost: %s\r\n\r\n"


def connect(url: str, data: bytes = b"") -> socket.socket:
    """A connection that has sent `data`, in which %s is the host's address."""
    address = url.removeprefix("http://")
    name, _, port = address.partition(":")
    made = socket.create_connection((name, int(port)), timeout=WAIT)
    made.sendall(data.replace(b"%s", address.encode()))
    return made


def received(connection: socket.socket) -> bytes:
    """All that comes until the host closes the connection."""
    found = b""
    try:
        while part := connection.recv(65536):
            found += part
    except ConnectionError:
        pass
    return found


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[Callable[[int], subprocess.Popen]]:
    """Starts hosts that may open few files."""
    made: list[subprocess.Popen] = []

    def start(files: int) -> tuple[subprocess.Popen, str]:
        process = subprocess.Popen(
            [sys.executable, str(LIMITED), str(APPS / "core"), str(tmp_path / "hub.db"), str(files)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        made.append(process)
        return process, process.stdout.readline().strip()

    yield start
    for process in made:
        process.stdin.close()
        assert process.wait(WAIT) == 0
        process.stdout.close()
        process.stderr.close()


@pytest.mark.parametrize(
    "unfinished", [b"", b"GET /api/default_route HT", b"GET /api/default_route HTTP/1.1\r\nHost: %s\r\nX-A: 1\r\n"]
)
def test_more_unfinished_requests_than_files_do_not_stop_the_host(limited, unfinished):
    _, url = limited(128)
    held = [connect(url, unfinished) for _ in range(150)]
    assert http("GET", f"{url}/api/default_route").text == "default_route"
    assert http("POST", f"{url}/api/start/chain?id=a", {"n": 2}).status == 202, "the app's own client gets through"
    for connection in held:
        connection.close()


def test_unfinished_bodies_do_not_stop_the_host_either(limited):
    _, url = limited(128)
    head = b"POST /api/start/chain HTTP/1.1\r\nHost: %s\r\nContent-Length: 1000\r\n\r\n{"
    held = [connect(url, head) for _ in range(150)]
    assert http("GET", f"{url}/api/default_route").text == "default_route"
    for connection in held:
        connection.close()


def test_the_host_outlives_a_time_without_any_file_left(limited):
    process, url = limited(64)
    print("exhaust", file=process.stdin, flush=True)
    assert process.stdout.readline().strip() == "exhaust"
    waiting = connect(url, WHOLE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    print("release", file=process.stdin, flush=True)
    assert process.stdout.readline().strip() == "release"
    assert received(waiting).endswith(b"default_route")
    assert http("GET", f"{url}/api/default_route").text == "default_route"


@pytest.mark.parametrize(
    ("limits", "data"),
    [
        ({"head_seconds": 0.2}, b""),
        ({"head_seconds": 0.2}, b"GET /api/default_route HTTP/1.1\r\nHost: %s\r\n"),
        ({"body_seconds": 0.2}, b"POST /api/client/x HTTP/1.1\r\nHost: %s\r\nContent-Length: 9\r\n\r\n{"),
        ({"body_seconds": 0.2}, b"POST /api/client/x HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"),
        ({"idle_seconds": 0.2}, WHOLE),
        ({"idle_seconds": 0.2}, WHOLE + b"GET /api/default_route HT"),
    ],
)
def test_a_client_that_keeps_the_host_waiting_is_let_go(new_host, limits, data):
    host = new_host(limits=Limits(**limits))
    with connect(host.url, data) as slow:
        assert received(slow).count(b"HTTP/1.1 200") == (1 if data.startswith(WHOLE) else 0)
    until(lambda: answers(host.url))


def answers(url: str) -> bool:
    """Whether the host answers a request; one that it reads late, on a busy machine, seems to keep it waiting too."""
    try:
        return http("GET", f"{url}/api/default_route").text == "default_route"
    except ConnectionError:
        return False
    except urllib.error.URLError as error:
        if isinstance(error.reason, ConnectionError):
            return False
        raise


def test_a_body_that_comes_in_drops_is_not_waited_for_without_end(new_host):
    host = new_host(limits=Limits(body_seconds=0.3))
    with connect(host.url, b"POST /api/client/x HTTP/1.1\r\nHost: %s\r\nContent-Length: 4000000\r\n\r\n") as slow:
        with pytest.raises(ConnectionError):
            while True:  # each drop would start the clock of a server that only looks at silence anew
                slow.sendall(b"x")
        assert received(slow) == b""


def test_a_function_that_works_for_long_is_no_client_that_waits(new_host):
    host = new_host(limits=Limits(head_seconds=2, body_seconds=2, idle_seconds=2))
    address = f"{host.url}/runtime/webhooks/durabletask/orchestrators/waits?timeout=4"
    assert http("POST", address).status == 202, "the answer comes after four seconds"


def test_more_calls_than_the_host_takes_are_told_to_come_again(new_host):
    host = new_host(limits=Limits(connections=4))
    with (
        connect(host.url, b"POST /api/client/x HTTP/1.1\r\nHost: %s\r\nContent-Length: 9\r\n\r\n{"),
        connect(host.url, b"POST /api/client/x HTTP/1.1\r\nHost: %s\r\nContent-Length: 9\r\n\r\n{"),
    ):
        refused = until(lambda: (reply := http("GET", f"{host.url}/api/default_route")).status == 503 and reply)
        assert refused.headers["Retry-After"] == "1" and refused.json["status"] == 503
    until(lambda: http("GET", f"{host.url}/api/default_route").status == 200)


def test_there_are_half_as_many_connections_as_files(monkeypatch):
    for files, expected in ((1024, 512), (256, 128), (20, 16), (1_000_000, 512), (-1, 512)):
        monkeypatch.setattr("resource.getrlimit", lambda _, files=files: (files, files))
        assert default_connections() == expected
