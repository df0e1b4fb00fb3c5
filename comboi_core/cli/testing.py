"""`comboi test`: runs the unit tests in the headers of Bruin assets, on the rows that the tests define."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from comboi_core.cli.options import AsJson, Config, console, errors, print_json, reporting


def test(
    dataset: Annotated[str | None, typer.Argument(help="Default: all datasets with tests.")] = None,
    only: Annotated[str | None, typer.Option("--only", help="The name of one test.")] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Run the unit tests of Bruin assets. They need no source and no lake, and write nothing."""
    with reporting(config):
        results = _results(dataset, only)
    failed = [result for result in results if not result.passed]
    if as_json:
        print_json([asdict(result) | {"passed": result.passed} for result in results])
    else:
        for result in results:
            mark = "✓" if result.passed else "✗"
            style = "green" if result.passed else "red"
            console.print(f"{mark} {result.dataset}: {result.name}", style=style, markup=False)
            for problem in result.problems:
                errors.print(f"    {problem}", markup=False)
            if result.problems:
                errors.print(f"    at {result.place}", markup=False)
        console.print(_summary(len(results), len(failed)), markup=False)
    if failed:
        raise typer.Exit(1)


def _results(dataset: str | None, only: str | None) -> list[Any]:
    from comboi_core.app.loader import load
    from comboi_core.bruin.run.context import AssetContext
    from comboi_core.bruin.run.unit_tests import run_unit_tests
    from comboi_core.domain.errors import RequestInvalid
    from comboi_core.domain.names import did_you_mean

    project = load()
    datasets = project.datasets()
    names = [item.name for item in datasets]
    if dataset is not None and dataset not in names:
        raise RequestInvalid(f"there is no dataset '{dataset}'{did_you_mean(dataset, names)}")
    context = AssetContext(
        folder=project.transformations_folder,
        run_id="test",
        pipeline=project.pipeline,
        started_at=datetime.now(UTC),
    )
    memory = project.pipeline_file.engine.memory_limit
    results = [
        result
        for item in datasets
        if dataset in (None, item.name)
        for result in run_unit_tests(item, datasets, context, only=only, memory_limit=memory)
    ]
    if not results and (dataset or only):
        raise RequestInvalid(
            f"{dataset or 'the project'} has no unit test{f' {only!r}' if only else ''}",
            remedy="Write one under unit_tests: in the asset's header; docs/bruin.md shows how.",
        )
    return results


def _summary(count: int, failed: int) -> str:
    if not count:
        return "no unit tests; Bruin assets can have them under unit_tests: (docs/bruin.md)"
    return f"{count} tests, {failed} failed" if failed else f"{count} tests passed" if count > 1 else "1 test passed"
