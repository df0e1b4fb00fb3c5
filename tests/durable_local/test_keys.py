"""A host with a key: who gets in, where the key is, and where it is not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from durable_local_helpers import APPS, WAIT, WEBHOOK, http, until

from durable_local import Host
from durable_local.keys import ensure_key, key_file, read_key
from tests.durable_local.test_cli import ROOT, command


@pytest.fixture
def keyed(new_host):
    return new_host("locked", keyed=True)


@pytest.mark.parametrize("path", ["/api/locked", "/api/masters", "/api/nothing", "/elsewhere", f"{WEBHOOK}/instances"])
@pytest.mark.parametrize(
    ("headers", "query"),
    [({}, ""), ({"x-functions-key": "wrong"}, ""), ({"x-functions-key": ""}, ""), ({}, "?code=wrong"), ({}, "?code=")],
)
def test_without_the_key_nothing_is_answered(keyed, path, headers, query):
    reply = http("GET", keyed.url + path + query, headers=headers)
    assert (reply.status, reply.headers["Content-Type"].split(";")[0]) == (401, "application/problem+json")
    assert keyed.key not in reply.text


@pytest.mark.parametrize("path", ["/api/locked", "/api/masters", f"{WEBHOOK}/instances"])
def test_with_the_key_everything_is_in_the_header_or_in_the_query(keyed, path):
    assert http("GET", keyed.url + path, headers={"x-functions-key": keyed.key}).status == 200
    assert http("GET", f"{keyed.url}{path}?code={keyed.key}").status == 200
    assert http("GET", f"{keyed.url}{path}?code={keyed.key}", headers={"x-functions-key": "wrong"}).status == 401


def test_a_body_is_not_read_before_the_key_is_seen(keyed):
    from tests.durable_local.test_connections import connect

    with connect(keyed.url, b"POST /api/locked HTTP/1.1\r\nHost: %s\r\nContent-Length: 4000000\r\n\r\n") as stranger:
        assert stranger.recv(4096).startswith(b"HTTP/1.1 401")


def test_an_anonymous_function_needs_none(keyed):
    assert http("GET", f"{keyed.url}/api/open").text == "open"


def test_the_app_s_own_client_needs_none_and_its_links_work_without_telling_the_key(keyed):
    reply = http("POST", f"{keyed.url}/api/start", b"hello", headers={"x-functions-key": keyed.key})
    assert reply.status == 200 and reply.json["status"] == "echo"
    assert keyed.key not in reply.text
    links = reply.json["links"]
    assert (
        until(lambda: (shown := http("GET", links["statusQueryGetUri"])).status == 200 and shown).json["output"]
        == "hello"
    )
    code = links["statusQueryGetUri"].rpartition("code=")[2]
    assert http("GET", f"{keyed.url}/api/locked?code={code}").status == 401, "it opens the management endpoints only"


def test_the_way_of_the_app_s_own_client_is_no_way_for_others(keyed):
    for inner in ("", "x", "x/instances", "/instances"):
        assert http("GET", f"{keyed.url}/runtime/inner/{inner}").status == 401


def test_the_key_survives_a_restart_and_the_links_do_not(new_host, tmp_path):
    first = new_host("locked", keyed=True)
    reply = http("POST", f"{first.url}/api/start", b"x", headers={"x-functions-key": first.key})
    code = reply.json["links"]["statusQueryGetUri"].rpartition("code=")[2]
    first.stop()
    second = new_host("locked", keyed=True)
    assert second.key == first.key == Host.key_of(tmp_path / "hub.db")
    assert http("GET", f"{second.url}{WEBHOOK}/instances?code={code}").status == 401


def test_only_the_owner_can_read_the_key_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        ensure_key(tmp_path / "hub.db")
    finally:
        os.umask(before)
    assert key_file(tmp_path / "hub.db").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["hub.db.key"]


def test_a_key_that_others_may_have_read_or_made_is_replaced(tmp_path):
    store = tmp_path / "hub.db"
    first = ensure_key(store)
    key_file(store).chmod(0o644)
    assert read_key(store) is None
    second = ensure_key(store)
    assert second not in (first, None) and read_key(store) == second

    key_file(store).unlink()
    (tmp_path / "planted").write_text("a" * 43)
    (tmp_path / "planted").chmod(0o600)
    key_file(store).symlink_to(tmp_path / "planted")
    assert read_key(store) is None
    third = ensure_key(store)
    assert third != "a" * 43 and not key_file(store).is_symlink()
    assert (tmp_path / "planted").read_text() == "a" * 43


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 43, b"x" * 10_000, b"a b" * 15])
def test_a_file_that_holds_no_key_is_written_anew(tmp_path, content):
    store = tmp_path / "hub.db"
    key_file(store).write_bytes(content)
    key_file(store).chmod(0o600)
    assert ensure_key(store) == read_key(store)


def test_keys_are_random(tmp_path):
    assert len({ensure_key(tmp_path / f"{number}.db") for number in range(20)}) == 20


def test_a_host_without_a_key_asks_for_none(new_host):
    host = new_host("locked")
    assert host.key is None and http("GET", f"{host.url}/api/locked").status == 200


@pytest.mark.slow
def test_the_command_line_finds_the_key_by_itself(tmp_path):
    store = tmp_path / "hub.db"
    app = str(APPS / "locked")
    served = subprocess.Popen(
        command("serve", app, "--port", "0", "--store", str(store), "--key"),
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        first, second = served.stdout.readline(), served.stdout.readline()
        key = read_key(store)
        assert "serving http://127.0.0.1:" in first and str(key_file(store)) in second
        assert key and key not in first + second, "a terminal's history is no place of a key"
        options = ("--app", app, "--store", str(store))
        # A proxy of the environment must not see what is for this machine; nothing listens on this one.
        environment = {**os.environ, "http_proxy": "http://127.0.0.1:9", "no_proxy": ""}
        done = subprocess.run(
            command("start", "echo", *options, "--input", '"there"', "--wait"),
            cwd=ROOT, capture_output=True, text=True, timeout=WAIT, env=environment,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "") and json.loads(done.stdout)["output"] == "there"
        key_file(store).unlink()
        refused = subprocess.run(
            command("status", "x", *options), cwd=ROOT, capture_output=True, text=True, timeout=WAIT
        )
        assert refused.returncode == 1 and "requires its key" in refused.stderr and "Traceback" not in refused.stderr
    finally:
        served.terminate()
        served.communicate(timeout=WAIT)


def test_another_user_cannot_read_the_key(tmp_path):
    if os.getuid() != 0:
        pytest.skip("only root can become another user")
    store = tmp_path / "hub.db"
    ensure_key(store)
    for place in (tmp_path, *tmp_path.parents):
        if place == Path("/tmp"):
            break
        place.chmod(0o755)
    script = f"import os, sys; os.setgid(65534); os.setuid(65534); open({str(key_file(store))!r}).read()"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=WAIT)
    assert done.returncode == 1 and "PermissionError" in done.stderr


def test_the_store_and_what_sqlite_puts_beside_it_are_for_this_user_only(tmp_path, new_host):
    before = os.umask(0o022)
    try:
        new_host("locked", store="below/hub.db", keyed=True)
    finally:
        os.umask(before)

    modes = {file.name: file.stat().st_mode & 0o777 for file in (tmp_path / "below").iterdir()}
    assert {"hub.db", "hub.db-wal", "hub.db-shm", "hub.db.key"} <= modes.keys()
    assert set(modes.values()) == {0o600} and (tmp_path / "below").stat().st_mode & 0o777 == 0o700
