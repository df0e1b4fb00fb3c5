#!/usr/bin/env bash
# DuckDB 1.5.5 with its mysql extension: a connection string with a question mark in a quoted value is taken for a URI.
#
# Behaviour: ATTACH of 'host=... password="a?b"' fails with a Parser Error about a URI, before a connection is tried. The
#   same password in a secret (CREATE SECRET ... TYPE mysql) goes to the server as it is.
# Likely guess: only what begins with mysql:// is a URI.
# What it means: passwords with a question mark cannot be written into the string, however they are quoted: use a secret.
# Source: seen by running; no server is needed. https://duckdb.org/docs/stable/core_extensions/mysql.html shows both forms.
# Output seen: the lines between the two EXPECTED below.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check duckdb==1.5.5 duckdb-extension-mysql-scanner==1.5.5
cat > "$work/attach.py" <<'PY'
from pathlib import Path

import duckdb

con = duckdb.connect()
extension = next(Path(duckdb.__file__).parent.parent.glob("duckdb_extension_mysql_scanner/**/*.duckdb_extension"))
con.execute(f"LOAD '{extension}'")
con.execute("CREATE SECRET s (TYPE mysql, host '127.0.0.1', port '1', user 'u', database 'd', password 'a?b')")
for how, attach in {
    "string": """ATTACH 'host=127.0.0.1 port=1 user=u database=d password="a?b"' AS one (TYPE mysql)""",
    "secret": "ATTACH '' AS two (TYPE mysql, SECRET s)",
}.items():
    try:
        con.execute(attach)
    except duckdb.Error as error:
        print(how, str(error).partition(":")[0])
PY
"$work/venv/bin/python" "$work/attach.py" > "$work/seen"
cat > "$work/expected" <<'EXPECTED'
string Parser Error
secret IO Error
EXPECTED
diff "$work/expected" "$work/seen" && echo "as written above"
