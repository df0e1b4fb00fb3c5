"""Files of a source in a container of Azurite, landed load by load."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from comboi_core.config.source_registry import source_type
from comboi_core.lake.azure.client import FileSystem, file_system
from comboi_core.lake.registry import open_container
from tests.doubles.azurite import Azurite
from tests.support.landing import SOURCE, Landing

_NUMBERS = itertools.count()


@dataclass
class Incoming:
    """The container that somebody writes a source's files to."""

    storage: Azurite
    name: str
    folder: str | None = None

    @classmethod
    def make(cls, storage: Azurite, folder: str | None = None) -> Incoming:
        """Make a container of its own."""
        made = cls(storage, f"incoming-{next(_NUMBERS)}", folder)
        made.files.create_container(made.name)
        return made

    @property
    def files(self) -> FileSystem:
        """The account's file system."""
        return file_system(self.storage.account)

    @property
    def connection(self) -> dict[str, str]:
        """How a source is configured that reads the files."""
        where = {"connection_string": self.storage.connection_string, "file_system": self.name}
        return where | ({"folder": self.folder} if self.folder else {})

    def put(self, path: str, content: str | bytes) -> None:
        """Write a file."""
        data = content.encode() if isinstance(content, str) else content
        self.files.upload(data, self.name, self._place(path))

    def put_all(self, contents: dict[str, str]) -> None:
        """Write many files."""
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(self.put, contents, contents.values()))

    def drop(self, path: str) -> None:
        """Delete a file."""
        self.files.rm_file(f"{self.name}/{self._place(path)}")

    def _place(self, path: str) -> str:
        return f"{self.folder}/{path}" if self.folder else path


@dataclass
class ContainerLanding(Landing):
    """A table whose files are in a container."""

    def open(self, **changed: Any) -> Any:
        """Open the adapter."""
        table = {"name": "t"} | self.table | changed
        source = {"name": "s", "type": "files", "connection": self.connection, "tables": [table]}
        config = SOURCE.validate_python(source)
        container = {"container": open_container(config.connection)}
        return source_type("files").open(self.con, source="s", table=config.tables[0], connection=container)
