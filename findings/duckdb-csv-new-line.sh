#!/usr/bin/env bash
# DuckDB 1.5.5: `read_csv` with a different `new_line` than the file's returns no rows and no error.
#
# Behaviour: with every option given (`auto_detect = false`, the default `strict_mode = true`), a file whose lines end in
#   \r\n and that is read with `new_line = '\n'` has 0 rows. So has a file with \n that is read with '\r\n', and with '\r'.
#   With `strict_mode = false` the option does not matter: all rows come.
# Likely guess: the option is a hint, or rows that do not fit raise an error, as a wrong `delim` does in strict mode.
# What it means: if you set `new_line` so that nothing is guessed, you lose whole files without an error as soon as a file
#   comes from another system. Read with `strict_mode = false`, or look at the file's line ends first.
# Source: seen by running; https://duckdb.org/docs/stable/data/csv/overview describes both options and says nothing of it.
# Output seen: the lines between the two EXPECTED below.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check duckdb==1.5.5
cat > "$work/try.py" <<'PY'
import pathlib
import sys

import duckdb

folder = pathlib.Path(sys.argv[1])
ends = {"LF": "\n", "CRLF": "\r\n"}
for name, end in ends.items():
    (folder / f"{name}.csv").write_bytes(f"id,name{end}1,a{end}2,b{end}".encode())
for name in ends:
    for option in (r"\n", r"\r\n"):
        for strict in ("true", "false"):
            rows = duckdb.sql(
                f"FROM read_csv('{folder / name}.csv', auto_detect = false, delim = ',', quote = '\"', escape = '\"', "
                f"header = true, new_line = '{option}', strict_mode = {strict}, "
                "columns = {'id': 'INTEGER', 'name': 'VARCHAR'})"
            ).fetchall()
            print(f"file {name}, new_line {option}, strict_mode {strict}: {len(rows)} rows")
PY
"$work/venv/bin/python" "$work/try.py" "$work" > "$work/seen"
cat > "$work/expected" <<'EXPECTED'
file LF, new_line \n, strict_mode true: 2 rows
file LF, new_line \n, strict_mode false: 2 rows
file LF, new_line \r\n, strict_mode true: 0 rows
file LF, new_line \r\n, strict_mode false: 2 rows
file CRLF, new_line \n, strict_mode true: 0 rows
file CRLF, new_line \n, strict_mode false: 2 rows
file CRLF, new_line \r\n, strict_mode true: 0 rows
file CRLF, new_line \r\n, strict_mode false: 2 rows
EXPECTED
diff "$work/expected" "$work/seen" && echo "as written above"
