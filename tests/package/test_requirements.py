"""What pyproject.toml asks for, what requirements.txt pins, what the code imports: three views of one thing."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from comboi_core.domain.errors import ExtraMissing
from comboi_core.domain.extras import EXTRAS, require
from tests.infra.terraform import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OPTIONAL = {name: wanted for name, wanted in PROJECT["optional-dependencies"].items() if name != "all"}
WANTED = [*PROJECT["dependencies"], *(item for items in OPTIONAL.values() for item in items)]
SHIPPED = ("comboi_core", "durable_local", "orchestrators", "entities", "activities")
DEMO = ROOT / "comboi_core" / "cli" / "demo"
"""Needs the packages of requirements-dev.txt and requirements-data.txt, and says so."""
TESTING = ROOT / "comboi_core" / "testing"
"""Needs pytest, which whoever runs these tests has."""
SPREAD = {"azure", "opencensus", "google"}
"""Modules that several distributions share."""


def pinned() -> dict[str, list[Requirement]]:
    pins: dict[str, list[Requirement]] = {}
    for line in (ROOT / "requirements.txt").read_text().splitlines():
        if text := line.partition("#")[0].strip():
            requirement = Requirement(text)
            pins.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return pins


@pytest.mark.parametrize("text", WANTED)
def test_what_is_asked_for_is_pinned_within_its_range(text):
    wanted = Requirement(text)
    pins = pinned()[canonicalize_name(wanted.name)]
    for pin in pins:
        version = next(iter(pin.specifier)).version
        assert str(pin.specifier) == f"=={version}"
        assert wanted.specifier.contains(version), f"{pin} is not within {wanted}"


def imported() -> dict[str, set[str]]:
    """Return each third-party module that comboi imports (a shared one by two parts of its name) and who does."""
    found: dict[str, set[str]] = {}
    files = [ROOT / "function_app.py", *(file for folder in SHIPPED for file in (ROOT / folder).rglob("*.py"))]
    for file in (file for file in files if not any(map(file.is_relative_to, (DEMO, TESTING)))):
        for node in ast.walk(ast.parse(file.read_bytes())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [str(node.module)]
            for name in names:
                top = name.split(".")[0]
                if top not in sys.stdlib_module_names and top not in {*SHIPPED, "comboi", "function_app"}:
                    found.setdefault(name if top in SPREAD else top, set()).add(str(file.relative_to(ROOT)))
    return found


def provider(module: str) -> str:
    """Return the distribution that brings a module."""
    if module.split(".")[0] not in SPREAD:
        return canonicalize_name(packages_distributions()[module][0])
    parts = module.split(".")
    known = {canonicalize_name(Requirement(text).name) for text in WANTED}
    named = [canonicalize_name("-".join(parts[:size])) for size in range(len(parts), 1, -1)]
    named += ["azure-functions-durable"] if parts[1] == "durable_functions" else []
    return next(name for name in [*named, "nobody"] if name in known or name == "nobody")


@pytest.mark.slow
def test_every_module_that_is_imported_is_asked_for():
    """What only comes along with another package may stay away with its next version."""
    known = {canonicalize_name(Requirement(text).name) for text in WANTED}
    missing = {module: files for module, files in imported().items() if provider(module) not in known}
    assert not missing


def test_the_extras_are_those_that_the_code_knows():
    assert {extra: {provider(module) for module in modules} for extra, modules in EXTRAS.items()} == {
        extra: {canonicalize_name(Requirement(text).name) for text in wanted} for extra, wanted in OPTIONAL.items()
    }


def test_the_extra_all_has_every_other():
    (text,) = PROJECT["optional-dependencies"]["all"]
    assert Requirement(text).name == "comboi" and Requirement(text).extras == set(OPTIONAL)


def test_what_extras_bring_is_imported_within_functions_only():
    optional = {module for modules in EXTRAS.values() for module in modules}
    eager = set()
    for folder in SHIPPED:
        for file in (ROOT / folder).rglob("*.py"):
            for node in ast.parse(file.read_bytes()).body:
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
                eager |= {str(file) for name in names if name.split(".")[0] in optional}
    assert not eager


@pytest.mark.parametrize("extra", sorted(EXTRAS))
def test_a_missing_package_is_told_with_its_extra(extra, monkeypatch):
    require(extra, "something")
    monkeypatch.setitem(sys.modules, EXTRAS[extra][0], None)

    with pytest.raises(ExtraMissing, match=f"something needs .*comboi.{extra}") as caught:
        require(extra, "something")

    assert f"pip install 'comboi[{extra}]'" in caught.value.remedy


def test_the_version_stands_in_one_place():
    """The changelog's newest heading is of that version; code asks the installed package for it."""
    heading = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert heading and heading[1] == PROJECT["version"]
    written = re.compile(rf"""["']{re.escape(PROJECT["version"])}["']""")
    files = [file for folder in SHIPPED for file in (ROOT / folder).rglob("*.py")]
    assert not [str(file) for file in files if written.search(Path(file).read_text())]
