#!/usr/bin/env bash
# DuckDB 1.5.5: get_table_names gives the tables of a query that do not exist yet, but not if the query joins with USING.
#
# Behaviour: `get_table_names` returns which tables a query needs, before they exist. `JOIN ... ON` works so, and
#   so do a subquery and columns that nobody has. With `JOIN ... USING (column)` or NATURAL JOIN it raises a Binder Error
#   about the columns of the tables that are not there.
# Likely guess: the names come from the parsed query, so any query that can be parsed has an answer.
# What it means: to learn the tables of a query, walk the BASE_TABLE nodes of `json_serialize_sql(query)`, which parses
#   only. Names of CTEs are among them, and have to be left out.
# Source: seen by running; purpose and parameters: https://docs.rs/libduckdb-sys/latest/libduckdb_sys/fn.duckdb_get_table_names.html
# Output seen: the lines between the two EXPECTED below.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check duckdb==1.5.5
cat > "$work/try.py" <<'PY'
import json

import duckdb


def tables(node):
    if isinstance(node, dict):
        if node.get("type") == "BASE_TABLE":
            yield node["table_name"]
        node = list(node.values())
    if isinstance(node, list):
        for part in node:
            yield from tables(part)


con = duckdb.connect()
for query in (
    "SELECT nothing FROM a JOIN b ON a.x = b.x",
    "SELECT * FROM a WHERE EXISTS (FROM b)",
    "SELECT * FROM a JOIN b USING (x)",
    "SELECT * FROM a NATURAL JOIN b",
):
    try:
        names = sorted(con.get_table_names(query))
    except duckdb.Error as error:
        names = str(error).splitlines()[0]
    parsed = json.loads(con.execute("SELECT json_serialize_sql($1::VARCHAR)", [query]).fetchone()[0])
    print(f"{query}: {names}; parsed: {sorted(tables(parsed))}")
PY
"$work/venv/bin/python" "$work/try.py" > "$work/seen"
cat > "$work/expected" <<'EXPECTED'
SELECT nothing FROM a JOIN b ON a.x = b.x: ['a', 'b']; parsed: ['a', 'b']
SELECT * FROM a WHERE EXISTS (FROM b): ['a', 'b']; parsed: ['a', 'b']
SELECT * FROM a JOIN b USING (x): Binder Error: Column "x" does not exist on left side of join!; parsed: ['a', 'b']
SELECT * FROM a NATURAL JOIN b: Binder Error: No columns found to join on in NATURAL JOIN.; parsed: ['a', 'b']
EXPECTED
diff "$work/expected" "$work/seen" && echo "as written above"
