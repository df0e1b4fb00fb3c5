"""The command line's side of the HTTP API: the same for a host on this machine and for an app in Azure."""

from __future__ import annotations

from typing import Any

import requests
from requests.exceptions import InvalidSchema, InvalidURL, MissingSchema

from comboi_core.domain.errors import ComboiError

MOST_TEXT = 200
TIMEOUT = 60
"""Seconds for one answer; starting a run on a cold app in Azure takes its time."""


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
        "Give the app's function key with --key or COMBOI_KEY; of an embedded host, use the loopback URL it prints."
    )


class ApiUnreachable(ComboiError):
    """Nothing answers at the URL."""

    code = "api_unreachable"
    remedy = "Check --url, and that the app (or `comboi serve`) is running."


class Api:
    """Calls the API at `url`; `key` is a function key, for apps in Azure."""

    def __init__(self, url: str, key: str | None = None) -> None:
        self.url = url.rstrip("/").removesuffix("/api")
        self._session = requests.Session()
        if key:
            self._session.headers["x-functions-key"] = key
        self._session.headers["x-comboi-trigger"] = "cli"

    def get(self, path: str, **params: Any) -> Any:
        """Return the JSON of GET /api/{path}."""
        return self._call("GET", path, params={key: value for key, value in params.items() if value is not None})

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Return the JSON of POST /api/{path}."""
        return self._call("POST", path, json=body)

    def runs(self, limit: int, **filters: str | None) -> list[dict[str, Any]]:
        """Return the summaries of runs, newest first, `limit` at most; goes through as many pages as that takes."""
        found: list[dict[str, Any]] = []
        cursor = None
        while len(found) < limit:
            page = self.get("runs", limit=limit - len(found), cursor=cursor, **filters)
            found += page["runs"]
            cursor = page.get("next")
            if cursor is None:
                break
        return found

    def _call(self, method: str, path: str, **options: Any) -> Any:
        try:
            answer = self._session.request(method, f"{self.url}/api/{path}", timeout=TIMEOUT, **options)
        except (MissingSchema, InvalidSchema, InvalidURL):
            raise ApiUnreachable(
                f"'{self.url}' is no address of an app",
                remedy="Write --url or COMBOI_URL like https://NAME.azurewebsites.net or http://127.0.0.1:7071.",
            ) from None
        except requests.RequestException as error:
            raise ApiUnreachable(f"{self.url} does not answer: {type(error).__name__}") from None
        said = f"{self.url} answers {answer.status_code} {answer.reason}"
        try:
            body = answer.json()
        except ValueError:
            plain = answer.headers.get("Content-Type", "").startswith("text/plain")
            body = {"title": f"{said}: {answer.text[:MOST_TEXT]}" if plain and answer.text else said}
            if answer.status_code < 400:
                body |= {"code": "api_error", "remedy": "Check that --url is that of a comboi app."}
                raise ApiError(body) from None
        if not isinstance(body, dict):
            raise ApiError({"title": said})
        if answer.status_code in (401, 403) and "code" not in body:
            raise ApiForbidden(body.get("title") or said)
        if answer.status_code >= 400:
            raise ApiError(body)
        return body
