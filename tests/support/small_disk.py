"""A disk that can be filled: a small tmpfs in a mount namespace, which goes with the process that holds that."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.keyed import hubs
from tests.support.project import Project


@dataclass
class SmallDisk(Project):
    """A project, one folder of which is a disk of its own, seen by the project's commands only.

    Attributes:
        holder: The process whose mount namespace has the disk.
        disk: The folder's path inside the project.
    """

    holder: int = 0
    disk: str = ""

    @property
    def place(self) -> Path:
        """The disk, as it can be reached from outside of the namespace."""
        return Path(f"/proc/{self.holder}/root{self.folder}") / self.disk

    def command(self, *arguments: str) -> list[str]:
        """See Project; the command enters the namespace."""
        return [*_enter(self.holder), "env", "-C", str(self.folder), *super().command(*arguments)]

    def fill(self, left: int = 0) -> None:
        """Use up the disk's space but for some bytes, as something else would that shares it."""
        with open(self.place / "ballast", "wb", buffering=0) as ballast:
            block = bytes(2**16)
            while len(block):
                try:
                    ballast.write(block)
                except OSError:
                    block = block[: len(block) // 2]
            ballast.truncate(max(0, ballast.tell() - left))

    def free(self) -> None:
        """Give the space back."""
        (self.place / "ballast").unlink()

    def seen(self, folder: Path) -> Project:
        """Copy the project, disk included, to where it can be looked into."""
        outside = Path(f"/proc/{self.holder}/root{self.folder}")
        return Project(outside, dict(self.env)).copy(folder)


@contextmanager
def small_disk(project: Project, disk: str, size: str) -> Iterator[SmallDisk]:
    """Mount a disk over a folder of a project, which has nothing in it yet; for root, and for users who may unshare.

    Args:
        size: As mount takes it, e.g. `8m`.
    """
    place = project.folder / disk
    place.mkdir(parents=True)
    namespaces = ["-m"] if os.geteuid() == 0 else ["-rm"]
    script = 'mount -t tmpfs -o size="$1" tmpfs "$2" && echo mounted && exec cat'
    if not shutil.which("unshare"):
        pytest.skip("no unshare (util-linux) to mount a small disk with")
    holder = subprocess.Popen(
        ["unshare", *namespaces, "sh", "-c", script, "sh", size, str(place)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        if holder.stdout.readline() != "mounted\n":
            pytest.skip(f"no small disk can be mounted here: {holder.communicate()[1]}")
        small = SmallDisk(project.folder, dict(project.env), holder.pid, disk)
        if project.hub.is_relative_to(place):  # the key beside the hub is seen from the namespace only
            hubs.add(small.place / project.hub.relative_to(place))
        yield small
    finally:
        holder.communicate(timeout=300)


def _enter(holder: int) -> list[str]:
    user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
    return ["nsenter", f"--target={holder}", "--mount", *user]
