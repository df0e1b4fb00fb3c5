"""Finding an asset's header in its file: the block of YAML, or the older form of one comment per key.

Line numbers stay those of the file: what is handed on has empty lines in front of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

_OPENING = {".sql": re.compile(r"/\*[ \t]{0,3}@bruin"), ".py": re.compile(r'"""[ \t]{0,3}@bruin')}
_CLOSING = {".sql": re.compile(r"@bruin[ \t]{0,3}\*/"), ".py": re.compile(r'@bruin[ \t]{0,3}"""')}
_COMMENT = {".sql": "--", ".py": "#"}
_MARKS = {".sql": ("/* @bruin", "@bruin */"), ".py": ('""" @bruin', '@bruin """')}
# What somebody may have meant to be a header: Bruin would pass over such a file in silence.
_MEANT = re.compile(r"""(?:/\*+|--+|#+|[ru]?["']{1,3})\s*@\s*bruin\b(?!\.)""", re.IGNORECASE)
_LEGACY = re.compile(r"@bruin\.([^:]*)(:?)(.*)")


class HeaderError(ValueError):
    """A header that cannot be one.

    Args:
        line: Where, counted from 1.
        message: What is wrong, and what to do.
    """

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


@dataclass(frozen=True)
class LegacyKey:
    """One comment of the older form, `-- @bruin.KEY: VALUE`."""

    line: int
    key: str
    value: str


@dataclass(frozen=True)
class Header:
    """What stands in an asset's file.

    Attributes:
        form: `block` or `legacy`.
        line: Where the header begins.
        yaml: For a block: its YAML, with an empty line for each line of the file in front of it.
        keys: For the older form: its comments.
        body: What comes after the block, with blanks in place of the block, byte by byte, so that lines and positions
            are the file's; for the older form: the whole file.
    """

    form: Literal["block", "legacy"]
    line: int
    yaml: str
    keys: tuple[LegacyKey, ...]
    body: str


def find_header(text: str, suffix: str) -> Header | None:
    """Return the header of an SQL or Python file; None if it has none.

    Args:
        text: The file's text, line ends as `\\n`.
        suffix: `.sql` or `.py`.

    Raises:
        HeaderError: there is something like a header that Bruin would not take for one, or that does not end.
    """
    lines = text.split("\n")
    stripped = [line.strip() for line in lines]
    first = next((number for number, line in enumerate(stripped) if line), None)
    legacy = _legacy_keys(lines, suffix)
    if first is None:
        return None
    openings = [number for number, line in enumerate(stripped) if _OPENING[suffix].fullmatch(line)]
    ends = [number for number, line in enumerate(stripped) if _CLOSING[suffix].fullmatch(line)]
    opening, closing = _MARKS[suffix]
    if not openings:
        if _MEANT.match(stripped[first]):
            raise HeaderError(
                first + 1, f"the header's first line has to be `{opening}`, alone, and its last line `{closing}`"
            )
        if ends:
            raise HeaderError(
                ends[0] + 1, f"there is the end of a header without a beginning; its first line has to be `{opening}`"
            )
        return Header("legacy", legacy[0].line, "", legacy, text) if legacy else None
    if openings[0] != first:
        raise HeaderError(openings[0] + 1, f"the header has to be the first thing in the file; line {first + 1} is not")
    if not ends:
        raise HeaderError(first + 1, f"the header does not end; its last line has to be `{closing}`, alone")
    if len(openings) > 1:
        raise HeaderError(openings[1] + 1, f"a second header; a file has one header, and it begins in line {first + 1}")
    if len(ends) > 1:
        raise HeaderError(ends[1] + 1, f"the header already ended in line {ends[0] + 1}")
    if legacy:
        raise HeaderError(legacy[0].line, f"a second header; a file has one header, and it begins in line {first + 1}")
    end = ends[0]
    yaml = "\n" * (first + 1) + "\n".join(lines[first + 1 : end])
    body = "\n".join([*map(_blank, lines[: end + 1]), *lines[end + 1 :]])
    return Header("block", first + 1, yaml, (), body)


def _blank(line: str) -> str:
    return " " * len(line.encode())


def _legacy_keys(lines: list[str], suffix: str) -> tuple[LegacyKey, ...]:
    """Return the comments of the older form; like Bruin, only those that begin their line."""
    found = []
    for number, line in enumerate(lines, 1):
        if not line.startswith(_COMMENT[suffix]):
            continue
        match = _LEGACY.match(line.removeprefix(_COMMENT[suffix]).strip())
        if match:
            key, colon, value = match.groups()
            if not colon:
                raise HeaderError(number, f"`@bruin.{key.strip()}` has no value; write `@bruin.{key.strip()}: VALUE`")
            found.append(LegacyKey(number, key.strip(), value.strip()))
    return tuple(found)


Lines = dict[tuple[str | int, ...], int]
"""Place in a document -> line in the file."""


def as_yaml(keys: tuple[LegacyKey, ...]) -> tuple[dict[str, Any], Lines]:
    """Return the older form as the mapping that a block would hold, and the line of each of its places.

    Raises:
        HeaderError: an unknown key, or one given twice.
    """
    value: dict[str, Any] = {}
    lines: dict[tuple[str | int, ...], int] = {(): keys[0].line}
    for item in keys:
        parts = tuple(item.key.split("."))
        match parts:
            case ("name" | "description" | "type" | "connection" | "image" | "instance",):
                _put(value, lines, parts, item.value, item)
            case ("depends",):
                _put(value, lines, parts, _list(item.value), item)
            case ("secrets",):
                _put(value, lines, parts, [{"key": part} for part in _list(item.value)], item)
            case ("parameters", _):
                _put(value, lines, parts, item.value, item)
            case ("materialization", "type" | "strategy" | "partition_by" | "incremental_key"):
                _put(value, lines, parts, item.value, item)
            case ("materialization", "cluster_by"):
                _put(value, lines, parts, _list(item.value), item)
            case ("columns", name, "checks" | "type" | "primary_key" as key):
                _put_column(value, lines, name, key, item)
            case _:
                raise HeaderError(
                    item.line,
                    f"unknown key '{item.key}'; headers with one comment per key can have name, description, type, "
                    "connection, depends, parameters.NAME, materialization.type (strategy, incremental_key, "
                    "partition_by, cluster_by) and columns.NAME.checks (type, primary_key)",
                )
    return value, lines


def _put(value: dict[str, Any], lines: Lines, path: tuple[str, ...], given: object, item: LegacyKey) -> None:
    inner = value
    for part in path[:-1]:
        inner = inner.setdefault(part, {})
    if path[-1] in inner:
        raise HeaderError(item.line, f"the key '{item.key}' is already given in line {lines[path]}")
    inner[path[-1]] = given
    for end in range(1, len(path) + 1):
        lines.setdefault(path[:end], item.line)
    for position, _ in enumerate(given if isinstance(given, list) else ()):
        lines[(*path, position)] = item.line


def _put_column(value: dict[str, Any], lines: Lines, name: str, key: str, item: LegacyKey) -> None:
    columns = value.setdefault("columns", [])
    position = next((number for number, column in enumerate(columns) if column["name"] == name), len(columns))
    if position == len(columns):
        columns.append({"name": name})
    if key in columns[position]:
        raise HeaderError(item.line, f"the key '{item.key}' is already given in line {lines['columns', position, key]}")
    given: object = item.value
    if key == "checks":
        given = [{"name": check} for check in _list(item.value)]
    elif key == "primary_key":
        if item.value.lower() not in ("true", "false"):
            raise HeaderError(item.line, f"'{item.key}' has to be true or false, not '{item.value}'")
        given = item.value.lower() == "true"
    columns[position][key] = given
    for place in (("columns",), ("columns", position)):
        lines.setdefault(place, item.line)
    lines["columns", position, key] = item.line


def _list(value: str) -> list[str]:
    return [part.strip() for part in value.split(",") if part.strip()]
