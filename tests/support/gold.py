"""Comparing gold with figures calculated independently, straight from the CSV files."""

from __future__ import annotations

import math
from datetime import date

import duckdb

from tests.demo import independent

GOLD = {
    "carrier_punctuality": (("carrier", "month"), independent.carrier_punctuality),
    "delay_by_weather": (("condition",), independent.delay_by_weather),
    "busiest_routes": (("rank",), independent.busiest_routes),
    "customers_per_state": (("state",), independent.customers_per_state),
}


def read(con: duckdb.DuckDBPyConnection, table: str, keys: tuple[str, ...]) -> dict[object, dict[str, object]]:
    """A table by its key, which is a tuple if it has several columns; dates as ISO text."""
    cursor = con.execute(f"FROM {table}")
    names = [column[0] for column in cursor.description]
    result = {}
    for values in cursor.fetchall():
        row = {
            name: value.isoformat() if isinstance(value, date) else value
            for name, value in zip(names, values, strict=True)
        }
        key = tuple(row.pop(name) for name in keys)
        result[key if len(keys) > 1 else key[0]] = row
    return result


def same(ours: object, theirs: object) -> bool:
    """Whole numbers and texts exactly, fractions to nine digits."""
    if isinstance(ours, float) and isinstance(theirs, float):
        return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-12)
    return ours == theirs and type(ours) is type(theirs)


def differences(ours: dict, theirs: dict) -> dict:
    """What the two sides do not agree on: (key, column) -> (ours, theirs); empty if they agree in everything."""
    different = {(key, None): (key in ours, key in theirs) for key in ours.keys() ^ theirs.keys()}
    for key in ours.keys() & theirs.keys():
        for column in ours[key].keys() | theirs[key].keys():
            pair = (ours[key].get(column, "no column"), theirs[key].get(column, "no column"))
            if not same(*pair):
                different[(key, column)] = pair
    return different
