"""The JSON schema of a dataset's input, with one form for each way to name it."""

from __future__ import annotations

from collections.abc import Mapping

from comboi_core.config.written import Json
from comboi_core.domain.names import DATASET_NAME_PATTERN, NAME_PATTERN


def input_forms(fields: Mapping[str, Json], descriptions: Mapping[str, str], folders: Mapping[str, str]) -> Json:
    """Return the forms: a bronze table, a dataset, and one path per stage.

    Args:
        fields: The schemas of the short forms' keys.
        descriptions: The descriptions of the long form's keys.
        folders: The folder in front of a dataset's name in a path, by stage.
    """
    bare, dataset = NAME_PATTERN.strip("^$"), DATASET_NAME_PATTERN.strip("^$")
    paths = {"bronze": f"{bare}/{bare}"} | {stage: f"{folder}/{dataset}" for stage, folder in folders.items()}
    needed = {key: field | {"type": "string"} for key, field in fields.items() if key != "view"}
    alias, view = {"alias": needed["alias"]}, {"view": fields["view"]}
    current = {"view": fields["view"] | {"enum": ["current"]}}
    forms = [
        _form("A bronze table", alias | {key: needed[key] for key in ("source", "table")}, view),
        _form("A dataset", alias | {"dataset": needed["dataset"]}, current),
    ]
    for stage, path in paths.items():
        long: Json = {
            "stage": {"const": stage, "description": descriptions["stage"]},
            "source_path": {"type": "string", "pattern": rf"^{path}(?:\.parquet)?$"},
        }
        long["source_path"]["description"] = descriptions["source_path"]
        forms.append(_form("A path", alias | long, view if stage == "bronze" else current))
    return {"oneOf": forms}


def _form(name: str, required: Json, optional: Json) -> Json:
    return {
        "title": name,
        "type": "object",
        "properties": required | optional,
        "required": list(required),
        "additionalProperties": False,
    }
