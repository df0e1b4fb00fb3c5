"""The JSON schema of an entry of `quality_checks`, made from the tables of the checks' parameters."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal, get_args

from comboi_core.config.check_values import Parameter
from comboi_core.config.written import TEXT, Json, at_most_one, given
from comboi_core.domain.names import NAME_PATTERN

Severity = Literal["error", "warn"]
OnFail = Literal["stop", "quarantine"]

MEANINGS = {
    "not_null": "Every row has a value (not NULL) in each of these columns.",
    "unique": "No value of the column occurs twice. NULLs do not count.",
    "unique_combination": "No combination of values of these columns occurs twice.",
    "accepted_values": "The column holds only these values, or NULL.",
    "min": "No value of the column is smaller than `value`.",
    "max": "No value of the column is larger than `value`.",
    "positive": "The numbers in these columns are greater than 0.",
    "non_negative": "The numbers in these columns are 0 or greater.",
    "negative": "The numbers in these columns are less than 0.",
    "pattern": "Every value of the column contains a match of the regular expression.",
    "relationships": "Every value of the column also occurs in a column of another dataset or table.",
    "freshness": "The newest date or time in the column is not older than `max_age`.",
    "row_count": (
        "The number of rows is inside the given limits: absolute (`min`, `max`) or compared with the "
        "published dataset (`min_change`, `max_change`)."
    ),
    "sql": "Your own query returns no rows.",
    "custom": "Your own query returns the expected number.",
}
SCRIPT = "The name of your own check script: `transformations/quality/NAME.py`."

_SEVERITY: Json = {
    "enum": list(get_args(Severity)),
    "default": "error",
    "description": "`error`: a failed check stops the publish. `warn`: it is only reported.",
}
_ON_FAIL: Json = {
    "enum": list(get_args(OnFail)),
    "default": "stop",
    "description": (
        "`stop`: a failing row fails the check. `quarantine`: failing rows go to the quarantine file, and the "
        "rest is published."
    ),
}
_COLUMN: Json = TEXT | {"description": "The column to check."}
_COLUMNS: Json = {"type": "array", "minItems": 1, "items": TEXT, "description": "The columns to check."}


def check_schema(
    of_columns: Collection[str],
    of_values: Mapping[str, Mapping[str, Parameter]],
    of_tables: Mapping[str, Mapping[str, Parameter]],
    of_the_whole: Collection[str],
) -> Json:
    """Return the schema of one entry: a script's name, or a mapping with one check.

    Args:
        of_columns: Checks that take columns and nothing else.
        of_values: Checks of one column; what they need beside it.
        of_tables: Checks of the dataset; what they may be given.
        of_the_whole: Checks that cannot put rows into quarantine.
    """
    bodies = {kind: _of_columns(unique=False) for kind in sorted(of_columns)}
    bodies["unique_combination"] = _of_columns(unique=True)
    for kind, parameters in of_values.items():
        bodies[kind] = _mapping({"column": _COLUMN} | _schemas(parameters), kind in of_the_whole)
        bodies[kind]["required"] = ["column", *parameters]
    for kind, parameters in of_tables.items():
        optional = {key: _or_null(schema) for key, schema in _schemas(parameters).items() if key != "query"}
        bodies[kind] = _mapping(_schemas(parameters) | optional, kind in of_the_whole)
        bodies[kind] |= {"required": ["query"]} if "query" in parameters else {"anyOf": [*map(given, parameters)]}
    bodies["custom"] |= at_most_one("value", "count")
    for kind, body in bodies.items():
        body["description"] = MEANINGS.get(kind, f"The check `{kind}`.")
    one = {"minProperties": 1, "maxProperties": 1, "additionalProperties": False, "properties": bodies}
    script = {"type": "string", "pattern": NAME_PATTERN, "description": SCRIPT}
    return {"anyOf": [script, {"type": "object"} | one]}


def _of_columns(*, unique: bool) -> Json:
    columns = _COLUMNS | ({"uniqueItems": True} if unique else {})
    either = {"anyOf": [TEXT, columns], "description": _COLUMNS["description"]}
    body = _mapping({"column": either, "columns": either}, False)
    body["oneOf"] = [{"required": ["column"]}, {"required": ["columns"]}]
    return {"anyOf": [TEXT, columns, body]}


def _mapping(properties: Json, of_the_whole: bool) -> Json:
    on_fail = _ON_FAIL | {"enum": ["stop"]} if of_the_whole else _ON_FAIL
    options = {"severity": _SEVERITY, "on_fail": on_fail}
    return {"type": "object", "additionalProperties": False, "properties": properties | options}


def _schemas(parameters: Mapping[str, Parameter]) -> Json:
    return {key: parameter.schema for key, parameter in parameters.items()}


def _or_null(schema: Json) -> Json:
    return schema | {"type": [schema["type"], "null"]}
