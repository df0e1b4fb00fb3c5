"""A limit to how long a server may stay silent.

Microsoft's driver has none: when its own limit has passed it asks the server to stop, and waits for the answer for
ever; where it fetches large values no other Python thread runs meanwhile. The operating system's limit on the driver's
socket ends that. A peer that is gone without a word is noticed earlier: the driver lets TCP ask after 30 idle seconds.
"""

from __future__ import annotations

import os
import socket
import struct
from contextlib import suppress

_OPEN = "/proc/self/fd"


def open_sockets() -> frozenset[int]:
    """Return the descriptors of this process's sockets; empty where the system does not list them (Linux does)."""
    found = set()
    with suppress(OSError):
        for name in os.listdir(_OPEN):
            with suppress(OSError):
                if os.readlink(f"{_OPEN}/{name}").startswith("socket:"):
                    found.add(int(name))
    return frozenset(found)


def limit_silence(before: frozenset[int], seconds: int) -> bool:
    """Let reads fail after so many silent seconds on every socket that is not among those of `before`.

    Another thread's new socket may be among them: it gets the same, generous, limit.

    Returns:
        Whether there was one that waits for its reads; the driver's other provider has a limit of its own that works.
    """
    limit, found_one = struct.pack("ll", seconds, 0), False
    for descriptor in open_sockets() - before:
        with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as found:
            waits = found.family in (socket.AF_INET, socket.AF_INET6) and os.get_blocking(descriptor)
            if waits and found.type == socket.SOCK_STREAM:
                found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
                found_one = True
    return found_one
