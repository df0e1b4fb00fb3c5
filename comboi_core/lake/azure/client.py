"""The connection to a storage account: adlfs over the SDK's own client, configured once per account.

Imported when a lake in Azure is first used: adlfs takes most of a second.
"""

from __future__ import annotations

import asyncio
import io
import os
import random
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

from adlfs import AzureBlobFileSystem
from azure.core import MatchConditions
from azure.core.exceptions import ClientAuthenticationError, ResourceNotFoundError, ServiceResponseError
from azure.core.pipeline.transport import AioHttpTransport
from azure.storage.blob import BlobBlock, BlobProperties
from azure.storage.blob.aio import BlobClient, BlobServiceClient, ExponentialRetry
from fsspec.asyn import sync

from comboi_core.lake.azure.account import Account

_BLOCK_BYTES = 8 * 2**20
"""One block of an upload, and the largest file that goes up in one request."""
_PARALLEL_BLOCKS = 4
_PARALLEL_QUESTIONS = 32
_CONNECT_SECONDS = 10
_READ_SECONDS = 60
_RETRIES: dict[str, Any] = {"retry_total": 5, "retry_status": 5, "retry_read": 5, "retry_connect": 2}
_FIRST_WAIT = 0.25
"""Doubled for each retry, 8 seconds in all; what lasts longer is for the run's own retries."""


class _Transport(AioHttpTransport):  # type: ignore[misc]  # azure.core hands it out by name, so mypy sees no class
    """Lets the SDK's retries see 429 as well, which they take for a final answer."""

    async def send(self, request: Any, **options: Any) -> Any:
        response = await super().send(request, **options)
        if response.status_code == 429:
            response.internal_response.close()
            raise ServiceResponseError("429 TooManyRequests")
        return response


class _Patience(ExponentialRetry):
    """Waits that start below a second (the SDK's own start at 15), and never for a sign-in that was refused."""

    def get_backoff_time(self, settings: dict[str, Any]) -> float:
        return random.uniform(0.7, 1.3) * _FIRST_WAIT * float(2 ** (settings["count"] - 1))

    def increment(self, settings: dict[str, Any], *rest: Any, **of: Any) -> bool:
        return not isinstance(of.get("error"), ClientAuthenticationError) and super().increment(settings, *rest, **of)


@dataclass(frozen=True)
class Piece:
    """Some bytes of a blob, the bytes that it has in all, and its version."""

    data: bytes
    total: int
    etag: str


class FileSystem(AzureBlobFileSystem):  # type: ignore[misc]  # adlfs has no types
    """adlfs with a client of ours: adlfs itself would let AZURE_STORAGE_* variables overrule the configuration.

    Listings are never taken from a cache: other processes write to the same lake.
    """

    cachable = False

    def __init__(self, account: Account) -> None:
        self._account = account
        # The connection string only keeps adlfs from looking for credentials; `do_connect` makes no use of it.
        super().__init__(connection_string=account.endpoint, use_listings_cache=False)

    def do_connect(self) -> None:
        """Make the client; called by adlfs, which closes it, and an identity's credential, when the process ends."""
        credential = _credential(self._account)
        self.credential = None if isinstance(credential, (str, dict)) else credential
        self.service_client = sync(self.loop, self._client, credential)

    async def _client(self, credential: Any) -> BlobServiceClient:
        return BlobServiceClient(
            self._account.endpoint,
            credential=credential,
            transport=_Transport(connection_timeout=_CONNECT_SECONDS, read_timeout=_READ_SECONDS),
            retry_policy=_Patience(**_RETRIES),
        )

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        """Take paths as they are: ours have no protocol, and adlfs would read brackets at their start as a host."""
        return path.strip("/")

    def properties(self, container: str, name: str) -> Any:
        """Return a blob's properties; the SDK's errors, which tell a missing blob from a missing container."""
        return sync(self.loop, self._properties, container, name)

    def many_properties(self, container: str, names: Iterable[str]) -> list[Any]:
        """Return the properties of blobs, asked for side by side; None for one that is not there."""
        found: list[Any] = sync(self.loop, self._many_properties, container, tuple(names))
        return found

    def listed(self, container: str, start: str, *, deep: bool) -> list[tuple[Any, float]]:
        """Return the properties of the blobs whose names begin with `start`; the SDK's errors.

        Args:
            deep: Whether to list what lies in folders further down as well.

        Returns:
            With each, when it was looked at: by the account's own clock, in seconds since 1970.
        """
        found: list[tuple[Any, float]] = sync(self.loop, self._listed, container, start, deep)
        return found

    def piece(self, container: str, name: str, start: int, length: int, etag: str | None) -> Piece:
        """Return up to `length` bytes of a blob from `start`; the SDK's errors.

        Args:
            etag: The version that it has to be, if any.
        """
        piece: Piece = sync(self.loop, self._piece, container, name, start, length, etag)
        return piece

    def upload(self, content: bytes | Path, container: str, name: str) -> None:
        """Write a blob in one step: in one request, or in parallel blocks and the commit of their list.

        Each request carries the MD5 of what it brings, which the account checks. Of two writers of one blob at once,
        the one that commits drops the blocks of the other, whose commit then fails with `InvalidBlockList`.
        """
        sync(self.loop, self._upload, content, container, name)

    def create_container(self, container: str) -> None:
        """Create a container; the SDK's errors."""
        sync(self.loop, self.service_client.create_container, container)

    async def _properties(self, container: str, name: str) -> Any:
        async with self.service_client.get_blob_client(container, name) as blob:
            return await blob.get_blob_properties()

    async def _many_properties(self, container: str, names: tuple[str, ...]) -> list[Any]:
        slots = asyncio.Semaphore(_PARALLEL_QUESTIONS)

        async def ask(name: str) -> Any:
            async with slots:
                try:
                    return await self._properties(container, name)
                except ResourceNotFoundError as error:
                    if getattr(error, "error_code", None) == "ContainerNotFound":
                        raise
                    return None

        tasks = [asyncio.ensure_future(ask(name)) for name in names]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()

    async def _listed(self, container: str, start: str, deep: bool) -> list[tuple[Any, float]]:
        clock = [time.time()]

        def look(response: Any) -> None:
            if said := response.http_response.headers.get("Date"):
                clock[0] = parsedate_to_datetime(said).timestamp()

        asked = {"name_starts_with": start, "include": ["metadata"], "raw_response_hook": look}
        async with self.service_client.get_container_client(container) as client:
            found = client.list_blobs(**asked) if deep else client.walk_blobs(**asked)
            return [(blob, clock[0]) async for blob in found if isinstance(blob, BlobProperties)]

    async def _piece(self, container: str, name: str, start: int, length: int, etag: str | None) -> Piece:
        match = {"etag": etag, "match_condition": MatchConditions.IfNotModified} if etag else {}
        async with self.service_client.get_blob_client(container, name) as blob:
            stream = await blob.download_blob(offset=start, length=length, **match)
            data = await stream.readall()
            total = int(stream.properties.content_range.rpartition("/")[2])
            return Piece(data, total, stream.properties.etag)

    async def _upload(self, content: bytes | Path, container: str, name: str) -> None:
        with io.BytesIO(content) if isinstance(content, bytes) else content.open("rb") as file:
            async with self.service_client.get_blob_client(container, name) as blob:
                size = file.seek(0, os.SEEK_END)
                file.seek(0)
                if size <= _BLOCK_BYTES:
                    await blob.upload_blob(file.read(), overwrite=True, validate_content="md5")
                else:
                    await _upload_blocks(blob, file)


@lru_cache(maxsize=8)
def file_system(account: Account) -> FileSystem:
    """Return the account's file system; one per process, with one pool of connections."""
    return FileSystem(account)


def _credential(account: Account) -> Any:
    if account.key:
        return {"account_name": account.name, "account_key": account.key}
    if account.sas:
        return account.sas
    from azure.identity.aio import DefaultAzureCredential

    return DefaultAzureCredential()


async def _upload_blocks(blob: BlobClient, file: BinaryIO) -> None:
    """Stage blocks side by side, then commit their list.

    The SDK's own way leaves the other requests running, and their errors unheard, when one of them fails.
    """
    blocks: list[BlobBlock] = []
    upload = secrets.token_hex(8)  # two writers of one blob share its uncommitted blocks, by name

    async def work() -> None:
        while data := file.read(_BLOCK_BYTES):
            # No other task has run since the read: the list is in the file's order.
            blocks.append(block := BlobBlock(f"{upload}-{len(blocks):06d}"))
            await blob.stage_block(block.id, data, length=len(data), validate_content="md5")

    tasks = [asyncio.ensure_future(work()) for _ in range(_PARALLEL_BLOCKS)]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    await blob.commit_block_list(blocks)
