"""Turns errors of a storage account into errors of the lake, with a remedy and without secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from comboi_core.domain.errors import ComboiError, LakeNotFound, LakeRefused, LakeUnavailable
from comboi_core.lake.azure.account import Account

_BUSY = (408, 409, 412, 429, 500, 502, 503, 504)
_TRANSIENT_CODES = ("InvalidBlockList", "Md5Mismatch", "InvalidMd5")
"""Answers 400 that a new attempt mends: another writer's commit dropped our blocks; a block was damaged on its way."""

_REACH = "Check the account's name or endpoint, and check that network and firewall let this machine through."
_BUSY_REMEDY = "Run again later. If it happens again, check the account's throttling and the service's health."
_ROLE = "Give the identity the role `Storage Blob Data Contributor` on the storage account or the container."
_REMEDIES = {
    "AuthenticationFailed": "Check the key, or that the shared access signature is complete and has not expired; "
    "after a key rotation, store the new one.",
    "AuthorizationFailure": "Check the key or signature. If it is right, allow this network in the account's firewall.",
    "AuthorizationPermissionMismatch": _ROLE + " A shared access signature needs read, write, list and delete.",
    "KeyBasedAuthenticationNotPermitted": (
        "The account does not accept keys. Remove `credential:`; then comboi signs in with its identity."
    ),
    "ContainerNotFound": "Create the container in the storage account, or correct `file_system:`.",
}
_SIGN_IN = "Sign in with `az login`, give the function app a managed identity, or configure `credential:`."
_READ = re.compile(r"\baz://")
_READ_REFUSED = re.compile(r"AuthorizationFailure|AuthenticationFailed|AuthorizationPermissionMismatch|\b40[13]\b")
_READ_MISSING = re.compile(r"No files found that match|BlobNotFound|\b404\b")


def translated(
    error: Exception, *, path: str, place: str, account: Account, made_as_needed: bool
) -> ComboiError | None:
    """Return the lake's error for what adlfs or the SDK raised; None for anything else.

    Its context has `path`, and as `reason` the service's own name of the error.

    Args:
        path: The file or folder.
        place: What it is in, e.g. `the lake https://...`.
        account: Whose secrets are kept out.
        made_as_needed: Whether a container that is not there is an empty one.
    """
    from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError

    if isinstance(error, FileNotFoundError):  # adlfs's own, of the SDK's answer
        return _answer(404, error_code(error.__cause__), path, place, made_as_needed)
    if not isinstance(error, AzureError):
        return None
    where = f"{path or 'the files'} in {place}"
    if isinstance(error, HttpResponseError) and error.status_code is not None:
        return _answer(error.status_code, error_code(error), path, place, made_as_needed)
    if isinstance(error, ClientAuthenticationError):
        return LakeRefused(f"{where}: there is no identity to sign in with", remedy=_SIGN_IN, path=path)
    if str(error).startswith("429 "):
        return LakeUnavailable(f"{where}: the account answers 429", remedy=_BUSY_REMEDY, path=path)
    told = account.scrubbed(_first_line(error))
    return LakeUnavailable(f"{where}: cannot be reached: {told}", remedy=_REACH, path=path)


def error_code(error: BaseException | None) -> str:
    """Return the storage service's name of an error, e.g. `ContainerNotFound`; empty if it has none."""
    code = getattr(error, "error_code", None)
    return str(getattr(code, "value", code) or "")


@contextmanager
def lake_reads() -> Iterator[None]:
    """Turn what DuckDB says of files in Azure that it cannot read into the lake's errors; pass everything else."""
    try:
        yield
        return
    except Exception as error:
        failed = unread(error)
        if failed is None:
            raise
    raise failed


def unread(error: Exception) -> ComboiError | None:
    """Return the lake's error for what DuckDB said of a file in Azure that it cannot read; None for anything else."""
    import duckdb

    text = str(error)
    if not isinstance(error, duckdb.IOException) or not _READ.search(text):
        return None
    if _READ_REFUSED.search(text):
        return LakeRefused(_first_line(error), remedy=_REMEDIES["AuthenticationFailed"])
    if _READ_MISSING.search(text):
        return LakeNotFound(_first_line(error))
    return LakeUnavailable(_first_line(error), remedy=_BUSY_REMEDY)


def _answer(status: int, code: str, path: str, place: str, made_as_needed: bool) -> ComboiError:
    where = f"{path or 'the files'} in {place}"
    if status == 404 and (code != "ContainerNotFound" or made_as_needed):
        return LakeNotFound(f"{path} is not in {place}", path=path)
    said = f"{where}: the account answers {status}{f' {code}' if code else ''}"
    if status in _BUSY or code in _TRANSIENT_CODES:
        return LakeUnavailable(said, remedy=_BUSY_REMEDY, path=path, reason=code)
    remedy = _REMEDIES.get(code) or (_ROLE if status in (401, 403) else None)
    return LakeRefused(said, remedy=remedy, path=path, reason=code)


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
