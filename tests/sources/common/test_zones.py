"""What the clock of a time zone still shows: the rule for cursors without an offset."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from comboi_core.sources.common.zones import earliest, lag_before, repeats

BERLIN = "Europe/Berlin"


@pytest.mark.parametrize(
    ("utc", "shown", "again"),
    [
        ("2026-10-24 23:59:59.5", "2026-10-25 01:59:59.5", False),
        ("2026-10-25 00:00:00.5", "2026-10-25 02:00:00", True),
        ("2026-10-25 00:59:59.5", "2026-10-25 02:00:00", True),
        ("2026-10-25 01:00:00.5", "2026-10-25 02:00:00.5", False),
        ("2026-10-25 02:00:00.5", "2026-10-25 03:00:00.5", False),
        ("2026-03-29 01:00:00.5", "2026-03-29 03:00:00.5", False),
        ("2026-07-01 10:00:00.5", "2026-07-01 12:00:00.5", False),
    ],
)
def test_during_the_first_pass_of_a_repeated_hour_it_is_the_hour_s_beginning(utc, shown, again):
    moment = datetime.fromisoformat(utc).replace(tzinfo=UTC)
    assert earliest(moment, BERLIN) == datetime.fromisoformat(shown)
    assert repeats(moment, BERLIN) is again


@pytest.mark.slow
@pytest.mark.parametrize("zone", [BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"])
def test_no_later_clock_shows_an_earlier_time(zone):
    start, clock = datetime(2026, 1, 1, tzinfo=UTC), ZoneInfo(zone)
    moments = [start + timedelta(minutes=20 * count) for count in range(365 * 72)]
    lowest = datetime.max
    for number, moment in reversed(list(enumerate(moments))):
        lowest = min(lowest, moment.astimezone(clock).replace(tzinfo=None))
        if number % 501 == 0 or repeats(moment, zone):
            assert earliest(moment, zone) <= lowest


def test_a_lag_reaches_over_the_hour_that_is_left_out():
    assert lag_before(datetime(2026, 3, 29, 3, 2), 300, BERLIN) == 3900
    assert lag_before(datetime(2026, 7, 1, 3, 2), 300, BERLIN) == 300
    assert lag_before(datetime(1, 1, 1), 300, BERLIN) == 300
