"""How the two files fit together, modes and their defaults, and the configuration's hash."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comboi_core.app.loader import QUEUE_NOTE
from comboi_core.config.references import Reference, find, parse, substitute

INPUT = "- {alias: orders, source: shop, table: orders}"
GOLD_INPUT = "- {alias: clean, dataset: orders_clean}"


@pytest.mark.parametrize(
    ("given_input", "says"),
    [
        (
            "{alias: a, source: shop, table: order}",
            "no source has the table 'shop.order' (did you mean 'shop.orders'?)",
        ),
        (
            "{alias: a, source: shp, table: orders}",
            "no source has the table 'shp.orders' (did you mean 'shop.orders'?)",
        ),
        ("{alias: a, dataset: nothing_like_it}", "there is no dataset 'nothing_like_it'"),
        ("{alias: a, dataset: daily_sales}", "a silver dataset cannot read the gold dataset 'daily_sales'"),
        ("{alias: a, stage: gold, source_path: metrics/daily_sales.parquet}", "cannot read the gold dataset"),
    ],
)
def test_an_input_that_does_not_fit_is_named_with_its_line(files, given_input, says):
    files.replace(INPUT, f"- {given_input}").replace(GOLD_INPUT, "- {alias: b, source: shop, table: items}")

    problem = files.problem()

    assert says in problem and problem.startswith(files.line_of(given_input) + ": orders_clean: ")


def test_a_dataset_that_reads_itself_is_a_circle(files):
    files.replace(INPUT, "- {alias: a, dataset: orders_clean}")

    assert (
        files.problem() == f"{files.line_of('name: orders_clean')}: datasets depend on each other in a circle: "
        "orders_clean -> orders_clean"
    )


def test_a_circle_is_named_in_its_order_at_one_of_its_members(files):
    files.replace(INPUT, "- {alias: x, dataset: b}")
    files.replace(
        "gold:\n  - name",
        "  - {name: b, inputs: [{alias: x, dataset: c}]}\n"
        "  - {name: c, inputs: [{alias: x, dataset: orders_clean}]}\ngold:\n  - name",
    )

    place, circle = files.problem().split(": datasets depend on each other in a circle: ")

    members = circle.split(" -> ")
    assert members[0] == members[-1] and set(members) == {"orders_clean", "b", "c"}
    follows = {"orders_clean": "b", "b": "c", "c": "orders_clean"}
    steps = list(zip(members, members[1:], strict=False))
    assert all(follows[a] == b for a, b in steps) or all(follows[b] == a for a, b in steps)
    assert place == files.line_of(f"name: {members[0]}")


def test_gold_may_read_bronze_silver_and_gold(files):
    files.replace(
        GOLD_INPUT,
        f"{GOLD_INPUT}\n      - {{alias: items, source: shop, table: items}}\n"
        "  - {name: top, inputs: [{alias: d, dataset: daily_sales}]}",
    )

    assert files.load().dataset("top")[0] == "gold"


@pytest.mark.parametrize(
    ("written", "mode"),
    [
        ("table: a", "full"),
        ("table: a, primary_key: [id]", "full"),
        ("table: a, incremental_column: c", "append"),
        ("table: a, incremental_column: c, primary_key: [id]", "merge"),
        ("table: a, incremental_column: c, primary_key: [id], mode: append", "append"),
        ("table: a, incremental_column: c, primary_key: [id], mode: full", "full"),
        ("query: SELECT 1", "full"),
        ("table: a, incremental_column: c, mode: append, lag: 0s", "append"),
    ],
)
def test_the_mode_follows_from_key_and_cursor_unless_it_is_given(files, written, mode):
    files.replace("table: public.items", written)

    assert files.load().table("shop", "items").effective_mode == mode


def test_two_sources_of_one_name_are_refused(files):
    files.replace(
        "stages:", "  - {name: shop, type: postgres, connection: {conn_str: x}, tables: [{name: a, table: a}]}\nstages:"
    )

    assert "two sources are called 'shop'" in files.problem()


def test_a_queue_section_is_taken_with_a_note_and_changes_nothing(files):
    before = files.load()
    files.replace("failure_policy: stop", "failure_policy: stop\nqueue: {name: jobs, visibility: 30}")

    assert (before.notes, files.load().notes) == ((), (QUEUE_NOTE,))
    assert files.load().config_hash == before.config_hash


def test_the_places_of_datasets_are_their_lines(files):
    assert files.load().places == {
        "orders_clean": files.line_of("orders_clean"),
        "daily_sales": files.line_of("daily_sales"),
    }


def test_the_hash_is_the_same_wherever_and_however_the_files_are_written(files, make_files, monkeypatch):
    other = make_files("elsewhere")
    other.write(other.pipeline, "# a remark\n\n" + other.pipeline.read_text())
    other.replace("failure_policy: stop\n", "").replace(INPUT, "- {table: orders, source: shop, alias: orders}")
    before = files.load().config_hash
    monkeypatch.setenv("COMBOI_LAKE_ROOT", "/elsewhere")

    assert other.load().config_hash == before == files.load().config_hash


def test_the_hash_does_not_depend_on_the_number_of_processors(files, monkeypatch):
    files.replace(", threads: 2", "")
    hashes = set()
    for processors in (1, 2, 64, None):
        monkeypatch.setattr("os.cpu_count", lambda processors=processors: processors)
        hashes.add(files.load().config_hash)

    assert len(hashes) == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("pipeline: sales", "pipeline: sales2"),
        ("failure_policy: stop", "failure_policy: isolate"),
        ("memory_limit: 1GB", "memory_limit: 2GB"),
        ("hunter2", "hunter3"),
        ("hunter2", "{{env:PASSWORD}}"),
        ("table: public.items", "table: public.item"),
        ("table: public.items", "query: SELECT 1"),
        ("table: public.items", "table: public.items, columns: [a]"),
        ("incremental_column: updated_at", "incremental_column: updated_at, lag: 1s"),
        ("primary_key: [id]", "primary_key: [id, line]"),
        ("{path: lake/gold}", "{path: lake/gould}"),
        ("not_null: [id]", "not_null: [id, total]"),
        ("not_null: [id]", "not_null: {column: id, severity: warn}"),
        (INPUT, "- {alias: orders, source: shop, table: orders, view: log}"),
        (INPUT, "- {alias: orders, source: shop, table: items}"),
        ("name: daily_sales", "name: daily_sale"),
        ("name: daily_sales", "name: daily_sales\n    script: other"),
        ("name: daily_sales", "name: daily_sales\n    allow_empty: true"),
    ],
)
def test_the_hash_follows_every_change_of_what_a_run_does(files, old, new):
    before = files.load().config_hash

    assert files.replace(old, new).load().config_hash != before


@pytest.mark.parametrize("body", ["env:NAME", "keyvault:postgres-password", "env:a_B-9", " env:NAME "])
def test_a_reference_is_found_anywhere_in_a_string(body):
    store, name = body.strip().split(":")

    assert list(parse(f"x{{{{{body}}}}}y{{{{{body}}}}}")) == [Reference(store, name)] * 2


def test_references_are_found_in_nested_values_and_only_in_values():
    value = {"a": ["{{env:A}}", {"b": ("x{{env:B}}",)}], "{{env:KEY}}": 5, "c": None}

    assert [str(reference) for reference in find(value)] == ["{{env:A}}", "{{env:B}}"]


@given(value=st.text(max_size=30))
def test_a_value_that_looks_like_a_reference_is_not_resolved_again(value):
    text = substitute("a {{env:X}} b", {Reference("env", "X"): value + "{{env:Y}}\\1"})

    assert text == f"a {value}{{{{env:Y}}}}\\1 b"


@pytest.mark.parametrize(
    ("template", "value", "expected"),
    [
        ("postgresql://u:{{keyvault:p}}@h/db", "a@b/c?d#e%", "postgresql://u:a%40b%2Fc%3Fd%23e%25@h/db"),
        ("postgresql://{{keyvault:p}}:x@h/db", "a b", "postgresql://a%20b:x@h/db"),
        ("postgresql://u:x@{{keyvault:p}}/db", "h:5432", "postgresql://u:x@h:5432/db"),
        ("postgresql://{{keyvault:p}}/db", "h:5432", "postgresql://h:5432/db"),
        ("postgresql://u:x@h/{{keyvault:p}}?a=b@c", "d/e", "postgresql://u:x@h/d/e?a=b@c"),
        ("{{keyvault:p}}", "postgresql://u:p@h/db", "postgresql://u:p@h/db"),
        ("host=h password={{keyvault:p}} user=a@b", "x@y", "host=h password=x@y user=a@b"),
    ],
)
def test_a_value_is_encoded_in_the_user_part_of_a_uri_and_nowhere_else(template, value, expected):
    assert substitute(template, {Reference("keyvault", "p"): value}) == expected


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("shop.order", "there is no dataset or table 'shop.order' (did you mean 'shop.orders'?)"),
        ("daily_sales", "a silver dataset cannot refer to the gold dataset 'daily_sales'"),
        ("orders_clean", "refers to the dataset itself"),
    ],
)
def test_a_relationship_that_does_not_fit_is_named(files, reference, says):
    check = f"relationships: {{column: order_id, to: {reference}, field: order_id, on_fail: quarantine}}"
    files.replace("- not_null: [id]", f"- {check}").replace(GOLD_INPUT, "- {alias: b, source: shop, table: items}")

    assert says in files.problem()


def test_what_a_check_compares_with_is_built_first(files):
    from comboi_core.runs.planning import plan_waves

    more = "  - name: a_child\n    inputs: [{alias: o, source: shop, table: orders}]\n    quality_checks:\n"
    more += "      - relationships: {column: id, to: orders_clean, field: order_id}\n"
    files.replace("gold:\n", f"{more}gold:\n")
    waves = [wave for wave in plan_waves(files.load(), None, []) if wave["stage"] == "silver"]
    order = [item["name"] for wave in waves for lane in wave["lanes"] for item in lane]
    assert order.index("orders_clean") < order.index("a_child") and len(waves) > 1
