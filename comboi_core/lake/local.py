"""A lake in a local folder."""

from __future__ import annotations

import itertools
import os
import re
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from comboi_core.domain.errors import ComboiError, ConfigError, LakeNotFound, LakeUnavailable
from comboi_core.domain.folders import make_private
from comboi_core.domain.ports import Entries
from comboi_core.lake.disk import disk_error

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_STAGING = ".staging"
_LEFTOVER_SECONDS = 86400.0
_PUT_ATTEMPTS = 50


class LocalLake:
    """A folder; implements `domain.ports.Lake`.

    A file is written in `.staging` inside the folder, flushed to disk, and renamed into place: the same file system, so
    the rename is one step, and a reader or a crash sees the old file or the new one. Names that begin with a dot are
    never listed.
    """

    def __init__(self, root: Path) -> None:
        self._root = Path(os.path.abspath(root))

    def read(self, path: str) -> bytes:
        """See `domain.ports.Lake.read`."""
        with self._explained(path):
            return self._place(path).read_bytes()

    def write(self, path: str, data: bytes) -> None:
        """See `domain.ports.Lake.write`."""
        with self.stage(path) as staged:
            staged.write_bytes(data)

    def exists(self, path: str) -> bool:
        """See `domain.ports.Lake.exists`."""
        with self._explained(path):
            return self._place(path).is_file()

    def list(self, folder: str) -> list[str]:
        """See `domain.ports.Lake.list`; the empty folder is the whole lake."""
        start = self._place(folder) if folder else self._root
        found = []
        with self._explained(folder):
            for place, folders, names in os.walk(start, onerror=_unless_missing):
                folders[:] = [name for name in folders if not name.startswith(".")]
                below = Path(place).relative_to(self._root)
                found += [(below / name).as_posix() for name in names if not name.startswith(".")]
        return sorted(found)

    def entries(self, folder: str) -> Entries:
        """See `domain.ports.Lake.entries`."""
        found = Entries([], [])
        with self._explained(folder), suppress(FileNotFoundError), os.scandir(self._place(folder)) as below:
            for entry in below:
                if not entry.name.startswith("."):
                    kind = found.folders if entry.is_dir() else found.files
                    kind.append(entry.name if entry.is_dir() else f"{folder}/{entry.name}")
        return Entries(sorted(found.folders), sorted(found.files))

    def delete(self, paths: Iterable[str]) -> None:
        """See `domain.ports.Lake.delete`; folders that this leaves empty go too."""
        for path in paths:
            with self._explained(path):
                place = self._place(path)
                place.unlink(missing_ok=True)
                self._drop_empty(place.parent)

    @contextmanager
    def stage(self, path: str) -> Iterator[Path]:
        """See `domain.ports.Lake.stage`."""
        target = self._place(path)
        staged = self._root / _STAGING / f"{secrets.token_hex(8)}{target.suffix}"
        with self._explained(path, staged):
            try:
                make_private(self._root)
                staged.parent.mkdir(parents=True, exist_ok=True)
                yield staged
                if staged.exists():
                    self._put(staged, target)
            finally:
                with suppress(OSError):
                    staged.unlink(missing_ok=True)

    def tidy(self) -> None:
        """See `domain.ports.Lake.tidy`."""
        with suppress(LakeNotFound), self._explained(_STAGING):
            for leftover in (self._root / _STAGING).iterdir():
                with suppress(FileNotFoundError):
                    if time.time() - leftover.stat().st_mtime > _LEFTOVER_SECONDS:
                        leftover.unlink()

    def attach(self, con: DuckDBPyConnection) -> None:
        """See `domain.ports.Lake.attach`; DuckDB reads local files as it is."""

    def uri(self, path: str) -> str:
        """See `domain.ports.Lake.uri`; what DuckDB would take for a pattern is escaped."""
        return re.sub(r"([*?\[])", r"[\1]", str(self._place(path)))

    def describe(self) -> str:
        """See `domain.ports.Lake.describe`."""
        return str(self._root)

    def _place(self, path: str) -> Path:
        pieces = path.split("/")
        place = self._root / path
        inside = all(piece not in ("", ".", "..") and not piece.startswith(_STAGING) for piece in pieces)
        if not inside or "\x00" in path or not place.resolve().is_relative_to(self._root.resolve()):
            raise ConfigError(f"the path {path!r} is outside of the lake {self._root}")
        return place

    def _put(self, staged: Path, target: Path) -> None:
        """Make the content durable, then the name; without the second flush a crash could undo the rename."""
        _flush(staged)
        for attempt in itertools.count():
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(staged, target)
                break
            except (FileNotFoundError, FileExistsError):
                # Another writer's `delete` took the folder while it was empty; mkdir itself may stumble over that.
                if attempt == _PUT_ATTEMPTS:
                    raise
                time.sleep(0.001 * attempt)
        _flush(target.parent)

    def _drop_empty(self, folder: Path) -> None:
        while folder != self._root:
            try:
                folder.rmdir()
            except OSError:
                return
            folder = folder.parent

    @contextmanager
    def _explained(self, path: str, staged: Path | None = None) -> Iterator[None]:
        """Turn what the operating system says, also through DuckDB, into the lake's errors."""
        try:
            yield
        except ComboiError:
            raise
        except FileNotFoundError as error:
            if staged is None:
                raise LakeNotFound(f"{path} is not in the lake {self._root}", path=path) from error
            raise self._unavailable(path, error) from error
        except OSError as error:
            raise self._unavailable(path, error) from error
        except Exception as error:
            if staged is None or str(staged) not in str(error):
                raise
            raise self._unavailable(path, error) from error

    def _unavailable(self, path: str, error: Exception) -> LakeUnavailable:
        return disk_error(error, path=path, lake=str(self._root), folder="the lake's folder")


def _flush(place: Path) -> None:
    handle = os.open(place, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _unless_missing(error: OSError) -> None:
    # A folder that was never made, or that a sweep removed while we walk, holds no files.
    if not isinstance(error, FileNotFoundError):
        raise error
