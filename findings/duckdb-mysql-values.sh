#!/usr/bin/env bash
# DuckDB 1.5.5 with its mysql extension: three kinds of values arrive as others, without an error.
#
# Behaviour: a date 0000-00-00, which MySQL allows without NO_ZERO_DATE, is read as NULL. A decimal of more than 38 digits
#   is read as DOUBLE. A text of a binary collation (utf8mb4_bin), and so MariaDB's JSON, is read as BLOB by mysql_query.
# Likely guess: an error that names the column, as for 2024-00-10; VARCHAR for the others.
# What it means: rows are counted as without a date, digits are lost, texts come with \x escapes once they are cast. Read
#   such columns with CAST(... AS CHAR) and CONVERT(... USING utf8mb4) COLLATE utf8mb4_general_ci.
# Source: seen by running, against MariaDB 10.11 of Debian 12 (the script takes `mariadbd` from the machine); the types:
#   https://dev.mysql.com/doc/refman/8.4/en/data-types.html.
# Output seen: the lines between the two EXPECTED below.
set -euo pipefail
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; wait; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check duckdb==1.5.5 duckdb-extension-mysql-scanner==1.5.5
user=$(id -un)
[ "$user" != root ] || { user=nobody; chmod 755 "$work"; }
mkdir "$work/data"
chown "$user" "$work/data"
mariadb-install-db --no-defaults --user="$user" --datadir="$work/data" --auth-root-authentication-method=normal \
  --skip-test-db > /dev/null
mariadbd --no-defaults --user="$user" --datadir="$work/data" --socket="$work/data/s" --port=33971 --bind-address=127.0.0.1 \
  > "$work/log" 2>&1 &
server=$!
until mariadb --no-defaults -S "$work/data/s" -u root -e "SELECT 1" > /dev/null 2>&1; do sleep 0.2; done
mariadb --no-defaults -S "$work/data/s" -u root <<'SQL'
CREATE USER reader@'127.0.0.1' IDENTIFIED BY 'reader';
GRANT SELECT ON *.* TO reader@'127.0.0.1';
CREATE DATABASE shop;
CREATE TABLE shop.readings (zero date, many decimal(40,1), binary_text varchar(9) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin);
SQL
mariadb --no-defaults --default-character-set=utf8mb4 -S "$work/data/s" -u root -e \
  "SET sql_mode = ''; INSERT INTO shop.readings VALUES ('0000-00-00', 123456789012345678901234567890123456789.5, 'é')"
cat > "$work/read.py" <<'PY'
from pathlib import Path

import duckdb

con = duckdb.connect()
extension = next(Path(duckdb.__file__).parent.parent.glob("duckdb_extension_mysql_scanner/**/*.duckdb_extension"))
con.execute(f"LOAD '{extension}'")
con.execute("ATTACH 'host=127.0.0.1 port=33971 user=reader password=reader database=shop' AS db (TYPE mysql)")
for column in ("zero", "many", "binary_text"):
    rows = f"SELECT {column}::VARCHAR, typeof({column}) FROM mysql_query('db', 'SELECT {column} FROM readings')"
    print(column, *con.execute(rows).fetchone())
PY
"$work/venv/bin/python" "$work/read.py" > "$work/seen"
cat > "$work/expected" <<'EXPECTED'
zero None DATE
many 1.2345678901234568e+38 DOUBLE
binary_text \xC3\xA9 BLOB
EXPECTED
diff "$work/expected" "$work/seen" && echo "as written above"
