"""Columns whose type is another in a later build: one type for both that loses no digit, or a refusal."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.support.building import Lab

pytestmark = pytest.mark.few(3)

STRATEGIES: dict[str, dict[str, Any]] = {
    "append": {},
    "merge": {"unique_key": ["id"]},
    "delete+insert": {"incremental_key": "id"},
    "scd2": {"unique_key": ["id"], "close_missing": False},
}
BIG = 2**53 + 1
WIDER = [
    ("NULL", "'x'", "VARCHAR"),
    ("NULL", "[1]", "INTEGER[]"),
    ("NULL", "TIMESTAMPTZ '2026-01-01 00:00:00+00'", "TIMESTAMP WITH TIME ZONE"),
    ("7::INTEGER", "7.25::DOUBLE", "DOUBLE"),
    (f"{2**53}::BIGINT", "7.25::DOUBLE", "DOUBLE"),
    (f"{BIG}::BIGINT", "7.25::DECIMAL(9,2)", "DECIMAL(21,2)"),
    ("sum(7)", "7.25::DECIMAL(9,2)", "DECIMAL(38,2)"),
    ("sum(7)", f"{BIG}::BIGINT", "DECIMAL(38,0)"),
    ("1.5::DECIMAL(9,1)", "1.25::DECIMAL(5,2)", "DECIMAL(10,2)"),
    ("-1::BIGINT", f"{2**64 - 1}::UBIGINT", "DECIMAL(38,0)"),
    ("0.5::FLOAT", f"{2**24 + 1}::INTEGER", "DOUBLE"),
    ("TIMESTAMP '2026-01-01 00:00:00.000001'", "'2026-01-01 00:00:00.123456789'::TIMESTAMP_NS", "TIMESTAMP_NS"),
    ("'{\"a\": 1}'::JSON", "'x'", "VARCHAR"),
    ("{'a': 1}", "{'a': 2, 'b': 'x'}", "STRUCT(a INTEGER, b VARCHAR)"),
    ("{'a': 1, 'c': NULL}", "{'A': 2.5::DOUBLE, 'c': 'x'}", "STRUCT(a DOUBLE, c VARCHAR)"),
    ("[{'a': 1}]", "[{'a': NULL, 'b': [1]}]", "STRUCT(a INTEGER, b INTEGER[])[]"),
    ("MAP {'k': {'a': 1}}", "MAP {'k': {'a': 1, 'b': 'x'}}", "MAP(VARCHAR, STRUCT(a INTEGER, b VARCHAR))"),
    ("[]::DATE[]", "['x']", "VARCHAR[]"),
    ("[NULL]", "['x']", "VARCHAR[]"),
]
UNSAFE = [
    ("'7'", "7", ""),
    ("7.25::DECIMAL(9,2)", "7.25::DOUBLE", ""),
    (f"{BIG}::BIGINT", "7.25::DOUBLE", f": DOUBLE would change {BIG}"),
    (f"sum({BIG})", "0.5::DOUBLE", f": DOUBLE would change {BIG}"),
    (f"{'9' * 38}::DECIMAL(38,0)", "7.25::DECIMAL(9,2)", f": DECIMAL(38,2) would change {'9' * 38}"),
    (
        "TIMESTAMP '1066-01-01'",
        "'2026-01-01 00:00:00'::TIMESTAMP_NS",
        ": TIMESTAMP_NS would change 1066-01-01 00:00:00",
    ),
    ("TIMESTAMP '2026-01-01'", "TIMESTAMPTZ '2026-01-01 00:00:00+00'", ""),
    ("DATE '2026-01-01'", "TIMESTAMP '2026-01-01'", ""),
    ("true", "1", ""),
    ("{'a': 1}", "[1]", ""),
    ("[{'a': 1}]", "[{'a': 'x'}]", ""),
    (f"[{BIG}::BIGINT]", "[0.5::DOUBLE]", f": DOUBLE would change [{BIG}]"),
]


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def build(lab: Lab, strategy: str, number: int, value: str, **how: Any) -> Any:
    materialization = {"strategy": strategy, **STRATEGIES[strategy]}
    lab.dataset("d", f"SELECT {number} AS id, {value} AS x FROM one", materialization=materialization)
    return lab.build("d", **how)


def text(value: str, kind: str) -> Any:
    return duckdb.sql(f"SELECT CAST(y AS {kind})::VARCHAR FROM (SELECT {value} AS y)").fetchone()[0]


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(("one", "other", "kind"), WIDER)
def test_a_type_that_holds_both_takes_the_place_of_either(lab: Lab, strategy: str, one: str, other: str, kind: str):
    for was, now in ((one, other), (other, one)):
        build(lab, strategy, 1, was, full_refresh=True)
        build(lab, strategy, 2, now)
        assert lab.types("d")["x"].lower() == kind.lower()
        expected = [text(value, kind) for value in (was, now)]
        found = [row[0] for row in lab.rows("d", "SELECT x::VARCHAR FROM {} ORDER BY id")]
        assert [str(value).lower() for value in found] == [str(value).lower() for value in expected]
        build(lab, strategy, 2, now)
        assert lab.types("d")["x"].lower() == kind.lower()


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(("was", "now", "why"), UNSAFE)
def test_what_would_lose_a_digit_is_refused_and_a_full_refresh_helps(
    lab: Lab, strategy: str, was: str, now: str, why: str
):
    build(lab, strategy, 1, was)
    before = lab.rows("d")
    answer = build(lab, strategy, 2, now)
    assert answer["error"]["code"] == "materialization_refused"
    assert answer["error"]["message"].endswith(f" now{why}")
    assert answer["error"]["message"].startswith("d: the column x was ")
    assert "comboi run --full-refresh --select d" in answer["error"]["remedy"]
    assert lab.rows("d") == before
    build(lab, strategy, 2, now, full_refresh=True)
    assert lab.rows("d", "SELECT id FROM {}") == [(2,)]


@pytest.mark.parametrize("full", [False, True])
def test_a_dataset_by_intervals_is_built_anew_by_an_interval_that_has_all_of_it(lab: Lab, full: bool):
    how = {"strategy": "delete+insert", "incremental_key": "day", "time_granularity": "date"}
    script = "SELECT DATE '{}' AS day, {} AS x FROM one WHERE getvariable('interval_start') IS NOT NULL"
    lab.dataset("d", script.format("2026-03-01", "1"), materialization=how)
    lab.build("d", interval=("2026-03-01", "2026-03-02"))
    lab.dataset("d", script.format("2026-03-02", "'x'"), materialization=how)
    answer = lab.build("d", interval=("2026-03-02", "2026-03-03"), full_refresh=full)
    assert answer["error"]["message"] == "d: the column x was INTEGER and is VARCHAR now"
    assert "--from FIRST_DAY --to DAY_AFTER_THE_LAST" in answer["error"]["remedy"]
    lab.build("d", interval=("2026-03-01", "2026-03-03"), full_refresh=full)
    assert lab.rows("d", "SELECT day::VARCHAR, x FROM {}") == [("2026-03-02", "x")]


@pytest.mark.parametrize(("was", "now"), list(product(["NULL", "7"], ["NULL", "7.5::DOUBLE"])))
def test_quarantine_is_widened_too(lab: Lab, was: str, now: str):
    checks = [{"not_null": {"column": "id", "on_fail": "quarantine"}}]
    how = {"strategy": "append"}
    for value in (was, now):
        script = f"SELECT 1 AS id, 1 AS x FROM one UNION ALL SELECT NULL, {value} FROM one"
        lab.dataset("d", script, materialization=how, quality_checks=checks)
        assert "error" not in lab.build("d")
    kept = lab.rows("d.quarantine", "SELECT x::DOUBLE FROM {} ORDER BY _build")
    assert kept == duckdb.sql(f"SELECT {was}").fetchall() + duckdb.sql(f"SELECT {now}").fetchall()


def test_a_sensitive_value_does_not_stand_in_the_refusal(lab: Lab):
    how = {"strategy": "append"}
    for value in (f"{BIG}::BIGINT", "0.5::DOUBLE"):
        columns = [{"name": "X", "sensitive": True}]
        lab.dataset("d", f"SELECT {value} AS x FROM one", materialization=how, columns=columns)
        answer = lab.build("d")
    assert answer["error"]["message"].endswith("now: DOUBLE would change a value")
