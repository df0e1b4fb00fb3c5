"""Which files of a project are assets. A project without one does without the rest of this package: its models alone
take a tenth of the time that a command needs to start.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from comboi_core.config.datasets import DatasetConfig

CHECKS_FOLDER = "quality"
_SUFFIXES = (".sql", ".py")
_NOT_ASSETS = {"macros", "__pycache__"}
YAML_ASSETS = (".asset.yml", ".asset.yaml")
PIPELINE_FILES = ("pipeline.yml", "pipeline.yaml")
_MENTION = re.compile(r"@\s*bruin", re.IGNORECASE)


@dataclass(frozen=True)
class LoadedAssets:
    """What the assets of a project come to.

    Attributes:
        silver, gold: The datasets.
        problems: `file:line: text`, all of them.
        notes: Remarks that are no errors, likewise.
        places: Each dataset's header, as `file:line`.
        input_places: The same of each dataset's inputs, in their order.
        stages: Each asset's stage, of those too that cannot be used as they are.
        symbolic: Dataset -> what it names with `mode: symbolic`, for the lineage only.
    """

    silver: tuple[DatasetConfig, ...] = ()
    gold: tuple[DatasetConfig, ...] = ()
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    places: Mapping[str, str] = field(default_factory=dict)
    input_places: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    stages: Mapping[str, str] = field(default_factory=dict)
    symbolic: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def asset_files(folder: Path) -> list[Path]:
    """Return the files below a folder that say what assets there are: a change of one changes the configuration."""
    return [*candidates(folder), *(path for name in PIPELINE_FILES for path in sorted(folder.rglob(name)))]


def has_assets(folder: Path) -> bool:
    """Whether there may be an asset below a folder, or something that is wrong with one."""
    return any(is_yaml_asset(file) or is_foreign(file) or _mentions(file) for file in candidates(folder)) or any(
        next(folder.rglob(name), None) for name in PIPELINE_FILES
    )


def _mentions(file: Path) -> bool:
    try:
        return _MENTION.search(file.read_text(encoding="utf-8-sig")) is not None
    except (OSError, ValueError):
        return True  # that it cannot be read is said where it is read as an asset


def is_yaml_asset(file: Path) -> bool:
    """Whether a file is an asset by its name, as `raw.asset.yml` is."""
    return file.name.endswith(YAML_ASSETS)


def candidates(folder: Path) -> list[Path]:
    """Return the files below a folder that may be assets, in order."""
    found = []
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        inside = path.relative_to(folder).parts[:-1]
        hidden = any(part.startswith(".") or part in _NOT_ASSETS for part in inside)
        if hidden or inside[:1] == (CHECKS_FOLDER,) or not path.is_file():
            continue
        if path.suffix in _SUFFIXES or is_yaml_asset(path) or is_foreign(path):
            found.append(path)
    return found


def is_foreign(path: Path) -> bool:
    """Whether a file is an asset to Bruin, but of a kind that is not read here."""
    if path.suffix.lower() == ".r":
        return b"@bruin" in path.read_bytes()
    return path.name in ("task.yml", "task.yaml")
