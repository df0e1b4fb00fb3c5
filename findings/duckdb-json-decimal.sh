#!/usr/bin/env bash
# DuckDB 1.5.5: a JSON number with a fraction goes through a double, also where the column is declared DECIMAL or VARCHAR.
#
# Behaviour: `read_json` with `columns={'v': 'DECIMAL(38,2)'}` gives 12345678901234567.68 for the number
#   12345678901234567.12 in the file: neither the number in the file nor the double's shortest text. Whole
#   numbers of the same length are exact. As VARCHAR the text is the double's, not the file's.
# Likely guess: a declared DECIMAL is read from the digits, as CSV is; a declared VARCHAR is the text in the file.
# What it means: amounts of money in JSON change without an error. Check for numbers that no double holds, or write them as
#   JSON strings, which are exact.
# Source: seen by running; RFC 8259, section 6, leaves the precision of numbers to the reader.
# Output seen: the lines between the two EXPECTED below.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check duckdb==1.5.5
cat > "$work/amounts.jsonl" <<'JSON'
{"v": 12345678901234567.12}
{"v": "12345678901234567.12"}
{"v": 12345678901234567890}
JSON
cat > "$work/read.py" <<'PY'
import sys

import duckdb

for kind in ("DECIMAL(38,2)", "VARCHAR"):
    query = f"SELECT v::VARCHAR FROM read_json(?, format='newline_delimited', columns={{'v': '{kind}'}})"
    print(kind, *(value for (value,) in duckdb.execute(query, [sys.argv[1]]).fetchall()))
PY
"$work/venv/bin/python" "$work/read.py" "$work/amounts.jsonl" > "$work/seen"
cat > "$work/expected" <<'EXPECTED'
DECIMAL(38,2) 12345678901234567.68 12345678901234567.12 12345678901234567890.00
VARCHAR 1.2345678901234568e+16 12345678901234567.12 12345678901234567890
EXPECTED
diff "$work/expected" "$work/seen" && echo "as written above"
