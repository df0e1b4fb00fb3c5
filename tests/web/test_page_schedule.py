"""The next slot of the timer, as the monitor page tells it."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comboi_core.web.page.schedule import next_slot, timer
from durable_local.ncrontab import parse_schedule

NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)  # a Monday


@pytest.mark.parametrize(
    ("schedule", "slot"),
    [
        ("0 0 6 * * *", "2026-11-24T06:00:00+00:00"),
        ("* * * * * *", "2026-11-23T15:00:01+00:00"),
        ("0 0 15 * * *", "2026-11-24T15:00:00+00:00"),
        ("0 30 7 * * Mon-Fri", "2026-11-24T07:30:00+00:00"),
        ("0 0 0 29 2 *", "2028-02-29T00:00:00+00:00"),
        ("0 0 3 1 JAN,jul *", "2027-01-01T03:00:00+00:00"),
        ("5,10 */20 1-3/2 * * 0", "2026-11-29T01:00:05+00:00"),
        ("0 6 * * *", "2026-11-24T06:00:00+00:00"),
        ("0 0 6-5 * * *", "2026-11-24T05:00:00+00:00"),
        ("0 */0 * * * *", "2026-11-23T15:01:00+00:00"),
    ],
)
def test_the_next_slot_comes_after_now(schedule, slot):
    assert timer({"COMBOI_TIMER_SCHEDULE": schedule}, now=NOW) == {"schedule": schedule, "next": slot}


@pytest.mark.parametrize(
    "schedule",
    [
        "00:05:00",
        "every day",
        "0 0 6 * *  * *",
        "0 0 25 * * *",
        "0 0 6 30 2 *",
        "\u0665 * * * * x",
    ],
)
def test_what_has_no_slot_to_name_is_shown_as_it_is_set(schedule):
    assert timer({"COMBOI_TIMER_SCHEDULE": schedule}, now=NOW) == {"schedule": schedule.strip(), "next": None}


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"COMBOI_TIMER_SCHEDULE": " "},
        {"COMBOI_TIMER_SCHEDULE": "0 0 6 * * *", "AzureWebJobs.scheduled_run.Disabled": "true"},
        {"COMBOI_TIMER_SCHEDULE": "0 0 6 * * *", "AzureWebJobs.scheduled_run.Disabled": "1"},
    ],
)
def test_without_a_timer_there_is_no_schedule(environment):
    assert timer(environment, now=NOW) == {"schedule": None, "next": None}


def test_the_clock_is_the_one_that_the_app_setting_names():
    environment = {"COMBOI_TIMER_SCHEDULE": "0 0 6 * * *", "WEBSITE_TIME_ZONE": "Europe/Brussels"}
    assert timer(environment, now=NOW)["next"] == "2026-11-24T05:00:00+00:00"
    assert timer(environment | {"WEBSITE_TIME_ZONE": "Nowhere/Else"}, now=NOW)["next"] is None


FIELDS = st.tuples(
    st.sampled_from(["0", "*/15", "7,50"]),
    st.sampled_from(["*", "0", "10-50/20"]),
    st.sampled_from(["*", "2", "1-3", "23"]),
    st.sampled_from(["*", "1", "31", "*/10"]),
    st.sampled_from(["*", "mar,oct", "2"]),
    st.sampled_from(["*", "sun", "1-5"]),
)


@given(
    FIELDS.map(" ".join).filter(lambda text: " 31 2 " not in text),
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)),
    st.sampled_from(["UTC", "Europe/Brussels", "America/St_Johns"]),
)
def test_the_slot_is_the_one_at_which_the_embedded_host_fires(schedule, after, zone):
    """Also over the nights on which clocks change."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WEBSITE_TIME_ZONE", zone)
        assert next_slot(schedule, after, ZoneInfo(zone)) == parse_schedule(schedule).following(after)
