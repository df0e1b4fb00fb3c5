"""Local folders with rows. Only this user may read them, and those of killed processes are removed.

A folder that the user created keeps its mode, so the user decides who can share a lake.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # not a POSIX system: comboi cannot see whether a folder is in use there, so it removes none
    fcntl = None  # type: ignore[assignment]

PRIVATE = 0o700
PREFIX = "comboi-scratch-"


def make_private(folder: str | Path) -> Path:
    """Create a folder and its missing parents for this user only. Existing folders are not changed."""
    folder = Path(folder)
    if not folder.is_dir():
        if folder.parent != folder:
            make_private(folder.parent)
        with suppress(FileExistsError):
            folder.mkdir(mode=PRIVATE)
    return folder


class Scratch:
    """A temporary folder of this process. `close` removes it; otherwise a later process does.

    It is locked while it is in use (with flock, which the kernel releases when the process ends). `sweep` removes
    folders that are not locked. The first temporary folder below a folder calls `sweep` there.

    Args:
        below: The parent folder. Default: the system's temporary folder.

    Attributes:
        path: The folder.
    """

    def __init__(self, below: str | None = None) -> None:
        parent = make_private(below or tempfile.gettempdir())
        _sweep_once(parent)
        while True:
            self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
            self._lock = _locked(self.path)
            if self._lock is not None or fcntl is None:
                return  # else a sweep was faster than the lock

    def close(self) -> None:
        """Remove the folder; never raises."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *_: object) -> None:
        self.close()


def sweep(below: str | Path | None = None) -> int:
    """Remove the folders that killed processes of this user left in a folder. Return their number."""
    removed = 0
    for folder in Path(below or tempfile.gettempdir()).glob(f"{PREFIX}*"):
        lock = _locked(folder)
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)
            removed += 1
    return removed


_swept: set[Path] = set()
_guard = threading.Lock()


def _sweep_once(below: Path) -> None:
    with _guard:
        if below in _swept:
            return
        _swept.add(below)
    sweep(below)


def _locked(folder: Path) -> int | None:
    """Lock a folder of this user. None if it is gone, belongs to another user, or is locked."""
    if fcntl is None:
        return None
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        there = os.lstat(folder)
        if stat.S_ISDIR(there.st_mode) and os.path.samestat(there, os.fstat(handle)) and there.st_uid == os.geteuid():
            return handle
    except OSError:
        pass
    os.close(handle)
    return None
