"""Adds an entry to a list of a YAML file by inserting text, so that comments and layout do not change.

Every insertion is verified: the new text has to parse to the old data plus the entry at the end of the list. Otherwise
nothing is inserted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import yaml

Key = str | int
_WIDE = 10**9


@dataclass(frozen=True)
class Item:
    """An item to add to a list.

    Attributes:
        value: The data.
        lines: The same in YAML block style, line by line. Comments are allowed.
    """

    value: Any
    lines: tuple[str, ...]

    @classmethod
    def plain(cls, value: str) -> Item:
        """Return a text as an item."""
        return cls(value, (flow(value),))

    def block(self, indent: int) -> list[str]:
        """Return the lines of the item in a block list with this indentation."""
        first, *rest = self.lines
        pad = " " * indent
        return [f"{pad}- {first}", *(f"{pad}  {line}" for line in rest)]


def flow(value: Any) -> str:
    """Return a value as YAML on one line."""
    options: dict[str, Any] = {"default_flow_style": True, "sort_keys": False, "width": _WIDE}
    text: str = yaml.safe_dump(value, allow_unicode=True, **options).removesuffix("\n").removesuffix("\n...")
    faithful = "\n" not in text and yaml.safe_load(text) == value  # false for example for a text that is only U+0085
    return text if faithful else str(yaml.safe_dump(value, default_style='"', **options)).removesuffix("\n")


def mapping_lines(value: Mapping[str, Any], notes: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Return a mapping's lines in block style. Lists of mappings have one line per mapping.

    Args:
        notes: Key -> comment after it.
    """
    lines: list[str] = []
    for key, item in value.items():
        note = f"  # {notes[key]}" if notes and key in notes else ""
        if isinstance(item, Sequence) and item and all(isinstance(one, Mapping) for one in item):
            lines += [f"{key}:{note}", *(f"  - {_item(one)}" for one in item)]
        else:
            lines.append(f"{key}: {flow(item)}{note}")
    return tuple(lines)


def _item(value: Mapping[str, Any]) -> str:
    if len(value) == 1:
        (key, inner), *_ = value.items()
        return f"{flow(key)}: {flow(inner)}"
    return flow(dict(value))


def appended(text: str, path: tuple[Key, ...], item: Item) -> str | None:
    """Return the text with an item added to the end of the list at `path`. The list is created if necessary.

    Args:
        path: Keys and positions from the root. All except the last one exist.

    Returns:
        None if that is not possible without changing other lines: flow lists with certain comments, aliases, several
        documents, text that is not YAML.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        before = yaml.safe_load(text)
        changed = _inserted(text, root, path, item)
        if changed is None or yaml.safe_load(changed) != _expected(before, path, item.value):
            return None
    except (yaml.YAMLError, ValueError, RecursionError, LookupError, TypeError):
        return None
    return changed


def _expected(before: Any, path: tuple[Key, ...], value: Any) -> Any:
    after = deepcopy(before) if before is not None else {}
    parent = after
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = [*(parent.get(path[-1]) or []), value]
    return after


def _inserted(text: str, root: yaml.Node | None, path: tuple[Key, ...], item: Item) -> str | None:
    if root is None:
        return _joined(text, len(text), [f"{path[0]}:", *item.block(2)]) if len(path) == 1 else None
    parent = root
    for key in path[:-1]:
        parent = _child(parent, key)
    if not isinstance(parent, yaml.MappingNode):
        return None
    found = next((value for name, value in parent.value if name.value == path[-1]), None)
    column = parent.value[0][0].start_mark.column if parent.value else 0
    if found is None:
        return _new_key(text, parent, str(path[-1]), item, column, at_root=parent is root)
    if isinstance(found, yaml.SequenceNode) and found.value:
        return _after_last(text, found, item)
    if parent.flow_style:
        start, end = found.start_mark.index, found.end_mark.index
        return f"{text[:start]}[{flow(item.value)}]{text[end:]}"
    return _in_place_of_nothing(text, found, item, column)


def _child(node: yaml.Node, key: Key) -> yaml.Node:
    found: yaml.Node = (
        node.value[key] if isinstance(key, int) else next(value for name, value in node.value if name.value == key)
    )
    return found


def _after_last(text: str, found: yaml.SequenceNode, item: Item) -> str:
    last = found.value[-1]
    if found.flow_style:
        end = last.end_mark.index
        line = text[_line_start(text, last.start_mark.index) : last.start_mark.index]
        alone = not line.strip() and "#" not in text[end : _line_end(text, end)]
        return f"{text[:end]},{_newline(text) + line if alone else ' '}{flow(item.value)}{text[end:]}"
    column = found.start_mark.column
    lines = item.block(column)
    above = [line for line in text[: last.start_mark.index].splitlines()[:-1] if not line.lstrip().startswith("#")]
    if len(found.value) > 1 and not above[-1].strip():
        lines.insert(0, "")  # there are blank lines between the items
    return _joined(text, _content_end(text, _end(last), column), lines)


def _in_place_of_nothing(text: str, found: yaml.Node, item: Item, column: int) -> str | None:
    """Put the first item in place of `[]`, `null` or nothing."""
    start, end = found.start_mark.index, found.end_mark.index
    if text[start:end].strip("[] \t") not in ("", "null", "~", "Null", "NULL"):
        return None
    bare = text[:start].rstrip(" \t") + text[end:]
    return _joined(bare, _line_end(bare, len(text[:start].rstrip(" \t"))), item.block(column + 2))


def _new_key(
    text: str, parent: yaml.MappingNode, key: str, item: Item, column: int, *, at_root: bool
) -> str | None:  # fmt: skip
    if parent.flow_style:
        if not parent.value:
            return None
        end = parent.value[-1][1].end_mark.index
        return f"{text[:end]}, {key}: [{flow(item.value)}]{text[end:]}"
    pad = " " * column
    lines = [f"{pad}{key}:", *item.block(column + 2)]
    if at_root:
        return _joined(text.rstrip() + _newline(text), len(text), ["", *lines])
    return _joined(text, _content_end(text, _end(parent), column - 1), lines)


def _joined(text: str, at: int, lines: list[str]) -> str:
    """Insert lines after the line that ends at an index."""
    newline = _newline(text)
    head, tail = text[:at], text[at:]
    if head and not head.endswith("\n"):
        head += newline
        tail = tail.removeprefix("\r").removeprefix("\n")
    return head + newline.join(lines) + newline + tail


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _line_start(text: str, index: int) -> int:
    return text.rfind("\n", 0, index) + 1


def _line_end(text: str, index: int) -> int:
    """Return the index after the line's last character, before its line break."""
    end = text.find("\n", index)
    end = len(text) if end < 0 else end
    return end - 1 if text[index:end].endswith("\r") else end


def _content_end(text: str, index: int, column: int) -> int:
    """Return the end of the line at an index, or of the comments below it with more indentation."""
    end = stop = _line_end(text, len(text[:index].rstrip()))
    while stop < len(text):
        start = text.find("\n", stop) + 1
        stop = _line_end(text, start)
        line = text[start:stop]
        if line.lstrip().startswith("#") and len(line) - len(line.lstrip()) > column:
            end = stop
        elif not start or line.strip():
            break
    return end


def _end(node: yaml.Node) -> int:
    """Return the index after a node's last character. The end mark of a block is after blank lines and comments."""
    if not isinstance(node, yaml.CollectionNode) or node.flow_style:
        return node.end_mark.index
    children = [part for one in node.value for part in (one if isinstance(one, tuple) else (one,))]
    return max(_end(child) for child in children)
