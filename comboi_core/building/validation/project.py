"""What can be found wrong without running anything: scripts, deduplication settings, references."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from comboi_core.building.code import code_problems
from comboi_core.building.validation.text import validation_job
from comboi_core.config.datasets import DatasetConfig
from comboi_core.config.project import Project
from comboi_core.config.references import find
from comboi_core.domain.errors import ReferenceMissing, ScriptError
from comboi_core.secrets.stores import environment, no_vault


def script_problems(project: Project, *, only: Collection[str] | None = None) -> list[str]:
    """Return what is wrong with transformations and check scripts, as `file:line: text`.

    Args:
        only: Names of the datasets to look at; default: all.
    """
    problems: list[str] = []
    for dataset in project.datasets():
        if only is None or dataset.name in only:
            problems += _transformation_problems(project, dataset) + _check_problems(project, dataset)
    return list(dict.fromkeys(problems))


def _transformation_problems(project: Project, dataset: DatasetConfig) -> list[str]:
    try:
        return code_problems(project, dataset, validation_job())
    except ScriptError as error:
        return [f"{project.places[dataset.name]}: {dataset.name}: {error.message}"]


def _check_problems(project: Project, dataset: DatasetConfig) -> list[str]:
    from comboi_core.transforms.scripts import validate_check_script

    problems: list[str] = []
    for check in dataset.checks:
        if check.kind != "script":
            continue
        script = project.transformations_folder / "quality" / f"{check.script}.py"
        if script.exists():
            problems += validate_check_script(script)
        else:
            where = f"{project.places[dataset.name]}: {dataset.name}"
            problems.append(f"{where}: the check script {_shown(project, script)} does not exist")
    return problems


def _shown(project: Project, path: Path) -> str:
    return str(path.relative_to(project.root)) if path.is_relative_to(project.root) else str(path)


def name_problems(project: Project) -> list[str]:
    """Return the names of tables and columns that are not there, as `file:line: text`, as far as they are known."""
    from comboi_core.building.validation.sql import KnownColumns, column_problems, sql_problems
    from comboi_core.duckdb.engine import open_duckdb

    problems: list[str] = []
    with open_duckdb(memory_limit="256MB", threads=1) as con:
        con.execute("SET python_enable_replacements = false")  # a name is no variable of comboi's own
        known = KnownColumns(project, con)
        for dataset in project.datasets():
            problems += [*sql_problems(con, project, dataset, known), *column_problems(project, dataset, known)]
    return problems


def dedupe_problems(project: Project) -> list[str]:
    """Return what is wrong with `splink:` settings; imports Splink, which takes a moment, only if there are any."""
    deduplicated = [dataset for dataset in project.datasets() if dataset.splink]
    if not deduplicated:
        return []
    from comboi_core.dedupe.splink_dedupe import validate_splink

    return [
        f"{project.places[dataset.name]}: {dataset.name}: {problem}"
        for dataset in deduplicated
        for problem in (validate_splink(dataset.splink) if dataset.splink else ())
    ]


def reference_problems(project: Project) -> list[str]:
    """Return the references to environment variables that are not set, as `file:line: text`, and what to do.

    Secrets in a vault are not fetched; that there is a vault to ask is all that is looked at.
    """
    problems = []
    for reference in dict.fromkeys(find(project.pipeline_file.model_dump())):
        try:
            if reference.store == "env":
                environment(reference.name)
            elif project.pipeline_file.key_vault is None:
                no_vault(reference.name)
        except ReferenceMissing as error:
            problems.append(f"{project.reference_places[str(reference)]}: {error.message}. {error.remedy}")
    return problems


def project_problems(project: Project) -> list[str]:
    """Return everything that `comboi validate` reports beyond what loading the files has found."""
    names = [*script_problems(project), *name_problems(project)]
    return [*names, *dedupe_problems(project), *reference_problems(project)]
