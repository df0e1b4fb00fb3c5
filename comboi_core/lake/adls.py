"""A lake in a container of an Azure storage account: ADLS Gen2, plain blob storage, or Azurite.

adlfs lists, reads and writes small files, and holds the connection that verified uploads go through; DuckDB reads data
through its own azure extension. Only what both kinds of account have is used: a file is put in place by writing its
blob, never by a rename, which plain blob storage does not have.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from comboi_core.domain.errors import ComboiError, ConfigError, LakeNotFound, LakeUnavailable
from comboi_core.lake.adls_account import Account
from comboi_core.lake.adls_duckdb import create_secret, load_extension
from comboi_core.lake.adls_errors import error_code, translated
from comboi_core.lake.disk import disk_error

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from comboi_core.lake.adls_client import FileSystem

_STAGING = "comboi-lake-"
_LEFTOVER_SECONDS = 86400.0
_UPLOADS = 4
_PARALLEL_DELETES = 16
_LONGEST_NAME = 1024


class AzureLake:
    """A container, or a folder in it; implements `domain.ports.Lake`.

    Args:
        container: It has to be there; in Azurite it is made when the first file is written.
        temp_directory: Where files are staged for upload; default: the system's temporary folder.
    """

    def __init__(
        self, account: Account, container: str, folder: str | None = None, *, temp_directory: str | None = None
    ) -> None:
        self._account = account
        self._container = container
        self._prefix = f"{folder}/" if folder else ""
        self._address = f"{account.address(container)}/{self._prefix}"
        self._temporary = Path(temp_directory or tempfile.gettempdir())
        self._downloads: Path | None = None

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
                found = self._files.properties(self._container, name)
        except LakeNotFound:
            return False
        # Where folders are things of their own (ADLS Gen2), they show up as empty blobs that are marked.
        marks = {key.lower(): value for key, value in (found.metadata or {}).items()}
        return marks.get("hdi_isfolder") != "true"

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
            with self._disk(path, staged):
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

    def attach(self, con: DuckDBPyConnection) -> None:
        """See `domain.ports.Lake.attach`.

        Where DuckDB's extension does not run, `uri` downloads: into the connection's own temporary folder, which goes
        away with the connection.
        """
        if load_extension(con):
            with self._explained(""):
                create_secret(con, self._account, self._address)
        else:
            folder = con.execute("SELECT current_setting('temp_directory')").fetchone()[0]
            self._downloads = Path(folder) / self._container / self._prefix

    def uri(self, path: str) -> str:
        """See `domain.ports.Lake.uri`; what DuckDB would take for a pattern is escaped."""
        self._name(path)
        text = self._address + path if self._downloads is None else str(self._downloaded(path, self._downloads / path))
        return re.sub(r"([*?\[])", r"[\1]", text)

    def describe(self) -> str:
        """See `domain.ports.Lake.describe`."""
        return f"{self._account.endpoint}/{self._container}/{self._prefix}".rstrip("/")

    @property
    def _files(self) -> FileSystem:
        from comboi_core.lake.adls_client import file_system

        return file_system(self._account)

    def _place(self, path: str) -> str:
        return f"{self._container}/{self._name(path)}"

    def _name(self, path: str) -> str:
        pieces = path.split("/")
        if "\x00" in path or any(piece in ("", ".", "..") or piece.startswith(".staging") for piece in pieces):
            raise ConfigError(f"the path {path!r} leads out of the lake {self.describe()}")
        name = self._prefix + path
        # Azure turns \ into / and drops a dot at the end; adlfs cuts at ?versionid=.
        changed = "\\" in path or "?versionid=" in path or any(piece.endswith(".") for piece in pieces)
        if changed or not path.isprintable() or len(name) > _LONGEST_NAME:
            raise ConfigError(f"the path {path!r} cannot be a blob's name in the lake {self.describe()}")
        return name

    def _staging(self, path: str) -> Path:
        with self._disk(path, self._temporary):
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

    def _downloaded(self, path: str, local: Path) -> Path:
        if not local.exists():
            with self._disk(path, local), self._explained(path):
                local.parent.mkdir(parents=True, exist_ok=True)
                half = local.with_name(f"{local.name}.half")
                self._files.get_file(self._place(path), str(half))
                half.rename(local)
        return local

    @contextmanager
    def _explained(self, path: str) -> Iterator[None]:
        """Turn what adlfs and the SDK say into the lake's errors.

        Raised outside of the handler: the original holds the request, and with it the signature.
        """
        try:
            yield
            return
        except ComboiError:
            raise
        except Exception as error:
            failed = translated(error, path=path, lake=self.describe(), account=self._account)
            if failed is None:
                raise
        raise failed

    @contextmanager
    def _disk(self, path: str, local: Path) -> Iterator[None]:
        """Turn what the local disk refuses, also through DuckDB, into the lake's errors; pass everything else."""
        try:
            yield
        except ComboiError:
            raise
        except Exception as error:
            if not isinstance(error, OSError) and str(local) not in str(error):
                raise
            raise disk_error(
                error, path=path, lake=self.describe(), folder=f"engine.temp_directory ({self._temporary})"
            ) from error
