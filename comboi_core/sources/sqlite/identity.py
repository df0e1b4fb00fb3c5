"""Which database a load is planned for, and whether what is read is still that one.

A transaction shows one state of the file that was open when it began. Three things escape it: another file under the
same name (a restored backup, a new export); tables that were dropped and made anew, which may give old keys to other
rows; and programs that write into the file without SQLite's locks (`cp` over it, `rsync --inplace`). So a load
remembers the file and its schema, and a read also looks whether the file was written to meanwhile.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from comboi_core.domain.errors import SourceChanged
from comboi_core.domain.load import Relation
from comboi_core.sources.sqlite import sql
from comboi_core.sources.sqlite.session import SqliteSession

_MAIN = "main"
"""What SQLite itself calls the database of a file. The file's name would stand in the manifest, and may be a secret."""


@dataclass(frozen=True)
class _File:
    """A file as the operating system has it.

    Attributes:
        id: Machine, device and number. Another machine may know the same file by other numbers.
        content: Another one after each write.
    """

    id: str
    content: tuple[int, int]

    @classmethod
    def of(cls, path: Path) -> _File | None:
        """Look at a file, without opening it: closing it again would end SQLite's locks in this process (section 2.2
        of https://www.sqlite.org/howtocorrupt.html). None if it is not there."""
        try:
            found = path.stat()
        except OSError:
            return None
        return cls(f"{platform.node()}:{found.st_dev}:{found.st_ino}", (found.st_size, found.st_mtime_ns))

    @property
    def machine(self) -> str:
        return self.id.rpartition(":")[0].rpartition(":")[0]


class Identity:
    """The database that a snapshot shows; made in the block of `SqliteSession.snapshot`, before anything else."""

    def __init__(self, session: SqliteSession, place: str) -> None:
        self._path = session.file
        self._place = place
        before = _File.of(self._path)
        state = session.rows(sql.STATE)[0]  # opens the file, and takes the lock that readers hold
        self._file = _File.of(self._path)
        self._logged = state["journal"] == "wal"
        # Of a file that takes its place at this very moment nobody knows whether it is the one that was opened.
        known = before is not None and self._file is not None and before.id == self._file.id
        self.relation = Relation(before.id if before and known else "", _MAIN, str(state["schema"]))

    @contextmanager
    def kept(self, planned: Iterable[Relation]) -> Iterator[None]:
        """Give the block that reads; at its end, also after an error, the database has to be the planned one.

        Raises:
            SourceChanged: it is another one, or was written to past SQLite's locks.
        """
        failed: Exception | None = None
        try:
            yield
        except Exception as error:
            failed = error
        now = _File.of(self._path)
        for before in planned:
            told = self._difference(before, now)
            if told:
                raise SourceChanged(
                    f"{self._place}: {self._path} {told}; nothing of it was published", relations=[before.name]
                )
        if failed is not None:
            raise failed

    def _difference(self, before: Relation, now: _File | None) -> str:
        same_machine = now is not None and before.id.startswith(f"{now.machine}:")
        other = now is None or now.id != self.relation.id or (same_machine and before.id != now.id)
        if other or not before.id:
            return "was replaced by another file after the load was planned"
        if before.storage != self.relation.storage:
            return "was restored or vacuumed, or its tables were altered or made anew, after the load was planned"
        # With a write-ahead log, checkpoints write to the file beside readers.
        if not self._logged and self._file is not None and now is not None and now.content != self._file.content:
            return "was written to without SQLite's locks while it was read"
        return ""
