"""The process that `forking` makes its copies of: `python -m tests.support.forked ADDRESS`.

It imports what commands import, takes requests at a Unix socket, and forks for each. It starts no thread, for a copy
would have only the one that forked. At its end it removes the socket and its folder.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import shutil
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import activities
import comboi_core
import durable_local
import entities
import orchestrators


def serve(address: str) -> dict[str, Any] | None:
    """Fork for each request until the standard input ends; return the request in a copy, None in this process."""
    woken, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    talks: dict[int, socket.socket] = {}
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(address)
        door.listen(64)
        print("ready", flush=True)
        while True:
            ready = select.select([door, woken, 0], [], [])[0]
            if woken in ready:
                os.read(woken, 4096)
                _tell_ends(talks)
            if 0 in ready and not os.read(0, 1):
                return None
            if door not in ready:
                continue
            talk = door.accept()[0]
            asked, output = _read(talk)
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for kept in (talk, *talks.values()):
                    kept.close()
                os.close(woken)
                os.close(wake)
                _become(asked, output)
                return asked
            for file in output:
                os.close(file)
            talks[pid] = talk
            talk.sendall(b"%d\n" % pid)


def _read(talk: socket.socket) -> tuple[dict[str, Any], list[int]]:
    head, output, _, _ = socket.recv_fds(talk, 4, 2)
    length, body = int.from_bytes(head, "big"), b""
    while len(body) < length:
        body += talk.recv(length - len(body))
    return json.loads(body), output


def _tell_ends(talks: dict[int, socket.socket]) -> None:
    while talks:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        with talks.pop(pid) as talk:
            try:
                talk.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
            except OSError:
                continue  # who asked has given up


def _become(asked: dict[str, Any], output: list[int]) -> None:
    """Take the output, folder and environment of a request."""
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    for number, file in enumerate(output, start=1):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(asked["env"])
    os.umask(asked["umask"])
    os.chdir(asked["cwd"])


def _import() -> None:
    """Import all of comboi, which by itself loads none of the libraries that start threads, and what a host needs."""
    for name in ("aiohttp.web", "azure.durable_functions", "rich.progress"):
        importlib.import_module(name)
    for package in (durable_local, comboi_core, activities, entities, orchestrators):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith(".__main__"):
                importlib.import_module(module.name)


def main() -> None:
    """Serve; in a copy, run the command as `python` would have."""
    _import()
    assert len(os.listdir("/proc/self/task")) == 1, "an import has started a thread"
    gc.collect()
    gc.freeze()
    asked = serve(sys.argv[1])
    if asked is None:
        shutil.rmtree(Path(sys.argv[1]).parent)
        return
    _, module, *arguments = asked["command"]
    sys.path[0], sys.argv = asked["cwd"], [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
