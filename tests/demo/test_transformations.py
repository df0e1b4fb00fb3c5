from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from tests.demo.conftest import Snapshots
from tests.demo.plain import TRANSFORMATIONS, build_all, datasets, load_script
from tests.support.gold import GOLD, differences, read

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(snapshots: Snapshots) -> Iterator[tuple[duckdb.DuckDBPyConnection, list[tuple[str, bool, str]]]]:
    outcomes = [outcome for catalog in ("before", "after") for outcome in build_all(snapshots.con, catalog)]
    yield snapshots.con, outcomes


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True], ids=["loaded", "changed"])
@pytest.mark.parametrize("name", GOLD)
def test_gold_agrees_with_the_independent_calculation(built, name: str, after: bool) -> None:
    con, _ = built
    keys, calculate = GOLD[name]
    ours = read(con, f"{'after' if after else 'before'}.built.{name}", keys)
    theirs = calculate(after)
    assert len(ours) > 5
    assert differences(ours, theirs) == {}


def test_check_scripts_pass_on_the_real_data(built) -> None:
    _, outcomes = built
    assert [(script, passed) for script, passed, _ in outcomes] == [("flights_on_the_clock", True)] * 2


@pytest.mark.parametrize(
    "wrong",
    [
        "actual_departure + INTERVAL 1 HOUR",
        "timezone('UTC', timezone('America/New_York', actual_departure))",
        "CASE WHEN flight_id <> 5 THEN actual_departure END",
    ],
)
def test_the_clock_check_finds_a_wrong_time_line(built, wrong: str) -> None:
    con, _ = built
    con.execute(
        f"CREATE OR REPLACE TEMP VIEW spoiled AS SELECT * REPLACE ({wrong} AS actual_departure)"
        " FROM before.built.flights_clean WHERE flight_id < 1000"
    )
    passed, message = load_script(TRANSFORMATIONS / "quality" / "flights_on_the_clock.py").check(con, "spoiled")
    assert not passed
    assert "flight_id" in message


def test_late_evening_flights_leave_on_the_next_day(built) -> None:
    con, _ = built
    row = con.execute(
        """SELECT flight_date::VARCHAR, reported_departure, timezone('America/New_York', actual_departure)::VARCHAR
           FROM before.built.flights_clean WHERE reported_departure = 2400 ORDER BY flight_id LIMIT 1"""
    ).fetchone()
    assert row == ("2013-10-30", 2400, "2013-10-31 00:00:00")


def test_every_flight_has_one_weather(built) -> None:
    con, _ = built
    for catalog, flights in (("before", 336_776), ("after", 336_816)):
        counted = con.execute(f"SELECT count(*), count(condition) FROM {catalog}.built.flights_weather").fetchone()
        assert counted == (flights, flights)


def test_the_broken_anemometer_is_shown_but_makes_no_storm(built) -> None:
    con, _ = built
    rows = con.execute("SELECT origin, condition FROM before.built.weather_clean WHERE wind_speed > 200").fetchall()
    assert rows == [("EWR", "fair")]


def test_customers_are_cleaned_and_unknown_is_null() -> None:
    with duckdb.connect() as con:
        con.execute(
            """CREATE VIEW raw AS SELECT * FROM (VALUES
                (1, '  Mary   Ann ', '', '26 00', 'NWS', '1956 0409'),
                (2, NULL, ' ', 'abc', ' vic ', '19560231')
            ) t(customer_id, given_name, surname, postcode, state, date_of_birth),
            (SELECT NULL::VARCHAR AS street_number, NULL::VARCHAR AS address_1, NULL::VARCHAR AS address_2,
                    NULL::VARCHAR AS suburb, NULL::VARCHAR AS soc_sec_id, 'rec-1' AS true_person,
                    TIMESTAMPTZ '2013-01-01 00:00:00+00' AS updated_at)"""
        )
        query = load_script(TRANSFORMATIONS / "customers_clean.py").transform(con, {"customers": '"raw"'})
        cleaned = con.execute(
            f"SELECT given_name, surname, postcode, state, date_of_birth, born::VARCHAR FROM ({query}) ORDER BY ALL"
        ).fetchall()
    assert cleaned == [
        ("mary ann", None, "2600", None, "19560409", "1956-04-09"),
        (None, None, None, "vic", "19560231", None),
    ]


def test_every_file_in_transformations_is_used() -> None:
    names = {dataset["name"] for dataset in datasets()}
    assert names == {path.stem for path in TRANSFORMATIONS.iterdir() if path.suffix in (".py", ".sql")}
    scripts = {check for dataset in datasets() for check in dataset["quality_checks"] if isinstance(check, str)}
    assert scripts == {path.stem for path in (TRANSFORMATIONS / "quality").glob("*.py")}
