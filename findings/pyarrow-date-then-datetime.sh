#!/usr/bin/env bash
# PyArrow 26.0.1: `pa.array` takes its type from the first date or datetime, and then drops what only the other values have.
#
# Behaviour: `[date, datetime]` becomes date32, and the time of day of the second value is lost without an error; the other
#   order raises. A naive datetime followed by an aware one becomes naive: the aware one is shifted to UTC and its offset
#   is dropped; in the other order the naive one counts as UTC. A `time` with an offset loses the offset.
# Likely guess: values of mixed kinds raise ArrowInvalid (as `[1, "a"]` does), or the type that holds all of them is taken
#   (as `[1, 2.5]` becomes double), whatever their order.
# What it means: rows that Python code yields may be changed by the order in which they come. Look at the kinds of a column
#   yourself, and give `pa.array` its type.
# Source: seen by running; https://arrow.apache.org/docs/python/generated/pyarrow.array.html says that the type is inferred
#   from the data, but does not mention the order. That an explicit date32 cuts the time is https://github.com/apache/arrow/issues/41896.
# Output seen: the lines between the two EXPECTED below.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check pyarrow==26.0.1
cat > "$work/try.py" <<'PY'
from datetime import date, datetime, time, timedelta, timezone

import pyarrow as pa

day, moment = date(2024, 1, 1), datetime(2024, 1, 1, 13, 5)
aware = moment.replace(tzinfo=timezone(timedelta(hours=2)))
columns = {
    "int, float": [1, 2.5],
    "int, str": [1, "a"],
    "date, datetime": [day, moment],
    "datetime, date": [moment, day],
    "naive, aware": [moment, aware],
    "aware, naive": [aware, moment],
    "time with an offset": [time(1, 2, tzinfo=timezone(timedelta(hours=2)))],
}
for name, values in columns.items():
    try:
        made = pa.array(values)
        print(f"{name}: {made.type}: {', '.join(str(value) for value in made)}")
    except pa.ArrowException as error:
        print(f"{name}: {type(error).__name__}")
PY
"$work/venv/bin/python" "$work/try.py" > "$work/seen"
cat > "$work/expected" <<'EXPECTED'
int, float: double: 1.0, 2.5
int, str: ArrowInvalid
date, datetime: date32[day]: 2024-01-01, 2024-01-01
datetime, date: ArrowTypeError
naive, aware: timestamp[us]: 2024-01-01 13:05:00, 2024-01-01 11:05:00
aware, naive: timestamp[us, tz=+02:00]: 2024-01-01 13:05:00+02:00, 2024-01-01 15:05:00+02:00
time with an offset: time64[us]: 01:02:00
EXPECTED
diff "$work/expected" "$work/seen" && echo "as written above"
