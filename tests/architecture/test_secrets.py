"""No text goes around the redactor: who may write to a lake, how texts are cut, where log records are guarded."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ("comboi_core", "orchestrators", "entities", "activities")
WRITING = {"comboi_core/app/runfiles.py", "comboi_core/lake/bronze.py", "comboi_core/lake/local.py"}
"""Who puts bytes into a lake: run files, redacted but for `write_work`; manifests; and a lake's own `write`."""
FOR_LATER_ACTIVITIES = {
    "comboi_core/landing/feed.py", "comboi_core/landing/landing.py", "comboi_core/erasure/bronze.py",
    "comboi_core/erasure/datasets.py", "comboi_core/erasure/keys.py", "comboi_core/runs/notifying.py",
    "comboi_core/runs/planning.py",
}  # fmt: skip
"""Who writes what is worked with, as it is: plans, pages of files, keys, the claim of an alert; no record, no text."""
ON_THIS_MACHINE = {
    "comboi_core/devtools/catalogue/files.py", "comboi_core/devtools/scaffold/carry_out.py",
    "comboi_core/cli/lineage.py", "comboi_core/cli/package.py", "comboi_core/cli/schema.py",
    "comboi_core/cli/wheels.py", "comboi_core/cli/demo/story.py", "comboi_core/lake/local.py",
    "comboi_core/testing/loading.py",
}  # fmt: skip
"""Who writes a file here: the catalogue (redacted), names and schemas, the user's own files, the demo's, a test's."""


@cache
def files() -> list[tuple[str, ast.Module]]:
    paths = [ROOT / "function_app.py", *(file for folder in SHIPPED for file in sorted((ROOT / folder).rglob("*.py")))]
    return [(str(path.relative_to(ROOT)), ast.parse(path.read_bytes())) for path in paths]


def calls(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield what is called on what, e.g. ("self.lake", "write"); of a plain function nothing and its name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield ast.unparse(node.func.value), node.func.attr
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield "", node.func.id


def calling(*names: str, on: str = "") -> set[str]:
    return {file for file, tree in files() for what, name in calls(tree) if name in names and on in what.lower()}


def test_records_and_reports_reach_a_lake_through_the_functions_that_take_secrets_out():
    assert calling("write", on="lake") | {"comboi_core/lake/local.py"} == WRITING
    assert calling("write_work") == FOR_LATER_ACTIVITIES


def test_texts_are_written_to_this_machine_by_a_known_few():
    assert calling("write_text", "write_bytes") - calling("write_text", on="runfiles") == ON_THIS_MACHINE


def cuts(tree: ast.Module) -> Iterator[int]:
    """Yield the lines in which the beginning of a text is taken of what has just been put together."""
    made = ("str", "repr", "join", "text", "dumps", "format_exc")
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice) and node.slice.lower is None):
            continue
        if isinstance(node.value, ast.Call):
            called = node.value.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            if name in made:
                yield node.lineno


def test_a_text_is_cut_by_the_redactor_only():
    """Of a secret that is cut in two, neither half is known: `redactor.cut` takes secrets out first."""
    assert {f"{file}:{line}" for file, tree in files() for line in cuts(tree)} == set()


def test_orchestrators_take_no_secrets_out():
    """What they return must be the same in each replay, whatever secrets the process knows by then."""
    for file, tree in files():
        if file.startswith(("orchestrators/", "entities/")):
            assert not any(isinstance(node, ast.Name) and node.id == "redactor" for node in ast.walk(tree)), file


def test_log_records_are_guarded_before_anything_is_logged():
    assert {"function_app.py", "comboi_core/app/workspace.py", "comboi_core/cli/options.py"} == calling("guard_logs")
