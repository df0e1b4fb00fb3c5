"""A lake in a container of an Azure storage account: ADLS Gen2, plain blob storage, or Azurite.

adlfs lists, reads and writes small files, and holds the connection that verified uploads go through; DuckDB reads data
through its own azure extension. Only what both kinds of account have is used: a file is put in place by writing its
blob, never by a rename, which plain blob storage does not have.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from comboi_core.domain.errors import LakeNotFound, LakeUnavailable
from comboi_core.lake.adls_account import Account
from comboi_core.lake.adls_container import Container, is_folder
from comboi_core.lake.adls_errors import error_code

_STAGING = "comboi-lake-"
_LEFTOVER_SECONDS = 86400.0
_UPLOADS = 4
_PARALLEL_DELETES = 16


class AzureLake(Container):
    """A container, or a folder in it; implements `domain.ports.Lake`.

    Args:
        container: It has to be there; in Azurite it is made when the first file is written.
        temp_directory: Where files are staged for upload; default: the system's temporary folder.
    """

    def __init__(
        self, account: Account, container: str, folder: str | None = None, *, temp_directory: str | None = None
    ) -> None:
        super().__init__(account, container, folder)
        self._temporary = Path(temp_directory or tempfile.gettempdir())

    def read(self, path: str) -> bytes:
        """See `domain.ports.Lake.read`."""
        with self._explained(path):
            return self._files.cat_file(self._place(path))

    def write(self, path: str, data: bytes) -> None:
        """See `domain.ports.Lake.write`."""
        self._upload(data, path, self._name(path))

    def exists(self, path: str) -> bool:
        """See `domain.ports.Lake.exists`."""
        name = self._name(path)
        try:
            with self._explained(path):
                return not is_folder(self._files.properties(self._container, name))
        except LakeNotFound:
            return False

    def list(self, folder: str) -> list[str]:
        """See `domain.ports.Lake.list`; the empty folder is the whole lake."""
        root = f"{self._container}/{self._prefix}"
        start = self._place(folder) if folder else root.rstrip("/")
        with self._explained(folder):
            found = [path.removeprefix(root) for path in self._files.find(start) if path.startswith(f"{start}/")]
        return sorted(path for path in found if not any(piece.startswith(".") for piece in path.split("/")))

    def delete(self, paths: Iterable[str]) -> None:
        """See `domain.ports.Lake.delete`."""

        def drop(path: str) -> None:
            with suppress(LakeNotFound), self._explained(path):
                self._files.rm_file(self._place(path))

        with ThreadPoolExecutor(_PARALLEL_DELETES) as pool:
            for done in [pool.submit(drop, path) for path in paths]:
                done.result()

    @contextmanager
    def stage(self, path: str) -> Iterator[Path]:
        """See `domain.ports.Lake.stage`; the file is staged on the local disk and uploaded when the block ends."""
        name = self._name(path)
        folder = self._staging(path)
        staged = folder / f"data{Path(path).suffix}"
        try:
            with self._disk(path, staged, folder=self._temporary):
                yield staged
            if staged.exists():
                self._upload(staged, path, name)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def tidy(self) -> None:
        """See `domain.ports.Lake.tidy`; blocks of uploads that never ended, the account drops after a week."""
        for leftover in self._temporary.glob(f"{_STAGING}*"):
            with suppress(OSError):
                if time.time() - leftover.stat().st_mtime > _LEFTOVER_SECONDS:
                    shutil.rmtree(leftover, ignore_errors=True)

    def _staging(self, path: str) -> Path:
        with self._disk(path, self._temporary, folder=self._temporary):
            self._temporary.mkdir(parents=True, exist_ok=True)
            return Path(tempfile.mkdtemp(prefix=_STAGING, dir=self._temporary))

    def _upload(self, content: bytes | Path, path: str, name: str) -> None:
        for attempt in range(1, _UPLOADS + 1):
            try:
                with self._explained(path):
                    self._put(content, name)
                return
            except LakeUnavailable as error:
                # A writer of the same blob has committed, which drops everyone's blocks: ours go up again.
                if attempt == _UPLOADS or "InvalidBlockList" not in error.message:
                    raise

    def _put(self, content: bytes | Path, name: str) -> None:
        """Write; in Azurite into a container that may have to be made first."""
        from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

        try:
            self._files.upload(content, self._container, name)
        except ResourceNotFoundError as error:
            if not self._account.is_emulator or error_code(error) != "ContainerNotFound":
                raise
            with suppress(ResourceExistsError):
                self._files.create_container(self._container)
            self._files.upload(content, self._container, name)
