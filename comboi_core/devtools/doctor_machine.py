"""What `comboi doctor` looks at on this machine: versions, disk, the function app."""

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
    """What came of one check.

    Attributes:
        check: What was tried.
        told: What was found, without secrets.
        remedy: How to mend it; empty where all is well.
    """

    check: str
    ok: bool
    told: str
    remedy: str = ""


def finding(check: str, ok: bool, told: str, remedy: str = "") -> Finding:
    """Return a finding without secrets."""
    return Finding(check, ok, redactor.text(told), redactor.text(remedy))


def packages(requirements: Path | None = None) -> Iterator[Finding]:
    """Compare what is installed with the pins of requirements.txt; of an installed wheel, with what it asks for."""
    from importlib.metadata import PackageNotFoundError, requires, version

    from packaging.requirements import Requirement

    if requirements is None and INSTALLED.is_dir():
        lines, mend = requires("comboi") or [], "install --upgrade comboi"
    else:
        requirements = requirements or APP_FOLDER / "requirements.txt"
        if not requirements.exists():
            yield finding("versions", True, f"{requirements.name} is not here, so nothing is compared")
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
                wrong.append(f"{pin.name} {installed} is installed, {pin.specifier} is asked for")
    if wrong:
        yield finding("versions", False, "; ".join(wrong), f"Run `{sys.executable} -m pip {mend}`.")
    else:
        python = ".".join(map(str, sys.version_info[:3]))
        yield finding("versions", True, f"Python {python}, {len(pins)} packages as asked for")


def disk(workspace: Workspace) -> Iterator[Finding]:
    """Look whether DuckDB can spill and files can be staged."""
    from pydantic import TypeAdapter

    from comboi_core.config.base import Bytes

    engine = workspace.project.pipeline_file.engine
    needed = TypeAdapter(Bytes).validate_python(engine.memory_limit)
    folder = Path(engine.temp_directory or tempfile.gettempdir())
    remedy = "Free space there, or name another folder in engine.temp_directory."
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            free = shutil.disk_usage(folder).free
    except OSError as error:
        yield finding("disk", False, f"{folder}: {error.strerror}", remedy)
        return
    well = free >= needed
    told = f"{free / 1e9:.1f} GB free in {folder} for spilling; memory_limit is {engine.memory_limit}"
    yield finding("disk", well, told, "" if well else remedy)


def function_app(config: Path | None, folder: Path = APP_FOLDER) -> Iterator[Finding]:
    """Import function_app.py in a process of its own, as the Functions host does."""
    if not (folder / "function_app.py").exists():
        remedy = "Install comboi anew: `pip install --force-reinstall comboi`, or `pip install -e .` in its checkout."
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
        yield finding("function app", False, f"importing it took more than {IMPORT_SECONDS:.0f} s", "Look what blocks.")
        return
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        yield finding("function app", False, f"cannot be imported: {last}", "Correct what the message names.")
        return
    yield finding("function app", True, f"{done.stdout.strip()} functions can be indexed")
