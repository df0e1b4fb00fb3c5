"""The JSON schemas of the two YAML files, for editors and for programs that write YAML."""

from __future__ import annotations

import json
from typing import Any, Literal, get_args

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from comboi_core.config.base import DURATION, SIZE, SOME_DURATION
from comboi_core.config.project import PipelineFile, TransformationsFile
from comboi_core.config.written import ANY_TEXT, Json

FileName = Literal["pipeline", "transformations"]
FOLDER = "configs/.schema"
"""Where a project keeps the schemas. The folder is hidden, so deployment packages leave it out."""

FILES: dict[FileName, str] = {"pipeline": "configs/initial.yml", "transformations": "configs/transformations.yml"}
_MODELS: dict[FileName, type[BaseModel]] = {"pipeline": PipelineFile, "transformations": TransformationsFile}
_DURATIONS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
_SIZES = (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10))


def schema(file: FileName) -> Json:
    """Return the JSON schema (2020-12) of one of the two files."""
    model = _MODELS[file]
    generated = model.model_json_schema(schema_generator=_AsWritten)
    return {"$schema": _AsWritten.schema_dialect} | generated


def schema_text(file: FileName) -> str:
    """Return the schema as the text of its file."""
    return json.dumps(schema(file), indent=1, ensure_ascii=False) + "\n"


def schema_files() -> dict[str, str]:
    """Return the texts of both files, by their paths in a project."""
    return {f"{FOLDER}/{file}.json": schema_text(file) for file in get_args(FileName)}


def first_line(file: FileName) -> str:
    """Return the first line of a file in `configs/`, which tells editors its schema."""
    return f"# yaml-language-server: $schema={FOLDER.partition('/')[2]}/{file}.json\n"


def as_written(value: Any, field: Json) -> Any:
    """Return a default as a person would write it: `5s` for a duration of 5.0, `256MiB` for so many bytes."""
    units = _UNITS.get(field.get("pattern"), ())
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    value = int(value) if float(value).is_integer() else value
    return next((f"{value / size:.0f}{unit}" for unit, size in units if value and value % size == 0), value)


_UNITS = {DURATION["pattern"]: _DURATIONS, SOME_DURATION["pattern"]: _DURATIONS, SIZE["pattern"]: _SIZES}


class _AsWritten(GenerateJsonSchema):
    """A schema of what people write. It leaves out titles of keys, defaults of null and discriminators."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def str_schema(self, schema: Any) -> JsonSchemaValue:
        return ANY_TEXT | super().str_schema(schema)

    def nullable_schema(self, schema: Any) -> JsonSchemaValue:
        inner = self.generate_inner(schema["schema"])
        kind = inner.get("type")
        if kind is None:
            return {"anyOf": [inner, {"type": "null"}]}
        found = inner | {"type": [*kind, "null"] if isinstance(kind, list) else [kind, "null"]}
        return found | ({"enum": [*inner["enum"], None]} if "enum" in inner else {})

    def default_schema(self, schema: Any) -> JsonSchemaValue:
        found = super().default_schema(schema)
        default = found.pop("default", None)
        if default is None or isinstance(default, dict | list) or "$ref" in found:
            return found
        return found | {"default": as_written(default, found)}

    def dict_schema(self, schema: Any) -> JsonSchemaValue:
        values = self.generate_inner(schema["values_schema"]) if "values_schema" in schema else {}
        keys = self.generate_inner(schema["keys_schema"]) if "keys_schema" in schema else ANY_TEXT
        named = {} if keys["pattern"] == ANY_TEXT["pattern"] else {"propertyNames": {"pattern": keys["pattern"]}}
        return {"type": "object", "additionalProperties": values or True} | named

    def tagged_union_schema(self, schema: Any) -> JsonSchemaValue:
        found = super().tagged_union_schema(schema)
        return {"oneOf": found["oneOf"]}
