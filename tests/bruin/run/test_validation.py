"""What `comboi validate` finds in assets without running them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from comboi_core.bruin.run.running import (
    validate_asset,
)
from tests.bruin.run.running import TABLE, context, python, sql


@pytest.mark.parametrize(
    ("make", "line", "says"),
    [
        (lambda folder: sql(folder, "SELECT {{ nothing }}"), 5, "'nothing' is not defined"),
        (lambda folder: sql(folder, "DROP TABLE x"), 5, "expected one SELECT"),
        (lambda folder: sql(folder, "SELECT 1", header=TABLE + '\nhooks: {post: [{query: "LOAD x"}]}'), 4, "LOAD"),
        (
            lambda folder: sql(folder, "SELECT 1", header=TABLE + "\ncolumns: [{name: a, type: 'a; b'}]"),
            4,
            "not a DuckDB type",
        ),
        (
            lambda folder: sql(folder, "SELECT 1", header=TABLE + '\ncustom_checks: [{name: a, query: "{{ x }}"}]'),
            4,
            "'x'",
        ),
        (lambda folder: python(folder, "def main(): pass"), 1, "no function materialize()"),
    ],
)
def test_validation_runs_nothing_and_names_the_line(con, folder, make: Callable[[Path], Path], line, says):
    file = make(folder)

    (problem,) = validate_asset(con, file, context(folder))

    assert problem.startswith(f"{file}:{line}: ") and says in problem


def test_validation_does_not_need_the_inputs(con, folder):
    assert validate_asset(con, sql(folder, "SELECT * FROM silver.not_there"), context(folder)) == []


def test_a_file_that_lost_its_header_is_said_to(con, folder):
    file = sql(folder, "SELECT 1")
    file.write_text("SELECT 1\n")

    assert "no longer has a Bruin header" in validate_asset(con, file, context(folder))[0]
