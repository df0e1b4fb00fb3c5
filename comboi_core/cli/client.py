"""The command line's side of the HTTP API: the same for a host on this machine and for an app in Azure."""

from __future__ import annotations

import ipaddress
import re
from typing import Any
from urllib.parse import quote, urlsplit

import requests

from comboi_core.domain.contracts.pipeline import RunSummary
from comboi_core.domain.errors import ComboiError, RequestInvalid
from comboi_core.domain.redaction import redactor

MOST_TEXT = 200
TIMEOUT = 60
"""Seconds for one answer; starting a run on a cold app in Azure takes its time."""

_URL = re.compile(
    r"((?i:https?))://([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?(?:/[\w.~/-]*)?", re.A
)


class ApiError(ComboiError):
    """The API answered with an error; code, message and remedy are the API's own."""

    def __init__(self, problem: dict[str, Any]) -> None:
        super().__init__(problem.get("detail") or problem.get("title") or "no detail", remedy=problem.get("remedy"))
        self.code = problem.get("code", "api_error")
        self.transient = bool(problem.get("transient"))
        self.context = problem


class ApiForbidden(ComboiError):
    """The app, or what stands before it, does not let the request through."""

    code = "api_forbidden"
    remedy = (
        "Give the app's function key with --key or COMBOI_KEY. An embedded host's key is in the file that `comboi "
        "serve` names, and only the user who started it can read it."
    )


class ApiMissing(ComboiError):
    """Something answers at the URL, but it is not comboi's API."""

    code = "api_missing"
    remedy = (
        "Write --url or COMBOI_URL like https://NAME.azurewebsites.net. Where the app has another route prefix than "
        "api, or a proxy adds a path, write all that comes before /runs, for example https://HOST/PATH/api."
    )


class ApiUnreachable(ComboiError):
    """Nothing answers at the URL."""

    code = "api_unreachable"
    remedy = "Check --url, and that the app (or `comboi serve`) is running."


class KeyInDanger(ComboiError):
    """The function key would travel where others can read it."""

    code = "key_in_danger"
    remedy = "Write https:// in --url or COMBOI_URL; plain http is for 127.0.0.1, localhost and [::1] only."


class Api:
    """Calls the API at `url`; `key` is a function key of an app in Azure, or the token of an embedded host.

    An address without a path is an app's, and its API is below /api. One with a path is that of the API itself: the app
    has another route prefix, or what stands before it adds a path.

    The key goes to this one address, in a header: no redirect is followed, and without TLS it goes to loopback only.

    Raises:
        ApiUnreachable: `url` is not the address of an app.
        KeyInDanger: there is a key, and `url` is neither https nor loopback.
        RequestInvalid: `key` holds what no key does.
    """

    def __init__(self, url: str, key: str | None = None) -> None:
        scheme, host = _parts(url)
        self.url = url.rstrip("/")
        self._api = self.url if urlsplit(self.url).path else f"{self.url}/api"
        self._session = requests.Session()
        local = _is_loopback(host)
        # A proxy from the environment is for the way out, not for this machine.
        self._session.trust_env = not local
        if key:
            if scheme != "https" and not local:
                raise KeyInDanger(f"{self.url} is not https: the function key would be sent unencrypted")
            if not (key.isascii() and key.isprintable()) or " " in key:
                raise RequestInvalid(
                    "the function key contains blanks or other characters that keys never have",
                    remedy="Copy the key again, into COMBOI_KEY or --key.",
                )
            redactor.add(key)
            self._session.headers["x-functions-key"] = key
        self._session.headers["x-comboi-trigger"] = "cli"

    def get(self, path: str, **params: Any) -> Any:
        """Return the JSON of GET {path} below the API's address."""
        return self._call("GET", path, params={key: value for key, value in params.items() if value is not None})

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Return the JSON of POST {path} below the API's address."""
        return self._call("POST", path, json=body)

    def runs(self, limit: int, **filters: str | None) -> list[RunSummary]:
        """Return the summaries of runs, newest first, `limit` at most; goes through as many pages as that takes."""
        found: list[RunSummary] = []
        cursor = None
        while len(found) < limit:
            page = self.get("runs", limit=limit - len(found), cursor=cursor, **filters)
            found += page["runs"]
            cursor = page.get("next")
            if cursor is None:
                break
        return found

    def _call(self, method: str, path: str, **options: Any) -> Any:
        address = f"{self._api}/{path}"
        try:
            answer = self._session.request(method, address, timeout=TIMEOUT, allow_redirects=False, **options)
        except (requests.RequestException, ValueError) as error:  # the latter of a redirect to no address
            raise ApiUnreachable(f"{self.url} does not answer: {type(error).__name__}") from None
        if 300 <= answer.status_code < 400:
            raise _redirected(self.url, answer)
        said = f"{self.url} answers {answer.status_code} {answer.reason}"
        try:
            body = answer.json()
        except ValueError:
            plain = answer.headers.get("Content-Type", "").startswith("text/plain")
            body = {"title": f"{said}: {redactor.cut(answer.text, MOST_TEXT)}" if plain and answer.text else said}
            if answer.status_code < 400:
                body |= {"code": "api_error", "remedy": "Check that --url is that of a comboi app."}
                raise ApiError(body) from None
        if not isinstance(body, dict):
            raise ApiError({"title": said})
        if answer.status_code in (401, 403) and "code" not in body:
            raise ApiForbidden(body.get("title") or said)
        if answer.status_code == 404 and "code" not in body:
            raise ApiMissing(f"there is no comboi at {self._api}: {body.get('title') or said}")
        if answer.status_code >= 400:
            raise ApiError(body)
        return body


def part(text: str) -> str:
    """Return what somebody typed as one part of a path: no `/`, `?` or `%` in it counts.

    Raises:
        RequestInvalid: `.` and `..`, which lead elsewhere in any spelling.
    """
    if text in (".", ".."):
        raise RequestInvalid(f"'{text}' is not a valid name", remedy="Copy the name from `comboi runs` or `status`.")
    return quote(text, safe="", errors="replace")


def _parts(url: str) -> tuple[str, str]:
    """Return scheme and host of an app's address. A query or a password in it may be secret, and is not shown."""
    match = _URL.fullmatch(url)
    if match is None:
        shown = "the address given" if re.search(r"[?#@]", url) else f"'{url}'"
        raise ApiUnreachable(
            f"{shown} is not the address of an app",
            remedy="Write --url or COMBOI_URL like https://NAME.azurewebsites.net or http://127.0.0.1:7071, without "
            "a query or a password; the key goes into COMBOI_KEY or --key.",
        )
    return match[1].lower(), match[2].strip("[]").lower()


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _redirected(url: str, answer: requests.Response) -> ApiUnreachable:
    """Tell where a redirect leads: scheme and host, since the rest may hold secrets."""
    try:
        found = urlsplit(requests.compat.urljoin(f"{url}/", answer.headers.get("Location", "")))
        where = f"{found.scheme}://{found.hostname}{f':{found.port}' if found.port else ''}"
    except ValueError:
        where = "no address"
    return ApiUnreachable(
        f"{url} answers {answer.status_code} and points to {where}; nothing was sent there",
        remedy="Give the app's own address with --url or COMBOI_URL; an app that has people sign in needs a way around "
        "it for comboi's commands, which know function keys only.",
    )
