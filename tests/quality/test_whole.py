"""Checks of a dataset as a whole: how many rows against those before, and how old the newest is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import duckdb
import pytest

from comboi_core.domain.errors import ScriptError
from tests.quality.asking import NOW, data, one


def rows(con: duckdb.DuckDBPyConnection, count: int) -> None:
    con.execute(f"CREATE OR REPLACE VIEW d AS SELECT range AS a FROM range({count})")


@pytest.mark.parametrize(
    ("bounds", "before", "now", "passed", "said"),
    [
        ({"min_change": "-20%"}, 10, 8, True, "8 rows, -20% compared with the published 10"),
        ({"min_change": "-20%"}, 10, 7, False, "7 rows, -30% compared with the published 10, expected at least -20%"),
        ({"min_change": "-20%"}, 10, 100, True, "+900%"),
        ({"min_change": "-0.1%"}, 1000, 999, True, "-0.1% compared with"),
        ({"min_change": "-0.1%"}, 1001, 999, False, "-0.2% compared with"),
        ({"min_change": "0%"}, 10, 9, False, "-10% compared with"),
        ({"min_change": "5%"}, 100, 105, True, "+5% compared with"),
        ({"max_change": "50%"}, 10, 15, True, "+50% compared with"),
        ({"max_change": "+50%"}, 10, 16, False, "+60% compared with the published 10, expected at most +50%"),
        ({"max_change": "50 %"}, 10, 0, True, "0 rows, -100% compared with"),
        ({"min_change": "-10%", "max_change": "10%"}, 3, 4, False, "+33.33% compared with"),
        ({"min_change": "-20%"}, None, 0, True, "0 rows, no dataset is published yet to compare with"),
        ({"max_change": "50%"}, 0, 7, True, "7 rows, the published dataset has no rows"),
        ({"min": 5, "min_change": "-20%"}, 10, 1, False, "1 row, expected at least 5, -90% compared with"),
        ({"min": 5, "min_change": "-20%"}, None, 1, False, "1 row, expected at least 5, no dataset is published yet"),
        ({"min": 5}, 1000, 6, True, "6 rows"),
    ],
)
def test_rows_are_compared_with_those_published_before(
    con: duckdb.DuckDBPyConnection, bounds: dict[str, Any], before: int | None, now: int, passed: bool, said: str
) -> None:
    rows(con, now)
    found = one(con, {"row_count": bounds}, previous_rows=before)
    assert (found.passed, found.failed_rows) == (passed, None)
    assert said in found.message


FRESH = {"freshness": {"column": "a", "max_age": "26h"}}


@pytest.mark.parametrize(
    ("values", "passed", "said"),
    [
        ("(TIMESTAMP '2026-11-22 04:00:00')", True, "the newest a, 2026-11-22 04:00:00, is 26 h old"),
        ("(TIMESTAMP '2026-11-22 03:59:59.999999')", False, "is 26 h old, expected at most 26h"),
        ("(TIMESTAMP '2026-11-20 06:00:00')", False, "is 3 d old, expected at most 26h"),
        ("(TIMESTAMP '2026-11-23 05:59:15'), (NULL), (TIMESTAMP '1970-01-01')", True, "is 45 s old"),
        ("(TIMESTAMPTZ '2026-11-22 06:00:00+02')", True, "2026-11-22 04:00:00+00, is 26 h old"),
        ("(TIMESTAMPTZ '2026-11-22 05:59:59+02')", False, "26 h old, expected at most 26h"),
        ("(DATE '2026-11-22')", False, "the newest a, 2026-11-22, is 30 h old"),
        ("(DATE '2026-11-23')", True, "is 6 h old"),
        ("(TIMESTAMP_NS '2026-11-23 04:30:00')", True, "is 90 m old"),
        ("(TIMESTAMP_S '2026-11-20 00:00:00')", False, "is 3.2 d old"),
        ("(DATE '2027-01-01')", True, "is in the future"),
        ("('infinity'::TIMESTAMP), (TIMESTAMP '2020-01-01')", False, "the newest a, 2020-01-01 00:00:00, is"),
        ("('infinity'::DATE), ('-infinity'::DATE)", False, "no row has a time in a"),
        ("(NULL::TIMESTAMP), (NULL)", False, "no row has a time in a"),
        ("(DATE '0044-03-15 (BC)')", False, "0044-03-15 (BC)"),
        ("(DATE '5881580-07-10')", True, "is in the future"),
    ],
)
def test_the_newest_value_is_at_most_so_old(
    con: duckdb.DuckDBPyConnection, values: str, passed: bool, said: str
) -> None:
    data(con, values)
    found = one(con, FRESH)
    assert (found.passed, found.failed_rows, found.sample) == (passed, None, [])
    assert said in found.message


def test_an_empty_dataset_is_not_fresh(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("CREATE VIEW d AS SELECT TIMESTAMP '2026-11-23' AS a WHERE false")
    found = one(con, FRESH)
    assert (found.passed, found.message) == (False, "the dataset has no rows")


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose local time is not UTC."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "America/New_York")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    "now", [NOW, NOW.replace(tzinfo=None), NOW.astimezone(timezone(timedelta(hours=-7)))], ids=["utc", "naive", "west"]
)
def test_the_time_of_the_run_counts_in_any_zone(con: duckdb.DuckDBPyConnection, now: datetime, elsewhere: None) -> None:
    data(con, "(TIMESTAMP '2026-11-22 04:00:00')")
    assert one(con, FRESH, now=now).passed
    assert not one(con, FRESH, now=now + timedelta(seconds=1)).passed


@pytest.mark.parametrize("value", ["'2026-11-23'", "20261123", "TIME '12:00'", "INTERVAL 1 DAY", "[DATE '2026-11-23']"])
def test_freshness_wants_a_date_or_a_timestamp(con: duckdb.DuckDBPyConnection, value: str) -> None:
    data(con, f"({value})")
    with pytest.raises(ScriptError, match="freshness needs a date or a timestamp"):
        one(con, FRESH)
