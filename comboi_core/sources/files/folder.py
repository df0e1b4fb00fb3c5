"""A local folder with a source's files."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from comboi_core.domain.errors import (
    ComboiError,
    SourceFileChanged,
    SourceObjectMissing,
    SourceUnreachable,
    UnsupportedValue,
)
from comboi_core.domain.load import SourceFile
from comboi_core.domain.redaction import redactor
from comboi_core.sources.files.identity import digest_of
from comboi_core.sources.files.listing import Listing, finished

_GONE = re.compile("No files found|Cannot open file")


class Folder:
    """A local or mounted folder; implements `Files`.

    Args:
        root: Its path, absolute.
        place: What errors name: `source.table`.

    Raises:
        SourceObjectMissing: there is no such folder.
    """

    parallel = 1

    def __init__(self, root: str, place: str) -> None:
        self._place = place
        self._root = Path(os.path.realpath(root))
        if not self._root.is_dir():
            raise SourceObjectMissing(
                f"{place}: there is no folder {root}", remedy="Correct connection.path, or mount the folder."
            )

    def list(self, pattern: str, lag: float) -> Listing:
        """See `Files.list`."""
        return finished(lambda: self._find(pattern), lag)

    def check(self, files: Iterable[SourceFile]) -> None:
        """See `Files.check`."""
        for file in files:
            try:
                now = self._look(file.path)
            except FileNotFoundError:
                raise SourceFileChanged(f"{self._place}: {file.path} was deleted after the load was planned") from None
            except OSError as error:
                raise self.unreadable(file.path, error) from None
            if now != file:
                raise SourceFileChanged(f"{self._place}: {file.path} changed after the load was planned")

    def digest(self, file: SourceFile) -> str:
        """See `Files.digest`."""
        try:
            with self.open(file.path) as reader:
                return digest_of(reader, file.bytes)
        except OSError as error:
            raise self.unreadable(file.path, error) from None

    def open(self, path: str) -> BinaryIO:
        """See `Files.open`."""
        return (self._root / path).open("rb")

    def address(self, path: str) -> str:
        """See `Files.address`."""
        return str(self._root / path)

    def relative(self, text: str) -> str:
        """See `Files.relative`."""
        return text.replace(f"{self._root}/", "")

    def unreadable(self, path: str, error: OSError) -> ComboiError:
        """See `Files.unreadable`."""
        told = f"{self._place}: {path} cannot be read: {error.strerror or error}"
        if isinstance(error, (PermissionError, FileNotFoundError, NotADirectoryError, IsADirectoryError)):
            return SourceObjectMissing(told, remedy="Give this user the right to read it, or correct path:.")
        return SourceUnreachable(told, remedy="Check the disk or the network share that the folder is on.")

    def translate(self, error: Exception) -> ComboiError | None:
        """See `Files.translate`."""
        if _GONE.search(str(error)):
            told = redactor.cut(self.relative(str(error)), 300)
            return SourceFileChanged(f"{self._place}: a file was deleted or locked while it was read: {told}")
        return None

    def close(self) -> None:
        """See `Files.close`: nothing was given."""

    def _find(self, pattern: str) -> dict[SourceFile, float]:
        found = {}
        try:
            for place in self._root.glob(pattern):
                path = PurePosixPath(place.relative_to(self._root))
                if not any(part.startswith(".") for part in path.parts) and place.is_file():
                    found[self._look(str(path))] = time.time()
        except OSError as error:
            raise self.unreadable(pattern, error) from None
        return found

    def _look(self, path: str) -> SourceFile:
        if not _usable(path):
            raise UnsupportedValue(
                f"{self._place}: the name of the file {path!r} is not UTF-8, or holds a backslash or a line break",
                remedy="Rename the file.",
            )
        real = Path(os.path.realpath(self._root / path))
        if not real.is_relative_to(self._root):
            raise UnsupportedValue(
                f"{self._place}: {path} is a link that leads out of the source's folder",
                remedy="Copy the file into the folder, or make connection.path a folder above both.",
            )
        stat = real.stat()
        return SourceFile(path, stat.st_size, stat.st_mtime_ns, f"{stat.st_ctime_ns}-{stat.st_ino}")


def _usable(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return not {"\\", "\n"} & set(path)
