"""What only MySQL gets, as far as it can be tried without one: MariaDB takes hints for comments."""

from __future__ import annotations

from comboi_core.sources.mysql import sql
from comboi_core.sources.mysql.text import names


def test_a_streamed_statement_brings_its_settings_along_as_hints(db):
    text = sql.settled("SELECT (SELECT 1) AS one", "ANSI_QUOTES", mariadb=False)
    assert text == (
        "/* comboi */ SELECT /*+ SET_VAR(sql_mode = 'ANSI_QUOTES') MAX_EXECUTION_TIME(7200000) */ (SELECT 1) AS one"
    )
    assert db.run(text) == [(1,)]


def test_a_session_has_no_setting_that_only_mariadb_knows():
    assert not [text for text in sql.session("", mariadb=False) if "max_statement_time" in text or "idle_" in text]
    assert "QUERY_ID" not in sql.running(mariadb=False) and "QUERY_ID" in sql.running(mariadb=True)


def test_innodbs_numbers_are_asked_for_where_mysql_has_them():
    assert "information_schema.INNODB_TABLES" in sql.table_ids("shop", "orders", mariadb=False)
    assert "filename" not in sql.table_ids("shop", "orders", mariadb=False)


def test_modes_that_change_values_are_dropped_and_those_that_change_sql_are_kept():
    assert (
        sql.pinned("ANSI_QUOTES,PAD_CHAR_TO_FULL_LENGTH,NO_ZERO_DATE,PIPES_AS_CONCAT") == "ANSI_QUOTES,PIPES_AS_CONCAT"
    )


def test_names_in_a_query_are_found_in_every_spelling():
    query = """SELECT `a`.x -- not.this
        FROM shop.orders JOIN `odd db`.`t``1` USING (x) /* nor.that */
        WHERE y = 'no.name' AND z IN (SELECT 1 FROM "q")"""
    found = names(query)
    assert {("shop", "orders"), ("odd db", "t`1"), ("q",)} <= set(found)
    assert not {("not", "this"), ("nor", "that"), ("no", "name")} & set(found)
