"""The key of a host: a random text in a file beside its store, which only the file's owner can read."""

from __future__ import annotations

import contextlib
import hmac
import os
import re
import secrets
import stat
from pathlib import Path

_BYTES = 32
_KEY = re.compile(r"[A-Za-z0-9_-]{43}")


def key_file(store: Path) -> Path:
    """Where the key of a store's host is."""
    return store.with_name(f"{store.name}.key")


def read_key(store: Path) -> str | None:
    """The key of a store's host, or None: it has none, or it is somebody else's.

    A file that others can read or have made is no place of a secret, so it counts as none, and so does a link.
    """
    try:
        descriptor = os.open(key_file(store), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    with open(descriptor, encoding="ascii", errors="replace") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
            return None
        text = file.read(128).strip()
    return text if _KEY.fullmatch(text) else None


def ensure_key(store: Path) -> str:
    """The key of a store's host; made on the first start, and kept, so that clients survive a restart.

    Raises OSError if the file cannot be written.
    """
    known = read_key(store)
    if known is not None:
        return known
    key, place = secrets.token_urlsafe(_BYTES), key_file(store)
    part = place.with_name(f"{place.name}.{secrets.token_hex(4)}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "w", encoding="ascii") as file:
            file.write(f"{key}\n")
        part.replace(place)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise
    return key


def same_key(given: str, wanted: str) -> bool:
    """Compare in a time that does not tell how much of it is right."""
    return hmac.compare_digest(given.encode(errors="replace"), wanted.encode())
