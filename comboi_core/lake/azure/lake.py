"""A lake in a container of an Azure storage account: ADLS Gen2, plain blob storage, or Azurite.

adlfs lists, reads and writes small files, and holds the connection that verified uploads go through; DuckDB reads data
through its own azure extension. Only what both kinds of account have is used: a file is put in place by writing its
blob, never by a rename, which plain blob storage does not have.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from comboi_core.domain.errors import LakeNotFound, LakeUnavailable
from comboi_core.domain.folders import Scratch, sweep
from comboi_core.domain.ports import Entries
from comboi_core.lake.azure.account import Account
from comboi_core.lake.azure.container import Container, is_folder
from comboi_core.lake.azure.errors import error_code

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
            content: bytes = self._files.cat_file(self._place(path))
            return content

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

    def entries(self, folder: str) -> Entries:
        """See `domain.ports.Lake.entries`."""
        found = Entries([], [])
        with suppress(LakeNotFound), self._explained(folder):
            for entry in self._files.ls(self._place(folder), detail=True):
                name = entry["name"].rstrip("/").rsplit("/", 1)[-1]
                is_file = entry["type"] == "file"
                if not name.startswith("."):
                    (found.files if is_file else found.folders).append(f"{folder}/{name}" if is_file else name)
        return Entries(sorted(found.folders), sorted(found.files))

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
        scratch = self._staging(path)
        staged = scratch.path / f"data{Path(path).suffix}"
        try:
            with self._disk(path, staged, folder=self._temporary):
                yield staged
            if staged.exists():
                self._upload(staged, path, name)
        finally:
            scratch.close()

    def tidy(self) -> None:
        """See `domain.ports.Lake.tidy`; blocks of uploads that never ended, the account drops after a week."""
        sweep(self._temporary)

    def _staging(self, path: str) -> Scratch:
        with self._disk(path, self._temporary, folder=self._temporary):
            return Scratch(str(self._temporary))

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
