"""SQL and templates of assets run as Bruin runs them; errors name the file's line."""

from __future__ import annotations

import pytest

from comboi_core.bruin.run.running import (
    interval_of,
)
from tests.bruin.run.running import BY_TIME, context, failure, result, sql, write


def test_a_query_without_jinja_reads_its_inputs_by_their_names(con, folder):
    file = sql(folder, "SELECT count(*) AS n FROM bronze.orders;\n")

    assert result(con, file, context(folder)) == [(6,)]


def test_variables_have_the_values_of_bruins_default_interval(con, folder):
    names = [
        f"{which}_{kind}" for which in ("start", "end") for kind in ("date", "date_nodash", "datetime", "timestamp")
    ]
    names += ["execution_timestamp", "pipeline", "run_id", "full_refresh", "this"]
    listed = ", ".join(f"'{{{{ {name} }}}}' AS {name}" for name in names)
    file = sql(folder, f"SELECT {listed}", header="materialization: {type: table, strategy: append}")

    assert result(con, file, context(folder)) == [
        (
            "2026-11-22", "20261122", "2026-11-22T00:00:00", "2026-11-22T00:00:00.000000Z",
            "2026-11-22", "20261122", "2026-11-22T23:59:59", "2026-11-22T23:59:59.999999Z",
            "2026-11-23T06:30:00.000000Z", "sales", "r1", "False", "silver.orders",
        )
    ]  # fmt: skip


def test_between_takes_all_of_an_interval_and_nothing_of_the_next(con, folder):
    file = sql(
        folder,
        "SELECT id FROM bronze.orders WHERE happened BETWEEN '{{ start_datetime }}' AND '{{ end_timestamp }}'",
        header=BY_TIME,
    )

    assert sorted(result(con, file, context(folder))) == [(1,), (2,)]


@pytest.mark.parametrize(
    ("condition", "end"),
    [
        ("{d} <= '{{ end_date }}'", "2026-11-22"),
        ("{d} BETWEEN '{{ start_date }}' AND '{{ end_date }}'", "2026-11-22"),
        ("{d} < '{{ end_date }}'", "2026-11-23"),
        ("{d} >= '{{ start_date }}' AND {d} < CAST('{{end_date}}' AS DATE)", "2026-11-23"),
        ("{d} < timestamp '{{- end_date -}}'", "2026-11-23"),
        ("{d} < ('{{ end_date }}'::DATE)", "2026-11-23"),
        ("'{{ end_date }}'::DATE > {d}", "2026-11-23"),
        ("'{{ end_date }}' >= {d}", "2026-11-22"),
        ("{d} <> '{{ end_date }}'", "2026-11-22"),
        ("{d} < '{{ end_date | add_days(1) }}'", "2026-11-22"),
        ("{d} < '{{ end_date }}' OR {d} = '{{ end_date }}'", "2026-11-22"),
        ("{d} < '{{ end_date }}' {% if end_date > '2026' %} {% endif %}", "2026-11-22"),
        ("{{ until('happened', end_date) }}", "2026-11-23"),
        ("{{ upto('happened', end_date) }}", "2026-11-22"),
    ],
)
def test_the_end_is_what_the_comparison_needs(folder, condition, end):
    write(folder, "pipeline.yml", "name: p")
    macros = [("until", "<"), ("upto", "<=")]
    for name, sign in macros:
        text = f"{{% macro {name}(c, end_date) %}}{{{{ c }}}} {sign} '{{{{ end_date }}}}'{{% endmacro %}}"
        write(folder, f"macros/{name}.sql", text)
    file = sql(folder, "SELECT * FROM bronze.orders WHERE " + condition.replace("{d}", "happened"), header=BY_TIME)

    variables = interval_of(file, context(folder)).variables

    assert variables["end_date"] == end
    assert variables["end_timestamp"].startswith(end)


def test_a_half_open_condition_reads_an_interval_exactly(con, folder):
    con.execute("CREATE VIEW bronze.edges AS SELECT unnest(['2026-11-22 00:00:00', '2026-11-22 23:59:59.999999',"
                " '2026-11-23 00:00:00']::TIMESTAMP[]) AS happened")  # fmt: skip
    half_open = sql(
        folder,
        "SELECT * FROM bronze.edges WHERE happened >= '{{ start_datetime }}' AND happened < '{{ end_datetime }}'",
        header=BY_TIME,
    )
    closed = sql(
        folder,
        "SELECT * FROM bronze.edges WHERE happened BETWEEN '{{ start_timestamp }}' AND '{{ end_timestamp }}'",
        header=BY_TIME,
        name="silver/closed.sql",
    )

    assert len(result(con, half_open, context(folder))) == 2
    con.execute("DROP VIEW result")
    assert len(result(con, closed, context(folder))) == 2


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("start_date | add_days(3)", "2026-11-25"),
        ("start_date | date_add(-22)", "2026-10-31"),
        ("start_date | add_months(3)", "2027-02-22"),
        ("'2026-01-31' | add_months(1)", "2026-03-03"),
        ("'2024-02-29' | add_years(1)", "2025-03-01"),
        ("end_timestamp | add_milliseconds(1)", "2026-11-23T00:00:00.000999Z"),
        ("start_datetime | add_hours('30') | add_minutes(-1) | add_seconds(5)", "2026-11-23T05:59:05"),
        ("execution_timestamp | truncate_hour", "2026-11-23T06:00:00.000000Z"),
        ("execution_datetime | truncate_day", "2026-11-23T00:00:00"),
        ("start_date | truncate_month", "2026-11-01"),
        ("start_date_nodash | truncate_year", "20260101"),
        ("end_timestamp | date_format('%d/%m/%Y %H')", "22/11/2026 23"),
        ("'2026-11-22T01:00:00+02:00' | add_hours(1)", "2026-11-22T02:00:00+0200"),
        ("var.region | upper", "EU"),
        ("var.limits.low + 1", "4"),
    ],
)
def test_filters_and_variables(con, folder, expression, value):
    write(folder, "pipeline.yml", "variables: {region: {default: eu}, limits: {type: object, default: {low: 3}}}")
    file = sql(
        folder, f"SELECT '{{{{ {expression} }}}}' AS v", header="materialization: {type: table, strategy: append}"
    )

    assert result(con, file, context(folder)) == [(value,)]


def test_macros_of_the_pipeline_are_there_in_the_order_of_their_files(con, folder):
    write(folder, "macros/a.sql", "{% macro total(column) -%}\n  sum({{ column }})\n{%- endmacro -%}\n")
    write(folder, "macros/b.sql", "{% macro both(column) %}{{ total(column) }} + {{ total(column) }}{% endmacro %}")
    write(folder, "pipeline.yml", "name: p\n")
    file = sql(folder, "SELECT {{ both('id') }} AS n FROM bronze.orders")

    assert result(con, file, context(folder)) == [(30,)]


def test_variables_of_the_run_take_the_place_of_defaults_and_never_change_them(con, folder):
    write(folder, "pipeline.yml", "variables: {names: {default: [a]}}")
    file = sql(folder, "{% set _ = var.names.append('x') %}SELECT '{{ var.names | join }}' AS v")

    assert result(con, file, context(folder)) == [("ax",)]
    con.execute("DROP VIEW result")
    assert result(con, file, context(folder, variables={"names": ["b"]})) == [("bx",)]
    con.execute("DROP VIEW result")
    assert result(con, file, context(folder)) == [("ax",)]


@pytest.mark.parametrize(
    ("body", "line", "says"),
    [
        ("SELECT 1,\n  {{ nothing }}", 6, "'nothing' is not defined"),
        ("SELECT '{{ strat_date }}'", 5, "did you mean 'start_date'?"),
        ("SELECT 1,\n\n'{{ var.regoin }}'", 7, "there is no variable 'regoin' (did you mean 'region'?)"),
        ("SELECT {% if true %} 1\n", 5, "endif"),
        ("SELECT 1\n{% endfor %}", 6, "endfor"),
        ("SELECT\n{{ 'x' | add_days(1) }}", 6, "'x' is not a date"),
        ("SELECT\n{{ start_date | add_days('a') }}", 6, "add_days takes a whole number, not 'a'"),
        ("SELECT {{ start_date | no_such }}", 5, "no_such"),
        ("SELECT {{ ''.__class__.__mro__ }}", 5, "unsafe"),
        ("SELECT {{ 1 / 0 }}", 5, "ZeroDivisionError"),
        ("{% macro m() %}{{ m() }}{% endmacro %}\nSELECT {{ m() }}", 1, "without end"),
    ],
)
def test_errors_of_templates_name_the_files_line(con, folder, body, line, says):
    write(folder, "pipeline.yml", "variables: {region: {default: eu}}")
    write(folder, "macros/m.sql", "{% macro unused() %}\n1\n{% endmacro %}\n")
    file = sql(folder, body, header="materialization: {type: table, strategy: append}")

    message = failure(con, file, context(folder)).message

    assert message.startswith(f"{file}:{line}: ") and says in message


def test_errors_inside_a_macro_name_the_macros_file(con, folder):
    write(folder, "pipeline.yml", "name: p")
    macro = write(folder, "macros/m.sql", "{% macro broken() %}\n  {{ nowhere }}\n{% endmacro %}\n")
    file = sql(folder, "SELECT\n{{ broken() }}")

    assert failure(con, file, context(folder)).message.startswith(f"{macro}:2: 'nowhere' is not defined")


JINJA = "{% for column in ['id', 'amount'] %}\n  {{ column }},\n{% endfor %}\n"


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("SELECT id,\n  no_such\nFROM bronze.orders", 6),
        (f"SELECT\n{JINJA}  no_such\nFROM bronze.orders", 9),
        (f"{{%- if true -%}}\n\n\nSELECT\n{JINJA}  no_such {{%- endif %}}\nFROM bronze.orders", 12),
        (f"SELECT\n{JINJA}  'Zoë 🦆' AS n, no_such\nFROM bronze.orders", 9),
        (f"SELECT\n{JINJA}  CAST('x' || id AS INTEGER) AS late\nFROM bronze.orders", 9),
        ("SELECT id,\n  CAST('x' || id AS INTEGER) AS late\nFROM bronze.orders", 6),
        ("SELECT\n1 AS a\n{{ '' }}\n, SELEC 2", 8),
        ("SELECT 1 AS a;\n\nDELETE FROM x {{ '' }}", 7),
        ("{# nothing #}\nINSERT INTO x\nSELECT 1", 6),
        ("SELECT $one {{ '' }}", 5),
    ],
)
def test_errors_of_duckdb_name_the_line_of_the_template(con, folder, body, line):
    file = sql(folder, body)

    error = failure(con, file, context(folder))

    assert error.message.startswith(f"{file}:{line}: ")


def test_a_missing_column_shows_what_the_inputs_have(con, folder):
    file = sql(folder, "{{ '' }}SELECT no_such FROM bronze.orders")

    assert "bronze.orders has id, amount, happened" in failure(con, file, context(folder)).message


def test_line_ends_of_windows_and_a_byte_order_mark_change_no_line(con, folder):
    file = sql(folder, "SELECT id,\n  {{ 'no_such' }}\nFROM bronze.orders")
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))

    assert failure(con, file, context(folder)).message.startswith(f"{file}:6: ")


def test_a_pivot_over_values_that_have_to_be_looked_up_is_kept_as_a_table(con, folder):
    file = sql(
        folder, "PIVOT (SELECT id % {{ 2 }} AS k, amount FROM bronze.orders) ON k USING count(*) GROUP BY amount"
    )

    assert len(result(con, file, context(folder))) == 6
