"""The command line's side of the HTTP API: the same for a host on this machine and for an app in Azure."""

from __future__ import annotations

from typing import Any

import requests

from comboi_core.domain.errors import ComboiError

TIMEOUT = 60
"""Seconds for one answer; starting a run on a cold app in Azure takes its time."""


class ApiError(ComboiError):
    """The API answered with an error; code, message and remedy are the API's own."""

    def __init__(self, problem: dict[str, Any]) -> None:
        super().__init__(problem.get("detail") or problem.get("title") or "no detail", remedy=problem.get("remedy"))
        self.code = problem.get("code", "api_error")
        self.context = problem


class ApiUnreachable(ComboiError):
    """Nothing answers at the URL."""

    code = "api_unreachable"
    remedy = "Check --url, and that the app (or `comboi serve`) is running."


class Api:
    """Calls the API at `url`; `key` is a function key, for apps in Azure."""

    def __init__(self, url: str, key: str | None = None) -> None:
        self.url = url.rstrip("/")
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

    def _call(self, method: str, path: str, **options: Any) -> Any:
        try:
            answer = self._session.request(method, f"{self.url}/api/{path}", timeout=TIMEOUT, **options)
        except requests.RequestException as error:
            raise ApiUnreachable(f"{self.url} does not answer: {type(error).__name__}") from None
        try:
            body = answer.json()
        except ValueError:
            body = {"title": f"{self.url} answers {answer.status_code} {answer.reason}"}
        if answer.status_code >= 400:
            raise ApiError(body)
        return body
