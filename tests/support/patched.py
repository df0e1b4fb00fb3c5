"""A project whose commands run with something replaced in them: what a test does to comboi that no setting can do."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from tests.support.project import Project

HASTY = """
from comboi_core.lake.azure import client
from orchestrators import run
client._FIRST_WAIT = 0.01
run.BOOTSTRAP_RETRY["first_delay"] = 0.1
"""
"""A patch for a lake that is down: as many attempts, and none of the waits between them that no setting shortens."""


@dataclass
class Patched(Project):
    """A project.

    Attributes:
        patch: Python that each command's process executes first.
    """

    patch: str = ""

    @classmethod
    def of(cls, project: Project, patch: str) -> Patched:
        """Return the same project, patched."""
        return cls(project.folder, project.env, patch)

    def command(self, *arguments: str) -> list[str]:
        """See Project.command."""
        return [sys.executable, "-c", f"{self.patch}\nfrom comboi_core.cli.commands import main\nmain()", *arguments]
