"""Virtual environments with what a requirement brings and nothing else, without a download.

What pip would install is linked out of the environment that the tests run in: the files of each distribution that the
requirement asks for, and of those that these ask for.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
SOURCES = {"activities", "comboi", "comboi_core", "durable_local", "entities", "infra", "orchestrators"}
PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"


def needed(requirements: list[str], extras: frozenset[str] = frozenset()) -> dict[str, Distribution]:
    """Return the distributions that requirements ask for, those of distributions among them included."""
    found: dict[str, Distribution] = {}
    todo = [(text, extras) for text in requirements]
    seen: set[tuple[str, frozenset[str]]] = set()
    while todo:
        text, asked = todo.pop()
        requirement = Requirement(text)
        if requirement.marker and not any(requirement.marker.evaluate({"extra": one}) for one in asked | {""}):
            continue
        key = (requirement.name.lower(), frozenset(requirement.extras))
        if key in seen:
            continue
        seen.add(key)
        one = found[key[0]] = distribution(requirement.name)
        assert requirement.specifier.contains(one.version, prereleases=True), f"{text}: {one.version} is installed"
        todo += [(further, key[1]) for further in one.requires or ()]
    return found


def make_environment(folder: Path, wheel: Path, requirements: list[str]) -> Path:
    """Make an environment with a wheel and what `requirements` bring; return its interpreter."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    packages = folder / "lib" / PYTHON / "site-packages"
    for one in needed(requirements).values():
        for file in one.files or ():
            if not file.parts[0].startswith(".."):  # commands
                link = packages / file
                link.parent.mkdir(parents=True, exist_ok=True)
                if not link.exists():
                    link.symlink_to(Path(one.locate_file(file)).resolve())
    python = folder / "bin" / "python"
    pip(python, "install", "--no-index", "--no-deps", str(wheel))
    return python


def pip(python: Path, *arguments: str) -> None:
    """Run pip for another environment."""
    command = [sys.executable, "-m", "pip", "--python", str(python), "--quiet", "--disable-pip-version-check"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def build(source: Path, folder: Path, *, sdist: bool = False) -> Path:
    """Build a wheel of a source tree, by way of an sdist if asked; return its path."""
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(source)]
    done = subprocess.run([*command, *([] if sdist else ["--wheel"])], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = folder.glob("*.whl")
    return wheel


def copy_sources(folder: Path) -> Path:
    """Copy what a wheel is built from, without what earlier builds have left beside it."""
    folder.mkdir(parents=True)
    leftover = shutil.ignore_patterns("__pycache__", "build", "*.egg-info", ".*")
    for file in ROOT.iterdir():
        if file.is_file() and not file.name.startswith("."):
            shutil.copyfile(file, folder / file.name)
        elif file.name in SOURCES:
            shutil.copytree(file, folder / file.name, ignore=leftover)
    return folder
