"""The wheels of Azure's image, whatever machine this is: which ones (the lock), and unpacked as a local build has them.

`python -m comboi_core.cli.wheels` writes the lock anew: after every change of requirements.txt (`make lock`).
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
"""The default of the Terraform variable `python_version`; other versions install other wheels."""

_GLIBC = (36, 35, 34, 31, 28, 27, 26, 24, 17, 12, 5)
"""Minor versions of the C library that a wheel may ask for, newest first: the image of Python 3.12 has 2.36."""
_LEGACY = ("manylinux2014", "manylinux2010", "manylinux1")
_HEADER = f"# Made by `make lock` from requirements.txt, for Python {PYTHON} on x86-64 Linux: do not edit.\n"
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;#]+)")


def write_lock() -> int:
    """Write the lock: every requirement with the hash of the wheel that the image installs; return how many."""
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
        ConfigError: it is not in step with requirements.txt.
    """
    wanted, locked = pins(REQUIREMENTS), pins(LOCK)
    differing = sorted(name for name in wanted | locked if not locked.get(name, set()) & wanted.get(name, set()))
    if differing:
        raise ConfigError(
            f"{LOCK.name} does not match {REQUIREMENTS.name}: {', '.join(differing)}",
            remedy="Write it again with `make lock`.",
        )
    return LOCK


def pins(file: Path) -> dict[str, set[str]]:
    """Return the versions per package of a requirements file; more than one where markers tell them apart."""
    found: dict[str, set[str]] = {}
    for line in file.read_text().splitlines() if file.exists() else ():
        if match := _PIN.match(line):
            found.setdefault(_plain(match[1]), set()).add(match[2])
    return found


def unpack(folder: Path) -> Iterator[tuple[str, Path]]:
    """Install the locked wheels into a folder, hashes checked, and yield their files with their paths below it.

    Raises:
        ConfigError: the lock is not in step, or pip could not install it; pip has said why.
    """
    try:
        _pip("--no-compile", "--require-hashes", into=str(folder), requirements=checked_lock())
    except subprocess.CalledProcessError:
        raise ConfigError(
            f"the wheels of {LOCK.name} could not be installed",
            remedy="Read what pip said above; with `make lock` the hashes are taken anew.",
        ) from None
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder)
        if file.is_file() and name.parts[0] != "bin":  # commands, with this machine's interpreter in them
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
