"""The wheels for Azure's Linux image, independent of this machine: the lock, and the unpacked wheels for a package.

Run `make lock` (`python -m comboi_core.cli.wheels`) after every change of requirements.txt. It writes the lock.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from comboi_core.app.place import APP_FOLDER
from comboi_core.domain.errors import ConfigError

REQUIREMENTS, LOCK = APP_FOLDER / "requirements.txt", APP_FOLDER / "infra" / "requirements.lock"
PYTHON = "3.12"
"""The default of the Terraform variable `python_version`. Other versions need other wheels."""

_GLIBC = (36, 35, 34, 31, 28, 27, 26, 24, 17, 12, 5)
"""Minor versions of glibc that a wheel may need, newest first. The image of Python 3.12 has glibc 2.36."""
_LEGACY = ("manylinux2014", "manylinux2010", "manylinux1")
_HEADER = f"# Made by `make lock` from requirements.txt, for Python {PYTHON} on x86-64 Linux: do not edit.\n"
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;#]+)")


def write_lock() -> int:
    """Write the lock: every requirement with the hash of the wheel for the image. Return how many there are."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        _pip("--dry-run", "--ignore-installed", "--report", str(report), into=folder, requirements=REQUIREMENTS)
        found = json.loads(report.read_text())["install"]
    lines = [
        f"{_plain(item['metadata']['name'])}=={item['metadata']['version']}"
        f" --hash=sha256:{item['download_info']['archive_info']['hashes']['sha256']}\n"
        for item in found
    ]
    LOCK.write_text(_HEADER + "".join(sorted(lines)))
    return len(lines)


def checked_lock() -> Path:
    """Return the lock's path.

    Raises:
        ConfigError: the lock does not match requirements.txt.
    """
    wanted, locked = pins(REQUIREMENTS), pins(LOCK)
    differing = sorted(name for name in wanted | locked if not locked.get(name, set()) & wanted.get(name, set()))
    if differing:
        raise ConfigError(
            f"{LOCK.name} does not match {REQUIREMENTS.name}: {', '.join(differing)}",
            remedy="Update it with `make lock`.",
        )
    return LOCK


def pins(file: Path) -> dict[str, set[str]]:
    """Return the versions of each package in a requirements file. Several, if they differ by markers."""
    found: dict[str, set[str]] = {}
    for line in file.read_text().splitlines() if file.exists() else ():
        if match := _PIN.match(line):
            found.setdefault(_plain(match[1]), set()).add(match[2])
    return found


def unpack(folder: Path) -> Iterator[tuple[str, Path]]:
    """Install the locked wheels into a folder with hash check, and yield their files with relative paths.

    Raises:
        ConfigError: the lock does not match, or pip failed. Pip prints the reason.
    """
    try:
        _pip("--no-compile", "--require-hashes", into=str(folder), requirements=checked_lock())
    except subprocess.CalledProcessError:
        raise ConfigError(
            f"the wheels of {LOCK.name} could not be installed",
            remedy="Read pip's message above. `make lock` writes the lock with new hashes.",
        ) from None
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder)
        if file.is_file() and name.parts[0] != "bin":  # scripts that contain the path of this machine's interpreter
            yield name.as_posix(), file


def _pip(*options: str, into: str, requirements: Path) -> None:
    platforms = [*(f"manylinux_2_{minor}_x86_64" for minor in _GLIBC), *(f"{name}_x86_64" for name in _LEGACY)]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", *options]
    command += ["--only-binary=:all:", "--implementation", "cp", "--python-version", PYTHON, "--target", into]
    command += [part for platform in platforms for part in ("--platform", platform)]
    subprocess.run([*command, "--requirement", str(requirements)], check=True)


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    print(f"{LOCK.relative_to(APP_FOLDER)}: {write_lock()} packages for Python {PYTHON}")
