"""Access tokens of Entra ID for databases, through azure-identity: the one place where sources sign in."""

from __future__ import annotations

import os
import re
import threading
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from comboi_core.domain.errors import SourceAuthFailed, SourceUnreachable
from comboi_core.domain.redaction import redactor

if TYPE_CHECKING:
    from azure.identity import DefaultAzureCredential

_MANAGED = re.compile(r"^\s*ManagedIdentityCredential: (.*)$", re.MULTILINE)
# azure-identity makes one error of a refusal and of an endpoint that is busy or away; its words tell them apart.
_BUSY = re.compile(r" (408|410|429|5\d\d), |Failed to establish|timed out|Connection (aborted|reset)")
_WAIT = "The endpoint of the app's managed identity does not answer now; if it stays so, restart the function app."

_ASKING = threading.Lock()
"""Tables are planned side by side: the first asks for the token, and the others take it from the identity's cache."""


@dataclass(frozen=True)
class Token:
    """An access token, which is a secret.

    Attributes:
        expires_on: Seconds since 1970.
    """

    text: str = field(repr=False)
    expires_on: float


def access_token(scope: str, *, client_id: str | None, place: str, remedy: str) -> Token:
    """Return a token that lives for some minutes at least; the identity keeps it and renews it when its end is near.

    Args:
        scope: What the token is for.
        client_id: Of a user-assigned managed identity; None: whatever azure-identity finds, AZURE_CLIENT_ID first.
        place: What errors name: `source.table`.
        remedy: What to do where there is no identity.

    Raises:
        SourceAuthFailed: there is no identity, or it gets no token.
        SourceUnreachable: Entra ID does not answer.
    """
    from azure.core.exceptions import AzureError, ClientAuthenticationError

    try:
        with _ASKING:
            found = _identity(client_id).get_token(scope)
        return Token(found.token, found.expires_on)
    except ClientAuthenticationError as error:
        forget_identities()  # it would keep the refusal for a minute, and answer the next attempt with it
        said = _reason(str(error))
        if _BUSY.search(said):
            raise SourceUnreachable(f"{place}: no token for {scope} at the moment: {said}", remedy=_WAIT) from None
        raise SourceAuthFailed(f"{place}: no token for {scope}: {said}", remedy=remedy) from None
    except AzureError as error:
        forget_identities()
        raise SourceUnreachable(f"{place}: Entra ID does not answer: {type(error).__name__}") from None


def _reason(text: str) -> str:
    """What the managed identity's endpoint says, where the app has one; else azure-identity's first sentence."""
    found = _MANAGED.search(text) if os.environ.get("IDENTITY_ENDPOINT") else None
    lines = text.splitlines() or ["no reason given"]
    return redactor.cut(found[1] if found else lines[0], 300)


@lru_cache(maxsize=8)
def _identity(client_id: str | None) -> DefaultAzureCredential:
    """One per process, so that a token serves many connections: the endpoints of managed identities limit requests."""
    from azure.identity import DefaultAzureCredential

    known = {"managed_identity_client_id": client_id} if client_id else {}
    return DefaultAzureCredential(**known)


def forget_identities() -> None:
    """Forget every identity with its tokens."""
    _identity.cache_clear()
