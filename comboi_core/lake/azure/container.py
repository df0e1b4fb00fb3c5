"""A container of an Azure storage account, or a folder in it: where it is, what is read of it, and its errors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comboi_core.domain.errors import ComboiError, ConfigError
from comboi_core.duckdb.rows import one_row
from comboi_core.lake.azure.account import Account
from comboi_core.lake.azure.duckdb import create_secret, load_extension
from comboi_core.lake.azure.errors import translated
from comboi_core.lake.disk import disk_error

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from comboi_core.lake.azure.client import FileSystem

_LONGEST_NAME = 1024
_WILD = re.compile(r"[*?\[]")


def is_folder(blob: Any) -> bool:
    """Tell whether a blob, given by its properties, stands for a folder.

    Where folders are things of their own (ADLS Gen2), they show up as empty blobs that are marked.
    """
    marks = {key.lower(): value for key, value in (blob.metadata or {}).items()}
    return marks.get("hdi_isfolder") == "true"


class Container:
    """What a lake in Azure and a source's files there have in common.

    Paths are relative to the folder, with `/`. Methods raise LakeUnavailable, LakeRefused, LakeNotFound, and
    ConfigError for a path that no blob can have.
    """

    _called = "the lake"
    """What errors call it."""
    _made_as_needed = True
    """Whether in the emulator a container that is not there is an empty one."""

    def __init__(self, account: Account, container: str, folder: str | None = None) -> None:
        self._account = account
        self._container = container
        self._prefix = f"{folder}/" if folder else ""
        self._root = f"{account.address(container)}/{self._prefix}"
        # DuckDB compares it with what `uri` returns, in which the rest may be escaped.
        self._scope = _WILD.split(self._root)[0]
        self._downloads: Path | None = None

    def attach(self, con: DuckDBPyConnection) -> None:
        """Make the connection able to read what `uri` names.

        Where DuckDB's extension does not run, `uri` downloads: into the connection's own temporary folder, which goes
        away with the connection.
        """
        if load_extension(con):
            with self._explained(""):
                create_secret(con, self._account, self._scope)
        else:
            folder = one_row(con, "SELECT current_setting('temp_directory')")[0]
            self._downloads = Path(folder) / self._container / self._prefix

    def uri(self, path: str) -> str:
        """Return what DuckDB's readers take for a file; what they would take for a pattern is escaped."""
        return _WILD.sub(r"[\g<0>]", self.address(path))

    def address(self, path: str) -> str:
        """Return how DuckDB calls a file, in `filename` and in errors; the file is downloaded first if need be."""
        self._name(path)
        if self._downloads is not None:
            self._download(path, self._downloads / path)
        return self.root + path

    @property
    def root(self) -> str:
        """What all addresses begin with."""
        return self._root if self._downloads is None else f"{self._downloads}/"

    def describe(self) -> str:
        """Return where the files are, for people; without credentials."""
        return f"{self._account.endpoint}/{self._container}/{self._prefix}".rstrip("/")

    @property
    def _files(self) -> FileSystem:
        from comboi_core.lake.azure.client import file_system

        return file_system(self._account)

    def _place(self, path: str) -> str:
        return f"{self._container}/{self._name(path)}"

    def _name(self, path: str) -> str:
        pieces = path.split("/")
        if "\x00" in path or any(piece in ("", ".", "..") or piece.startswith(".staging") for piece in pieces):
            raise ConfigError(f"the path {path!r} is outside of {self._called} {self.describe()}")
        name = self._prefix + path
        # Azure turns \ into / and drops a dot at the end; adlfs cuts at ?versionid=.
        changed = "\\" in path or "?versionid=" in path or any(piece.endswith(".") for piece in pieces)
        if changed or not path.isprintable() or len(name) > _LONGEST_NAME:
            raise ConfigError(f"the path {path!r} cannot be a blob's name in {self._called} {self.describe()}")
        return name

    def _download(self, path: str, local: Path) -> None:
        if not local.exists():
            with self._disk(path, local, folder=local.parent), self._explained(path):
                local.parent.mkdir(parents=True, exist_ok=True)
                half = local.with_name(f"{local.name}.half")
                self._files.get_file(self._place(path), str(half))
                half.rename(local)

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
            failed = translated(
                error,
                path=path,
                place=f"{self._called} {self.describe()}",
                account=self._account,
                made_as_needed=self._made_as_needed and self._account.is_emulator,
            )
            if failed is None:
                raise
        raise failed

    @contextmanager
    def _disk(self, path: str, local: Path, *, folder: Path) -> Iterator[None]:
        """Turn what the local disk refuses, also through DuckDB, into the lake's errors; pass everything else.

        Args:
            local: What is written to.
            folder: What remedies name.
        """
        try:
            yield
        except ComboiError:
            raise
        except Exception as error:
            if not isinstance(error, OSError) and str(local) not in str(error):
                raise
            told = f"engine.temp_directory ({folder})"
            raise disk_error(error, path=path, lake=self.describe(), folder=told) from error
