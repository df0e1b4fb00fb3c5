"""Access tokens of Entra ID for databases, through azure-identity: the one place where sources sign in."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from comboi_core.domain.errors import SourceAuthFailed, SourceUnreachable

if TYPE_CHECKING:
    from azure.identity import DefaultAzureCredential


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
        found = _identity(client_id).get_token(scope)
        return Token(found.token, found.expires_on)
    except ClientAuthenticationError as error:
        said = (str(error).splitlines() or ["no reason given"])[0]
        raise SourceAuthFailed(f"{place}: no token for {scope}: {said}", remedy=remedy) from None
    except AzureError as error:
        raise SourceUnreachable(f"{place}: Entra ID does not answer: {type(error).__name__}") from None


@lru_cache(maxsize=8)
def _identity(client_id: str | None) -> DefaultAzureCredential:
    """One per process, so that a token serves many connections: the endpoints of managed identities limit requests."""
    from azure.identity import DefaultAzureCredential

    known = {"managed_identity_client_id": client_id} if client_id else {}
    return DefaultAzureCredential(**known)


def forget_identities() -> None:
    """Forget every identity with its tokens."""
    _identity.cache_clear()
