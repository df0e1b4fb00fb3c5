"""NCRONTAB expressions as Azure reads them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from durable_local import AppLoadError
from durable_local.ncrontab import parse_schedule
from durable_local.timespan import parse_timespan


def following(text: str, after: str) -> str:
    found = parse_schedule(text).following(datetime.fromisoformat(after).replace(tzinfo=UTC))
    return found.strftime("%Y-%m-%d %H:%M:%S")


@pytest.mark.parametrize(
    ("text", "after", "expected"),
    [
        ("0 */5 * * * *", "2026-11-23 10:04:59", "2026-11-23 10:05:00"),
        ("0 */5 * * * *", "2026-11-23 10:05:00", "2026-11-23 10:10:00"),
        ("*/15 * * * * *", "2026-11-23 23:59:50.5", "2026-11-24 00:00:00"),
        ("0 0 9-17/4 * * MON-FRI", "2026-11-20 17:30:00", "2026-11-23 09:00:00"),
        ("0 30 6 * * 0", "2026-11-23 00:00:00", "2026-11-29 06:30:00"),
        ("0 0 0 29 2 *", "2026-03-01 00:00:00", "2028-02-29 00:00:00"),
        ("0 0 0 1 jan,jul *", "2026-02-01 00:00:00", "2026-07-01 00:00:00"),
        ("0 0 0 13 * FRI", "2026-11-23 00:00:00", "2027-08-13 00:00:00"),
        ("30 20/20 * * * *", "2026-11-23 10:20:30", "2026-11-23 10:40:30"),
        ("*/10 * * * *", "2026-11-23 10:01:00", "2026-11-23 10:10:00"),
        ("5,10 0 0 * * *", "2026-11-23 00:00:05", "2026-11-23 00:00:10"),
        ("00:05:00", "2026-11-23 10:01:00", "2026-11-23 10:06:00"),
        ("1.00:00:00", "2026-11-23 10:01:00", "2026-11-24 10:01:00"),
        ("24:00:00", "2026-11-01 10:01:00", "2026-11-25 10:01:00"),
        # As NCrontab has it: ranges are turned round, step 0 is 1, a name may be cut short.
        ("0 0 22-6 * * *", "2026-11-23 22:00:00", "2026-11-24 06:00:00"),
        ("0 5-1 * * * *", "2026-11-23 10:05:00", "2026-11-23 11:01:00"),
        ("0 */0 * * * *", "2026-11-23 10:05:00", "2026-11-23 10:06:00"),
        ("0 58/0 * * * *", "2026-11-23 10:58:00", "2026-11-23 10:59:00"),
        ("0 0 0 1 m *", "2026-01-01 00:00:00", "2026-03-01 00:00:00"),
        ("0 0 0 * * Wednes", "2026-11-23 00:00:00", "2026-11-25 00:00:00"),
    ],
)
def test_next_occurrence(text, after, expected):
    assert following(text, after) == expected


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("* * * *", "six fields"),
        ("61 * * * * *", "second"),
        ("0 0 0 0 * *", "day"),
        ("0 0 0 * * 7", "day of week"),
        ("0 0 0 * foo *", "month"),
        ("0 0 0 * janx *", "month"),
        ("0 5- * * * *", "cannot read"),
        ("0 0 0 31 2 *", "never fires"),
        ("0 ; * * * *", "cannot read"),
        ("0 ² * * * *", "cannot read"),
        ("9999999999.00:00:00", "six fields"),
        ("00:00:00", "zero"),
        ("-01:00:00", "more than zero"),
        ("9999999.00:00:00", "never fires"),
    ],
)
def test_refused_with_the_reason(text, complaint):
    with pytest.raises(AppLoadError, match=complaint):
        parse_schedule(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("00:05:00", timedelta(minutes=5)),
        ("0:5", timedelta(minutes=5)),
        (" 23:59:59 ", timedelta(hours=23, minutes=59, seconds=59)),
        ("24:00:00", timedelta(days=24)),
        ("24:01:30", timedelta(days=24, hours=1, minutes=30)),
        ("25:00:00:00", timedelta(days=25)),
        ("1.02:03", timedelta(days=1, hours=2, minutes=3)),
        ("1.02:03:04.5", timedelta(days=1, hours=2, minutes=3, seconds=4, milliseconds=500)),
        ("00:00:00.0000010", timedelta(microseconds=1)),
        ("6", timedelta(days=6)),
        ("-00:00:01", timedelta(seconds=-1)),
        ("10675199.02:48:05", None),
        ("24:00", None),
        ("00:60:00", None),
        ("24:60:00", None),
        ("00:00:60", None),
        ("1.24:00:00", None),
        ("1:2:3:4:5", None),
        ("00:00:00.12345678", None),
        ("1e3", None),
        ("٣", None),
        ("", None),
    ],
)
def test_intervals_as_dotnet_reads_them(text, expected):
    assert parse_timespan(text) == expected


def test_local_time_zone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WEBSITE_TIME_ZONE", "Europe/Berlin")
    assert following("0 0 9 * * *", "2026-07-01 00:00:00") == "2026-07-01 07:00:00"
    assert following("0 0 9 * * *", "2026-12-01 00:00:00") == "2026-12-01 08:00:00"
    # 02:30 happens twice on the day the clocks go back: it fires once.
    assert following("0 30 2 * * *", "2026-10-25 00:30:00") == "2026-10-26 01:30:00"
    monkeypatch.setenv("WEBSITE_TIME_ZONE", "Nowhere/Land")
    with pytest.raises(AppLoadError, match="Nowhere/Land"):
        parse_schedule("0 0 9 * * *")
