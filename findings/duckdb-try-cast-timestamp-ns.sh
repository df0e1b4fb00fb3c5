#!/usr/bin/env bash
# DuckDB 1.5.5: TRY_CAST of a TIMESTAMP to TIMESTAMP_NS raises an error if the value does not fit, instead of returning NULL.
#
# Behaviour: TIMESTAMP_NS ends in 2262. `TRY_CAST('2300-01-01' AS TIMESTAMP_NS)` from text is NULL, as TRY_CAST promises.
#   From a DATE it is NULL as well. From a TIMESTAMP the statement fails with a Conversion Error, though it says TRY_CAST.
# Likely guess: TRY_CAST never fails for the value of a row.
# What it means: a probe "does every row fit the narrower type" fails as a whole at the first row that does not; compare
#   with the type's last moment instead, or go through text.
# Source: seen by running; that TRY_CAST gives NULL is promised in https://duckdb.org/docs/stable/sql/expressions/cast.
# Output seen: the lines between the two EXPECTED below.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check duckdb==1.5.5
cat > "$work/try.py" <<'PY'
import duckdb

for what in ("'2300-01-01'", "TIMESTAMP '2300-01-01'", "DATE '2300-01-01'", "TIMESTAMP '2200-01-01'"):
    try:
        (fits,) = duckdb.execute(f"SELECT TRY_CAST({what} AS TIMESTAMP_NS) IS NOT NULL").fetchone()
        print(f"{what}: {'fits' if fits else 'NULL'}")
    except duckdb.ConversionException as error:
        print(f"{what}: {error}")
PY
"$work/venv/bin/python" "$work/try.py" > "$work/seen"
cat > "$work/expected" <<'EXPECTED'
'2300-01-01': NULL
TIMESTAMP '2300-01-01': Conversion Error: Could not convert Timestamp(US) to Timestamp(NS)
DATE '2300-01-01': NULL
TIMESTAMP '2200-01-01': fits
EXPECTED
diff "$work/expected" "$work/seen" && echo "as written above"
