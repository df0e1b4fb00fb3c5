"""What is wrong in a file is said with the line, the key and what would be right; all of it at once."""

from __future__ import annotations

import pytest

from comboi_core.domain.errors import ConfigError
from comboi_core.domain.redaction import Redactor

ORDERS = "- {name: orders, table: public.orders, primary_key: [id], incremental_column: updated_at}"
INPUT = "- {alias: orders, source: shop, table: orders}"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("failure_policy: stop", "failure_polcy: stop", "unknown key 'failure_polcy' (did you mean 'failure_policy'?)"),
        ("threads: 2", "treads: 2", "unknown key 'treads' (did you mean 'threads'?); known keys: memory_limit,"),
        ("conn_str:", "conn_string:", "unknown key 'conn_string' (did you mean 'conn_str'?); known keys: conn_str"),
        ("table: public.items", "table: public.items, primry_key: [a]", "(did you mean 'primary_key'?)"),
        ("{path: lake/gold}", "{path: lake/gold, pth: x}", "unknown key 'pth' (did you mean 'path'?)"),
        ("gold: {data_lake: {path: lake/gold}}", "gold: {datalake: {path: x}}", "(did you mean 'data_lake'?)"),
        ("alias: orders,", "alias: orders, veiw: log,", "(did you mean 'view'?)"),
        ("quality_checks:", "quality_check:", "(did you mean 'quality_checks'?)"),
        ("gold:\n  - name", "glod:\n  - name", "unknown key 'glod' (did you mean 'gold'?); known keys: silver, gold"),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest_known_one(files, old, new, says):
    files.replace(old, new)

    matching = [problem for problem in files.problems() if says in problem]
    assert len(matching) == 1
    assert matching[0].startswith(f"{files.line_of(new.splitlines()[0])}: ")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("type: postgres", "type: posgres", "'posgres' is not allowed (did you mean 'postgres'?)"),
        ("type: postgres", "type: [postgres]", "is not allowed"),
        ("failure_policy: stop", "failure_policy: stopp", "(did you mean 'stop'?); expected 'stop' or 'isolate'"),
        ("failure_policy: stop", "failure_policy: no", "'False' is not allowed"),
        ("threads: 2", "threads: many", "engine.threads: expected a whole number"),
        ("threads: 2", "threads: 0", "engine.threads: has to be greater than or equal to 1"),
        ("threads: 2", "threads: 1.5", "engine.threads: expected a whole number"),
        ("pipeline: sales", "pipeline: 2026", "pipeline: expected text; put it in quotes"),
        ("pipeline: sales", "pipeline: ../../etc", "'../../etc' is not a valid name"),
        ("pipeline: sales", "pipeline: ''", "'' is not a valid name"),
        ("name: shop", "name: .", "'.' is not a valid name"),
        ("name: shop", "name: a/b", "'a/b' is not a valid name"),
        ("name: shop", 'name: "a\\nb"', "'a\\nb' is not a valid name"),
        ("name: shop", 'name: "shop\\n"', "'shop\\n' is not a valid name"),
        ("name: shop", "name: süß", "is not a valid name"),
        ("name: shop", f"name: {'a' * 64}", "is not a valid name"),
        ("name: shop", "name: runs", "the name 'runs' is reserved"),
        ("name: orders_clean", "name: orders-clean", "is not a valid name"),
        ("name: orders_clean", "name: _orders", "is not a valid name"),
        ("{memory_limit: 1GB, threads: 2}", "[1GB]", "engine: expected a mapping"),
        ("{path: lake/gold}", "lake/gold", "stages.gold.data_lake: expected a mapping"),
        ("primary_key: [id]", "primary_key: id", "primary_key: expected a list"),
        ("primary_key: [id]", "primary_key: [5]", "expected text; put it in quotes"),
        ("primary_key: [id]", "primary_key: ['']", "is empty or contains a NUL character"),
        ("table: public.items", "table: ''", "is empty or contains a NUL character"),
        ("table: public.items", 'table: "a\\0b"', "is empty or contains a NUL character"),
        ("table: public.items", "chunk_rows: 5", "give exactly one of table: and query:"),
        ("table: public.items", "table: a, query: SELECT 1", "give exactly one of table: and query:"),
        ("table: public.items", "table: a, chunk_rows: 0", "chunk_rows: "),
        ("table: public.items", "table: a, on_null_cursor: skip", "expected 'include', 'exclude' or 'fail'"),
        ("table: public.items", "table: a, schema_policy: evovle", "(did you mean 'evolve'?)"),
        ("table: public.items", "table: a, mode: append", "mode: append needs incremental_column:"),
        ("table: public.items", "table: a, mode: merge", "mode: merge needs incremental_column:"),
        ("table: public.items", "table: a, incremental_column: b, mode: merge", "mode: merge needs primary_key:"),
        ("table: public.items", "table: a, incremental_column: b, mode: append, lag: 5m", "takes no lag"),
        ("name: items, table", "name: orders, table", "two tables are called 'orders'"),
        ("name: daily_sales", "name: orders_clean", "two datasets are called 'orders_clean'"),
        ("dataset: orders_clean", "dataset: order_clean", "there is no dataset 'order_clean' (did you mean"),
        ("alias: clean,", "alias: daily_sales,", "is the dataset's own name"),
        ("alias: clean,", "alias: Daily_Sales,", "is the dataset's own name"),
    ],
)
def test_a_wrong_value_is_named_with_what_would_be_right(files, old, new, says):
    files.replace(old, new)

    assert says in files.problem()


@pytest.mark.parametrize(
    "lag", ["5x", "m", "-5m", "-5", "1e3m", ".inf", ".nan", f"{'9' * 400}d", "true", "'٥m'", "[5]", "''"]
)
def test_what_is_no_duration_is_refused(files, lag):
    files.replace("incremental_column: updated_at", f"incremental_column: updated_at, lag: {lag}")

    assert "tables.0.lag: " in files.problem()


@pytest.mark.parametrize(
    ("lag", "seconds"),
    [("30s", 30), ("5m", 300), ("2 h", 7200), ("1.5d", 129600), ("0s", 0), ("90", 90), ("' 5m '", 300)],
)
def test_durations_are_read_in_seconds(files, lag, seconds):
    files.replace("incremental_column: updated_at", f"incremental_column: updated_at, lag: {lag}")

    assert files.load().table("shop", "orders").lag == seconds


@pytest.mark.parametrize(
    "memory", ["1", "1TB!", "0GB", "0.0GB", "-1GB", "1 gigabyte", '"1GB\\n"', "'٥GB'", "80%", "GB"]
)
def test_what_is_no_amount_of_memory_is_refused(files, memory):
    files.replace("memory_limit: 1GB", f"memory_limit: {memory}")

    assert "engine.memory_limit: " in files.problem()


@pytest.mark.parametrize("memory", ["1GB", "512 MB", "1.5GiB", "0.5GB", "2TB", "100GB"])
def test_amounts_of_memory_are_taken_as_duckdb_spells_them(files, memory):
    files.replace("memory_limit: 1GB", f"memory_limit: {memory}")

    assert files.load().pipeline_file.engine.memory_limit == memory


@pytest.mark.parametrize(
    "template",
    [
        "../{table}",
        "/{table}",
        "a/../../{table}",
        "{source}//{table}",
        "./{table}",
        ".staging/{table}",
        "{table}/",
        "a\\\\..\\\\{table}",
        "{table}\\0",
        "fixed.parquet",
        "",
    ],
)
def test_a_path_template_cannot_leave_the_lake_or_put_datasets_over_each_other(files, template):
    files.replace("{path: lake/gold}", f'{{path: lake/gold}}, remote_path_template: "{template}"')

    assert "must contain {table} and stay inside the lake" in files.problem()


@pytest.mark.parametrize(
    "template",
    ["{tabel}", "{}{table}", "{table", "{table.__class__}{table}", "{table[0]}{table}", "{table:>99999999999}{table}"],
)
def test_a_path_template_takes_its_three_placeholders_and_nothing_else(files, template):
    files.replace("{path: lake/gold}", f'{{path: lake/gold}}, remote_path_template: "{template}"')

    assert "may contain {stage}, {source} and {table}" in files.problem()


def test_a_path_template_decides_where_datasets_are(files):
    files.replace("{path: lake/gold}", '{path: lake/gold}, remote_path_template: "{stage}/{table}/{source}.parquet"')

    assert files.load().dataset_path("daily_sales") == "gold/daily_sales/metrics.parquet"
    assert files.load().dataset_path("orders_clean") == "refined/orders_clean.parquet"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("{{vault:x}}", "'{{vault:x}}'"),
        ("{{env:}}", "'{{env:}}'"),
        ("{{ env : A }}", "'{{ env : A }}'"),
        ("{{keyvault:a b}}", "'{{keyvault:a b}}'"),
        ("{{}}", "'{{}}'"),
        ("{{keyvault:a_b}}", "only letters, digits and -"),
    ],
)
def test_a_bad_reference_is_named_and_what_stands_around_it_is_not(files, written, shown):
    files.replace("hunter2", f"hunter2{written}")

    problem = files.problem()

    assert shown in problem and problem.startswith(files.line_of("conn_str"))
    assert "hunter2" not in problem


@pytest.mark.parametrize(("content", "says"), [(None, "no such file"), ("silver: [", "not valid YAML")])
def test_a_second_file_that_cannot_be_read_hides_no_problem_of_the_first(files, content, says):
    files.replace("failure_policy: stop", "failure_polcy: stop")
    if content is None:
        files.datasets.unlink()
    else:
        files.write(files.datasets, content)

    first, second = files.problems()
    assert "unknown key 'failure_polcy'" in first and "transformations.yml" in second and says in second


def test_a_second_file_that_is_missing_is_to_be_written(files):
    files.datasets.unlink()

    with pytest.raises(ConfigError) as caught:
        files.load()

    assert "transformations.yml: no such file" in caught.value.message and "`{}`" in caught.value.remedy


def test_every_problem_of_both_files_is_reported_at_once(files):
    files.replace("type: postgres", "type: posgres").replace("threads: 2", "threads: 0")
    files.replace(INPUT, "- {alias: orders}").replace("not_null: [id]", "not_nul: [id]")

    problems = files.problems()

    assert [problem.split(": ")[0] for problem in problems] == [
        files.line_of("threads: 0"),
        files.line_of("posgres"),
        files.line_of("{alias: orders}"),
        files.line_of("not_nul"),
    ]


def test_a_missing_key_is_named_with_the_mapping_that_lacks_it(files):
    files.replace("    type: postgres\n", "").replace("pipeline: sales\n", "")

    assert files.problems() == [
        f"{files.pipeline}:1: pipeline: this key is missing",
        f"{files.line_of('- name: shop')}: sources.0.type: this key is missing",
    ]


def test_a_list_whose_items_are_wrong_is_not_called_too_short(files):
    files.replace(INPUT, "- {alias: orders, table: orders}")

    assert "name a bronze table with source: and table:" in files.problem()


def test_a_list_that_is_left_empty_says_how_to_write_none(files):
    files.replace("primary_key: [id]", "primary_key: ")

    assert "primary_key: expected a list ([a, b], or [] for none)" in files.problem()


@pytest.mark.parametrize("text", ["silver:\ngold:\n", "silver: []\ngold: []\n", "{}"])
def test_a_project_may_have_no_dataset(files, text):
    files.write(files.datasets, text)

    assert list(files.load().datasets()) == []


@pytest.mark.parametrize("empty", ["[]", ""])
def test_a_source_may_have_no_table_yet(files, empty):
    files.write(files.datasets, "{}")
    head, _, tail = files.pipeline.read_text().partition("    tables:\n")
    files.write(files.pipeline, f"{head}    tables: {empty}\n{tail[tail.index('stages:') :]}")

    assert files.load().pipeline_file.sources[0].tables == ()


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("NO", "false"),
        ("yes", "true"),
        ("on", "true"),
        ("Off", "false"),
        ("012", "10"),
        ("1_000", "1000"),
        ("12:30", "750"),
        ("1_0.5", "10.5"),
        ("0x1F", "31"),
        ("+5", "5"),
    ],
)
def test_a_value_of_a_check_that_yaml_reads_as_another_one_is_told_with_its_line(files, written, read):
    check = f"- accepted_values: {{column: country, values: [{written}, SE]}}"
    files.replace("- not_null: [id]", f"- unique: id\n      {check}")

    problem = files.problem()

    assert problem.startswith(files.line_of(check) + ": ")
    assert f"YAML reads {written} as {read}; put it in quotes: '{written}', or write {read}" in problem


@pytest.mark.parametrize("written", ["'NO'", "true", "-7", "0", "1.50", "2026-01-01", "x"])
def test_values_of_checks_that_are_what_they_look_like_are_taken(files, written):
    files.replace("- not_null: [id]", f"- accepted_values: {{column: a, values: [{written}]}}")

    files.load()


def test_a_value_is_repeated_on_one_line_and_cut_short(files):
    files.replace("name: shop", f"name: {'a' * 9000}")

    assert len(files.problem()) < 300


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('conn_str: "postgresql://u:hunter2@db/shop"', 'conn_str: ["postgresql://u:hunter2@db/shop"]'),
        ('{conn_str: "postgresql://u:hunter2@db/shop"}', '"postgresql://u:hunter2@db/shop"'),
        ('{conn_str: "postgresql://u:hunter2@db/shop"}', '["postgresql://u:hunter2@db/shop"]'),
        ("conn_str:", "password: hunter2, conn_str:"),
        ("conn_str:", "conn_str: {password: hunter2}, conn:"),
        ("type: postgres", "type: posgres"),
        ("    type: postgres", "    type: postgres\n    max_parallel: hunter"),
        ('"postgresql://u:hunter2@db/shop"}', '"postgresql://u:hunter2@db/shop'),
        ("hunter2", "hunter2{{vault:x}}"),
        ("hunter2@db/shop", "hunter2@h:1:2/"),
        ("hunter2@db/shop", "hunter2@halfone/halftwo@db/shop"),
    ],
)
def test_no_message_repeats_a_password_that_stands_in_the_file(files, old, new):
    files.replace(old, new)

    assert "hunter2" not in "\n".join(files.problems())


@pytest.mark.parametrize("place", ["name: shop", "type: postgres"])
def test_a_connection_string_in_the_wrong_place_leaves_the_process_without_its_password(files, place):
    files.replace(place, f'{place.split(":")[0]}: "postgresql://u:swordfish@db/x"')

    assert "swordfish" not in Redactor().text(files.problem())


class TestTypesOfSources:
    AZURE = (
        '    type: azure_sql\n    connection: {server: "db.example.com,1433", database: crm, user: u, password: p}\n'
        "    tables:\n"
    )
    POSTGRES = '    type: postgres\n    connection: {conn_str: "postgresql://u:hunter2@db/shop"}\n    tables:\n'

    def azure(self, files):
        return files.replace(self.POSTGRES, self.AZURE)

    def test_an_unknown_type_is_named_at_its_line_with_the_closest_one(self, files):
        files.replace("type: postgres", "type: azuresql")

        assert files.problem().startswith(
            f"{files.line_of('azuresql')}: sources.0.type: 'azuresql' is not allowed (did you mean 'azure_sql'?)"
        )

    def test_problems_inside_a_source_have_their_lines_and_the_keys_of_its_type(self, files):
        self.azure(files).replace("database: crm", "databse: crm").replace("name: items", "name: 1tems")

        name, unknown = files.problems()
        assert unknown.startswith(f"{files.line_of('databse')}: unknown key 'databse' (did you mean 'database'?)")
        assert "encrypt" in unknown and "conn_str" not in unknown
        assert name.startswith(f"{files.line_of('1tems')}: sources.0.tables.1.name: '1tems' is not a valid name")

    def test_a_bare_yes_or_no_of_yaml_is_taken_as_written(self, files):
        self.azure(files).replace("password: p}", "password: p, encrypt: no}")

        assert files.load().source("shop").connection.encrypt == "no"

    @pytest.mark.parametrize(
        ("zone", "says"),
        [
            ("W. Europe Standard Time", "its IANA name: Europe/Berlin"),
            ("Europe/Berlni", "did you mean 'Europe/Berlin'"),
            ("../etc/passwd", "there is no time zone '../etc/passwd'"),
        ],
    )
    def test_a_zone_has_its_iana_name(self, files, zone, says):
        self.azure(files).replace(
            "table: public.items", f"table: public.items, incremental_column: at, cursor_zone: {zone}"
        )

        assert says in files.problem()

    @pytest.mark.parametrize(
        ("cursor", "says"),
        [("incremental_column: at, ", "for PostgreSQL use lag:"), ("", "works only with incremental_column:")],
    )
    def test_a_zone_that_would_have_no_effect_is_refused(self, files, cursor, says):
        files.replace("table: public.items", f"table: public.items, {cursor}cursor_zone: UTC")

        assert says in files.problem()

    @pytest.mark.parametrize(
        ("connection", "says"),
        [
            ("{server: s}", "give server: and database:, or dsn:"),
            ('{dsn: "Server=s", server: s, database: d}', "not both"),
            ("{server: s, database: d, user: u}", "or neither"),
            ("{server: s, database: d, user: u, password: p, authentication: managed_identity}", "takes no user:"),
            ("{server: s, database: d, authentication: sql}", "needs user: and password:"),
            ("{server: s, database: d, user: u, password: p, client_id: c}", "client_id: works only with"),
            ("{server: s, database: d, encrypt: no}", "access token unencrypted"),
            ('{dsn: "Server=s", authentication: managed_identity, encrypt: no}', "access token unencrypted"),
            ("{server: s, database: d, encrypt: maybe}", "'maybe' is not allowed"),
        ],
    )
    def test_a_connection_to_azure_sql_that_contradicts_itself_is_refused(self, files, connection, says):
        self.azure(files).replace('{server: "db.example.com,1433", database: crm, user: u, password: p}', connection)

        assert says in files.problem()
