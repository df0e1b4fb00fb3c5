"""A container in Azure with a source's files, or a folder in one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, Protocol

from comboi_core.domain.errors import (
    ComboiError,
    LakeNotFound,
    LakeRefused,
    LakeUnavailable,
    SourceAuthFailed,
    SourceFileChanged,
    SourceObjectMissing,
    SourceUnreachable,
    UnsupportedValue,
)
from comboi_core.domain.load import SourceFile
from comboi_core.sources.files.glob import glob
from comboi_core.sources.files.listing import DEFAULT_LAG, Listing, finished

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LEAST_LAG = DEFAULT_LAG
"""Times in Azure have whole seconds. What is younger than that might change once more without its time showing it; what
is older can change to a later time only. One second would do, if all the clocks of an account agreed."""

_RIGHTS = "Give the identity the role `Storage Blob Data Reader`; a shared access signature needs read and list."
_REFUSALS: dict[str, tuple[type[ComboiError], str]] = {
    "ContainerNotFound": (SourceObjectMissing, "Create the container, or correct connection.file_system."),
    "AuthorizationPermissionMismatch": (SourceAuthFailed, _RIGHTS),
}


class Container(Protocol):
    """A container as it is handed in, of whatever lake; its errors are LakeUnavailable, LakeRefused, LakeNotFound."""

    def files(self, start: str, *, deep: bool) -> dict[SourceFile, float]:
        """Return the files whose paths begin with `start`, and when each was looked at, by the account's clock."""

    def look(self, paths: Iterable[str]) -> dict[str, SourceFile]:
        """Return those of some files that are there, as they are now; by path."""

    def open(self, path: str) -> BinaryIO:
        """Return a reader of a file, which fetches what is read of it."""

    def usable(self, path: str) -> bool:
        """Tell whether a file of that name can be read."""

    def address(self, path: str) -> str:
        """Return how DuckDB names a file."""

    @property
    def root(self) -> str:
        """What all addresses begin with."""

    def attach(self, con: DuckDBPyConnection) -> None:
        """Make a connection able to read the files."""

    def detach(self, con: DuckDBPyConnection) -> None:
        """Take that back; never raises."""

    def explain(self, error: Exception) -> ComboiError | None:
        """Return the error for what DuckDB said of a file that it cannot read; None for anything else."""


class FilesInContainer:
    """A container; implements `Files`.

    Args:
        place: What errors name: `source.table`.

    Raises:
        SourceAuthFailed: DuckDB does not take the credential, or there is no identity to sign in with.
    """

    parallel = 16

    def __init__(self, con: DuckDBPyConnection, container: Container, place: str) -> None:
        self._con = con
        self._container = container
        self._place = place
        with self._told():
            container.attach(con)

    def list(self, pattern: str, lag: float) -> Listing:
        """See `Files.list`."""
        return finished(lambda: self._find(pattern), max(lag, LEAST_LAG))

    def check(self, files: Iterable[SourceFile]) -> None:
        """See `Files.check`."""
        planned = tuple(files)
        with self._told():
            now = self._container.look(file.path for file in planned)
        for file in planned:
            if now.get(file.path) != file:
                what = "changed" if file.path in now else "was deleted"
                raise SourceFileChanged(f"{self._place}: {file.path} {what} after the load was planned")

    def digest(self, file: SourceFile) -> str:
        """See `Files.digest`: the account's version changes with the content, and with what people write on a file."""
        return ""

    def open(self, path: str) -> BinaryIO:
        """See `Files.open`."""
        return self._container.open(path)

    def address(self, path: str) -> str:
        """See `Files.address`."""
        with self._told():
            return self._container.address(path)

    def relative(self, text: str) -> str:
        """See `Files.relative`."""
        return text.replace(self._container.root, "")

    def unreadable(self, path: str, error: OSError) -> ComboiError:
        """See `Files.unreadable`; the account's own refusals are no OSError."""
        return SourceUnreachable(f"{self._place}: {path} cannot be read: {error.strerror or error}")

    def translate(self, error: Exception) -> ComboiError | None:
        """See `Files.translate`."""
        told = error if isinstance(error, ComboiError) else self._container.explain(error)
        return self._of_the_source(told) if told else None

    def close(self) -> None:
        """See `Files.close`."""
        self._container.detach(self._con)

    def _find(self, pattern: str) -> dict[SourceFile, float]:
        wanted = glob(pattern)
        with self._told():
            found = self._container.files(wanted.start, deep=wanted.deep)
        matching = {file: seen for file, seen in found.items() if wanted.matches(file.path)}
        unusable = next((file.path for file in matching if not self._container.usable(file.path)), None)
        if unusable is not None:
            raise UnsupportedValue(
                f"{self._place}: the name of the file {unusable!r} cannot be used: it has an empty part, a character "
                "that does not print, or is too long",
                remedy="Rename the file.",
            )
        return matching

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn the lake's errors into those of a source."""
        try:
            yield
            return
        except (LakeUnavailable, LakeRefused, LakeNotFound) as error:
            failed = self._of_the_source(error)
        raise failed

    def _of_the_source(self, error: ComboiError) -> ComboiError:
        told, reason = f"{self._place}: {error.message}", error.context.get("reason", "")
        if isinstance(error, LakeNotFound) or reason == "ConditionNotMet":
            return SourceFileChanged(f"{told}: it was deleted or changed while it was read")
        if isinstance(error, LakeUnavailable):
            return SourceUnreachable(told, remedy=error.remedy)
        if isinstance(error, LakeRefused):
            kind, remedy = _REFUSALS.get(reason, (SourceAuthFailed, error.remedy))
            return kind(told, remedy=remedy)
        return error
