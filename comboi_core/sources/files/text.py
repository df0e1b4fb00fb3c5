"""The text of files: unzipped, decoded and bounded; and rewritten where DuckDB would read it otherwise than we do.

One piece of code decides where a line ends and what stands before the first one. A file in UTF-8 with one kind of
line end goes to DuckDB as it is. One with a preamble, in another encoding, or with line ends of several kinds goes
there as a copy in the spill folder, made in a stream: in UTF-8, from the header on, each record ending on a line feed.
"""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from threading import Lock
from typing import IO, TYPE_CHECKING, BinaryIO

from comboi_core.domain.errors import ComboiError, InternalError, UnsupportedValue
from comboi_core.domain.load import SourceFile
from comboi_core.duckdb.rows import one_row
from comboi_core.sources.files.gzip import unzipped
from comboi_core.sources.files.listing import Files, Listing

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_MARKS = {
    b"\xef\xbb\xbf": "utf-8",
    b"\xff\xfe\x00\x00": "utf-32-le",
    b"\x00\x00\xfe\xff": "utf-32-be",
    b"\xff\xfe": "utf-16-le",
    b"\xfe\xff": "utf-16-be",
}
"""Byte order marks and the encoding that each says, the longer first (Unicode Standard, section 23.8)."""
ESCAPED = "surrogateescape"
"""How bytes that are no UTF-8 pass through a copy, so that DuckDB refuses them, which knows the line."""


def mark(start: bytes, expected: str = "") -> tuple[bytes, str] | None:
    """Return the mark at the beginning of a file and the encoding that it says; None without a mark.

    Args:
        expected: The encoding that counts where the bytes may be two marks, or its beginning.
    """
    found = [(known, encoding) for known, encoding in _MARKS.items() if start.startswith(known)]
    return next((one for one in found if expected and one[1].startswith(expected)), found[0] if found else None)


class Text:
    """Text files of one encoding.

    Args:
        encoding: As `CsvOptions.encoding` has it.
        longest: The longest line, in characters.
        place: What errors name: `source.table`.
    """

    def __init__(self, files: Files, *, encoding: str, longest: int, place: str) -> None:
        self._files = files
        self._encoding = encoding
        self._longest = longest
        self._place = place

    @contextmanager
    def open(self, path: str) -> Iterator[IO[str]]:
        """Give the characters of a file after its mark; reading them raises what `files_formats.UNREADABLE` lists.

        Raises:
            UnsupportedValue: the mark says another encoding, or there is none where only it tells the byte order; the
                file is no gzip file though its name says so, or unzips to more than is allowed.
        """
        with unzipped(self._files, path) as reader:
            codec = self._after_mark(path, reader)
            errors = ESCAPED if codec == "utf-8" else "strict"
            with io.TextIOWrapper(reader, codec, errors=errors, newline="") as lines:
                yield lines

    def line(self, lines: IO[str], path: str, number: int) -> str:
        """Return the next line with its end, or nothing at the end of the file.

        Args:
            number: The line's, from 1.

        Raises:
            UnsupportedValue: it is too long.
        """
        line = lines.readline(self._longest + 1)
        if len(line) > self._longest:
            raise UnsupportedValue(
                f"{self._place}: {path}, line {number} is longer than {self._longest} characters",
                remedy="Raise max_line_bytes in options:, or correct the file: it may have other line ends.",
            )
        return line

    def undecodable(self, path: str) -> UnsupportedValue:
        """Return the error for a file that holds what its encoding has not; reads the file for the line."""
        with unzipped(self._files, path) as reader:
            codec = self._after_mark(path, reader)
            with io.TextIOWrapper(reader, codec, errors="replace", newline="") as lines:
                number = next((number for number, line in enumerate(lines, 1) if "\ufffd" in line), None)
        where = f"{path}, line {number}" if number else path
        return UnsupportedValue(
            f"{self._place}: {where}: not {self._encoding}",
            remedy="Correct the file, or set its encoding in options: (cp1252 is the one of Windows in the West).",
        )

    def _after_mark(self, path: str, reader: io.BufferedReader) -> str:
        """Pass over the mark at the beginning of a file; return the codec for what follows."""
        found = mark(reader.peek(4)[:4], self._encoding)
        if found is None and self._encoding in ("utf-16", "utf-32"):
            raise UnsupportedValue(
                f"{self._place}: {path} has no byte order mark, without which {self._encoding} can be read either way",
                remedy=f"Set options: {{encoding: {self._encoding}-le}} (or {self._encoding}-be), as it was written.",
            )
        if found is None:
            return self._encoding
        said, encoding = found
        if not encoding.startswith(self._encoding):
            raise UnsupportedValue(
                f"{self._place}: {path} begins with the mark of {encoding}, and is to be read as {self._encoding}",
                remedy=f"Set options: {{encoding: {encoding[:6].rstrip('-')}}}, or correct the file.",
            )
        reader.read(len(said))
        return encoding


class Copies:
    """Files, some of which DuckDB reads as rewritten copies; implements `Files`.

    Copies lie in the connection's spill folder until `drop` or `close`.
    """

    def __init__(self, files: Files, con: DuckDBPyConnection) -> None:
        self._files = files
        self._con = con
        self._folder: Path | None = None
        self._made: dict[str, tuple[Path, int]] = {}
        self._numbers = count()
        self._lock = Lock()

    @property
    def parallel(self) -> int:
        """See `Files.parallel`."""
        return self._files.parallel

    def copy(self, path: str, pieces: Iterable[str | bytes], *, cut: int) -> None:
        """Write a copy of a file, which `address` gives from now on.

        Args:
            pieces: Its content.
            cut: How many lines of the file stand before the copy's first one.

        Raises:
            InternalError: the spill folder cannot be written to. What reading the pieces raises passes.
        """
        with self._lock:
            folder = self._folder = self._folder or self._spill()
            made = folder / f"{next(self._numbers)}.txt"
        with _writing(folder):
            writer = made.open("wb")
        with writer:
            for piece in pieces:
                with _writing(folder):
                    writer.write(piece.encode("utf-8", ESCAPED) if isinstance(piece, str) else piece)
            with _writing(folder):
                writer.flush()
        self._made[path] = made, cut

    def cut(self, path: str) -> int:
        """Return how many lines of a file are missing at the beginning of what DuckDB reads."""
        return self._made[path][1] if path in self._made else 0

    def drop(self) -> None:
        """Delete the copies."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._folder, self._made = None, {}

    def list(self, pattern: str, lag: float) -> Listing:
        """See `Files.list`."""
        return self._files.list(pattern, lag)

    def check(self, files: Iterable[SourceFile]) -> None:
        """See `Files.check`."""
        self._files.check(files)

    def digest(self, file: SourceFile) -> str:
        """See `Files.digest`."""
        return self._files.digest(file)

    def open(self, path: str) -> BinaryIO:
        """See `Files.open`."""
        return self._files.open(path)

    def address(self, path: str) -> str:
        """See `Files.address`; a copy's, where there is one."""
        return str(self._made[path][0]) if path in self._made else self._files.address(path)

    def relative(self, text: str) -> str:
        """See `Files.relative`."""
        for path, (made, _) in self._made.items():
            text = text.replace(str(made), path)
        return self._files.relative(text)

    def unreadable(self, path: str, error: OSError) -> ComboiError:
        """See `Files.unreadable`."""
        return self._files.unreadable(path, error)

    def translate(self, error: Exception) -> ComboiError | None:
        """See `Files.translate`."""
        return self._files.translate(error)

    def close(self) -> None:
        """See `Files.close`."""
        self.drop()
        self._files.close()

    def _spill(self) -> Path:
        spill = one_row(self._con, "SELECT current_setting('temp_directory')")[0]
        with _writing(spill):
            Path(spill).mkdir(parents=True, exist_ok=True)
            return Path(tempfile.mkdtemp(prefix="copies-", dir=spill))


class Taken:
    """Lines on their way to a reader of records, which takes several for one record where values have line breaks.

    Attributes:
        count: How many lines were taken so far.
    """

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._record: list[str] = []
        self.count = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self._record.append(line)
        self.count += 1
        return line

    def record(self) -> str:
        """Return the text that was taken since the last call."""
        text = "".join(self._record)
        self._record.clear()
        return text


def records(taken: Taken, reader: Iterable[object]) -> Iterator[str]:
    """Give the text of each record, ending on a line feed, line breaks within quotes as they are.

    Args:
        reader: Makes records of the lines: a `csv.reader` over `taken`.
    """
    for _ in reader:
        text = taken.record()
        bare = text.removesuffix("\n").removesuffix("\r")
        yield text if bare == text else f"{bare}\n"
    yield taken.record()  # of a quote that nothing closes, which DuckDB refuses


def mixed(text: str) -> bool:
    """Tell whether a text's lines end in different ways; a line break within quotes counts as well."""
    returns = text.count("\r")
    both = text.count("\r\n")
    return bool(returns) and not (returns == both == text.count("\n") or (not both and "\n" not in text))


@contextmanager
def _writing(folder: object) -> Iterator[None]:
    try:
        yield
        return
    except OSError as error:
        told = f"{folder} cannot be written to: {error.strerror or error}"
    raise InternalError(told, remedy="Free space there, or let `engine.temp_directory` be another folder.")
