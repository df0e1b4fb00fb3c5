"""The checks of `comboi doctor` on this machine: versions, disk, function app."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from comboi_core.app.loader import config_path
from comboi_core.app.place import APP_FOLDER, INSTALLED
from comboi_core.app.workspace import Workspace
from comboi_core.domain.redaction import redactor

IMPORT_SECONDS = 120.0


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        check: What was tried.
        told: The result in words, without secrets.
        remedy: How to fix it. Empty if all is well.
    """

    check: str
    ok: bool
    told: str
    remedy: str = ""


def finding(check: str, ok: bool, told: str, remedy: str = "") -> Finding:
    """Return a finding without secrets."""
    return Finding(check, ok, redactor.text(told), redactor.text(remedy))


def packages(requirements: Path | None = None) -> Iterator[Finding]:
    """Compare the installed packages with requirements.txt, or with the requirements of an installed comboi."""
    from importlib.metadata import PackageNotFoundError, requires, version

    from packaging.requirements import Requirement

    if requirements is None and INSTALLED.is_dir():
        lines, mend = requires("comboi") or [], "install --upgrade comboi"
    else:
        requirements = requirements or APP_FOLDER / "requirements.txt"
        if not requirements.exists():
            yield finding("versions", True, f"there is no {requirements.name}, so nothing is compared")
            return
        text = requirements.read_text(encoding="utf-8")
        lines, mend = [line.partition("#")[0].strip() for line in text.splitlines()], f"install -r {requirements}"
    pins = [Requirement(line) for line in lines if line]
    wrong = []
    for pin in pins:
        if pin.marker and not pin.marker.evaluate({"extra": ""}):
            continue
        try:
            installed = version(pin.name)
        except PackageNotFoundError:
            wrong.append(f"{pin.name} is not installed ({pin.specifier})")
        else:
            if not pin.specifier.contains(installed, prereleases=True):
                wrong.append(f"{pin.name} {installed} is installed, but {pin.specifier} is required")
    if wrong:
        yield finding("versions", False, "; ".join(wrong), f"Run `{sys.executable} -m pip {mend}`.")
    else:
        python = ".".join(map(str, sys.version_info[:3]))
        yield finding("versions", True, f"Python {python}; {len(pins)} packages have the required versions")


def disk(workspace: Workspace) -> Iterator[Finding]:
    """Check that there is enough disk space for DuckDB's temporary files and for files that wait for upload."""
    from pydantic import TypeAdapter

    from comboi_core.config.base import Bytes

    engine = workspace.project.pipeline_file.engine
    needed = TypeAdapter(Bytes).validate_python(engine.memory_limit)
    folder = Path(engine.temp_directory or tempfile.gettempdir())
    remedy = "Free space there, or give another folder in engine.temp_directory."
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            free = shutil.disk_usage(folder).free
    except OSError as error:
        yield finding("disk", False, f"{folder}: {error.strerror}", remedy)
        return
    well = free >= needed
    summary = f"{free / 1e9:.1f} GB free in {folder} for temporary files; memory_limit is {engine.memory_limit}"
    yield finding("disk", well, summary, "" if well else remedy)


def function_app(config: Path | None, folder: Path = APP_FOLDER) -> Iterator[Finding]:
    """Import function_app.py in a new process, as the Functions host does."""
    if not (folder / "function_app.py").exists():
        remedy = "Install comboi again: `pip install --force-reinstall comboi`, or `pip install -e .` in its checkout."
        yield finding("function app", False, f"{folder / 'function_app.py'} does not exist", remedy)
        return
    program = "import function_app; print(len(function_app.app.get_functions()))"
    environment = {**os.environ, "COMBOI_CONFIG": str(config_path(config).resolve())}
    environment.setdefault("COMBOI_TIMER_SCHEDULE", "0 0 0 * * *")
    try:
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=IMPORT_SECONDS,
        )
    except subprocess.TimeoutExpired:
        yield finding(
            "function app",
            False,
            f"its import took more than {IMPORT_SECONDS:.0f} s",
            "Find out what blocks the import.",
        )
        return
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        yield finding("function app", False, f"cannot be imported: {last}", "Correct what the message says.")
        return
    yield finding("function app", True, f"{done.stdout.strip()} functions can be indexed")
