"""The schemas for editors and the parser agree: on a table of values, and on hostile values in every key there is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from itertools import product
from typing import Any

import pytest

from comboi_core.config.document import Document
from comboi_core.config.reference_examples import EXAMPLES
from comboi_core.config.schema import schema
from tests.docs.blocks import VALIDATORS, as_json, in_place, parser_problems

Path = tuple[str | int, ...]

ENGINE, RETRY, STAGE = ("engine",), ("retry",), ("stages", "silver")
SOURCE = ("sources", 0)
TABLE = ("sources", 0, "tables", 0)
DATASET = ("silver", 0)

VALUES: list[tuple[str, Path, list[str], list[str]]] = [
    ("PipelineFile", ("pipeline",), ["a", "A-b_9"], ["", "9a", "a b", "a/b", "null", "5", "'{{env:A}}'", "é"]),
    ("PipelineFile", ("failure_policy",), ["stop", "isolate"], ["go", "null", "[]"]),
    ("PipelineFile", ("queue",), ["null", "{connection: x}", "[1]"], []),
    ("PipelineFile", ("unknown",), [], ["1", "null"]),
    ("PipelineFile", ("sources",), [], ["[]", "{}", "null", "shop", "[{name: a, type: oracle}]"]),
    ("EngineConfig", (*ENGINE, "memory_limit"), ["1GB", "1.5 GiB", "512MB"], ["1gb", "0MB", "1", "1G", "'{{env:A}}'"]),
    ("EngineConfig", (*ENGINE, "soft_deadline"), ["30s", "2.5h", "' 5 m '", "300", "0.5"], ["0s", "0", "-5m", "5x"]),
    ("EngineConfig", (*ENGINE, "threads"), ["1", "64", "2.0"], ["0", "65", "1.5", "null", "many"]),
    ("EngineConfig", (*ENGINE, "temp_directory"), ["null", "/tmp", "'{{env:TMP}}'"], ["'{{TMP}}'", "5", "[a]"]),
    ("Retry", (*RETRY, "first_delay"), ["0", "0s", "1d", "3650d"], ["-1", "true", "1 week", "1e9", "null", "''"]),
    ("Retry", (*RETRY, "factor"), ["1", "1.5", "10"], ["0.5", "11", "x", "null"]),
    ("StageConfig", (*STAGE, "remote_path_template"), ["'{table}'", "'a/{stage}/{source}-{table}.parquet'"],
     ["''", "x", "'{other}/{table}'", "'../{table}'", "'/{table}'", "'a//{table}'", "'.a/{table}'", "'{table}/'",
      "'{{env:A}}/{table}'", "'a\\{table}'"]),
    ("LakeConfig", (*STAGE, "data_lake"), ["{path: a}", "{account_url: 'https://a.b', file_system: abc}",
     "{account_name: a, file_system: '{{env:A}}', folder: a/b, sas_token: x}"],
     ["{}", "{path: ''}", "{path: a, account_name: b}", "{path: a, folder: b}", "{account_name: a}",
      "{account_name: a, file_system: A}", "{account_name: a, file_system: a--b}",
      "{account_name: a, file_system: abc, folder: ../x}", "{account_name: a, file_system: abc, folder: a/}",
      "{account_url: 'https://a?b', file_system: abc}",
      "{connection_string: x, credential: y, file_system: abc}", "{account_name: a, credential: b, sas_token: c}"]),
    ("KeyVaultConfig", ("key_vault", "vault_url"), ["'https://a.vault.azure.net/'", "'{{env:URL}}'"],
     ["''", "'http://a.b'", "a.vault.azure.net", "'https://a.b/secrets'", "null"]),
    ("NotificationConfig", ("notifications", 0, "webhook"), ["'https://a.b/c'", "'http://localhost:1/'", "'{{env:A}}'"],
     ["''", "'http://a.b/c'", "'https://a b'", "hook", "null"]),
    ("NotificationConfig", ("notifications", 0, "on"), ["[stale]"], ["[]", "failed", "[late]", "null"]),
    ("PostgresSource", (*SOURCE, "name"), ["a"], ["runs", "work", "a.b", "null"]),
    ("PostgresSource", (*SOURCE, "type"), ["postgres"], ["oracle", "null", "sqlite", "[]"]),
    ("AzureSqlConnection", (*SOURCE, "connection"), ["{dsn: x}", "{server: a, database: b}",
     "{server: a, database: b, user: c, password: d, encrypt: no}", "{dsn: x, encrypt: 'no'}",
     "{server: a, database: b, client_id: c}"],
     ["{}", "{server: a}", "{dsn: a, server: b}", "{dsn: a, database: b}", "{server: a, database: b, user: c}",
      "{server: a, database: b, authentication: sql}", "{server: a, database: b, encrypt: no}",
      "{server: a, database: b, user: c, password: d, authentication: managed_identity}",
      "{dsn: x, client_id: c, authentication: sql}"]),
    ("TableConfig", TABLE, ["{name: a, table: b}", "{name: a, query: b, table: null}",
     "{name: a, table: b, cursor: xmin, primary_key: [k]}", "{name: a, table: b, incremental_column: c}"],
     ["{}", "{name: a}", "{name: a, table: b, query: c}", "{name: a, table: b, mode: merge}",
      "{name: a, table: b, mode: append}", "{name: a, table: b, incremental_column: c, mode: merge}",
      "{name: a, table: b, incremental_column: c, cursor: xmin, primary_key: [k]}", "{name: a, table: b, cursor: xmin}",
      "{name: a, table: b, primary_key: k}", "{name: a, table: b, columns: ['']}",
      "{name: a, table: b, mask: {c: x}}"]),
    ("TableConfig", (*TABLE, "chunk_bytes"), ["1MB", "0.5GiB", "1000"], ["0", "-1", "1.5", "0MB", "1000MBit", "null"]),
    ("TableConfig", (*TABLE, "freshness"), ["2h", "null", "60"], ["0s", "0", "-1", "soon"]),
    ("FilesTable", (*TABLE, "path"), ["a.csv", "'**/*.csv'", "'a/**/b.csv.gz'", "'[ab]?.jsonl'"],
     ["''", "' '", "/a.csv", "../a.csv", "a/../b.csv", "./a.csv", "a//b.csv", "'a**.csv'", "'a\\b.csv'", "'**'"]),
    ("FilesTable", (*TABLE, "types"), ["{}", "{a: VARCHAR}", "{a: timestamptz}", "{a: ' decimal(12, 2) '}"],
     ["{a: text}", "{a: ''}", "{a: DECIMAL}", "{a: 5}", "{a: 'INT[]'}", "[VARCHAR]"]),
    ("CsvOptions", (*TABLE, "options", "delimiter"), ["';'", '"\\t"', "é"], ["''", "ab", '"\\n"', "null", "5"]),
    ("Input", ("gold", 0, "inputs"), ["[{alias: a, dataset: silver.b, view: current}]",
     "[{alias: a, stage: bronze, source_path: s/t.parquet, view: log}]",
      "[{alias: a, stage: gold, source_path: metrics/x}]"],
     ["[]", "[{alias: a}]", "[{alias: a, source: b}]", "[{alias: a, source: b, table: c, dataset: d}]",
      "[{alias: a, dataset: b, view: log}]", "[{alias: a-b, dataset: b}]", "[{alias: a, stage: silver}]",
      "[{alias: a, stage: silver, source_path: metrics/x.parquet}]", "[{alias: a, stage: tin, source_path: a/b}]",
      "[{alias: a, stage: bronze, source_path: a/b/c}]", "[{alias: a, stage: bronze, source_path: ../b.parquet}]",
      "[{alias: a, dataset: b, stage: silver, source_path: refined/b}]", "[a]", "null"]),
    ("Materialization", (*DATASET, "materialization"), ["{}", "{strategy: append}",
     "{strategy: merge, unique_key: [a]}", "{unique_key: []}",
     "{strategy: scd2, unique_key: [a], changed_by: time, incremental_key: t}"],
     ["{strategy: merge}", "{strategy: merge, unique_key: []}", "{unique_key: [a]}", "{strategy: delete+insert}",
      "{strategy: scd2, unique_key: [a], changed_by: time}", "{strategy: append, close_missing: true}",
      "{strategy: merge, unique_key: [a], time_granularity: date}", "merge", "null"]),
    ("Check", (*DATASET, "quality_checks"), ["[]", "[a_script]", "[unique: a]", "[unique: [a, a]]",
     "[unique: {columns: a}]", "[min: {column: a, value: 2020-01-01}]",
      "[accepted_values: {column: a, values: [null, 1]}]",
     "[accepted_values: {column: a, values: true}]", "[row_count: {max: 0, min: null}]", "[sql: {query: q}]",
     "[freshness: {column: a, max_age: 90}]", "[custom: {query: q, count: 2}]", "[row_count: {min: 1, on_fail: stop}]"],
     ["unique", "[null]", "[{}]", "[5]", "[a script]", "[uniq: a]", "[unique: []]", "[unique: null]", "[unique: '']",
      "[{unique: a, not_null: a}]", "[unique: {column: a, columns: b}]", "[unique: {column: a, max: 1}]",
      "[unique_combination: [a, a]]", "[min: {column: a}]", "[min: {value: 1}]", "[min: {column: a, value: null}]",
      "[min: {column: a, value: ''}]", "[min: {column: a, value: true}]", "[min: {column: 5, value: 1}]",
      "[accepted_values: {column: a, values: []}]", "[accepted_values: {column: a, values: [null]}]",
      "[accepted_values: {column: a, values: [[1]]}]", "[pattern: {column: a, regex: ''}]",
      "[relationships: {column: a, to: a.b.c, field: d}]", "[freshness: {column: a, max_age: 0s}]",
      "[freshness: {column: a, max_age: 1d, on_fail: quarantine}]", "[row_count: {}]", "[row_count: {severity: warn}]",
      "[row_count: {min: -1}]", "[row_count: {min_change: '20'}]", "[sql: {description: d}]", "[sql: q]",
      "[custom: {query: q, value: 1, count: 1}]", "[unique: {column: a, severity: fatal}]", "[not_null: '{{nope}}']"]),
    ("DatasetConfig", (*DATASET, "name"), ["a", "silver.a"], ["a-b", "a.b.c", "", "1a", "null"]),
    ("Rule", (*DATASET, "splink", "blocking_rules_to_generate_predictions"), ["[[a]]", "['l.a = r.a']",
     "[{columns: [a]}]", "[{blocking_rule: x}]"],
     ["[]", "[[]]", "['']", "[{}]", "[{columns: [a], blocking_rule: b}]", "[5]", "[null]", "a"]),
    ("Comparison", (*DATASET, "splink", "comparisons"), ["[{type: ExactMatch, column: a, m_probabilities: [1, 0.1]}]",
     "[{comparison_levels: [{sql_condition: ELSE}], output_column_name: x}]"],
     ["[]", "[{}]", "[{type: ExactMatch}]", "[{column: a}]", "[{type: A, column: a, output_column_name: x}]",
      "[{comparison_levels: [{sql_condition: ELSE}], args: {}}]", "[{comparison_levels: []}]",
      "[{type: A, column: a, comparison_levels: [{sql_condition: ELSE}]}]",
      "[{type: A, column: a, m_probabilities: [2]}]"]),
    ("Survivor", (*DATASET, "splink", "survivor"), ["{order_by: a}", "{most_complete: true, per_column: {a: min}}"],
     ["{}", "{most_complete: false}", "{source_priority: []}", "{order_by: a, per_column: {a: newest}}", "null"]),
    ("SplinkConfig", (*DATASET, "splink", "threshold_match_probability"), ["0.5", "1", "null"], ["0", "1.1", "x"]),
]  # fmt: skip
"""An example, a key in it, and what both accept there and what both refuse."""

CASES = [
    pytest.param(example, path, text, good, id=f"{'.'.join(map(str, path))}-{'good' if good else 'bad'}-{text}")
    for example, path, accepted, refused in VALUES
    for good, texts in ((True, accepted), (False, refused))
    for text in texts
]

HOSTILE = (
    "null", "true", "false", "0", "-1", "1", "2.0", "1.5", "'5'", "''", "' '", "x", "../x", "'{{env:A}}'",
    "'{{keyvault:a_b}}'", "'{{nope}}'", "'a {{env:A}} {{'", "[]", "[null]", "[a, a]", "{}", "{a: b}", "5m", "0s", "-5m",
    "1GB", "0MB", '"\\0"', "'x\n'", "varchar", "a/b.csv", "'**'", "merge", "50%", "orders", "refined/x.parquet",
)  # fmt: skip

PARSER_KNOWS_MORE = {
    r"is not a valid reference|names of secrets in Key Vault": "references below `queue:`, where anything may stand",
    r"two (tables|inputs|datasets|sources)|the alias '": "names among each other",
    r"the ending of path: does not show|options: is for CSV": "what the ending of a path means",
    r"conn_str names no user": "what a connection string means",
    r"needs no lag|takes no lag": "lag beside a cursor may be zero, however it is written",
    r"there is no time zone": "the names of time zones",
    r"is not a whole number": "a check's 2.0 is a whole number for JSON",
    r"min: 1 is above max": "comparisons of values",
    r"one_to_one: is only for link_type": "what several keys mean together",
    r"add em_blocking or estimate_m": "which comparisons have their probabilities",
    r"most_recent_not_null needs order_by": "a rule of a column and the survivor's order",
}
"""What the schemas leave to `comboi validate`, by its messages, and what it is about."""

ONLY_THE_PARSER: list[tuple[str, Path, str, str]] = [
    ("Retry", (*RETRY, "first_delay"), "4000d", "less than or equal to 315360000"),
    ("Check", (*DATASET, "quality_checks"), "[freshness: {column: a, max_age: 4000d}]", "at most 3650d"),
    ("TableConfig", (*TABLE, "chunk_bytes"), "0.0001KB", "greater than or equal to 1"),
    ("FilesTable", (*TABLE, "types"), "{a: 'DECIMAL(9,10)'}", "is not a known type"),
    ("Check", (*DATASET, "quality_checks"), "[unique_combination: [a, A]]", "names the column '.*' twice"),
    ("MaskingConfig", ("masking", "salt"), '"\\x1c"', "is empty or contains a NUL"),
    ("Check", (*DATASET, "quality_checks"), "[row_count: {min_change: -100%}]", "can never fail|always fails"),
    ("Check", (*DATASET, "quality_checks"), "[row_count: {min_change: 5%, max_change: 4%}]", "is above max"),
    ("StageConfig", (*STAGE, "remote_path_template"), "'{table}\u00a0'", "stay inside the lake"),
    ("TableConfig", (*TABLE, "mask"), "{email: hash}", "needs a salt|of the primary key|is the cursor"),
    ("PostgresSource", (*TABLE, "cursor"), "rowversion", "cursor: (xmin|rowversion)"),
    ("CsvOptions", (*TABLE, "options"), "{delimiter: x, quote: x}", "have to differ"),
    ("DatasetConfig", (*DATASET, "inputs"), "[{alias: a, dataset: b}, {alias: A, dataset: c}]", "two inputs have"),
    ("SplinkConfig", (*DATASET, "materialization"), "{strategy: append}", "splink: needs all records"),
    ("SplinkConfig", (*DATASET, "splink", "training", "em_blocking"), "[{columns: [a], arrays_to_explode: [a]}]",
     "cannot train on a rule"),
]  # fmt: skip
"""Values that one key is refused for by comparison or by its surroundings, and the parser's words."""

COERCED = {"true", "false", "0", "1", "'5'"}
"""What the parser takes for a number or a truth value though it is written as another; editors advise against it."""


@pytest.mark.parametrize(("example", "path", "text", "good"), CASES)
def test_parser_and_schema_agree_on(example, path, text, good):
    file, value = in_place(EXAMPLES[example])
    changed = put(value, path, text)

    problems = parser_problems(file, changed)
    assert (problems == [], VALIDATORS[file].is_valid(as_json(changed))) == (good, good), problems


@pytest.mark.parametrize(("example", "path", "text", "message"), ONLY_THE_PARSER)
def test_only_the_parser_refuses(example, path, text, message):
    file, value = in_place(EXAMPLES[example])
    changed = put(value, path, text)

    (problem,) = parser_problems(file, changed)
    assert re.search(message, problem)
    assert VALIDATORS[file].is_valid(as_json(changed))


@pytest.fixture(scope="module")
def disagreements() -> list[tuple[str, str, list[str]]]:
    """Key, value and the parser's problems, wherever only one of the two accepts a hostile value."""
    return list(_disagreements())


@pytest.mark.slow
def test_no_hostile_value_of_any_key_is_judged_differently_for_no_reason(disagreements):
    unexplained = [
        (key, text, problems or "the schema refuses")
        for key, text, problems in disagreements
        if not (explained(problems[0]) if problems else text in COERCED)
    ]

    assert unexplained == []


@pytest.mark.slow
def test_what_is_left_to_the_parser_is_all_that_is_listed(disagreements):
    met = {explained(problems[0]) for _, _, problems in disagreements if problems}

    assert PARSER_KNOWS_MORE.keys() - met == set()


def explained(problem: str) -> str | None:
    """Return the entry of the list that a message belongs to."""
    return next((pattern for pattern in PARSER_KNOWS_MORE if re.search(pattern, problem)), None)


def put(value: Any, path: Path, text: str) -> Any:
    """Return a copy of a value with YAML in one place."""
    changed = deepcopy(value)
    place = changed
    for key in path[:-1]:
        place = place[key] if isinstance(key, int) else place.setdefault(key, {})
    place[path[-1]] = Document(text, "value").value
    return changed


def _disagreements() -> Iterator[tuple[str, str, list[str]]]:
    seen: set[tuple[Path, frozenset[str]]] = set()
    for example in EXAMPLES.values():
        file, value = in_place(example)
        whole = schema(file)
        for path, properties, around in mappings(whole, whole, value):
            names = tuple(part for part in path if isinstance(part, str))
            fresh = (names, frozenset(around)) not in seen
            seen.add((names, frozenset(around)))
            for key, text in product(properties if fresh else (), HOSTILE):
                changed = put(value, (*path, key), text)
                problems = parser_problems(file, changed)
                if VALIDATORS[file].is_valid(as_json(changed)) != (not problems):
                    yield ".".join((*names, key)), text, problems


def mappings(node: Any, whole: Any, value: Any, path: Path = ()) -> Iterator[tuple[Path, Any, Any]]:
    """Yield the place of every mapping within a value, the keys that the schema knows there, and the mapping."""
    if "$ref" in node:
        node = whole["$defs"][node["$ref"].rpartition("/")[2]]
    for form in (node, *node.get("anyOf", ()), *node.get("oneOf", ())):
        if "$ref" in form and form is not node:
            yield from mappings(form, whole, value, path)
        elif isinstance(value, list) and "items" in form:
            for position, item in enumerate(value):
                yield from mappings(form["items"], whole, item, (*path, position))
        elif isinstance(value, dict) and form.get("type") == "object" and _fits(form.get("properties", {}), value):
            yield path, form["properties"], value
            for key, item in value.items():
                yield from mappings(form["properties"][key], whole, item, (*path, key))


def _fits(properties: Any, value: dict[str, Any]) -> bool:
    """Tell whether a mapping may be of this form: its keys are known, and its type, where the form has one."""
    kind = properties.get("type", {}).get("const")
    return bool(properties) and value.keys() <= properties.keys() and kind in (None, value.get("type"))
