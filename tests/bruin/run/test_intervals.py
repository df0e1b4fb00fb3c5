"""The interval of a run as assets see it: modifiers, and full refreshes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from comboi_core.bruin.run.running import (
    interval_of,
)
from comboi_core.domain.errors import ScriptError
from tests.bruin.run.running import BY_TIME, TABLE, context, failure, result, sql, write


@pytest.mark.parametrize(
    ("modifiers", "start", "end"),
    [
        ("{start: -2h}", "2026-11-21T22:00", "2026-11-23T00:00"),
        ("{start: -1M, end: 1d}", "2026-10-22T00:00", "2026-11-24T00:00"),
        ("{end: 90m}", "2026-11-22T00:00", "2026-11-23T01:30"),
        ("{start: 0, end: 30 s}", "2026-11-22T00:00", "2026-11-23T00:00:30"),
        (
            "{start: \"{% if start_date | date_format('%d') == '22' %}-20d{% else %}0{% endif %}\"}",
            "2026-11-02T00:00",
            "2026-11-23T00:00",
        ),
    ],
)  # fmt: skip
def test_interval_modifiers_move_start_and_end(folder, modifiers, start, end):
    file = sql(folder, "SELECT 1", header=f"{TABLE}\ninterval_modifiers: {modifiers}")

    moment = interval_of(file, context(folder))

    assert (moment.start, moment.end) == tuple(
        datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (start, end)
    )


@pytest.mark.parametrize(
    ("modifiers", "says"),
    [
        ("{start: 1h30m}", "not a number and a unit"),
        ("{start: soon}", "not a number and a unit"),
        ("{start: 3d}", "would start at"),
        ("{start: -999999999M}", "outside of the calendar"),
    ],
)
def test_interval_modifiers_that_make_no_sense_are_refused_by_line(folder, modifiers, says):
    file = sql(folder, "SELECT 1", header=f"{TABLE}\ninterval_modifiers: {modifiers}")

    with pytest.raises(ScriptError, match=says) as raised:
        interval_of(file, context(folder))
    assert raised.value.message.startswith(f"{file}:4: ")


WINDOWED = "SELECT * FROM bronze.orders WHERE happened >= '{{ start_date }}'"


def test_a_full_refresh_of_one_interval_is_refused_since_it_would_lose_the_rest(con, folder):
    file = sql(folder, WINDOWED, header=BY_TIME)

    error = failure(con, file, context(folder, full_refresh=True))

    assert "would lose all other rows" in error.message and "start_date:" in error.remedy


@pytest.mark.parametrize("where", ["asset", "pipeline"])
def test_a_full_refresh_reads_from_the_start_date(con, folder, where):
    given = "start_date: 2026-11-23"
    write(folder, "pipeline.yml", given if where == "pipeline" else "start_date: 2020-01-01")
    file = sql(folder, WINDOWED, header=BY_TIME + (f"\n{given}" if where == "asset" else ""))
    run = context(folder, full_refresh=True, interval_end=datetime(2026, 11, 25, tzinfo=UTC))

    assert len(result(con, file, run)) == 3


def test_an_asset_that_restricts_full_refreshes_does_not_see_one(con, folder):
    file = sql(folder, "SELECT '{{ full_refresh }}'", header=f"{TABLE}\nrefresh_restricted: true")

    assert result(con, file, context(folder, full_refresh=True)) == [("False",)]
