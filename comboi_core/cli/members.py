"""The files of the deployment package. It is an allowlist, so that secrets and data beside the code stay out."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from comboi_core.app.place import APP_FOLDER, CODE_FOLDER, INSTALLED
from comboi_core.bruin.header.asset import SEED
from comboi_core.bruin.header.finding import asset_files, is_yaml_asset
from comboi_core.bruin.header.loading import read_asset
from comboi_core.domain.errors import ConfigError

FILES = ("function_app.py", "host.json", "requirements.txt")
PACKAGES = ("activities", "comboi_core", "entities", "orchestrators")
NOT_IN_AZURE = ("comboi_core/cli/", "comboi_core/testing/", f"comboi_core/{INSTALLED.name}/")
PROJECT_FOLDERS = ("configs", "transformations")

_CODE = frozenset({".py", ".css", ".html", ".js", ".typed"})
_ENDINGS = {
    "configs": frozenset({".yml", ".yaml"}),
    "transformations": frozenset({".py", ".sql", ".yml", ".yaml"}),
}
"""The endings that comboi reads in each folder. CSV files of Bruin's seeds are added because assets name them."""
_LEFT_OUT = frozenset({".md", ".pyc"})
"""Files that comboi does not read. They are left out without an error."""
_MOST_TOLD = 20


class _Refused(NamedTuple):
    """A path that cannot be packed, relative to the project's folder, and the reason."""

    path: str
    why: str


def code_files() -> Iterator[tuple[str, Path]]:
    """Yield comboi's own code as (name in the package, file)."""
    for name in FILES:
        yield name, APP_FOLDER / name
    for folder in PACKAGES:
        home = CODE_FOLDER if folder == "comboi_core" else APP_FOLDER
        for file in _visible(home / folder):
            name = file.relative_to(home).as_posix()
            if file.suffix in _CODE and not name.startswith(NOT_IN_AZURE):
                yield name, file


def project_files(project: Path, include: Collection[str] = ()) -> dict[str, Path]:
    """Return a project's files by their names in the package.

    Args:
        project: The project's folder, resolved.
        include: Further files below `configs/` and `transformations/`, as paths within the project, e.g. a certificate
            or a file that Python code reads.

    Raises:
        ConfigError: the folders contain other files, or links. The error lists them.
    """
    seeds = dict(_seeds(project))
    named = {*seeds, *(Path(os.path.normpath(name)).as_posix() for name in include)}
    members: dict[str, Path] = {}
    refused: list[_Refused] = []
    for folder in PROJECT_FOLDERS:
        if (project / folder).is_symlink():
            refused.append(_Refused(folder, "a link"))
            continue
        for file in _visible(project / folder):
            name = file.relative_to(project).as_posix()
            why = _why_not(file, known=file.suffix in _ENDINGS[folder] or name in named)
            if why:
                refused.append(_Refused(name, why))
            elif not file.is_dir() and (file.suffix not in _LEFT_OUT or name in named):
                members[name] = file
    _refuse(refused)
    _refuse_missing(named - members.keys(), seeds)
    return members


def _why_not(file: Path, *, known: bool) -> str | None:
    mode = file.lstat().st_mode
    if stat.S_ISLNK(mode):
        return "a link"
    if stat.S_ISDIR(mode):
        return None
    if not stat.S_ISREG(mode):
        return "not a regular file"
    return None if known or file.suffix in _LEFT_OUT else "neither code nor configuration"


def _refuse(refused: list[_Refused]) -> None:
    if not refused:
        return
    listed = [f"{path} ({why})" for path, why in refused[:_MOST_TOLD]]
    more = f" and {len(refused) - _MOST_TOLD} more" if len(refused) > _MOST_TOLD else ""
    remedy = "Move secrets and data out of configs/ and transformations/"
    if any(item.why != "a link" for item in refused):
        remedy += "; if your Python code reads a file, pack it with --include PATH"
    if any(item.why == "a link" for item in refused):
        remedy += "; replace a link by the file itself"
    raise ConfigError(
        f"a package may contain only code and configuration, not these: {', '.join(listed)}{more}",
        remedy=f"{remedy}.",
        paths=[item.path for item in refused],
    )


def _refuse_missing(missing: Collection[str], seeds: dict[str, str]) -> None:
    for name in sorted(missing):
        if name in seeds:
            raise ConfigError(
                f"{seeds[name]}: the seed {name} is outside of the packed folders, or hidden",
                remedy="Move it beside its asset, below transformations/.",
            )
        raise ConfigError(
            f"--include {name}: there is no such file below configs/ or transformations/, or it is hidden",
            remedy="Give a file inside the project, e.g. --include transformations/holidays.csv.",
        )


def _seeds(project: Path) -> Iterator[tuple[str, str]]:
    """Yield the CSV files that Bruin assets name (also disabled assets), and the places that name them."""
    folder = project / "transformations"
    for file in asset_files(folder):
        if not is_yaml_asset(file):
            continue
        with suppress(ConfigError):  # loading the project has reported the error already
            asset = read_asset(file, folder)
            if asset.type == SEED:
                seed = os.path.normpath(file.parent / str(asset.header.parameters.get("path", "")))
                yield Path(os.path.relpath(seed, project)).as_posix(), asset.at("parameters", "path")


def _visible(folder: Path) -> Iterator[Path]:
    """Yield everything below a folder except hidden files and compiled Python. Links are not followed."""
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "__pycache__")
        yield from (Path(place, name) for name in folders)
        yield from (Path(place, name) for name in sorted(files) if not name.startswith("."))
