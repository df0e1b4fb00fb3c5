"""Who holds a store: an flock on `<store>.lock`, whose content tells others where the holder listens.

The kernel frees the lock with its process, so a killed host never leaves a stale one behind. Needs a POSIX system.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from .errors import HubLockedError

# A holder without an address is either starting or only looking (see `find_holder`): give it this long.
_PATIENCE_SECONDS = 1.0


class HubLock:
    """The exclusive hold on a store, from construction until `release`. Raises HubLockedError."""

    def __init__(self, store: Path) -> None:
        path = _lock_path(store)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        private = partial(os.open, mode=0o600)
        self._file = open(path, "a+", encoding="utf-8", opener=private)  # noqa: SIM115 - lives as long as the host
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not _try_lock(self._file.fileno(), fcntl.LOCK_EX):
            holder = _read(path)
            if _alive(holder.get("pid")) or time.monotonic() > deadline:
                self._file.close()
                raise HubLockedError(holder.get("url"), holder.get("pid"))
            time.sleep(0.05)
        self._write("")

    def publish(self, url: str) -> None:
        """Tell the world that this process serves the store at `url`."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self._write(json.dumps({"pid": os.getpid(), "url": url, "started_at": now}))

    def release(self) -> None:
        if not self._file.closed:
            self._write("")
            self._file.close()

    def _write(self, text: str) -> None:
        self._file.truncate(0)
        self._file.write(text)
        self._file.flush()


def find_holder(store: Path) -> str | None:
    """The address of the live host on this store, or None if there is none or it does not listen yet."""
    path = _lock_path(store)
    try:
        file = open(path, encoding="utf-8")  # noqa: SIM115 - closed below by `with`
    except FileNotFoundError:
        return None
    with file:
        if _try_lock(file.fileno(), fcntl.LOCK_SH):
            return None
    return _read(path).get("url")


def _lock_path(store: Path) -> Path:
    return store.with_name(store.name + ".lock")


def _try_lock(descriptor: int, mode: int) -> bool:
    try:
        fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _alive(pid: int | None) -> bool:
    if pid is None:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
