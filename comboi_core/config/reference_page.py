"""docs/configuration.md, made from the schemas: every key of both files, in the order in which people write them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import get_args

from comboi_core.config.base import DURATION, SIZE, SOME_DURATION
from comboi_core.config.check_values import PERCENTAGE
from comboi_core.config.reference_examples import EXAMPLES
from comboi_core.config.schema import FILES, FileName, schema
from comboi_core.config.written import Json
from comboi_core.domain.names import DATASET_NAME_PATTERN, NAME_PATTERN, SQL_NAME_PATTERN

_INTRODUCTION = """\
# Configuration

<!-- Made by `comboi schema reference --out docs` from the docstrings of the models: change those, not this. -->

A project has two YAML files:

- `configs/initial.yml` says where data comes from and where it goes. To use another file, give it with `--config` or
  in `COMBOI_CONFIG`.
- `configs/transformations.yml` says what is made from the data. It is beside the first file, unless
  `transformations_file:` gives another path.

Relative paths start at the project's folder. That is the folder that contains `configs/`. `comboi validate` lists every
problem of both files with its line.

- Keys that are not on this page, and keys that occur twice, are errors.
- **Text** may contain references: `{{env:NAME}}` and `{{keyvault:NAME}}`. comboi resolves them when it uses the value,
  and keeps secrets out of logs ([secrets](security.md#secrets)). Names, numbers, durations, sizes and values from a
  list cannot be references.
- **Names** begin with a letter and contain letters, digits, `_` and `-`, at most 63 characters. Names of datasets and
  aliases contain no `-`. They may begin with a schema: `silver.orders`.
- **Durations** are a number and a unit: `30s`, `5m`, `2h`, `1d`. The longest is `3650d`. A number without a unit means
  seconds.
- **Sizes** are `512MB`, `1GB` (powers of 1000) or `256MiB` (powers of 1024).
- Write numbers, `true` and `false` without quotes.

## In the editor

Editors with the YAML language server (VS Code with Red Hat's YAML extension, Neovim, Helix, and more) use a JSON
schema to complete keys, explain them and mark errors. `comboi init` writes the schemas to `configs/.schema/` and
refers to them in the first line of each file. In a project that exists already, run `comboi schema` and add these lines
yourself. Run it again after each update of comboi. The editor downloads nothing.

```text
# yaml-language-server: $schema=.schema/pipeline.json             in configs/initial.yml
# yaml-language-server: $schema=.schema/transformations.json      in configs/transformations.yml
```

A schema knows only one file, and does not know the values of references. `comboi validate` checks the rest: that inputs
exist, that names are unique, and that keys do not contradict each other.
"""

_KINDS = {
    DURATION["pattern"]: "duration",
    SOME_DURATION["pattern"]: "duration",
    SIZE["pattern"]: "size",
    PERCENTAGE["pattern"]: "percentage",
    NAME_PATTERN: "name",
    SQL_NAME_PATTERN: "name",
    DATASET_NAME_PATTERN: "name",
}


def page() -> str:
    """Return the page in Markdown."""
    return "\n".join([_INTRODUCTION, *(part for file in get_args(FileName) for part in _file(file))])


def _file(file: FileName) -> Iterator[str]:
    found = schema(file)
    yield f"## {FILES[file]}\n"
    yield from _block(file, found, found)
    for name, stands in _places(found).items():
        block = found["$defs"][name]
        shown = [place for place in stands if not (place.startswith("gold") and f"silver{place[4:]}" in stands)]
        also = " (also below `gold`)" if len(shown) < len(stands) else ""
        yield f"### {block['title']}\n"
        yield f"Key: {', '.join(f'`{place}`' for place in shown)}{also}.\n"
        yield from _block(name, block, found)


def _places(found: Json) -> dict[str, list[str]]:
    """Return the places of each definition, in the order of the file."""
    places: dict[str, list[str]] = {}

    def visit(node: Json, path: str) -> None:
        for key, field in _fields(node):
            here = f"{path}.{key}".lstrip(".")
            for name in dict.fromkeys(_references(field)):
                if here not in places.setdefault(name, []):
                    places[name].append(here)
                visit(found["$defs"][name], here)

    visit(found, "")
    return places


def _fields(node: Json) -> Iterator[tuple[str, Json]]:
    """Yield the keys of a mapping, or of all its alternative forms."""
    for form in (node, *_forms(node)):
        yield from form.get("properties", {}).items()


def _forms(node: Json) -> list[Json]:
    either = node.get("anyOf") or node.get("oneOf") or []
    return [form for form in either if "type" in form or "enum" in form]


def _references(node: Json) -> Iterator[str]:
    if "$ref" in node:
        yield node["$ref"].rpartition("/")[2]
    inner = [node[key] for key in ("items", "additionalProperties") if isinstance(node.get(key), dict)]
    for one in (*inner, *node.get("anyOf", ()), *node.get("oneOf", ())):
        yield from _references(one)


def _block(name: str, node: Json, found: Json) -> Iterator[str]:
    yield node["description"].replace("\n", "\n\n") + "\n"
    if "properties" in node:
        yield from _table(node, found)
    for form in _merged(_forms(node)):
        if form.get("type") != "object":
            description = f": {form['description']}" if "description" in form else ""
            yield f"- {_kind(form, found)}{description}\n"
        elif name == "Check":
            yield from _checks(form, found)
        else:
            heading = form["title"] if form.get("title") != node["title"] else "A mapping"
            yield f"{heading}:\n"
            yield from _table(form, found)
    if _model_name(name) in EXAMPLES:
        yield f"```yaml\n{EXAMPLES[_model_name(name)]}```\n"


def _merged(forms: list[Json]) -> list[Json]:
    """Return the forms. Forms with the same title become one that lists all their constants."""
    found: dict[str, Json] = {}
    for form in forms:
        name = form.get("title", f"form {len(found)}")
        first = found.setdefault(name, form)
        fields = first.get("properties", {})
        constants = {
            key: {"enum": [*field.get("enum", [field.get("const")]), form["properties"][key]["const"]]}
            for key, field in fields.items()
            if first is not form and "const" in form["properties"][key]
        }
        found[name] = first | {"properties": fields | {key: fields[key] | one for key, one in constants.items()}}
    return list(found.values())


def _model_name(name: str) -> str:
    """Return the name of the model behind a file or a definition."""
    return {"pipeline": "PipelineFile", "transformations": "TransformationsFile"}.get(name, name)


def _table(node: Json, found: Json) -> Iterator[str]:
    yield "| key | what to write | default | meaning |\n|---|---|---|---|"
    fields = node["properties"]
    for key, field in sorted(fields.items(), key=lambda item: (*_FIRST, item[0]).index(item[0])):
        default = "required" if key in node.get("required", ()) else _default(field)
        yield f"| `{key}` | {_kind(field, found)} | {default} | {_meaning(field, found)} |"
    yield ""


def _checks(node: Json, found: Json) -> Iterator[str]:
    """Yield two tables: the checks, and their parameters."""
    yield "| check | parameters | passes if |\n|---|---|---|"
    parameters: dict[str, tuple[Json, list[str]]] = {}
    for check, field in node["properties"].items():
        mapping = next(form for form in (field, *_forms(field)) if form.get("type") == "object")
        keys = [key for key in mapping["properties"] if key not in _OPTIONS]
        takes = ", ".join(f"`{key}`" for key in keys)
        if mapping is not field:
            takes = f"a column, a list of columns, or a mapping with {takes.replace(', ', ' or ')}"
        yield f"| `{check}` | {takes} | {_cell(field['description'])} |"
        for key, parameter in mapping["properties"].items():
            parameters.setdefault(f"{key} {parameter['description']}", (parameter, []))[1].append(check)
    yield "\n| key | of | what to write | default | meaning |\n|---|---|---|---|---|"
    for word, (parameter, checks) in parameters.items():
        of = "all" if word.partition(" ")[0] in _OPTIONS else ", ".join(f"`{check}`" for check in checks)
        kind = f"{_kind(parameter, found)} | {_default(parameter)}"
        yield f"| `{word.partition(' ')[0]}` | {of} | {kind} | {_cell(parameter['description'])} |"
    yield ""


_FIRST = ("alias", "source", "stage", "name", "type", "connection", "path", "table", "query")
"""Keys that people write first."""
_OPTIONS = ("severity", "on_fail")


def _meaning(field: Json, found: Json) -> str:
    if "description" in field:
        return _cell(field["description"])
    first = next(_references(field), None)
    return _cell(found["$defs"][first]["description"].split("\n")[0]) if first else ""


def _cell(text: str) -> str:
    return text.replace("\n", " ").replace("|", "\\|")


def _default(field: Json) -> str:
    if "default" not in field:
        return ""
    default = field["default"]
    return f"`{default if isinstance(default, str) else json.dumps(default)}`" if default != "" else "empty"


def _kind(field: Json, found: Json) -> str:
    """Return in words what to write for a key."""
    if "$ref" in field:
        title = found["$defs"][next(_references(field))]["title"]
        return f"[{title}](#{title.lower().replace(' ', '-')})"
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"] if isinstance(value, str))
    if "const" in field:
        return f"`{field['const']}`"
    either = field.get("anyOf") or field.get("oneOf")
    if either and "type" not in field:
        kinds = dict.fromkeys(_kind(one, found) for one in either if one.get("type") != "null")
        return ", or ".join(kinds)
    kinds = field.get("type", [])
    (kind, *_) = [one for one in ([kinds] if isinstance(kinds, str) else kinds) if one != "null"] or ["anything"]
    return _KINDS_OF[kind](field, found)


def _text(field: Json) -> str:
    named = _KINDS.get(field.get("pattern", ""))
    longest = " of one character" if field.get("maxLength") == 1 else ""
    return named or ("a number or text" if "number" in field["type"] else f"text{longest}")


def _mapping(field: Json, found: Json) -> str:
    values = field.get("additionalProperties")
    return f"mapping of names to {_kind(values, found)}" if isinstance(values, dict) else "mapping"


def _number(word: str, field: Json) -> str:
    low, above = field.get("minimum"), field.get("exclusiveMinimum")
    high, below = field.get("maximum"), field.get("exclusiveMaximum")
    bounds = [
        f"{word} {json.dumps(bound)}"
        for word, bound in (("from", low), ("above", above), ("up to", high), ("below", below))
        if bound is not None
    ]
    return f"{word} {' '.join(bounds)}".strip()


_KINDS_OF: dict[str, Callable[[Json, Json], str]] = {
    "string": lambda field, found: _text(field),
    "boolean": lambda field, found: "`true`, `false`",
    "integer": lambda field, found: _number("whole number", field),
    "number": lambda field, found: _number("number", field),
    "array": lambda field, found: f"list of {_kind(field['items'], found)}",
    "object": _mapping,
    "anything": lambda field, found: "anything",
}
