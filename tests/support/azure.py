"""The small project with its lakes in Azurite in place of folders."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.doubles.azurite import Azurite
from tests.support.project import CONFIG, Project

CONNECTION, SPACE = "LAKE_CONNECTION", "LAKE_SPACE"
LAKES: dict[str, dict[str, Any]] = {
    "bronze": {"file_system": f"{{{{env:{SPACE}}}}}-bronze"},
    "silver": {"file_system": f"{{{{env:{SPACE}}}}}-refined", "folder": "silver"},
    "gold": {"file_system": f"{{{{env:{SPACE}}}}}-refined", "folder": "gold/below"},
}
_SPACES = itertools.count()


@dataclass
class AzureProject(Project):
    """A project whose containers are its own; a copy gets a copy of what they hold."""

    storage: Azurite | None = None

    @classmethod
    def make(cls, folder: Path, uri: str, storage: Azurite) -> AzureProject:
        """Write the standard project, its lakes in Azurite."""
        project = cls.create(folder, uri)
        lakes = {
            stage: {"data_lake": {"connection_string": f"{{{{env:{CONNECTION}}}}}", **lake}}
            for stage, lake in LAKES.items()
        }
        project.write("configs/initial.yml", yaml.safe_dump({**CONFIG, "stages": lakes}, sort_keys=False))
        project._settle(storage)
        return project

    def copy(self, folder: Path) -> AzureProject:
        """Copy everything, state and lakes included."""
        plain = super().copy(folder)
        twin = AzureProject(plain.folder, plain.env)
        twin._settle(self.storage)
        for stage in LAKES:
            ours, theirs = self.lake(stage), twin.lake(stage)
            for path in ours.list(""):
                theirs.write(path, ours.read(path))
        return twin

    def through(self, port: int) -> None:
        """Reach the lakes by way of another port from now on."""
        self.env[CONNECTION] = self.storage.through(port).connection_string

    def _settle(self, storage: Azurite) -> None:
        self.storage = storage
        self.env |= {CONNECTION: storage.connection_string, SPACE: f"project-{next(_SPACES)}"}
