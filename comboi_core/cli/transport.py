"""How a request of the command line travels: to this machine by the standard library, elsewhere by `requests`.

Most commands talk to a host on this machine. `requests` does what only the way out needs (proxies, certifi's
certificates), and takes longer to load than such a command takes to ask: it is loaded for the way out alone.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from contextlib import closing
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlencode, urlsplit

TIMEOUT = 60
"""Seconds to wait for one answer. Starting a run on a cold app in Azure can take long."""


class Headers(Protocol):
    """The headers of an answer."""

    def get(self, name: str, default: str, /) -> Any:
        """Return a header, whose name may be written in any case."""


class Answer(NamedTuple):
    """What came back."""

    status: int
    reason: str
    headers: Headers
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")


class Unanswered(Exception):
    """Nothing came back; the text is the kind of error, and never an address."""


class Transport(Protocol):
    """Sends one request and follows no redirect."""

    def send(self, method: str, address: str, params: Mapping[str, Any], body: Any) -> Answer:
        """Return the answer.

        Args:
            params: The query.
            body: Sent as JSON; None sends none.

        Raises:
            Unanswered: there is none.
        """


class Loopback:
    """To a host on this machine, over plain HTTP, past every proxy. A connection per request: it costs nothing here."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers

    def send(self, method: str, address: str, params: Mapping[str, Any], body: Any) -> Answer:
        """See Transport."""
        parts = urlsplit(address)
        target = f"{parts.path}?{urlencode(params)}" if params else parts.path
        headers = {**self._headers, "Connection": "close"}
        data = None
        if body is not None:
            headers["Content-Type"], data = "application/json", json.dumps(body).encode()
        try:
            connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT)
            with closing(connection):
                connection.request(method, target, data, headers)
                answer = connection.getresponse()
                return Answer(answer.status, answer.reason, answer.headers, answer.read())
        except (OSError, http.client.HTTPException, ValueError) as error:  # the latter of a port that there cannot be
            raise Unanswered(type(error).__name__) from None


class WayOut:
    """To an app elsewhere, with the proxies and certificates that the environment names."""

    def __init__(self, headers: Mapping[str, str], *, proxies: bool) -> None:
        import requests

        self._session = requests.Session()
        self._session.trust_env = proxies
        self._session.headers.update(headers)

    def send(self, method: str, address: str, params: Mapping[str, Any], body: Any) -> Answer:
        """See Transport."""
        import requests

        try:
            found = self._session.request(
                method, address, params=params, json=body, timeout=TIMEOUT, allow_redirects=False
            )
        except (requests.RequestException, ValueError) as error:  # the latter of a redirect to no address
            raise Unanswered(type(error).__name__) from None
        return Answer(found.status_code, found.reason, found.headers, found.content)
