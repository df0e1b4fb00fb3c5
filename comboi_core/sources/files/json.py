"""JSON lines: one object a line. Numbers are whole ones of any size, or what doubles hold; see `numbers`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from comboi_core.domain.errors import UnsupportedValue
from comboi_core.domain.load import Column, SourceFile
from comboi_core.domain.redaction import redactor
from comboi_core.domain.sql import identifier, literal
from comboi_core.sources.common.text_types import UNQUOTED
from comboi_core.sources.files.formats import FILE, counted, limited, of_each, read
from comboi_core.sources.files.gzip import refuse_unsound, unzipped
from comboi_core.sources.files.numbers import LONG, lost
from comboi_core.sources.files.text import Copies, mark

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_LONGEST = 16 * 2**20
_PIECE = 2**20
_FETCHED = 1000
_PINNED = {"format": "'newline_delimited'", "maximum_object_size": str(_LONGEST), "hive_partitioning": "false"}


class Json:
    """Files of JSON lines; implements `Format`.

    Args:
        limit: How many bytes a zipped file unzips to at most.
    """

    typed = False
    optional = True

    def __init__(self, con: DuckDBPyConnection, files: Copies, place: str, limit: int) -> None:
        self._con = con
        self._files = files
        self._place = place
        self._limit = limit
        self._marked: dict[str, bool] = {}
        self._doubted: set[str] = set()
        self._spelled: dict[str, str] = {}

    def layouts(self, files: Sequence[SourceFile]) -> dict[str, tuple[Column, ...]]:
        """See `Format.layouts`: all files have the keys of any; every line is looked at, for none must be lost."""
        if not files:
            return {}
        refuse_unsound(self._files, files, self._place, self._limit)
        found = self._keys(files)
        self._doubted |= {self._files.relative(path) for path, *_, doubt in found if doubt}
        wrong = next((path for path, fine, *_ in found if not fine), None)
        if wrong is not None:
            name = self._files.relative(wrong)
            raise UnsupportedValue(
                f"{self._place}: {name}, line {self.line(name, None, '')} is not one JSON object",
                remedy="Write one object a line ({...}), not a list.",
            )
        names: dict[str, str] = {}
        for path, key in sorted((self._files.relative(path), key) for path, _, key, _ in found if key is not None):
            other = names.setdefault(key.lower(), key)
            if other != key:
                raise UnsupportedValue(
                    f"{self._place}: {path}, line {self._line_of(path, key)} has the key '{key}', other lines have "
                    f"'{other}': only case tells them apart, and readers of columns go by neither",
                    remedy="Write the key in one way in all lines and files.",
                )
        self._spelled |= names
        columns = tuple(Column(name, "", "") for name in sorted(names.values()))
        there = {self._files.relative(path) for path, *_ in found}
        return {file.path: columns for file in files if file.path in there}

    def alike(self, path: str) -> bool:
        """See `Format.alike`."""
        return self._marked.get(path, False)

    def scan(self, files: Sequence[SourceFile], names: Sequence[str]) -> str:
        """See `Format.scan`; whether the files begin with a mark is told by the first."""
        if self._is_marked(files[0]):
            of_each(files, self._copy, self._files.parallel)
        # DuckDB finds keys by their case, and columns whatever it is: the key is asked for as the files spell it.
        columns = ", ".join(f"{literal(self._key(name))}: 'JSON'" for name in names)
        said = {"columns": f"{{{columns}}}", "records": "'true'", "auto_detect": "false", **_PINNED}
        return read("read_json", self._files, files, said)

    def sample(self, file: SourceFile, names: Sequence[str], rows: int) -> str:
        """See `Format.sample`."""
        return limited(self.scan([file], names), rows)

    def numbered(self, scan: str) -> str:
        """See `Format.numbered`."""
        return counted(scan)

    def operand(self, name: str, kind: str) -> str:
        """See `Format.operand`: numbers and booleans as JSON writes them, the text of all others."""
        return f"r.{identifier(name)}::VARCHAR" if kind in UNQUOTED else f"(r.{identifier(name)} ->> '$')"

    def refuse_types(self, files: Sequence[SourceFile], columns: Sequence[Column]) -> None:
        """See `Format.refuse_types`: also numbers that a column of text or decimals would hold and no double does."""
        exact = [column for column in columns if column.type == "VARCHAR" or column.type.startswith("DECIMAL")]
        names = [self._key(column.name) for column in exact]
        for file in files if names else ():
            found = self._lost(file, names) if file.path in self._doubted else None
            if found:
                number, key, text = found
                raise UnsupportedValue(
                    f"{self._place}: {file.path}, line {number}: column {key} holds {redactor.cut(text, 60)}, a number "
                    "with more digits than a double has; DuckDB reads JSON's fractions as doubles",
                    remedy=f'Write the number as a string ("{key}": "..."), or land the nearest double with `types: '
                    f"{{{key}: DOUBLE}}`.",
                    column=key,
                )

    def refuse(self, files: Sequence[SourceFile], columns: Sequence[Column]) -> None:
        """See `Format.refuse`: text is exact."""

    def has_no_value(self, path: str, column: str) -> bool:
        """See `Format.has_no_value`, which is asked of files with types of their own."""
        return False

    def line(self, path: str, column: str | None, text: str) -> int | None:
        """See `Format.line`."""
        for number, value in self._objects(path):
            if not isinstance(value, dict) or (column is not None and _is(value.get(self._key(column)), text)):
                return number
        return None

    def _key(self, name: str) -> str:
        """A column's key, as the files spell it whose layouts were asked for last."""
        return self._spelled.get(name.lower(), name)

    def _lost(self, file: SourceFile, names: Sequence[str]) -> tuple[int, str, str] | None:
        """The first line of a file with a number that no double is in one of the columns, the column and the number."""
        fractions = " OR ".join(f"json_type(json, {literal(_pointer(name))}) = 'DOUBLE'" for name in names)
        scan = read("read_ndjson_objects", self._files, [file], _PINNED)
        long = f"regexp_matches(json::VARCHAR, {literal(LONG)})"
        lines = self._con.execute(f"SELECT json::VARCHAR FROM {scan} WHERE {long} AND ({fractions})")
        while some := lines.fetchmany(_FETCHED):
            for (line,) in some:
                found = lost(line, names)
                if found:
                    return self._numbered(file.path, line), *found
        return None

    def _numbered(self, path: str, wanted: str) -> int:
        with unzipped(self._files, path) as lines:
            return next((number for number, line in enumerate(lines, 1) if wanted.encode() in line), 0)

    def _line_of(self, path: str, key: str) -> int | None:
        return next((number for number, value in self._objects(path) if key in value), None)

    def _objects(self, path: str) -> Iterator[tuple[int, Any]]:
        """The lines' numbers and values; what is no JSON is None."""
        with unzipped(self._files, path) as lines:
            for number, line in enumerate(lines, 1):
                if number == 1 and (found := mark(line)):
                    line = line.removeprefix(found[0])
                if line.strip():
                    try:
                        yield number, json.loads(line)
                    except ValueError:
                        yield number, None

    def _keys(self, files: Sequence[SourceFile]) -> list[tuple[str, bool, str | None, bool]]:
        """Address, whether the row is an object, key, whether there is a long number; NULL stands beside the keys for
        the row itself."""
        import duckdb

        try:
            return self._asked(files)
        except duckdb.Error:
            # DuckDB takes no mark; who has one is only looked for where something is wrong.
            marked = [file for file in files if self._is_marked(file)]
            if not marked:
                raise
        of_each(marked, self._copy, self._files.parallel)
        return self._asked(files)

    def _asked(self, files: Sequence[SourceFile]) -> list[tuple[str, bool, str | None, bool]]:
        keys = "CASE WHEN json_type(json) = 'OBJECT' THEN list_append(json_keys(json), NULL) ELSE [NULL] END"
        scan = read("read_ndjson_objects", self._files, files, _PINNED)
        long = f"regexp_matches(json::VARCHAR, {literal(LONG)})"
        fine = "coalesce(json_type(json) = 'OBJECT', false)"
        asked = f"SELECT DISTINCT {FILE}, {fine}, unnest({keys}), {long} FROM {scan}"
        return self._con.execute(asked).fetchall()

    def _is_marked(self, file: SourceFile) -> bool:
        if file.path not in self._marked:
            with unzipped(self._files, file.path) as reader:
                found = mark(reader.peek(4)[:4])
            if found and found[1] != "utf-8":
                raise UnsupportedValue(
                    f"{self._place}: {file.path} begins with the mark of {found[1]}; JSON lines are UTF-8",
                    remedy="Write the file in UTF-8.",
                )
            self._marked[file.path] = found is not None
        return self._marked[file.path]

    def _copy(self, file: SourceFile) -> None:
        with unzipped(self._files, file.path) as reader:
            found = mark(reader.peek(4)[:4])
            reader.read(len(found[0]) if found else 0)
            self._files.copy(file.path, iter(lambda: reader.read(_PIECE), b""), cut=0)


def _pointer(key: str) -> str:
    """The place of a key as RFC 6901 writes it, which DuckDB takes for a path."""
    return f"/{key.replace('~', '~0').replace('/', '~1')}"


def _is(value: Any, text: str) -> bool:
    """Tell whether a JSON value is what `Json.operand` gives as a text."""
    return value is not None and text in (value, json.dumps(value, ensure_ascii=False, separators=(",", ":")))
