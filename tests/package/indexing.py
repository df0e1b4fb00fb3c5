"""Run by the tests in a process of its own: indexes the app in the current folder, without comboi's checkout at hand.

Prints the functions as JSON; with `--modules` also imports every module of the package, and lists them. `foreign` are
modules of comboi that came from elsewhere.
"""

from __future__ import annotations

import json
import pkgutil
import sys
from importlib import import_module
from pathlib import Path

HERE = Path.cwd()
PACKAGES = ("activities", "comboi_core", "entities", "orchestrators")
sys.path.insert(0, str(HERE))


def modules() -> list[str]:
    """Import every module of the package."""
    found = []
    for package in PACKAGES:
        folder = import_module(package)
        found += [info.name for info in pkgutil.walk_packages(folder.__path__, f"{package}.")]
    return [import_module(name).__name__ for name in found]


def main() -> None:
    """Index, import everything, tell."""
    functions = {
        function.get_function_name(): function.get_trigger().type
        for function in import_module("function_app").app.get_functions()
    }
    imported = modules() if "--modules" in sys.argv else []
    foreign = [
        name
        for name, module in sys.modules.items()
        if name.split(".")[0] in {*PACKAGES, "durable_local", "function_app"}
        and getattr(module, "__file__", None)
        and not Path(module.__file__).resolve().is_relative_to(HERE.resolve())
    ]
    print(json.dumps({"functions": functions, "imported": imported, "foreign": foreign}))


if __name__ == "__main__":
    main()
