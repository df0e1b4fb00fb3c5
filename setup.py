"""Puts the function app into a wheel, as a folder that the embedded host serves; all else is in pyproject.toml."""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
FOLDER = "comboi_core/function_app_folder"
"""`comboi_core.app.place` finds it there, beside an installed comboi_core."""
FILES = ("function_app.py", "host.json", "requirements.txt", "infra/requirements.lock")
PACKAGES = ("activities", "entities", "orchestrators")


class BuildWithApp(build_py):
    """Copies the app's files beside the packages; an editable installation has them in the checkout."""

    def run(self) -> None:
        """See setuptools."""
        super().run()
        if not self.editable_mode:
            for source, target in self._app_files():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """See setuptools."""
        return [*super().get_outputs(include_bytecode), *(str(target) for _, target in self._app_files())]

    def _app_files(self) -> list[tuple[Path, Path]]:
        code = [file.relative_to(ROOT).as_posix() for name in PACKAGES for file in sorted((ROOT / name).rglob("*.py"))]
        return [(ROOT / name, Path(self.build_lib, FOLDER, name)) for name in (*FILES, *code)]


setup(cmdclass={"build_py": BuildWithApp})
