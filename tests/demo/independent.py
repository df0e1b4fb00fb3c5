"""The demo's gold figures, worked out a second time: from the CSV files, with nothing but the standard library.

No DuckDB and no SQL, so an error in a transformation, in the engine or in the loading cannot be made here as well. Each
function answers for the state after `load_source` or, with `after=True`, after `change_source`; what that one does is
taken from its description, `CHANGES`, and done again in Python.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple

from comboi_core.cli.demo.data import CHANGES, PERSON_FIELDS, data_files

STATES = {"act", "nsw", "nt", "qld", "sa", "tas", "vic", "wa"}
Row = dict[str, str | None]


class Flight(NamedTuple):
    """What the gold figures need of a flight; delays in minutes, None where there is none."""

    flight_id: int
    year: int
    month: int
    carrier: str
    tailnum: str | None
    origin: str
    dest: str
    scheduled_hour: str
    dep_delay: int | None
    arr_delay: int | None
    air_time: int | None

    @property
    def status(self) -> str:
        if self.dep_delay is None:
            return "cancelled"
        return "diverted" if self.arr_delay is None else "flown"


def rows(table: str) -> Iterator[Row]:
    """The rows of a CSV file in order; `NA` and, in the register, nothing but blanks are None."""
    path = data_files()[table]
    if table == "flights":
        with zipfile.ZipFile(path) as archive, archive.open("flights.csv") as raw:
            yield from _rows(io.TextIOWrapper(raw, encoding="utf-8", newline=""), "NA")
    else:
        with path.open(encoding="utf-8", newline="") as text:
            yield from _rows(text, "" if table == "customers" else "NA")


def _rows(lines: Iterable[str], null: str) -> Iterator[Row]:
    reader = csv.reader(lines)
    header = [name.strip() for name in next(reader)]
    for values in reader:
        stripped = (value.strip() for value in values)
        yield dict(zip(header, (None if value == null else value for value in stripped), strict=True))


@cache
def flights(after: bool = False) -> tuple[Flight, ...]:
    """All flights by flight_id, which is the position in the file."""
    if not after:
        return tuple(_flight(number, row) for number, row in enumerate(rows("flights"), start=1))
    before = flights()
    return tuple(_changed(flight) for flight in before) + tuple(map(_flown_again, before[: CHANGES.new_flights]))


def _flight(number: int, row: Row) -> Flight:
    def whole(name: str) -> int | None:
        value = row[name]
        return None if value is None else int(value)

    # A flight without a departure time has no delay either, and the other way round; so the delay decides.
    assert (row["dep_time"] is None) == (row["dep_delay"] is None)
    texts = {name: row[name] for name in ("carrier", "tailnum", "origin", "dest")}
    delays = {name: whole(name) for name in ("dep_delay", "arr_delay", "air_time")}
    return Flight(number, whole("year"), whole("month"), scheduled_hour=row["time_hour"], **texts, **delays)


def _changed(flight: Flight) -> Flight:
    if flight.flight_id in CHANGES.cancelled:
        return flight._replace(dep_delay=None, arr_delay=None, air_time=None)
    if flight.flight_id % CHANGES.correct_every == 0 and flight.dep_delay is not None and flight.arr_delay is not None:
        minutes = CHANGES.correct_minutes
        return flight._replace(dep_delay=flight.dep_delay + minutes, arr_delay=flight.arr_delay + minutes)
    return flight


def _flown_again(flight: Flight) -> Flight:
    hour = datetime.strptime(flight.scheduled_hour, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    later = hour + timedelta(days=CHANGES.new_flights_days)
    return flight._replace(
        flight_id=flight.flight_id + CHANGES.flight_id_offset,
        year=flight.year + 1,
        scheduled_hour=later.strftime("%Y-%m-%dT%H:%M:%SZ"),
    )


@cache
def conditions(after: bool = False) -> dict[tuple[str, str], str]:
    """The weather in words by airport and hour."""
    return {(row["origin"], row["time_hour"]): _condition(row, after) for row in rows("weather")}


def _condition(row: Row, after: bool) -> str:
    def number(name: str, otherwise: str) -> Decimal:
        return Decimal(row[name] or otherwise)

    precipitation = number("precip", "0")
    if after and (int(row["month"]), int(row["day"])) == CHANGES.weather_day:
        precipitation += Decimal(CHANGES.weather_precip)
    if precipitation > 0:
        return "snow" if number("temp", "99") <= 32 else "rain"
    if number("visib", "99") < 3:
        return "fog"
    return "wind" if 25 <= number("wind_speed", "0") <= 200 else "fair"


@cache
def customers(after: bool = False) -> dict[int, Row]:
    """The register by customer_id, which is the position in the file, with `true_person`."""
    register = {
        number: {name: row[name] for name in PERSON_FIELDS} | {"true_person": "-".join(row["rec_id"].split("-")[:2])}
        for number, row in enumerate(rows("customers"), start=1)
    }
    if after:
        register |= {new.customer_id: register[new.like] | new.typed for new in CHANGES.customers}
    return register


def source_counts(after: bool = False) -> dict[str, int]:
    """Rows per source table."""
    small = {f"nyc.{name}": sum(1 for _ in rows(name)) for name in ("airlines", "airports", "planes", "weather")}
    small["nyc.airlines"] += len(CHANGES.airlines) if after else 0
    return small | {"nyc.flights": len(flights(after)), "crm.customers": len(customers(after))}


def changed_counts() -> dict[str, int]:
    """Rows per source table that `change_source` changes or adds."""
    before = {flight.flight_id: flight for flight in flights()}
    weather_days = ((int(row["month"]), int(row["day"])) for row in rows("weather"))
    return {
        "nyc.flights": sum(1 for flight in flights(True) if before.get(flight.flight_id) != flight),
        "nyc.weather": sum(1 for day in weather_days if day == CHANGES.weather_day),
        "nyc.airlines": len(CHANGES.airlines),
        "crm.customers": len(CHANGES.customers),
    }


def carrier_punctuality(after: bool = False) -> dict[tuple[str, str], dict[str, Any]]:
    """Gold by carrier and month (its first day, ISO)."""
    names = {row["carrier"]: row["name"] for row in rows("airlines")}
    groups: dict[tuple[str, str], list[Flight]] = defaultdict(list)
    for flight in flights(after):
        groups[flight.carrier, f"{flight.year}-{flight.month:02}-01"].append(flight)
    return {key: {"carrier_name": names[key[0]]} | _punctuality(group) for key, group in groups.items()}


def _punctuality(group: list[Flight]) -> dict[str, Any]:
    arrivals = sorted(flight.arr_delay for flight in group if flight.arr_delay is not None)
    on_time = sum(1 for delay in arrivals if delay < 15)
    return _statuses(group) | {
        "on_time": on_time,
        "on_time_share": on_time / len(group),
        "avg_departure_delay": _mean(flight.dep_delay for flight in group),
        "avg_arrival_delay": _mean(arrivals),
        "p90_arrival_delay": _quantile(arrivals, 0.9),
    }


def delay_by_weather(after: bool = False) -> dict[str, dict[str, Any]]:
    """Gold by condition."""
    weather = conditions(after)
    groups: dict[str, list[Flight]] = defaultdict(list)
    for flight in flights(after):
        groups[weather.get((flight.origin, flight.scheduled_hour), "unknown")].append(flight)
    return {condition: _departures(group) for condition, group in groups.items()}


def _departures(group: list[Flight]) -> dict[str, Any]:
    delays = [flight.dep_delay for flight in group if flight.dep_delay is not None]
    cancelled = len(group) - len(delays)
    return {
        "flights": len(group),
        "cancelled": cancelled,
        "cancelled_share": cancelled / len(group),
        "avg_departure_delay": _mean(delays),
        "hour_late_share": sum(1 for delay in delays if delay >= 60) / len(delays) if delays else None,
    }


def busiest_routes(after: bool = False) -> dict[int, dict[str, Any]]:
    """Gold by rank."""
    seats = {row["tailnum"]: int(row["seats"]) for row in rows("planes") if row["seats"]}
    airports = {row["faa"]: row["name"] for row in rows("airports")}
    groups: dict[tuple[str, str], list[Flight]] = defaultdict(list)
    for flight in flights(after):
        groups[flight.origin, flight.dest].append(flight)
    busiest = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))[:50]
    gold = {}
    for rank, ((origin, dest), group) in enumerate(busiest, start=1):
        known = [seats[flight.tailnum] for flight in group if flight.status == "flown" and flight.tailnum in seats]
        gold[rank] = {
            "origin": origin,
            "dest": dest,
            "dest_name": airports.get(dest),
            "flights": len(group),
            "flown": _statuses(group)["flown"],
            "carriers": len({flight.carrier for flight in group}),
            "flown_with_known_seats": len(known),
            "seats": sum(known) if known else None,
            "avg_air_time": _mean(flight.air_time for flight in group),
        }
    return gold


def persons(after: bool = False) -> dict[str, Row]:
    """The record that survives of each true person: the one entered last."""
    return {row["true_person"]: row for _, row in sorted(customers(after).items())}


def customers_per_state(after: bool = False) -> dict[str, dict[str, int]]:
    """Gold by state, if the deduplication finds exactly the true persons; Splink comes within a few of it."""
    survivors = list(persons(after).values())
    everyone = Counter(_state(row) for row in survivors)
    undated = Counter(_state(row) for row in survivors if not _is_date(row["date_of_birth"]))
    return {state: {"persons": everyone[state], "without_date_of_birth": undated[state]} for state in everyone}


def _state(row: Row) -> str:
    return row["state"] if row["state"] in STATES else "unknown"


def _is_date(text: str | None) -> bool:
    try:
        datetime.strptime(text or "", "%Y%m%d")
    except ValueError:
        return False
    return True


def _statuses(group: list[Flight]) -> dict[str, int]:
    counts = Counter(flight.status for flight in group)
    return {"flights": len(group)} | {status: counts[status] for status in ("flown", "diverted", "cancelled")}


def _mean(values: Iterable[int | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _quantile(ordered: list[int], share: float) -> float | None:
    """The value at `share` of the way through, interpolated between neighbours."""
    if not ordered:
        return None
    place = (len(ordered) - 1) * share
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)
