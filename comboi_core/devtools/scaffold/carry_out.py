"""Adds new files and YAML entries to a project. Either everything is written and valid, or nothing is written."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from comboi_core.app.loader import config_path, load
from comboi_core.building.validation.project import script_problems
from comboi_core.config.project import Project
from comboi_core.devtools.scaffold.yaml import Item, Key, appended
from comboi_core.domain.errors import ComboiError, ConfigError, RequestInvalid

CODE = "transformations"


class EntryNotPlaced(ComboiError):
    """comboi cannot add an entry to the YAML without changing other lines."""

    code = "entry_not_placed"
    remedy = "Add the entry below to the file yourself. Then run `comboi validate`."


@dataclass(frozen=True)
class Files:
    """A project's two YAML files: absolute paths below its folder. A file may be a link to another folder."""

    root: Path
    pipeline: Path
    transformations: Path

    @classmethod
    def of(cls, project: Project, config: Path | None) -> Files:
        """Return the files that `load(config)` read.

        Raises:
            RequestInvalid: one of them is outside of the project's folder.
        """
        root, pipeline = project.root.resolve(), config_path(config).resolve()
        named = project.pipeline_file.transformations_file
        place = root / named if named else pipeline.parent / "transformations.yml"
        other = Path(os.path.normpath(place))
        if not other.is_relative_to(root):
            raise RequestInvalid(
                f"transformations_file: {named} is outside of the project's folder, and comboi writes only inside",
                remedy="Add the entry to that file yourself.",
            )
        return cls(root, pipeline, other)

    def shown(self, file: Path) -> str:
        """Return a file's path below the project's folder."""
        return file.relative_to(self.root).as_posix()


@dataclass(frozen=True)
class Change:
    """What to write.

    Attributes:
        created: Path below the project's folder -> text. The files must not exist yet.
        edited: A YAML file -> its new text.
    """

    created: Mapping[str, str] = field(default_factory=dict)
    edited: Mapping[Path, str] = field(default_factory=dict)


def entry(files: Files, file: Path, path: tuple[Key, ...], item: Item) -> Change:
    """Return the change that adds an item to the end of a list in one of the YAML files.

    Raises:
        EntryNotPlaced: the remedy contains the entry.
    """
    changed = appended(_text(file), path, item)
    if changed is None:
        where = ".".join(str(key) for key in path)
        raise EntryNotPlaced(
            f"{files.shown(file)}: comboi cannot add the entry to {where}: without changing other lines; nothing was "
            "written",
            remedy=f"Add it yourself below {where}:, then run `comboi validate`:\n"
            + "\n".join(item.block(2)),
        )  # fmt: skip
    return Change(edited={file: changed})


def position_of(file: Path, path: tuple[Key, ...], name: str) -> int:
    """Return the position of the mapping with a `name:` in a list of a YAML file that `load` has read."""
    value = yaml.safe_load(file.read_text(encoding="utf-8"))
    for key in path:
        value = value[key]
    return next(position for position, item in enumerate(value) if item.get("name") == name)


def carry_out(files: Files, change: Change, *, dataset: str | None = None) -> None:
    """Write a change. Before that, a copy of the project with the change is validated.

    Args:
        dataset: The dataset whose scripts are validated too. Others may be unfinished.

    Raises:
        RequestInvalid: a new file exists already, or a file cannot be written.
        ConfigError: the configuration would not be valid; nothing was written.
    """
    for path in change.created:
        if os.path.lexists(files.root / path):
            raise RequestInvalid(
                f"{path} already exists; nothing was written", remedy="Choose another name, or remove the file."
            )
    _try_out(files, change, dataset)
    written: list[Path] = []
    try:
        for path, text in change.created.items():
            target = files.root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("x", encoding="utf-8", newline="\n") as file:
                written.append(target)
                file.write(text)
        for target, text in change.edited.items():
            _replace(target, text)
    except OSError as error:
        for target in written:
            with suppress(OSError):
                target.unlink()
        raise RequestInvalid(
            f"{error.filename}: cannot be written: {error.strerror}",
            remedy="Check the free space and the access rights.",
        ) from None


def _try_out(files: Files, change: Change, dataset: str | None) -> None:
    with tempfile.TemporaryDirectory(prefix="comboi-new-") as folder:
        copy = Path(folder).resolve() / "project"
        copy.mkdir()
        if (files.root / CODE).is_dir():
            shutil.copytree(files.root / CODE, copy / CODE, ignore=shutil.ignore_patterns("__pycache__"))
        for file in (files.pipeline, files.transformations):
            if file in change.edited or file.exists():
                _put(copy / files.shown(file), change.edited.get(file) or _text(file))
        for path, text in change.created.items():
            _put(copy / path, text)
        try:
            project = load(copy / files.shown(files.pipeline))
            problems = script_problems(project, only=[dataset]) if dataset else []
        except ConfigError as error:
            problems = [error.message]
        if problems:
            lines = "\n".join(problems).replace(f"{copy}{os.sep}", "").replace(f"{os.path.relpath(copy)}{os.sep}", "")
            raise ConfigError(
                f"the project would not be valid, so nothing was written:\n{lines}",
                remedy="Correct the problems above, or choose another name. Then run the command again.",
            )


def _text(file: Path) -> str:
    """Return a YAML file's text with its line breaks. The file may be missing if assets define all datasets."""
    if not file.exists():
        return ""
    with file.open(encoding="utf-8", newline="") as text:
        return text.read()


def _put(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8", newline="")


def _replace(target: Path, text: str) -> None:
    """Replace a file's text atomically, and keep its permissions."""
    target = target.resolve()
    staged = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        with staged.open("x", encoding="utf-8", newline="") as file:
            file.write(text)
        if target.exists():
            shutil.copymode(target, staged)
        os.replace(staged, target)
    finally:
        staged.unlink(missing_ok=True)
