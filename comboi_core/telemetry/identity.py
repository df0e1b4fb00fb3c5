"""Telemetry by Entra ID: access tokens for the endpoint of Application Insights, as App Service's convention asks for.

Everything here happens in the thread that posts; what goes wrong costs telemetry only.
"""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken

VARIABLE = "APPLICATIONINSIGHTS_AUTHENTICATION_STRING"
"""`Authorization=AAD;ClientId=...`, without ClientId for a system-assigned identity; the host reads it as well."""
MARGIN = 300.0
"""Seconds before its end in which a token is no longer used."""
PAUSE = 60.0
"""Seconds without a further attempt after no identity was found: azure-identity starts programs to look for one."""
NO_IDENTITY = f"no identity gets a token, as {VARIABLE} wants it: `az login`, or a managed identity in Azure"
IN_CLEAR = "an access token goes to an https:// endpoint only"
NO_ROLE = "the endpoint refuses the identity: give it the role `Monitoring Metrics Publisher` on the resource"

_SAFE = re.compile(r"https://|http://(localhost|127\.0\.0\.1|\[::1\])[:/]")


@dataclass(frozen=True)
class Wanted:
    """Which identity telemetry is sent with.

    Attributes:
        client_id: Of a user-assigned one; None: whatever azure-identity finds.
    """

    client_id: str | None = None


def wanted_identity() -> Wanted | None:
    """Return the identity that the environment asks for; None: the key in the connection string is all.

    Raises:
        ValueError: VARIABLE says what comboi does not know.
    """
    given = os.environ.get(VARIABLE, "").strip().strip(";")
    if not given:
        return None
    pairs = {key.strip().lower(): value.strip() for key, _, value in (pair.partition("=") for pair in given.split(";"))}
    if pairs.get("authorization", "").lower() != "aad" or not set(pairs) <= {"authorization", "clientid"}:
        raise ValueError(f"{VARIABLE}: write Authorization=AAD, or Authorization=AAD;ClientId=...")
    return Wanted(pairs.get("clientid") or None)


class Bearer:
    """Gives opencensus the tokens that it sends with each request.

    Args:
        options: The transport's; its endpoint changes when the service redirects.
        wanted: As `wanted_identity` returns it.

    Attributes:
        trouble: Why there was no token the last time; empty if there was one.
    """

    def __init__(self, options: Any, wanted: Wanted) -> None:
        self._options = options
        self._wanted = wanted
        self._identity: Any = None
        self._kept: AccessToken | None = None
        self._paused_until = 0.0
        self.trouble = ""

    def get_token(self, scope: str, **_: Any) -> AccessToken:
        """Return a token that lives on for MARGIN at least; opencensus makes an outcome of what is raised."""
        from azure.core.exceptions import AzureError, ClientAuthenticationError
        from requests import ConnectionError as Unreachable

        if not _SAFE.match(self._options.endpoint):
            raise self._refused(IN_CLEAR)
        if self._paused_until > time.monotonic():
            raise self._refused(NO_IDENTITY)
        if self._kept is None or self._kept.expires_on - time.time() < MARGIN:
            try:
                self._kept = self._signed_in().get_token(self._scope(scope))
            except ClientAuthenticationError:
                self._paused_until = time.monotonic() + PAUSE
                raise self._refused(NO_IDENTITY) from None
            except AzureError as failed:
                self.trouble = f"Entra ID does not answer: {type(failed).__name__}"
                raise Unreachable(self.trouble) from None
        self.trouble = ""
        return self._kept

    def _refused(self, trouble: str) -> ValueError:
        self.trouble = trouble
        return ValueError(trouble)

    def _scope(self, scope: str) -> str:
        """opencensus knows the public cloud only; the connection strings of other ones name whom tokens are for."""
        from opencensus.ext.azure.common import parse_connection_string

        audience = parse_connection_string(self._options.connection_string).get("aadaudience")
        return f"{audience.rstrip('/')}/.default" if audience else scope

    def _signed_in(self) -> Any:
        if self._identity is None:
            from azure.identity import DefaultAzureCredential

            client_id = self._wanted.client_id
            self._identity = DefaultAzureCredential(**{"managed_identity_client_id": client_id} if client_id else {})
        return self._identity
