"""What deduplication refuses, and that it says why: data, settings, rules."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from comboi_core.config.splink import SplinkConfig
from comboi_core.dedupe.splink_dedupe import validate_splink
from comboi_core.domain.errors import DedupeError
from tests.dedupe.people import config, people, run, tables, training


def refusal(con: duckdb.DuckDBPyConnection, settings: SplinkConfig | None = None) -> str:
    before = tables(con)
    with pytest.raises(DedupeError) as raised:
        run(con, settings)
    assert tables(con) == before
    return raised.value.message


def test_records_without_an_id_are_counted(con: duckdb.DuckDBPyConnection) -> None:
    people(con)
    con.execute("UPDATE people SET id = NULL WHERE person IN (0, 1)")
    assert refusal(con) == "4 records have no id"


def test_repeated_ids_are_counted_and_shown(con: duckdb.DuckDBPyConnection) -> None:
    people(con)
    con.execute(
        "UPDATE people SET id = 'twice' WHERE person IN (1, 2); UPDATE people SET id = 'o''ft' WHERE person = 0"
    )
    assert refusal(con) == "2 values of id not unique: o'ft (3 times), twice (2 times)"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"unique_id_column_name": "ident"}, "unique_id_column_name: there is no column 'ident'"),
        ({"comparisons": [{"type": "ExactMatch", "column": "emial"}]}, "'emial' (did you mean 'email'?)"),
        ({"blocking_rules_to_generate_predictions": [["city", "nope"]]}, "[city, nope]: there is no column 'nope'"),
        ({"training": training(em_blocking=[["nope"]])}, "em_blocking [nope]: there is no column 'nope'"),
        ({"training": training(deterministic_rules=[["substr(name, 1, 2)"]])}, "no column 'substr(name, 1, 2)'"),
        ({"labels": {"column": "truth"}}, "labels: there is no column 'truth'"),
        (
            {"survivor": {"order_by": "age DESC"}},
            'survivor.order_by: `age DESC`: Binder Error: Referenced column "age"',
        ),
        (
            {
                "comparisons": [
                    {"type": "ForenameSurnameComparison", "column": "name", "args": {"surname_col_name": "x"}}
                ]
            },
            "comparison ForenameSurnameComparison(name): there is no column 'x'",
        ),
    ],
)
def test_a_missing_column_is_named_with_its_place_and_those_there_are(
    con: duckdb.DuckDBPyConnection, changes: dict[str, Any], said: str
) -> None:
    people(con)
    message = refusal(con, config(**changes))
    assert said in message
    assert "the columns are id, person, name, city, email, updated" in message


def test_a_comparison_that_does_not_fit_its_column_s_type_is_named(con: duckdb.DuckDBPyConnection) -> None:
    people(con)
    wrong = [{"type": "JaroWinklerAtThresholds", "column": "updated"}]
    message = refusal(con, config(comparisons=wrong))
    assert message.startswith("comparison JaroWinklerAtThresholds(updated) does not fit its column: Binder Error")


def test_refusals_read_the_same_while_duckdb_words_its_errors_as_json(con: duckdb.DuckDBPyConnection) -> None:
    people(con)
    wrong = [config(comparisons=[{"type": "JaroWinklerAtThresholds", "column": "updated"}])]
    wrong += [config(survivor={"order_by": "age"}), config(training=training(recall=0.001))]
    said = [refusal(con, settings) for settings in wrong]
    con.execute("SET GLOBAL errors_as_json = true")
    assert [refusal(con, settings).split("LINE")[0] for settings in wrong] == [text.split("LINE")[0] for text in said]


@pytest.mark.parametrize("column", ["cluster_id", "Cluster_Size"])
def test_a_column_that_deduplication_would_add_is_refused(con: duckdb.DuckDBPyConnection, column: str) -> None:
    people(con)
    con.execute(f"ALTER TABLE people ADD COLUMN {column} INTEGER")
    assert column.lower() in refusal(con)


def test_training_without_any_pair_fails_with_a_remedy(con: duckdb.DuckDBPyConnection) -> None:
    people(con)
    con.execute("ALTER TABLE people ADD COLUMN phone TEXT")
    message = refusal(con, config(training=training(em_blocking=[["phone"]])))
    assert message == "no two records agree on any rule of em_blocking ([phone]): training has no pairs to learn from"


def test_rules_that_match_nearly_everything_are_refused(con: duckdb.DuckDBPyConnection) -> None:
    people(con)
    con.execute("UPDATE people SET email = 'same'")
    assert "recall" in refusal(con)


@pytest.mark.slow
def test_running_out_of_memory_names_the_widest_rule(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("""
        CREATE TABLE people AS
        SELECT range AS id, 'n' || range % 5 AS name, 'c' AS city, 'e' || range % 9000 AS email, 1 AS updated
        FROM range(20000)""")
    con.execute("SET memory_limit = '60MB'; SET temp_directory = ''")
    message = refusal(con, config(blocking_rules_to_generate_predictions=[["city"]], labels=None))
    assert "out of memory" in message
    assert "[city]: 199,990,000 pairs" in message


def test_an_error_of_the_data_itself_stays_duckdb_s(con: duckdb.DuckDBPyConnection) -> None:
    people(con)
    con.execute("CREATE VIEW broken AS SELECT * REPLACE (CAST(name AS INTEGER) AS updated) FROM people")
    before = tables(con)
    with pytest.raises(duckdb.ConversionException):
        run(con, table="broken")
    assert tables(con) == before


def test_good_settings_have_no_problems() -> None:
    assert validate_splink(config()) == []


@pytest.mark.parametrize(
    ("comparison", "said"),
    [
        ({"type": "ExactMach", "column": "a"}, "there is no comparison type 'ExactMach' (did you mean 'ExactMatch'?)"),
        ({"type": "os", "column": "a"}, "there is no comparison type 'os'; the types are AbsoluteDateDifference"),
        ({"type": "CustomComparison", "column": "a"}, "there is no comparison type 'CustomComparison'"),
        ({"type": "DateOfBirthComparison", "column": "dob"}, "missing a required argument: 'input_is_string'"),
        ({"type": "ExactMatch", "column": "a", "args": {"x": 1}}, "unexpected keyword argument 'x'"),
        ({"type": "ExactMatch", "column": "a", "args": {"col_name": "b"}}, "multiple values for argument 'col_name'"),
        (
            {"type": "JaroWinklerAtThresholds", "column": "a", "args": {"score_threshold_or_thresholds": "high"}},
            "comparison JaroWinklerAtThresholds(a): ",
        ),
    ],
)
def test_a_wrong_comparison_is_said_without_data(comparison: dict[str, Any], said: str) -> None:
    (problem,) = validate_splink(config(comparisons=[comparison]))
    assert said in problem


def test_every_problem_is_said_at_once() -> None:
    problems = validate_splink(
        config(
            comparisons=[
                {"type": "ExactMatch", "column": "a"},
                {"type": "LevenshteinAtThresholds", "column": "a"},
                {"type": "Nope", "column": "a"},
            ],
            blocking_rules_to_generate_predictions=["l.a = b"],
            survivor={"order_by": "updated DESC, FROM"},
        )
    )
    assert len(problems) == 4
    assert "ExactMatch(a) and LevenshteinAtThresholds(a) are on the same column" in problems[0]
    assert problems[2].endswith("'b' belongs to neither record; write l.NAME and r.NAME, or a list of columns")
    assert "survivor.order_by" in problems[3]


@pytest.mark.parametrize("order_by", ["a) FROM x; DROP TABLE people; --", "a; SELECT 1"])
def test_an_order_is_nothing_but_an_order(order_by: str) -> None:
    assert validate_splink(config(survivor={"order_by": order_by}))
