"""A container of an Azure storage account as a place that a source's files are in: nothing is ever written there."""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from comboi_core.domain.errors import ComboiError, ConfigError, LakeRefused, LakeUnavailable
from comboi_core.domain.load import SourceFile
from comboi_core.duckdb.rows import one_row
from comboi_core.lake.azure.container import Container, is_folder
from comboi_core.lake.azure.duckdb import drop_secret
from comboi_core.lake.azure.errors import unread

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from comboi_core.lake.azure.client import Piece

_FIRST_PIECE = 64 * 2**10
_LARGEST_PIECE = 8 * 2**20
"""A reader asks for little at first, most want a file's first line only, and for four times as much each time."""
_TOKEN = "Run again, because each attempt uses a new token. If it happens again, use smaller files."


class SourceContainer(Container):
    """The container, or a folder in it, that a source's files are in.

    Times are the account's: whole seconds. The connection that `attach` is given belongs to somebody else afterwards,
    with whom no credential and no download is left: `detach` takes them away.
    """

    _called = "the container"
    _made_as_needed = False

    def files(self, start: str, *, deep: bool) -> dict[SourceFile, float]:
        """Return the files whose paths begin with `start`, and when each was looked at, by the account's clock.

        Args:
            deep: Whether to look into the folders further down as well.
        """
        with self._explained(start):
            found = self._files.listed(self._container, self._prefix + start, deep=deep)
        return {self._file(blob): seen for blob, seen in found if not is_folder(blob)}

    def look(self, paths: Iterable[str]) -> dict[str, SourceFile]:
        """Return those of some files that are there, as they are now; by path."""
        names = [self._name(path) for path in paths]
        with self._explained(""):
            found = self._files.many_properties(self._container, names)
        return {file.path: file for file in map(self._file, filter(None, found))}

    def usable(self, path: str) -> bool:
        """Tell whether a file of that name can be read by everyone who has to."""
        try:
            self._name(path)
        except ConfigError:
            return False
        return True

    def open(self, path: str) -> BinaryIO:
        """Return a reader of a file that fetches what is read of it, piece by piece, and one version of it only."""
        return io.BufferedReader(_Pieces(self, path), _FIRST_PIECE)

    def piece(self, path: str, start: int, length: int, etag: str | None) -> Piece:
        """Return bytes of a file; raises LakeUnavailable if it is not the version that `etag` names."""
        with self._explained(path):
            return self._files.piece(self._container, self._name(path), start, length, etag)

    def attach(self, con: DuckDBPyConnection) -> None:
        """See `Container.attach`."""
        super().attach(con)
        # Each file is read once; what DuckDB would keep of it, an idle connection would hold on to.
        con.execute("SET enable_external_file_cache = false")
        if self._downloads is not None:
            folder = one_row(con, "SELECT current_setting('temp_directory')")[0]
            self._downloads = Path(tempfile.mkdtemp(dir=folder))

    def detach(self, con: DuckDBPyConnection) -> None:
        """Take back what `attach` gave the connection; never raises."""
        if self._downloads is not None:
            shutil.rmtree(self._downloads, ignore_errors=True)
        else:
            with suppress(Exception):
                drop_secret(con, self._account, self._scope)

    def explain(self, error: Exception) -> ComboiError | None:
        """Return the lake's error for what DuckDB said of a file that it cannot read; None for anything else."""
        failed = unread(error)
        if failed is None:
            return None
        told = self._account.scrubbed(failed.message)
        if isinstance(failed, LakeRefused) and not self._account.has_secret:
            # The identity's token was good when the files were listed: it ended meanwhile.
            return LakeUnavailable(told, remedy=_TOKEN)
        return type(failed)(told, remedy=failed.remedy)

    def _file(self, blob: Any) -> SourceFile:
        modified = int(blob.last_modified.timestamp()) * 10**9
        # Listings give it without the quotes that it has in answers about one file.
        return SourceFile(blob.name.removeprefix(self._prefix), blob.size, modified, blob.etag.strip('"'))


class _Pieces(io.RawIOBase):
    """A blob as a stream."""

    def __init__(self, container: SourceContainer, path: str) -> None:
        self._container = container
        self._path = path
        self._next = _FIRST_PIECE
        self._position = 0
        self._rest = memoryview(b"")
        self._size: int | None = None
        self._etag: str | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._rest and self._position != self._size:
            self._fetch()
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def _fetch(self) -> None:
        piece = self._container.piece(self._path, self._position, self._next, self._etag)
        self._etag, self._size = piece.etag, piece.total
        self._position += len(piece.data)
        self._rest = memoryview(piece.data)
        self._next = min(4 * self._next, _LARGEST_PIECE)
