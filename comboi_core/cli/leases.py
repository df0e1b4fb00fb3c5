"""Who uses the embedded host of another command: a host that was started for a command stays up until none does.

A lease is a shared flock on `<hub>.clients`, taken before a command looks for a host. A host that ends takes the
lock for itself alone, and stops under it: a command that asks it has come to its end by then, and one that comes later
waits until it is gone, and starts its own. The kernel frees the lock of a killed process.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_LOOK_AGAIN = 0.05
"""Seconds between two tries to be the only one."""


def _open(hub: Path) -> int:
    """Open the file of the leases, and make it if it is not there. Children of the process do not get it.

    Raises:
        OSError: it can neither be read nor made.
    """
    path = hub.with_name(f"{hub.name}.clients")
    try:
        return os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return os.open(path, os.O_RDONLY | os.O_CREAT, 0o600)


class Lease:
    """The use of whatever host is up on a task hub, from construction until `end`.

    While a host is stopping, the construction waits. Where the file cannot be made, for example on a disk that is full
    or can only be read, there is no lease, and no host waits for it.
    """

    def __init__(self, hub: Path) -> None:
        self._file: int | None = None
        try:
            self._file = _open(hub)
        except OSError:
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_SH)
        except BaseException:
            self.end()
            raise

    def end(self) -> None:
        """Give the lease back; a second call does nothing."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def __enter__(self) -> Lease:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


@contextmanager
def unused(hub: Path, waits: Callable[[], None]) -> Iterator[None]:
    """Wait until nobody has a lease; within the block nobody gets one.

    Args:
        waits: Called once, if there is somebody.

    Raises:
        OSError: the file can neither be read nor made.
    """
    file = _open(hub)
    try:
        told = False
        while not _alone(file):
            if not told:
                waits()
                told = True
            time.sleep(_LOOK_AGAIN)
        yield
    finally:
        os.close(file)


def _alone(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
