"""Seeds: CSV files of the project, as RFC 4180 has them. Nothing is sniffed.

Fields are separated by commas and may stand in `"`; the first record names the columns; the file is UTF-8. A column has
the type that the header gives it, else it is text. An empty field without quotes is NULL, `""` is the empty text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from comboi_core.bruin.header.asset import Asset
from comboi_core.bruin.run.texts import first_refused
from comboi_core.bruin.run.types import declared_types
from comboi_core.domain.errors import ScriptError
from comboi_core.domain.names import did_you_mean
from comboi_core.domain.sql import identifier

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_FIELD = re.compile(r'(?:"((?:[^"]|"")*)"|([^",\r\n][^,\r\n]*)?)(,|\r\n|\n|\r|\Z)')
_TABLE, _LINE = "_comboi_seed", "_comboi_line"
_OTHER_DELIMITERS = ";\t|"


def seed_path(asset: Asset) -> Path:
    """Return the CSV file of a seed."""
    return asset.file.parent / str(asset.header.parameters["path"])


def create_seed(con: DuckDBPyConnection, asset: Asset, into: str) -> None:
    """Make a view of a seed's rows; its columns have the header's types, unless `enforce_schema: false`.

    Raises:
        ScriptError: the file is no such CSV, or a value is none of its column's type; with the CSV's line.
    """
    import pyarrow as pa

    file = seed_path(asset)
    records = list(_records(file, _text(file)))
    names = _names(file, records)
    for line, fields in records[1:]:
        if len(fields) != len(names):
            raise _error(file, line, f"the record has {len(fields)} fields, the header has {len(names)}")
    columns = {name: pa.array([fields[at] for _, fields in records[1:]], pa.string()) for at, name in enumerate(names)}
    con.register(_TABLE, pa.table(columns | {_LINE: pa.array([line for line, _ in records[1:]], pa.int64())}))
    types = _types(asset, file, names)
    refused = first_refused(con, _TABLE, types, place=_LINE)
    if refused:
        line, column, kind, text = refused
        raise _error(file, line, f"the column {column} contains {text!r}, which is not a {kind}")
    listed = (f"CAST({identifier(name)} AS {types.get(name, 'VARCHAR')}) AS {identifier(name)}" for name in names)
    con.execute(f"CREATE VIEW {identifier(into)} AS SELECT {', '.join(listed)} FROM {_TABLE}")


def _text(file: Path) -> str:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise _error(file, 1, f"cannot be read: {error.strerror}") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _error(file, 1 + data.count(b"\n", 0, error.start), "the file is not UTF-8; save it as UTF-8") from error


def _records(file: Path, text: str) -> Iterator[tuple[int, list[str | None]]]:
    """Yield each record with its line; blank lines are none, but within a single column they are NULL."""
    position, line, width = 0, 1, 0
    while position < len(text):
        fields: list[str | None] = []
        start, first, end = position, line, ","
        while end == ",":
            found = _FIELD.match(text, position)
            if found is None:
                raise _error(file, line, 'a field that begins with a quote (") does not end with one before the comma')
            quoted, plain, end = found.groups()
            fields.append(quoted.replace('""', '"') if quoted is not None else plain)
            line += len(re.findall(r"\r\n|\n|\r", found[0]))
            position = found.end()
        width = width or len(fields)
        blank = not text[start:position].strip("\r\n")
        if not blank or (width == 1 and text[position:].strip("\r\n")):
            yield first, fields


def _names(file: Path, records: list[tuple[int, list[str | None]]]) -> list[str]:
    if not records:
        raise _error(file, 1, "the file is empty; the first line has to contain the column names")
    line, names = records[0]
    if not all(names):
        raise _error(file, line, "a column has no name")
    if len(names) == 1 and any(mark in str(names[0]) for mark in _OTHER_DELIMITERS):
        raise _error(file, line, f"the only column is {names[0]!r}; separate the fields of a seed by commas")
    lower = [str(name).lower() for name in names]
    double = next((name for name in names if lower.count(str(name).lower()) > 1), None)
    if double:
        raise _error(file, line, f"several columns are called {double}")
    return [str(name) for name in names]


def _types(asset: Asset, file: Path, names: list[str]) -> dict[str, str]:
    """Return the types of the header's columns, by the names that the file has."""
    found = {name.lower(): name for name in names}
    for position, column in enumerate(asset.header.columns):
        if column.name.lower() not in found:
            place = asset.at("columns", position, "name")
            raise ScriptError(
                f"{place}: {file.name} has no column '{column.name}'{did_you_mean(column.name, names)}; "
                f"it has {', '.join(names)}",
                script=str(asset.file),
            )
    if str(asset.header.parameters.get("enforce_schema", "true")).lower() != "true":
        return {}
    return {found[name.lower()]: kind for name, kind in declared_types(asset).items()}


def _error(file: Path, line: int, said: str) -> ScriptError:
    return ScriptError(
        f"{file}:{line}: {said}",
        remedy="Correct the CSV file, or the column's type in the asset's header.",
        script=str(file),
        line=line,
    )
