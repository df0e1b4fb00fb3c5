"""Reading one file as an asset."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comboi_core.bruin.header.asset import PYTHON, SEED, SQL, Asset
from comboi_core.bruin.header.finding import is_yaml_asset
from comboi_core.bruin.header.header import Header, HeaderError, as_yaml, find_header
from comboi_core.bruin.header.models import IGNORED, AssetHeader
from comboi_core.bruin.header.pipelines import AssetPipeline, with_defaults
from comboi_core.config.document import Document, validate
from comboi_core.domain.errors import ConfigError

_CODE = {".sql": SQL, ".py": PYTHON}
_TYPES = {
    "duckdb.sensor.query": "comboi builds after the tables have landed, so sensors are not needed; write a "
    "custom check",
    "duckdb.sensor.table": "comboi builds after the tables have landed, so sensors are not needed",
    "ingestr": "comboi lands tables itself: describe the table under `sources:` in the pipeline file",
    "empty": "it builds nothing",
    "r": "comboi runs SQL and Python",
}
"""Types of Bruin that comboi does not run, and what to do instead."""


class AssetProblem(Exception):
    """An asset that cannot be used.

    Args:
        problems: Lines `file:line: text`.
        name: The dataset's name as far as it is known, so that what reads it is not blamed as well.
    """

    def __init__(self, problems: list[str], name: str | None = None) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
        self.name = name


@dataclass(frozen=True)
class AssetFile:
    """An asset, and remarks on it that are no errors, as `file:line: text`."""

    asset: Asset
    notes: tuple[str, ...] = ()


def read_text(file: Path, shown: str) -> str:
    """Return a file's text with line ends as `\\n` and without a byte order mark.

    Raises:
        AssetProblem: it cannot be read, or is not UTF-8.
    """
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise AssetProblem([f"{shown}:1: is not UTF-8: {error.reason}"]) from None
    except OSError as error:
        raise AssetProblem([f"{shown}:1: cannot be read: {error.strerror}"]) from None


def read_asset_file(file: Path, shown: str, pipeline: AssetPipeline, *, name: str) -> AssetFile | None:
    """Return the asset in a file; None if the file has no header.

    Args:
        shown: The file, as messages name it.
        pipeline: The pipeline whose defaults apply.
        name: The dataset's name where the header gives none.

    Raises:
        AssetProblem: it has one that cannot be used.
    """
    text = read_text(file, shown)
    document, line, body = None, 1, ""
    try:
        if is_yaml_asset(file):
            document = Document(text, shown, yaml12=True)
        else:
            header = find_header(text, file.suffix)
            if header is None:
                return None
            document, line, body = _document(header, shown), header.line, header.body
        return _from_document(file, shown, pipeline, name, document, line=line, body=body)
    except HeaderError as error:
        problems = [f"{shown}:{error.line}: {error.message}"]
    except ConfigError as error:
        problems = [error.message]
    except AssetProblem as error:
        problems = error.problems
    given = document.value.get("name") if document and isinstance(document.value, dict) else None
    raise AssetProblem(problems, given if isinstance(given, str) else name)


def _document(header: Header, shown: str) -> Document:
    if header.form == "block":
        return Document(header.yaml, shown, yaml12=True)
    document = Document("", shown)
    document.value, document.lines = as_yaml(header.keys)
    return document


def _from_document(
    file: Path, shown: str, pipeline: AssetPipeline, name: str, document: Document, *, line: int, body: str
) -> AssetFile:
    problems: list[str] = []
    if document.value is None:
        document.value = {}
    own = validate(document, AssetHeader, problems, with_references=False)
    if own is None:
        raise AssetProblem(problems)
    known = document.value
    if file.suffix == ".py":  # Bruin takes Python for Python before it looks at a pipeline's defaults
        known = {**known, "type": known.get("type") or PYTHON}
    given = with_defaults(known, pipeline.default)
    header = AssetHeader.model_validate(given)  # both halves are valid, and filling in makes nothing invalid
    place = document.line(("type",)) if "type" in document.value else line
    kind = _type(file, header, f"{shown}:{place}")
    notes = _notes(document, given, shown)
    named = header.name or name
    if header.name is None:
        try:
            AssetHeader(name=name)
        except ValueError:
            raise AssetProblem(
                [f"{shown}:{line}: the file's path is not a valid name for a dataset ('{name}'); add name: SCHEMA.NAME"]
            ) from None
    asset = Asset(
        file=file,
        shown=shown,
        name=named,
        type=kind,
        line=line,
        header=header,
        body=body,
        pipeline=pipeline,
        lines=dict(document.lines),
    )
    return AssetFile(asset, tuple(notes))


def _type(file: Path, header: AssetHeader, place: str) -> str:
    """Return the asset's type; what is not run is refused by name."""
    expected = SEED if is_yaml_asset(file) else _CODE[file.suffix]
    given = header.type
    if given is None:
        raise AssetProblem([f"{place}: type: is missing; add `type: {expected}`, here or to a pipeline.yml's default:"])
    if given == expected:
        return given
    remedy = _TYPES.get(given)
    if remedy is None and given in (SQL, PYTHON, SEED):
        wanted = {SQL: "a .sql file", PYTHON: "a .py file", SEED: "a file NAME.asset.yml"}[given]
        remedy = f"it has to be in {wanted}"
    raise AssetProblem(
        [f"{place}: comboi does not run type: {given}; {remedy or f'comboi runs {SQL}, {SEED} and {PYTHON}'}"]
    )


def _notes(document: Document, given: dict[str, Any], shown: str) -> list[str]:
    notes = [
        f"{shown}:{document.line((key,))}: {key}: is ignored: {remark}"
        for key, remark in IGNORED.items()
        if given.get(key)
    ]
    block = given.get("materialization") or {}
    for key in ("partition_by", "cluster_by"):
        if block.get(key):
            notes.append(
                f"{shown}:{document.line(('materialization', key))}: {key}: is ignored, because a dataset is one file"
            )
    if block.get("type") == "view":
        notes.append(
            f"{shown}:{document.line(('materialization', 'type'))}: a view is stored as a table, which each run "
            "replaces"
        )
    return notes
