"""Names, columns, filters, chunks, drift and errors of an Azure SQL table.

On the double, which stands in for SQL Server; `anywhere` on a real server as well, where there is one.
"""

from __future__ import annotations

import pytest

from comboi_core.domain.errors import (
    ConfigError,
    SchemaDrift,
    SourceObjectMissing,
    SourceQueryFailed,
    UnsupportedValue,
)
from comboi_core.domain.load import Checkpoint, EarlierRows
from comboi_core.sources.azure_sql.text import identifier, literal, parts, split_with, trimmed

pytestmark = pytest.mark.few(2)

MERGE = {"incremental_column": "at", "primary_key": ["id"]}


def ids(rows) -> list[int]:
    return sorted(int(row[0]) for row in rows)


class TestText:
    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("orders", ("orders",)),
            ("dbo.orders", ("dbo", "orders")),
            ("[a.b].[c]]d]", ("a.b", "c]d")),
            ('"a""b".c d', ('a"b', "c d")),
        ],
    )
    def test_names_are_read_with_brackets_and_quotes(self, name, expected):
        assert parts(name) == expected

    @pytest.mark.parametrize("name", ["", ".", "a.", ".a", "a..b", "a.b.c", "[a", '"a', "[a]b", "[]"])
    def test_names_that_cannot_be_understood_are_refused(self, name):
        with pytest.raises(ValueError):
            parts(name)

    def test_quotes_are_doubled_and_no_line_is_continued(self):
        assert identifier("a]b") == "[a]]b]"
        assert literal("it's") == "N'it''s'" and literal(None) == "NULL"
        assert literal("a\\\nb\\\r\nc\\d") == "CONVERT(nvarchar(max), N'a\\') + N'\nb\\' + N'\r\nc\\d'"
        for broken in (identifier, literal):
            with pytest.raises(ValueError):
                broken("a\x00b")

    @pytest.mark.parametrize(
        ("query", "select"),
        [
            ("SELECT 1", "SELECT 1"),
            ("WITH a AS (SELECT ')' AS x), b (y) AS (SELECT (1) FROM a) SELECT * FROM b", "SELECT * FROM b"),
            ("/* /* WITH */ x */ with [select] as (select 1 as q) -- (\n select 3", "select 3"),
            ("WITH a AS (SELECT 1", "WITH a AS (SELECT 1"),
            ("WITH", "WITH"),
            ("", ""),
        ],
    )
    def test_common_table_expressions_are_told_from_the_query(self, query, select):
        ctes, found = split_with(query)
        assert found == select and ctes + found == query

    @pytest.mark.parametrize(
        ("text", "core"),
        [
            ("SELECT 1;", "SELECT 1"),
            (";WITH a AS (SELECT 1) SELECT 2 ; ; -- done; really\n", "WITH a AS (SELECT 1) SELECT 2"),
            ("-- a\nSELECT ';' /* ; */ [;--]\n-- b\nFROM t /* /* ; */ */ ;", "SELECT ';' /* ; */ [;--]\n-- b\nFROM t"),
            ("x = '-- no comment'; -- one", "x = '-- no comment'"),
            ("x = 'it''s;' -- y", "x = 'it''s;'"),
            ("x > 1 -- y = ')'", "x > 1"),
            ("-- nothing", "-- nothing"),
            ("", ""),
        ],
    )  # fmt: skip
    def test_semicolons_and_comments_around_a_text_go_and_those_in_it_stay(self, text, core):
        assert trimmed(text) == core


@pytest.mark.parametrize(
    "name",
    [
        "Orders",
        "a.b",
        'say "hi"',
        "select",
        "mit Leer'zeichen; --",
        "größe 🤷",
        "a]b",
        "[x]",
        "{d} {{fn}} ? :x @y %s",
        "new\nline",
    ],
)
def test_tables_and_columns_may_have_any_name(anywhere, name):
    column = f"{name} 1"
    anywhere.run(f"CREATE TABLE {{s}}.{identifier(name)} ({identifier(column)} int, at datetime2)")
    anywhere.run(f"INSERT INTO {{s}}.{identifier(name)} VALUES (1, '2026-01-01')")
    table = f"{{s}}.{identifier(name)}".replace("{s}", anywhere.schema)
    load, rows, _ = anywhere.land(table=table, primary_key=[column], incremental_column="at")
    assert ids(rows) == [1] and load.columns[0].name == column


def test_a_name_that_cannot_be_understood_is_a_configuration_error(azure):
    with pytest.raises(ConfigError, match="shop.orders: table: a.b.c cannot be understood"):
        azure.open(table="a.b.c")


@pytest.mark.parametrize(
    "table", [{"columns": ["amuont"]}, {"primary_key": ["amuont"]}, {"incremental_column": "amuont", "mode": "append"}]
)
def test_a_missing_column_is_named_with_the_closest_one(azure, table):
    azure.run("CREATE TABLE {s}.orders (amount int)")
    with pytest.raises(SourceObjectMissing, match=r"no column amuont \(did you mean 'amount'\?\)"):
        azure.plan(**table)


def test_a_query_and_a_condition_may_end_as_they_do_in_an_editor(anywhere):
    anywhere.run("CREATE TABLE {s}.orders (id int)", "INSERT INTO {s}.orders VALUES (1), (2), (3)")
    query = ";WITH a AS (SELECT id FROM {s}.orders) SELECT id FROM a WHERE id > 1; -- as ever;"
    assert ids(anywhere.land(query=query)[1]) == [2, 3]
    assert ids(anywhere.land(where="id < 3 -- not the last one;")[1]) == [1, 2]
    assert ids(anywhere.land(where="id < 2;")[1]) == [1]


def test_views_and_queries_are_read_whole(anywhere):
    anywhere.run("CREATE TABLE {s}.a (id int)", "INSERT INTO {s}.a VALUES (1), (2)")
    anywhere.run("CREATE VIEW {s}.orders AS SELECT id FROM {s}.a")
    load, rows, _ = anywhere.land()
    assert ids(rows) == [1, 2] and load.estimated_rows == 2
    load, rows, _ = anywhere.land(query="WITH b AS (SELECT id FROM {s}.a) SELECT id FROM b WHERE id > 1 -- all;")
    assert ids(rows) == [2] and load.estimated_rows is None


def test_a_row_filter_is_kept_to_everywhere(anywhere):
    anywhere.run("CREATE TABLE {s}.orders (id int NOT NULL PRIMARY KEY, at datetime2, kind nvarchar(9))")
    anywhere.run(
        "INSERT INTO {s}.orders VALUES (1, '2026-01-01', N'a'), (2, '2026-01-02', N'b'), (3, '2026-01-03', N'a')"
    )
    load, rows, checkpoint = anywhere.land(**MERGE, where="src.kind = N'a' OR id > 99 -- x")
    assert ids(rows) == [1, 3] and load.estimated_rows == 2
    anywhere.run("INSERT INTO {s}.orders VALUES (4, '2026-02-01', N'b')")
    assert anywhere.land(checkpoint, **MERGE, where="kind = N'a'")[0].unchanged


@pytest.mark.parametrize("where", ["kint = 1", "id ="])
def test_a_filter_that_does_not_work_is_named(azure, where):
    azure.run("CREATE TABLE {s}.orders (id int)")
    with pytest.raises(SourceQueryFailed, match=f"shop.orders: where: {where}"):
        azure.plan(where=where)


class TestChunks:
    def make(self, shop, rows: int, key: str = "int NOT NULL PRIMARY KEY") -> None:
        shop.run(f"CREATE TABLE {{s}}.orders (id {key}, at datetime2)")
        shop.run(
            "INSERT INTO {s}.orders (id, at) SELECT value, DATEADD(second, value, CONVERT(datetime2, '2026-01-01')) "
            f"FROM GENERATE_SERIES(1, {rows})"
        )

    def test_small_loads_have_one(self, anywhere):
        self.make(anywhere, 10)
        load = anywhere.plan(**MERGE, chunk_rows=10)
        assert [chunk.kind for chunk in load.chunks] == ["all"] and load.estimated_rows == 10

    @pytest.mark.parametrize("mode", ["merge", "full"])
    def test_large_loads_are_cut_by_the_key_without_gap_or_overlap(self, anywhere, mode):
        self.make(anywhere, 100)
        load, rows, _ = anywhere.land(**MERGE | {"mode": mode}, chunk_rows=30)
        assert ids(rows) == list(range(1, 101))
        assert [(chunk.low, chunk.high) for chunk in load.chunks] == [
            (None, "26"),
            ("26", "51"),
            ("51", "76"),
            ("76", None),
        ]

    def test_an_incremental_load_is_cut_by_what_it_reads(self, anywhere):
        self.make(anywhere, 100)
        _, _, checkpoint = anywhere.land(**MERGE)
        anywhere.run("UPDATE {s}.orders SET at = '2026-02-01' WHERE id > 60")
        load, rows, _ = anywhere.land(checkpoint, **MERGE, chunk_rows=20)
        assert ids(rows) == list(range(61, 101)) and load.estimated_rows == 40
        assert [(chunk.low, chunk.high) for chunk in load.chunks] == [(None, "81"), ("81", None)]

    @pytest.mark.parametrize(
        ("kind", "rows"),
        [
            ("nvarchar(20)", ["N'a'", "N'b''c'", "N'ö 🤷'", "N'zz'"]),
            ("varchar(20)", ["'a'", "'b'", "'c'", "'d'"]),
            ("uniqueidentifier", [f"'{n}F9619FF-8B86-D011-B42D-00C04FC964FF'" for n in range(4)]),
            ("decimal(20,5)", ["-1.5", "0", "1.00001", "99999"]),
            ("datetime2(7)", [f"'2026-01-01 00:00:00.000000{n}'" for n in range(4)]),
            ("datetimeoffset(7)", [f"'2026-01-01 00:00:00.000000{n} +02:00'" for n in range(4)]),
            ("date", [f"'2026-01-0{n}'" for n in range(1, 5)]),
            ("bigint", ["-9223372036854775808", "0", "1", "9223372036854775807"]),
        ],
    )
    def test_keys_of_any_ordered_type_make_chunks(self, anywhere, kind, rows):
        anywhere.run(f"CREATE TABLE {{s}}.orders (n int, id {kind})")
        for n, row in enumerate(rows):
            anywhere.run(f"INSERT INTO {{s}}.orders VALUES ({n}, {row})")
        load, found, _ = anywhere.land(primary_key=["id"], mode="full", chunk_rows=1)
        assert len(load.chunks) == 4 and ids(found) == [0, 1, 2, 3]

    def test_keys_that_repeat_or_are_null_are_read_once(self, anywhere):
        self.make(anywhere, 3, "int")
        anywhere.run("INSERT INTO {s}.orders (id) VALUES (2), (2), (2), (2), (NULL)")
        load, rows, _ = anywhere.land(primary_key=["id"], mode="full", chunk_rows=2)
        assert len(rows) == 8 and 1 < len(load.chunks) <= 4 and not load.key_unique

    def test_wide_rows_make_more_chunks(self, azure):
        """The double says that 100 rows fill a page, which is 82 bytes a row."""
        self.make(azure, 2000)
        assert len(azure.plan(**MERGE, chunk_bytes="16KiB").chunks) > 5

    def test_without_a_key_there_is_one(self, anywhere):
        self.make(anywhere, 9)
        assert len(anywhere.plan(mode="full", chunk_rows=2).chunks) == 1

    def test_a_large_table_is_cut_by_a_sample(self, azure):
        self.make(azure, 100_001)
        load = azure.plan(primary_key=["id"], mode="full", chunk_rows=50_001)
        assert len(load.chunks) == 2
        assert any("TABLESAMPLE (99." in text for text in azure.double.log.statements)

    def test_the_chunks_of_an_activity_are_of_one_state(self, anywhere):
        self.make(anywhere, 10)
        adapter = anywhere.open(**MERGE, chunk_rows=5)
        load = adapter.plan(Checkpoint(), full_refresh=False)
        first = anywhere.con.execute(adapter.select(load, load.chunks[0])).fetchall()
        anywhere.run("UPDATE {s}.orders SET at = '2026-03-01'")
        second = anywhere.con.execute(adapter.select(load, load.chunks[1])).fetchall()
        after = Checkpoint(1, load.watermark, None, load.columns)
        assert ids(first) == [1, 2, 3, 4, 5] and ids(second) == [6, 7, 8, 9, 10]
        adapter.confirm(load)
        assert ids(anywhere.land(after, **MERGE)[1]) == list(range(1, 11))

    @pytest.mark.parametrize(("settings", "told"), [
        ({}, True), ({"parallel_chunks": 1}, False), ({"parallel_chunks": 1, "snapshot": False}, True),
        ({"parallel_chunks": 1, "rows": 20, "chunk_rows": 1}, False),
        ({"parallel_chunks": 1, "rows": 21, "chunk_rows": 1}, True),
        ({"chunk_rows": 100}, False), (MERGE | {"mode": "merge"}, False),
    ])  # fmt: skip
    def test_a_full_load_of_several_states_says_so(self, azure, settings, told):
        """The chunks of one activity, 20 at most, are of one state; each activity has its own."""
        wanted = {"primary_key": ["id"], "mode": "full", "chunk_rows": 5} | settings
        self.make(azure, wanted.pop("rows", 10))
        azure.double.set(snapshot=wanted.pop("snapshot", True))
        codes = [shortfall.code for shortfall in azure.plan(**wanted).shortfalls]
        assert codes == (["mixed_state"] if told else [])

    def test_pages_that_the_login_does_not_see_cost_no_count(self, azure):
        """Without VIEW DEFINITION the statistics are empty; without VIEW DATABASE STATE they are refused."""
        self.make(azure, 10)
        for settings in ({"shows_definition": False}, {"shows_state": False}):
            azure.double.set(**settings)
            assert azure.plan(mode="full").estimated_rows == 10
        assert not any("COUNT_BIG(*)" in text for text in azure.double.log.statements)


class TestKeyUnique:
    @pytest.mark.parametrize(
        ("table", "key", "unique"),
        [
            ("id int NOT NULL PRIMARY KEY, b int", ["id"], True),
            ("id int NOT NULL PRIMARY KEY, b int", ["id", "b"], True),
            ("id int NOT NULL, b int NOT NULL, PRIMARY KEY (id, b)", ["id"], False),
            ("id int NOT NULL UNIQUE, b int", ["id"], True),
            ("id int UNIQUE, b int", ["id"], False),
            ("id int NOT NULL, b int", ["id"], False),
        ],
    )
    def test_follows_from_the_source_s_indexes(self, anywhere, table, key, unique):
        anywhere.run(f"CREATE TABLE {{s}}.orders ({table})")
        assert anywhere.plan(primary_key=key).key_unique is unique

    def test_filtered_indexes_do_not_count(self, anywhere):
        anywhere.run("CREATE TABLE {s}.orders (id int NOT NULL)")
        anywhere.run("CREATE UNIQUE INDEX ix ON {s}.orders (id) WHERE id > 5")
        assert not anywhere.plan(primary_key=["id"]).key_unique
        anywhere.run("CREATE UNIQUE INDEX iy ON {s}.orders (id)")
        assert anywhere.plan(primary_key=["id"]).key_unique


class TestDrift:
    def test_new_and_missing_columns_and_other_types_are_told(self, anywhere):
        anywhere.run("CREATE TABLE {s}.orders (id int, a decimal(10,2), b nvarchar(5), c int, at datetime2(3))")
        _, _, checkpoint = anywhere.land(**MERGE)
        anywhere.run(
            "ALTER TABLE {s}.orders ALTER COLUMN id bigint",
            "ALTER TABLE {s}.orders ALTER COLUMN a decimal(14,3)",
            "ALTER TABLE {s}.orders DROP COLUMN c",
            "ALTER TABLE {s}.orders ADD d date, e datetimeoffset(3)",
            "ALTER TABLE {s}.orders ALTER COLUMN at datetime2(7)",
        )
        load = anywhere.plan(checkpoint, **MERGE)
        assert not load.unchanged
        assert load.schema_changes == (
            "column id changed from int to bigint",
            "column a changed from decimal(10,2) to decimal(14,3)",
            "new column at__text (datetime2(7)); earlier rows read NULL",
            "new column d (date); earlier rows read NULL",
            "new column e (datetimeoffset(3)); earlier rows read NULL",
            "new column e__text (datetimeoffset(3)); earlier rows read NULL",
            "column c (int) is gone; new rows read NULL",
        )

    @pytest.mark.parametrize(
        "relation",
        [{}, {"where": "id > 0"}, {"table": None, "query": "WITH o AS (SELECT * FROM {s}.orders) SELECT * FROM o"}],
    )
    def test_looking_back_counts_rows_that_the_load_does_not_read(self, anywhere, relation):
        anywhere.run("CREATE TABLE {s}.orders (id int, at datetime2(3))")
        anywhere.run("INSERT INTO {s}.orders VALUES (1, '2026-01-01'), (2, '2026-01-02'), (3, '2026-01-03')")
        table = MERGE | relation
        _, _, checkpoint = anywhere.land(**table)
        anywhere.run("ALTER TABLE {s}.orders ADD c int NULL, d datetime2(7) NULL, e int NULL")
        anywhere.run("UPDATE {s}.orders SET c = 7, d = '2026-01-01'")
        anywhere.run("INSERT INTO {s}.orders VALUES (4, '2026-01-04', 7, NULL, 7)")
        adapter = anywhere.open(**table)
        load = adapter.plan(checkpoint, full_refresh=False)
        seen = adapter.look_back(load, load.columns[2:], checkpoint.watermark)
        assert seen == EarlierRows(3, {"c": 3, "d": 3, "d__text": 3, "e": 0}, complete=True)

    def test_a_change_while_the_load_is_read_is_noticed(self, anywhere):
        anywhere.run("CREATE TABLE {s}.orders (id int, a nvarchar(9))")
        adapter = anywhere.open()
        load = adapter.plan(Checkpoint(), full_refresh=False)
        anywhere.con.execute(adapter.select(load, load.chunks[0])).fetchall()
        adapter.confirm(load)
        anywhere.run("ALTER TABLE {s}.orders ALTER COLUMN a nvarchar(99)")
        with pytest.raises(SchemaDrift, match="while the load was read"):
            adapter.confirm(load)


class TestErrors:
    def test_a_missing_table(self, anywhere):
        with pytest.raises(SourceObjectMissing, match="no table .*orders"):
            anywhere.plan()
        with pytest.raises(SourceObjectMissing, match="Invalid object name"):
            anywhere.plan(query="SELECT * FROM {s}.orders")

    def test_a_missing_column_of_a_query(self, anywhere):
        anywhere.run("CREATE TABLE {s}.orders (id int)")
        with pytest.raises(SourceObjectMissing, match="Invalid column name 'amount'"):
            anywhere.plan(query="SELECT amount FROM {s}.orders")

    def test_a_table_dropped_between_plan_and_read(self, anywhere):
        anywhere.run("CREATE TABLE {s}.orders (id int)")
        adapter = anywhere.open()
        load = adapter.plan(Checkpoint(), full_refresh=False)
        anywhere.run("DROP TABLE {s}.orders")
        with pytest.raises(SourceObjectMissing, match="Invalid object name"):
            adapter.select(load, load.chunks[0])

    @pytest.mark.parametrize("query", ["SELEC 1", "SELECT 1 AS a, 2 AS a", "SELECT 1", "SELECT 1/0 AS x"])
    def test_a_query_that_does_not_work(self, anywhere, query):
        with pytest.raises(SourceQueryFailed, match="shop.orders: ") as caught:
            anywhere.land(query=query)
        assert caught.value.__cause__ is None and caught.value.__context__ is None

    def test_no_right_to_read(self, azure):
        azure.run("CREATE TABLE {s}.orders (id int)")
        azure.double.set(denied={f"{azure.schema}.orders"})
        with pytest.raises(SourceObjectMissing, match="SELECT permission was denied"):
            azure.plan()

    def test_columns_that_cannot_be_landed_are_refused(self, azure):
        azure.run("CREATE TABLE {s}.orders (_load int)")
        with pytest.raises(UnsupportedValue, match="_load is comboi's own"):
            azure.plan()
