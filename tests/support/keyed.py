"""Requests of tests to hosts that ask for a key: it is added from the file beside the hub, as the command line does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import requests

from durable_local.keys import read_key
from durable_local.lock import find_holder

hubs: set[Path] = set()
"""Of the hosts that the tests have started."""


def key_of(url: str) -> str | None:
    """Return the key of the host at a URL, if it is one of `hubs`."""
    for hub in hubs:
        live = find_holder(hub)  # not by Host.find: a hub may be known by a path that leads into a namespace
        if live and url.startswith(f"{live}/"):
            return read_key(hub)
    return None


@contextmanager
def adding_keys() -> Iterator[None]:
    """Have `requests` send the key along; a request that names one itself keeps it."""
    plain = requests.Session.request

    def request(self: requests.Session, method: str, url: str, **options: Any) -> requests.Response:
        key = key_of(url)
        headers = ({"x-functions-key": key} if key else {}) | dict(options.pop("headers", None) or {})
        return plain(self, method, url, headers=headers, **options)

    with mock.patch.object(requests.Session, "request", request):
        yield
