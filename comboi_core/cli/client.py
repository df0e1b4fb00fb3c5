"""The command line's side of the HTTP API: the same for a host on this machine and for an app in Azure."""

from __future__ import annotations

import ipaddress
import json
import re
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from comboi_core.cli.transport import Answer, Loopback, Transport, Unanswered, WayOut
from comboi_core.domain.contracts.pipeline import RunSummary
from comboi_core.domain.errors import ComboiError, RequestInvalid
from comboi_core.domain.redaction import redactor

MOST_TEXT = 200
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
    """The app, or a gateway in front of it, refused the request."""

    code = "api_forbidden"
    remedy = (
        "Give the app's function key with --key or COMBOI_KEY. For a host on this machine, `comboi serve` prints the "
        "file of its key. Only the user who started the host can read that file."
    )


class ApiMissing(ComboiError):
    """Something answers at the URL, but it is not comboi's API."""

    code = "api_missing"
    remedy = (
        "Write --url or COMBOI_URL like https://NAME.azurewebsites.net. If the app's route prefix is not api, or if a "
        "proxy adds a path, write everything before /runs, for example https://HOST/PATH/api."
    )


class ApiUnreachable(ComboiError):
    """Nothing answers at the URL."""

    code = "api_unreachable"
    remedy = "Check the URL in --url or COMBOI_URL, and check that the app (or `comboi serve`) is running."


class KeyInDanger(ComboiError):
    """The function key would be sent unencrypted."""

    code = "key_in_danger"
    remedy = "Write https:// in --url or COMBOI_URL. Plain http is allowed only for 127.0.0.1, localhost and [::1]."


class Api:
    """Calls the API at `url`; `key` is a function key of an app in Azure, or the token of an embedded host.

    If the URL has no path, the API is at /api. If it has a path, that is the path of the API: for apps with another
    route prefix, or behind a proxy that adds a path.

    The key is sent only to this URL, in a header. Redirects are not followed. Without TLS, only loopback is allowed.

    Raises:
        ApiUnreachable: `url` is not the address of an app.
        KeyInDanger: there is a key, and `url` is neither https nor loopback.
        RequestInvalid: `key` contains characters that no key has.
    """

    def __init__(self, url: str, key: str | None = None) -> None:
        scheme, host = _parts(url)
        self.url = url.rstrip("/")
        self._api = self.url if urlsplit(self.url).path else f"{self.url}/api"
        local = _is_loopback(host)
        headers = {"x-comboi-trigger": "cli"}
        if key:
            if scheme != "https" and not local:
                raise KeyInDanger(f"{self.url} is not https: the function key would be sent unencrypted")
            if not (key.isascii() and key.isprintable()) or " " in key:
                raise RequestInvalid(
                    "the function key contains spaces or other characters that function keys never have",
                    remedy="Copy the key again and give it with COMBOI_KEY or --key.",
                )
            redactor.add(key)
            headers["x-functions-key"] = key
        # Proxies from the environment are for remote hosts, not for this machine.
        plain = local and scheme == "http"
        self._transport: Transport = Loopback(headers) if plain else WayOut(headers, proxies=not local)

    def get(self, path: str, **params: Any) -> Any:
        """Return the JSON of GET {path} below the API's address."""
        return self._call("GET", path, {key: value for key, value in params.items() if value is not None}, None)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Return the JSON of POST {path} below the API's address."""
        return self._call("POST", path, {}, body)

    def runs(self, limit: int, **filters: str | None) -> list[RunSummary]:
        """Return at most `limit` summaries of runs, newest first. Reads as many pages as needed."""
        found: list[RunSummary] = []
        cursor = None
        while len(found) < limit:
            page = self.get("runs", limit=limit - len(found), cursor=cursor, **filters)
            found += page["runs"]
            cursor = page.get("next")
            if cursor is None:
                break
        return found

    def _call(self, method: str, path: str, params: dict[str, Any], sent: dict[str, Any] | None) -> Any:
        try:
            answer = self._transport.send(method, f"{self._api}/{path}", params, sent)
        except Unanswered as error:
            raise ApiUnreachable(f"{self.url} does not answer: {error}") from None
        if 300 <= answer.status < 400:
            raise _redirected(self.url, answer)
        summary = f"{self.url} answers {answer.status} {answer.reason}"
        try:
            body = json.loads(answer.body)
        except ValueError:
            plain = answer.headers.get("Content-Type", "").startswith("text/plain")
            body = {"title": f"{summary}: {redactor.cut(answer.text, MOST_TEXT)}" if plain and answer.text else summary}
            if answer.status < 400:
                body |= {"code": "api_error", "remedy": "Check that --url is the URL of a comboi app."}
                raise ApiError(body) from None
        if not isinstance(body, dict):
            raise ApiError({"title": summary})
        if answer.status in (401, 403) and "code" not in body:
            raise ApiForbidden(body.get("title") or summary)
        if answer.status == 404 and "code" not in body:
            raise ApiMissing(f"there is no comboi at {self._api}: {body.get('title') or summary}")
        if answer.status >= 400:
            raise ApiError(body)
        return body


def part(text: str) -> str:
    """Return typed text as one part of a URL's path; `/`, `?` and `%` are escaped.

    Raises:
        RequestInvalid: `.` and `..`, which would lead to another path.
    """
    if text in (".", ".."):
        raise RequestInvalid(f"'{text}' is not a valid name", remedy="Copy the name from `comboi runs` or `status`.")
    return quote(text, safe="", errors="replace")


def _parts(url: str) -> tuple[str, str]:
    """Return scheme and host of an app's URL. A query or a password in it may be secret and is not shown."""
    match = _URL.fullmatch(url)
    if match is None:
        shown = "the given URL" if re.search(r"[?#@]", url) else f"'{url}'"
        raise ApiUnreachable(
            f"{shown} is not the URL of an app",
            remedy="Write --url or COMBOI_URL like https://NAME.azurewebsites.net or http://127.0.0.1:7071, without "
            "a query or a password. Give the key with COMBOI_KEY or --key.",
        )
    return match[1].lower(), match[2].strip("[]").lower()


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _redirected(url: str, answer: Answer) -> ApiUnreachable:
    """Return the error of a redirect. It shows only scheme and host, because the rest may contain secrets."""
    try:
        target = urlsplit(urljoin(f"{url}/", answer.headers.get("Location", "")))
        where = f"{target.scheme}://{target.hostname}{f':{target.port}' if target.port else ''}"
    except ValueError:
        where = "an invalid URL"
    return ApiUnreachable(
        f"{url} answers {answer.status} and redirects to {where}; comboi does not follow redirects",
        remedy="Give the app's own URL with --url or COMBOI_URL. If the app asks people to sign in, exclude "
        "comboi's API "
        "from that: comboi's commands can use only function keys.",
    )
