"""Does the time line that we calculated agree with the clock on the wall?

The source reports each departure as hhmm on New York's clock. The transformation never looks at that number: it adds
the delay to the planned instant. So comparing the two finds a wrong time zone, a slip at midnight or when summer time
begins and ends, and a correction that changed the delay but not the time.
"""

from __future__ import annotations

import duckdb


def check(con: duckdb.DuckDBPyConnection, dataset_name: str) -> tuple[bool, str]:
    """Pass if every actual departure reads the reported hhmm in New York (midnight is reported as 2400)."""
    row = con.execute(
        f"""
        WITH departures AS (
            SELECT flight_id, reported_departure, timezone('America/New_York', actual_departure) AS local_time
            FROM {dataset_name}
            WHERE status <> 'cancelled'
        )
        SELECT count(*), min(flight_id)
        FROM departures
        WHERE local_time IS NULL
            OR hour(local_time) * 100 + minute(local_time) <> reported_departure % 2400
        """
    ).fetchone()
    wrong, example = row or (0, None)
    if wrong:
        return False, f"{wrong:,} departures disagree with the reported time, flight_id {example} for one"
    return True, "every departure agrees with the reported time"
