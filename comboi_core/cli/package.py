"""The zip for Azure Functions: the app's code, and a project's configuration and scripts, and nothing else.

By default the deployment installs the dependencies from the lock and checks their hashes. With `--dependencies packed`
they are in the zip. DuckDB's extensions are ordinary wheels, so a cold start downloads nothing. The module `members`
decides which files are packed.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from comboi_core.app.place import APP_FOLDER
from comboi_core.cli.options import AsJson, console, print_json, reporting, writing
from comboi_core.cli.wheels import PYTHON, checked_lock, unpack
from comboi_core.domain.errors import ConfigError, RequestInvalid

if TYPE_CHECKING:
    from comboi_core.config.project import Project

STAGES = ("bronze", "silver", "gold")
MAX_BYTES = 10_000_000
"""Size limit of the zip without dependencies. Code and configuration are far smaller; more would be data."""
MAX_PACKED_BYTES = 250_000_000
"""Size limit of the zip with dependencies."""
PACKED = ".python_packages/lib/site-packages"
"""The folder in which the Functions worker looks for packed packages."""

Dependencies = Literal["remote", "hashed", "packed"]

_TASK_HUB = re.compile(r"[A-Za-z][A-Za-z0-9]{2,44}")
_TIME = (1980, 1, 1, 0, 0, 0)


def package(
    project: Annotated[Path, typer.Option(help="The project's folder, with configs/ and transformations/.")] = Path(
        "."
    ),
    output: Annotated[Path, typer.Option(help="The zip file. An existing file is replaced.")] = Path("dist/comboi.zip"),
    config: Annotated[
        Path, typer.Option(help="The pipeline's file inside the project. Set COMBOI_CONFIG in Azure to the same path.")
    ] = Path("configs/initial.yml"),
    dependencies: Annotated[
        Dependencies,
        typer.Option(
            help="hashed: the deployment installs infra/requirements.lock and checks hashes; "
            f"packed: in the zip, for Python {PYTHON}; remote: the deployment installs requirements.txt without hashes."
        ),
    ] = "hashed",
    include: Annotated[
        list[str] | None,
        typer.Option(help="A further file below configs/ or transformations/ that your code reads. Repeatable."),
    ] = None,
    task_hub: Annotated[
        str | None, typer.Option(help="The name of the task hub, in place of the one in host.json.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Build the deployment package for Azure Functions. The project has to be valid."""
    with reporting():
        built = build(
            project.resolve(), output, config, dependencies=dependencies, include=include or (), task_hub=task_hub
        )
    if as_json:
        print_json(built)
        return
    for note in built["notes"]:
        console.print(f"! {note}", style="yellow", markup=False)
    for store, names in built["needs"].items():
        if names:
            console.print(f"{NEEDS[store]}: {', '.join(names)}", markup=False)
    size = f"{built['files']} files, {built['bytes'] / 1000:,.0f} kB ({built['unpacked'] / 1000:,.0f} kB unpacked)"
    console.print(f"✓ {output}: {size}, sha256 {built['sha256'][:12]}", style="green", markup=False)


NEEDS = {
    "env": "app settings to set, because the configuration reads them",
    "keyvault": "secrets to have in Key Vault, because the configuration reads them",
}


def build(
    project: Path,
    output: Path,
    config: Path = Path("configs/initial.yml"),
    *,
    dependencies: Dependencies = "hashed",
    include: Collection[str] = (),
    task_hub: str | None = None,
) -> dict[str, Any]:
    """Write the zip. The same files always give the same bytes.

    Returns:
        `files`, `bytes`, `unpacked` (bytes), `sha256`, `notes`, and `needs`: names of references by their store.

    Raises:
        ConfigError: the project is invalid, its folders contain files that cannot be packed, or the lock does not match
            requirements.txt.
        RequestInvalid: `config` is outside of the packed folders, `task_hub` is not a valid name, or `output` cannot be
            written.
    """
    from comboi_core.app.loader import load
    from comboi_core.cli.members import PROJECT_FOLDERS, code_files, project_files
    from comboi_core.config.references import find

    if config.is_absolute() or ".." in config.parts or config.parts[:1] != ("configs",):
        raise RequestInvalid(
            f"--config {config}: the file has to be in the project's folder configs/, e.g. configs/initial.yml"
        )
    loaded = load(project / config)
    if loaded.root != project:
        raise RequestInvalid(f"--config {config}: the file has to be directly in configs/, not in a folder below it")
    members = {**dict(code_files()), **project_files(project, include)}
    named = loaded.pipeline_file.transformations_file
    if named is not None and named not in members:
        raise ConfigError(
            f"{config}: transformations_file: {named} is outside of the packed folders",
            remedy=f"Move it into one of {', '.join(f'{folder}/' for folder in PROJECT_FOLDERS)}.",
        )
    if dependencies != "remote":
        members["requirements.txt"] = checked_lock()
    with tempfile.TemporaryDirectory() as folder:
        limit = MAX_BYTES
        if task_hub is not None:
            members["host.json"] = _host_json(task_hub, Path(folder) / "host.json")
        if dependencies == "packed":
            limit = MAX_PACKED_BYTES
            members |= {f"{PACKED}/{name}": file for name, file in unpack(Path(folder) / "wheels")}
        _zip(members, output, limit)
        unpacked = sum(file.stat().st_size for file in members.values())
    references = set(find(loaded.pipeline_file.model_dump()))
    with output.open("rb") as zipped:
        digest = hashlib.file_digest(zipped, "sha256").hexdigest()
    return {
        "files": len(members),
        "bytes": output.stat().st_size,
        "unpacked": unpacked,
        "sha256": digest,
        "notes": list(_notes(loaded)),
        "needs": {store: sorted({item.name for item in references if item.store == store}) for store in NEEDS},
    }


def _host_json(task_hub: str, file: Path) -> Path:
    """Write host.json with another task hub. The scale controller reads only this file, not app settings."""
    if not _TASK_HUB.fullmatch(task_hub):
        raise RequestInvalid(
            f"--task-hub '{task_hub}' is not a valid name: use 3 to 45 letters and digits, beginning with a letter"
        )
    document = json.loads((APP_FOLDER / "host.json").read_text())
    document["extensions"]["durableTask"]["hubName"] = task_hub
    file.write_text(json.dumps(document, indent=2))
    return file


def _zip(members: dict[str, Path], output: Path, limit: int) -> None:
    """Write the zip to a temporary file, and rename it when it is complete and not too large."""
    part = output.with_name(f"{output.name}.part")
    with writing(output, "--output"):
        output.parent.mkdir(parents=True, exist_ok=True)
        part.touch()
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in sorted(members):
                entry = zipfile.ZipInfo(name, _TIME)
                entry.external_attr, entry.compress_type = 0o644 << 16, zipfile.ZIP_DEFLATED
                archive.writestr(entry, members[name].read_bytes())
        size = part.stat().st_size
        if size > limit:
            largest = sorted(members, key=lambda name: -members[name].stat().st_size)[:3]
            raise ConfigError(
                f"the package has {size} bytes, more than the limit of {limit}; the largest files: "
                f"{', '.join(largest)}",
                remedy="Keep data in the lake or in a source; configs/ and transformations/ are for text files.",
            )
        part.replace(output)
    finally:
        part.unlink(missing_ok=True)


def _notes(project: Project) -> Iterator[str]:
    """Yield notes on settings that do not work in Azure, where the app's folder is read-only and disks are "
    "temporary."""
    yield from project.notes
    stages = project.pipeline_file.stages
    local = [stage for stage in STAGES if getattr(stages, stage).data_lake.path is not None]
    if local:
        yield (
            f"stages {', '.join(local)}: data_lake has path:, but in Azure a local folder is lost with its instance; "
            'write {account_name: "{{env:DATA_LAKE_ACCOUNT_NAME}}", file_system: ...}'
        )
    engine = project.pipeline_file.engine
    if "memory_limit" not in engine.model_fields_set:
        yield (
            f"engine.memory_limit: the default of {engine.memory_limit} is too much for two activities on an "
            "instance with "
            "2048 MB; write memory_limit: 600MB (see docs/deploy.md)"
        )
    if project.pipeline_file.monitoring.log_path:
        yield (
            "monitoring.log_path: is not used in Azure, where the app's folder is read-only; logs go to "
            "Application Insights"
        )
    for source in project.pipeline_file.sources:
        if getattr(source.connection, "path", None):
            yield (
                f"source {source.name}: path: is a local folder, and the package contains no data; use a "
                "container in Azure"
            )


if __name__ == "__main__":
    typer.run(package)
