"""Unit tests of assets: what passes, what fails, and what is said."""

from __future__ import annotations

import textwrap
from datetime import UTC, datetime
from pathlib import Path

import pytest

from comboi_core.bruin.header.loading import load_assets
from comboi_core.bruin.run.context import AssetContext
from comboi_core.bruin.run.unit_tests import TestResult, run_unit_tests

ORDERS = """\
/* @bruin
name: silver.orders
type: duckdb.sql
materialization: {type: table}
depends: [bronze.orders, silver.rates]
unit_tests:
%s
@bruin */
WITH paid AS (SELECT * FROM bronze.orders WHERE status = 'paid'),
valued AS (SELECT p.id, p.amount * coalesce(r.rate, 1) AS amount FROM paid p LEFT JOIN silver.rates r USING (code))
SELECT id, amount, '{{ var.label }}' AS label, current_date AS built FROM valued ORDER BY id
"""

RATES = """\
/* @bruin
name: silver.rates
type: duckdb.sql
materialization: {type: table}
columns: [{name: code, type: string}, {name: rate, type: "decimal(9,4)"}, {name: from_day, type: date}]
@bruin */
SELECT 'EUR' AS code, 1.1 AS rate, current_date AS from_day
"""

PIPELINE = """\
variables: {label: {type: string, default: plain}}
fixtures:
  - {name: euro, asset: silver.rates, rows: [{code: EUR, rate: 1.1}]}
"""

INPUT = "inputs: [{asset: bronze.orders, rows: [%s]}]"
TWO = INPUT % "{id: 1, status: paid, amount: 10, code: EUR}, {id: 2, status: paid, amount: 20, code: null}"


def run(tmp_path: Path, tests: str, *, asset: str = ORDERS) -> list[TestResult]:
    """Run the tests that `tests` lists, a mapping in YAML's flow style each line."""
    folder = tmp_path / "transformations"
    folder.mkdir()
    (folder / "pipeline.yml").write_text(PIPELINE)
    (folder / "orders.sql").write_text(asset % textwrap.indent(textwrap.dedent(tests).strip(), "  "))
    (folder / "rates.sql").write_text(RATES)
    loaded = load_assets(folder, tables=["shop.orders"], datasets={})
    assert loaded.problems == ()
    context = AssetContext(folder=folder, run_id="t", pipeline="p", started_at=datetime(2026, 11, 23, tzinfo=UTC))
    (dataset,) = (item for item in loaded.silver if item.name == "silver.orders")
    return run_unit_tests(dataset, loaded.silver, context)


def problems(tmp_path: Path, tests: str) -> list[str]:
    return [problem for result in run(tmp_path, tests) for problem in result.problems]


@pytest.mark.parametrize(
    "expected",
    [
        "{rows: [{id: 1}]}",
        "{rows: [{ID: 2, amount: 20}, {id: 1, Amount: '10.0'}], match: exact}",
        "{rows: [{id: 1}, {id: 2}], order: strict, match: exact}",
        "{rows: [{amount: 20.0}], order: strict}",
        "{count: 2}",
        "{count: 2, rows: []}",
        "{rows: [{label: plain}, {label: plain}], match: exact}",
        "{ctes: {paid: {count: 2}, VALUED: {rows: [{id: 1, amount: 10}], order: strict}}}",
    ],
)
def test_what_is_expected_comes(tmp_path, expected):
    assert problems(tmp_path, f"- {{name: a, {TWO}, expected: {expected}}}") == []


@pytest.mark.parametrize(
    ("expected", "says"),
    [
        ("{rows: [{id: 3}]}", ["the result lacks the row {id: 3}"]),
        ("{rows: [{id: 1}, {id: 1}]}", ["the result lacks the row {id: 1}"]),
        ("{rows: [{id: null}]}", ["the result lacks the row {id: None}"]),
        ("{rows: [{id: 1}], match: exact}", ["the result has an unexpected row: {id: 2,"]),
        ("{rows: [], match: exact}", ["unexpected row: {id: 1,", "unexpected row: {id: 2,"]),
        ("{rows: [{id: 2}, {id: 1}], order: strict}", ["the result lacks the row {id: 1}, or has it too early"]),
        ("{rows: [{id: 2}, {id: 1}], order: strict, match: exact}", ["row 1 is {id: 1,", "row 2 is {id: 2,"]),
        ("{rows: [{id: 1}], order: strict, match: exact}", ["the result has 2 rows, expected 1"]),
        ("{count: 3}", ["the result has 2 rows, expected 3"]),
        ("{rows: [{idd: 1}]}", ["the result has no column idd; it has id, amount, label, built"]),
        ("{ctes: {nope: {count: 1}}}", ["there is no CTE 'nope'; the query has paid, valued"]),
        ("{ctes: {paid: {count: 1}}}", ["the CTE paid has 2 rows, expected 1"]),
    ],
)
def test_what_does_not_come_is_said(tmp_path, expected, says):
    found = problems(tmp_path, f"- {{name: a, {TWO}, expected: {expected}}}")

    assert len(found) == len(says)
    assert all(part in problem for part, problem in zip(says, found, strict=True))


def test_fixtures_stand_in_for_inputs_and_the_tests_own_rows_for_fixtures(tmp_path):
    results = run(
        tmp_path,
        f"""
        - {{name: shared, fixtures: [euro], {TWO}, expected: {{rows: [{{id: 1, amount: 11}}]}}}}
        - name: own
          fixtures: [euro]
          inputs:
            - {{asset: bronze.orders, rows: [{{id: 1, status: paid, amount: 10, code: EUR}}]}}
            - {{asset: silver.rates, rows: [{{code: EUR, rate: 2}}]}}
          expected: {{rows: [{{id: 1, amount: 20}}]}}
        """,
    )

    assert [(result.name, result.passed) for result in results] == [("shared", True), ("own", True)]
    assert results[1].place.endswith("orders.sql:8")


def test_time_stands_still_and_variables_are_the_tests_own(tmp_path):
    assert not problems(
        tmp_path,
        f"""
        - name: a
          execution_time: 2024-02-29 09:00:00
          variables: {{label: "{{{{x}}}}"}}
          {TWO}
          expected: {{rows: [{{built: 2024-02-29, label: "{{{{x}}}}"}}]}}
        """,
    )


@pytest.mark.parametrize(
    ("test", "says"),
    [
        ("expected: {count: 0}", "gives no rows for bronze.orders, whose columns are not known"),
        (
            "inputs: [{asset: silver.nope, rows: []}], expected: {count: 0}",
            "silver.nope, which silver.orders does not read",
        ),
        (INPUT % "{id: 1}" + ", expected: {count: 0}", "status"),
        (INPUT % "{id: 1}, {id: x}" + ", expected: {count: 0}", "the column 'id'"),
        (f"{TWO}, execution_time: soon, expected: {{count: 0}}", "not a time"),
        (f'{TWO}, variables: {{label: "\'"}}, expected: {{count: 0}}', "orders.sql:11"),
    ],
)
def test_tests_that_cannot_run_fail_and_say_why(tmp_path, test, says):
    (problem,) = problems(tmp_path, f"- {{name: a, {test}}}")

    assert says in problem


VALUES = """\
/* @bruin
name: silver.orders
type: duckdb.sql
materialization: {type: table}
depends: [silver.rates]
unit_tests:
%s
@bruin */
SELECT 0.1 + 0.2 AS tenth, 1e0 AS one, true AS flag, NULL AS nothing, TIMESTAMP '2026-01-01' AS moment,
    DATE '2026-01-01' AS day, TIMESTAMPTZ '2026-01-01 02:00:00+02' AS instant, '{"a": [1, 2]}'::JSON AS doc,
    '007' AS code, [1, 2] AS list
FROM silver.rates
"""


@pytest.mark.parametrize(
    ("row", "equal"),
    [
        ("{tenth: 0.3}", True),
        ("{one: 1}", True),
        ("{one: '1.00'}", True),
        ("{one: 1.5}", False),
        ("{flag: true}", True),
        ("{flag: false}", False),
        ("{nothing: null}", True),
        ("{nothing: 0}", False),
        ("{one: null}", False),
        ("{moment: 2026-01-01}", True),
        ("{moment: '2026-01-01 00:00:00'}", True),
        ("{moment: 2026-01-01T00:00:01Z}", False),
        ("{day: '2026-01-01'}", True),
        ("{day: x}", False),
        ("{instant: 2026-01-01T00:00:00Z}", True),
        ("{doc: {a: [1, 2]}}", True),
        ("{doc: {a: [2, 1]}}", False),
        ("{code: '7'}", False),
        ("{code: '007'}", True),
        ("{list: [1, 2]}", True),
    ],
)
def test_values_are_compared_by_what_they_are(tmp_path, row, equal):
    test = f"- {{name: a, inputs: [{{asset: silver.rates, rows: [{{code: x}}]}}], expected: {{rows: [{row}]}}}}"
    (result,) = run(tmp_path, test, asset=VALUES)

    assert result.passed == equal, result.problems
