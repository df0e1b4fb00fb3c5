"""`pipeline.yml`: defaults and variables for the assets in its folder and below, and the macros beside it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from comboi_core.bruin.header.finding import PIPELINE_FILES
from comboi_core.bruin.header.models import AssetHeader
from comboi_core.bruin.header.testing import Mock, refusing
from comboi_core.config.base import Model, Text
from comboi_core.config.document import Document, validate
from comboi_core.domain.errors import ConfigError

REFUSED = {
    "variants": "write a pipeline.yml for each of them, in a folder of its own",
    "macros": "put the macros into files `macros/NAME.sql` beside pipeline.yml",
}
NOTED = {
    "schedule": "comboi's own timer decides when the pipeline runs",
    "catchup": "`comboi run --from DAY --to DAY` builds missed intervals",
    "retries": "`retry:` in the pipeline file decides",
    "rerun_cooldown": "`retry:` in the pipeline file decides",
    "concurrency": "one run of a pipeline at a time",
    "max_active_steps": "`engine: {parallel_datasets: ...}` decides",
    "notifications": "the platform's alerts on failed runs do that",
}
_PASSED_OVER = ("default_connections", "tags", "domains", "owner", "meta", "description", "agent", "commit")


class Variable(Model):
    """A variable, described in JSON Schema; of that only the default and the type mean something here."""

    model_config = Model.model_config | {"extra": "allow"}

    default: Any
    type: str | list[str] | None = None


class Fixture(Mock):
    """Rows that several unit tests share."""

    name: Text


class PipelineHeader(Model):
    """What is read of `pipeline.yml`."""

    name: str | None = None
    start_date: date | None = None
    default: AssetHeader = AssetHeader()
    variables: dict[str, Variable] = Field(default_factory=dict)
    fixtures: tuple[Fixture, ...] = ()
    variants: Any = Field(default=None, exclude=True)
    macros: Any = Field(default=None, exclude=True)

    _refused = refusing(REFUSED)

    @model_validator(mode="before")
    @classmethod
    def _keys(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        dropped = {*NOTED, *_PASSED_OVER}
        return {key: item for key, item in value.items() if key not in dropped and item is not None}


@dataclass(frozen=True)
class AssetPipeline:
    """A pipeline of Bruin, as far as its assets need it.

    Attributes:
        folder: Where pipeline.yml stands, or would stand.
        default: What `default:` says, as the YAML has it.
        variables: Names to default values.
        macros: The files with Jinja macros, in the order of their names.
    """

    folder: Path
    name: str | None = None
    start_date: date | None = None
    default: dict[str, Any] = field(default_factory=dict)
    variables: dict[str, Any] = field(default_factory=dict)
    fixtures: tuple[Fixture, ...] = ()
    macros: tuple[Path, ...] = ()


def read_pipeline(folder: Path, shown: str, problems: list[str], notes: list[str]) -> AssetPipeline | None:
    """Return the pipeline whose pipeline.yml stands in a folder; None if there is none or it cannot be used.

    Args:
        shown: The folder, as messages name it.
        problems, notes: Take what there is to say, as `file:line: text`.
    """
    found = [folder / name for name in PIPELINE_FILES if (folder / name).is_file()]
    if not found:
        return None
    if len(found) > 1:
        problems.append(
            f"{shown}/{found[1].name}:1: there is also {found[0].name} in the folder; remove one of the two"
        )
    try:
        document = Document.read(found[0], f"{shown}/{found[0].name}", yaml12=True)
    except ConfigError as error:
        problems.append(error.message)
        return None
    header = validate(document, PipelineHeader, problems, with_references=False)
    if header is None:
        return None
    given = document.value or {}
    for key, remark in NOTED.items():
        if given.get(key):
            notes.append(f"{document.shown}:{document.line((key,))}: {key}: is ignored: {remark}")
    default = dict(given.get("default") or {})
    if default.pop("name", None) is not None:
        problems.append(
            f"{document.shown}:{document.line(('default', 'name'))}: default.name: a name belongs to one asset; "
            "remove it"
        )
    return AssetPipeline(
        folder=folder,
        name=header.name,
        start_date=header.start_date,
        default=default,
        variables={name: variable.default for name, variable in header.variables.items()},
        fixtures=header.fixtures,
        macros=tuple(sorted((folder / "macros").glob("*.sql"))),
    )


_LISTS = {"depends": "asset", "columns": "name", "custom_checks": "name", "tags": "", "domains": ""}
"""Keys that hold lists, and the key that tells one item from another, where an item is a mapping."""


def with_defaults(given: dict[str, Any], default: dict[str, Any]) -> dict[str, Any]:
    """Return an asset's keys with a pipeline's defaults: what is empty is filled, nothing is replaced.

    Mappings are filled key by key, lists get the items that they lack; `hooks` keep their own list, if they have one.
    """
    merged = dict(given)
    for key, item in default.items():
        own = merged.get(key)
        if own is None or own == "" or own == [] or own == {}:
            merged[key] = item
        elif key in _LISTS:
            merged[key] = _with_items(key, own, item)
        elif isinstance(own, dict) and isinstance(item, dict):
            merged[key] = {**item, **{name: value for name, value in own.items() if value is not None}}
    return merged


def _with_items(key: str, own: Any, default: Any) -> list[Any]:
    listed = [list(value) if isinstance(value, list) else [value] for value in (own, default)]
    present = {_identity(key, item) for item in listed[0]}
    return [*listed[0], *(item for item in listed[1] if _identity(key, item) not in present)]


def _identity(key: str, item: Any) -> str:
    name = item.get(_LISTS[key], item) if isinstance(item, dict) else item
    return str(name).lower()
