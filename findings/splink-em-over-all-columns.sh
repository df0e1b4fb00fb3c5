#!/usr/bin/env bash
# Splink 5.0.0: EM training whose blocking rule uses every compared column says in its log that nothing can be estimated,
# continues, and then fails with a syntax error of the database.
#
# Behaviour: columns of the blocking rule cannot be estimated in that training session, and Splink says so. If no column
#   is left, it still builds the prediction's SQL, whose sum of match weights then ends with a `+`.
# Likely guess: the session does nothing, or it is refused with a message about the rule.
# What it means: check before training that each rule leaves a compared column, or users look for a fault in their SQL.
# Source: seen by running; that blocked columns are left out: https://moj-analytical-services.github.io/splink/.
# Output seen: the lines between the two EXPECTED below.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check splink==5.0.0 duckdb==1.5.5
cat > "$work/train.py" <<'PY'
import logging

import duckdb
import splink.comparison_library as library
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

logging.disable(logging.CRITICAL)
con = duckdb.connect()
con.execute("CREATE TABLE people AS SELECT i AS unique_id, 'n' || i % 7 AS name, 'c' || i % 5 AS city FROM range(60) t(i)")
settings = SettingsCreator(
    link_type="dedupe_only",
    comparisons=[library.ExactMatch("name"), library.ExactMatch("city")],
    blocking_rules_to_generate_predictions=[block_on("name")],
)
linker = Linker(DuckDBAPI(connection=con).register("people"), settings)
linker.training.estimate_u_using_random_sampling(max_pairs=1e4, seed=1)
for columns in (["name"], ["name", "city"]):
    try:
        linker.training.estimate_parameters_using_expectation_maximisation(block_on(*columns))
        print(columns, "trained")
    except Exception as error:
        print(columns, type(error).__name__, 'syntax error at or near "as"' in str(error), "name" in str(error).split("Error was")[1])
PY
"$work/venv/bin/python" "$work/train.py" > "$work/seen" 2>"$work/log"
cat > "$work/expected" <<'EXPECTED'
['name'] trained
['name', 'city'] SplinkException True False
EXPECTED
diff "$work/expected" "$work/seen" && echo "as written above"
