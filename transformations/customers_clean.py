"""The customer register, ready for comparison: one spelling per value, NULL where nothing is known.

Why Python: ten columns and three rules. Written by hand the SQL would repeat itself ten times, and the eleventh column
would miss a rule. DuckDB still does the work; this only writes the query.
"""

from __future__ import annotations

from collections.abc import Mapping

import duckdb

STATES = ("act", "nsw", "nt", "qld", "sa", "tas", "vic", "wa")

# Lower case, single blanks. An empty string is a value that two records could agree on; NULL is not.
WORDS = "nullif(trim(regexp_replace(lower({column}), '\\s+', ' ', 'g')), '')"
# Digits only.
DIGITS = "nullif(regexp_replace({column}, '[^0-9]', '', 'g'), '')"
# One of the states, or unknown: `nws` might be any typing error.
STATE = f"CASE WHEN lower(trim({{column}})) IN {STATES} THEN lower(trim({{column}})) END"

RULES = {
    "given_name": WORDS,
    "surname": WORDS,
    "street_number": WORDS,
    "address_1": WORDS,
    "address_2": WORDS,
    "suburb": WORDS,
    "postcode": DIGITS,
    "state": STATE,
    "date_of_birth": DIGITS,
    "soc_sec_id": DIGITS,
}


def transform(con: duckdb.DuckDBPyConnection, inputs: Mapping[str, str]) -> str:
    """Return the query; `born` is the date of birth where it is one in the calendar."""
    cleaned = ",\n".join(f"{rule.format(column=column)} AS {column}" for column, rule in RULES.items())
    return f"""
        WITH cleaned AS (SELECT customer_id, {cleaned}, true_person, updated_at FROM {inputs["customers"]})
        SELECT *, try_strptime(date_of_birth, '%Y%m%d')::DATE AS born
        FROM cleaned
    """
