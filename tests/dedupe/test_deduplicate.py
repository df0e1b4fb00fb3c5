"""Deduplication of tables: which records survive, what the crosswalk and the figures say, and nothing else stays."""

from __future__ import annotations

import logging
import random
import subprocess
import sys

import duckdb
import pytest

from comboi_core.dedupe.splink_dedupe import deduplicate
from comboi_core.domain.errors import DedupeError
from tests.dedupe.people import BASE, config, people, run, tables, training

pytestmark = pytest.mark.few(2)


def test_each_person_survives_once_with_all_columns(con: duckdb.DuckDBPyConnection) -> None:
    people(con)
    report = run(con)
    assert (report.records, report.clusters, report.duplicates, report.largest_cluster) == (90, 60, 30, 3)
    assert (report.precision, report.recall, report.f1) == (1.0, 1.0, 1.0)
    kept = con.execute("FROM kept ORDER BY id")
    assert [column[0] for column in kept.description] == [
        *("id", "person", "name", "city", "email", "updated"),
        *("cluster_id", "cluster_size"),
    ]
    rows = kept.fetchall()
    assert len({row[1] for row in rows}) == len(rows) == 60
    assert rows[0][0] == "p000-2"  # the youngest
    assert rows[0][-2:] == ("p000-0", 3)  # named after the smallest id


def test_the_crosswalk_shows_every_record_and_whom_it_was_merged_with(con: duckdb.DuckDBPyConnection) -> None:
    people(con)
    run(con)
    links = con.execute("SELECT * FROM links WHERE id LIKE 'p000%' OR id LIKE 'p001%' ORDER BY id")
    assert [column[0] for column in links.description] == [
        *("id", "cluster_id", "survivor_id", "is_survivor", "match_probability")
    ]
    first, second, third, alone = links.fetchall()
    assert [row[1:4] for row in (first, second, third)] == [
        ("p000-0", "p000-2", False),
        ("p000-0", "p000-2", False),
        ("p000-0", "p000-2", True),
    ]
    assert all(0.9 <= row[4] <= 1 for row in (first, second, third))
    assert alone == ("p001-0", "p001-0", "p001-0", True, None)
    assert con.execute("SELECT count(*), count(*) FILTER (is_survivor) FROM links").fetchone() == (90, 60)


def test_ties_in_the_survivor_rule_go_to_the_smallest_id(con: duckdb.DuckDBPyConnection) -> None:
    people(con)
    run(con, config(survivor={"order_by": "city"}))
    assert con.execute("SELECT id FROM kept WHERE person = 0").fetchone() == ("p000-0",)


def test_a_missing_value_never_survives_over_a_known_one(con: duckdb.DuckDBPyConnection) -> None:
    people(con)
    con.execute("UPDATE people SET updated = NULL WHERE id = 'p000-2'")
    run(con)
    assert con.execute("SELECT id FROM kept WHERE person = 0").fetchone() == ("p000-1",)


@pytest.mark.slow
def test_rows_in_any_order_on_any_number_of_threads_give_the_same(con: duckdb.DuckDBPyConnection) -> None:
    outcomes = set()
    for shuffled, threads in ((1, 1), (2, 2), (3, 4)):
        con.execute(f"SET threads = {threads}")
        people(con, shuffled=shuffled)
        report = run(con)
        outcomes.add((report, str(con.execute("FROM links").fetchall()), str(con.execute("FROM kept").fetchall())))
        con.execute("DROP TABLE kept; DROP TABLE links")
    assert len(outcomes) == 1


@pytest.mark.parametrize("ids", ["row_number() OVER (ORDER BY id)", "md5(id)::UUID", "md5(id)::BLOB", "id || ' ü'''"])
def test_ids_of_any_type_work(con: duckdb.DuckDBPyConnection, ids: str) -> None:
    people(con)
    con.execute(f"CREATE VIEW other AS SELECT * REPLACE ({ids} AS id) FROM people")
    report = run(con, table="other")
    assert report.duplicates == 30
    assert con.execute("SELECT count(*) FROM kept JOIN links USING (id) WHERE is_survivor").fetchone() == (60,)


SPLINK_S_OWN = [
    "unique_id",
    "match_key",
    "match_probability",
    "source_dataset",
    "tf_city",
    "gamma_city",
    "name_l",
    "city_r",
]


def test_columns_named_like_splink_s_own_do_not_clash(con: duckdb.DuckDBPyConnection) -> None:
    people(con)
    more = ", ".join(f"id || '{column}' AS {column}" for column in SPLINK_S_OWN)
    con.execute(f"CREATE VIEW crowded AS SELECT *, {more}, 1 AS comboi_0, 2 AS __splink__salt FROM people")
    report = run(con, table="crowded")
    assert report.duplicates == 30
    assert con.execute("SELECT id || 'tf_city' = tf_city FROM kept LIMIT 1").fetchone() == (True,)


def test_columns_with_any_name_work(con: duckdb.DuckDBPyConnection) -> None:
    people(con)
    names = {
        "id": 'the "id"',
        "name": "it's",
        "city": "größe, Ort",
        "email": "select",
        "updated": "; DROP",
        "person": "l",
    }
    quoted = {old: '"' + new.replace('"', '""') + '"' for old, new in names.items()}
    con.execute(f"CREATE VIEW odd AS SELECT {', '.join(f'{old} AS {new}' for old, new in quoted.items())} FROM people")
    settings = config(
        unique_id_column_name=names["id"],
        comparisons=[{**comparison, "column": names[comparison["column"]]} for comparison in BASE["comparisons"]],
        blocking_rules_to_generate_predictions=[[names["email"]], [names["name"], names["city"]]],
        training={"deterministic_rules": [[names["email"]]], "em_blocking": [[names["email"]], [names["city"]]]},
        survivor={"order_by": f"{quoted['updated']} DESC"},
        labels={"column": names["person"]},
    )
    report = run(con, settings, table="odd")
    assert (report.duplicates, report.f1) == (30, 1.0)


def test_a_column_may_be_written_in_any_case(con: duckdb.DuckDBPyConnection) -> None:
    people(con)
    settings = config(unique_id_column_name="ID", blocking_rules_to_generate_predictions=[["EMAIL"], ["Name", "CITY"]])
    assert run(con, settings).duplicates == 30


def test_a_comparison_of_two_columns_works(con: duckdb.DuckDBPyConnection) -> None:
    people(con)
    pair = {"type": "ForenameSurnameComparison", "column": "name", "args": {"surname_col_name": "city"}}
    settings = config(comparisons=[pair, BASE["comparisons"][2]], training=training(em_blocking=[["email"], ["city"]]))
    assert run(con, settings).duplicates == 30


def test_table_names_are_quoted(con: duckdb.DuckDBPyConnection) -> None:
    people(con)
    con.execute('ALTER TABLE people RENAME TO "my ""people"""')
    report = deduplicate(con, 'my "people"', config(), into='ke"pt', crosswalk="li'nks").report
    assert con.execute('SELECT count(*) FROM "ke""pt"').fetchone() == (report.clusters,)


def test_all_true_pairs_count_not_only_the_compared_ones(con: duckdb.DuckDBPyConnection) -> None:
    people(con)
    # A true duplicate of p001-0 that no rule ever compares with it, a false one, and a record of nobody known.
    con.execute("""
        INSERT INTO people VALUES ('q1', 1, 'quite other', 'Elsewhere', 'other@example.com', 9);
        INSERT INTO people SELECT 'q2', 999, name, city, email, 9 FROM people WHERE id = 'p002-0';
        INSERT INTO people SELECT 'q3', NULL, name, city, email, 9 FROM people WHERE id = 'p004-0'""")
    report = run(con)
    true_pairs = 10 * 1 + 10 * 3 + 1
    assert report.recall == (true_pairs - 1) / true_pairs
    assert report.precision == (true_pairs - 1) / true_pairs
    assert report.f1 == pytest.approx((true_pairs - 1) / true_pairs)


def test_without_labels_there_are_no_scores(con: duckdb.DuckDBPyConnection) -> None:
    people(con)
    report = run(con, config(labels=None))
    assert (report.precision, report.recall, report.f1) == (None, None, None)


@pytest.mark.parametrize("rows", [0, 1])
def test_hardly_any_input_is_no_error(con: duckdb.DuckDBPyConnection, rows: int) -> None:
    people(con)
    con.execute(f"CREATE VIEW few AS FROM people ORDER BY id LIMIT {rows}")
    report = run(con, table="few")
    assert (report.records, report.clusters, report.duplicates, report.largest_cluster) == (rows, rows, 0, rows)
    assert (report.precision, report.recall, report.f1) == (None, None, None)
    assert con.execute("SELECT count(*) FROM kept").fetchone() == (rows,)
    assert con.execute("SELECT count(*) FROM links").fetchone() == (rows,)
    assert con.execute("SELECT count(*) FROM (DESCRIBE kept)").fetchone() == (8,)


@pytest.mark.parametrize("change", ["email = NULL, name = NULL", "email = id, name = id"])
def test_input_without_any_pair_to_compare_has_no_duplicates(con: duckdb.DuckDBPyConnection, change: str) -> None:
    people(con)
    con.execute(f"UPDATE people SET {change}")
    report = run(con)
    assert (report.clusters, report.duplicates) == (90, 0)
    assert report.remarks == ("no two records agree on any blocking rule, so none was taken for a duplicate",)
    assert (report.precision, report.recall, report.f1) == (None, 0.0, 0.0)


def test_input_without_a_certain_pair_has_no_duplicates(con: duckdb.DuckDBPyConnection) -> None:
    people(con)
    con.execute("UPDATE people SET email = NULL, name = left(name, 8)")
    report = run(con)
    assert report.duplicates == 0
    assert "no two records agree on any deterministic rule" in report.remarks[0]


def test_a_training_rule_that_finds_nothing_is_left_out_and_reported(con: duckdb.DuckDBPyConnection) -> None:
    people(con)
    con.execute("ALTER TABLE people ADD COLUMN phone TEXT")
    report = run(con, config(training=training(em_blocking=[["email"], ["phone"], ["city"]])))
    assert report.duplicates == 30
    assert report.remarks == ("the rule [phone] of em_blocking found no pair and was not used",)


@pytest.mark.slow
def test_a_wide_training_rule_is_sampled_and_still_always_alike(con: duckdb.DuckDBPyConnection) -> None:
    people(con, 600)
    outcomes = set()
    for threads in (1, 3):
        con.execute(f"SET threads = {threads}")
        report = run(con, config(training=training(max_pairs=20000)))
        outcomes.add((report, str(con.execute("FROM links").fetchall())))
        con.execute("DROP TABLE kept; DROP TABLE links")
    assert len(outcomes) == 1
    assert report.duplicates == 300


@pytest.mark.slow
def test_tiny_inputs_end_in_a_result_or_in_an_error_that_says_why(con: duckdb.DuckDBPyConnection) -> None:
    draw = random.Random(3)
    outcomes = set()
    for rows in (2, 2, 3, 4, 6, 9):
        people(con)
        con.execute("DELETE FROM people")
        for number in range(rows):
            values = [draw.choice(["a", "b", None]), draw.choice(["x", None]), draw.choice(["m", "n"])]
            con.execute("INSERT INTO people VALUES (?, ?, ?, ?, ?, ?)", [number, number % 2, *values, 0])
        con.execute("DROP TABLE IF EXISTS kept; DROP TABLE IF EXISTS links")
        try:
            assert run(con).records == rows
            outcomes.add("result")
        except DedupeError as error:
            assert "recall" in error.message
            outcomes.add("error")
    assert outcomes


def test_a_view_is_read_once(con: duckdb.DuckDBPyConnection) -> None:
    people(con)
    con.execute("CREATE SEQUENCE numbers")
    con.execute("CREATE VIEW numbered AS SELECT * REPLACE (nextval('numbers') AS id) FROM people")
    assert run(con, table="numbered").duplicates == 30
    assert con.execute("SELECT min(id), max(id), count(*) FROM links").fetchone() == (1, 90, 90)
    assert con.execute("SELECT count(*) FROM kept JOIN links USING (id) WHERE is_survivor").fetchone() == (60,)


def test_only_the_two_tables_stay(con: duckdb.DuckDBPyConnection) -> None:
    people(con)
    before = tables(con)
    run(con)
    assert tables(con) - before == {("main", "kept"), ("main", "links")}


def test_nothing_is_written_to_the_terminal(con: duckdb.DuckDBPyConnection, capfd: pytest.CaptureFixture[str]) -> None:
    people(con)
    logging.getLogger("splink").setLevel(logging.NOTSET)
    run(con)
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_importing_the_package_imports_no_splink() -> None:
    code = "import sys, comboi_core.dedupe.splink_dedupe; print({'splink', 'duckdb', 'sqlglot'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
