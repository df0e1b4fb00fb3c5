"""Headers of Bruin's assets as people write them: where they begin and end, in whatever encoding."""

from __future__ import annotations

import pytest

from comboi_core.bruin.header.finding import LoadedAssets
from comboi_core.bruin.header.loading import read_asset
from comboi_core.config.materialization import Materialization
from tests.bruin.header.writing import load, only, problem, write

BODY = "SELECT 1 AS id\n"


@pytest.mark.parametrize(
    "text",
    [
        "/* @bruin\nname: silver.x\ntype: duckdb.sql\nmaterialization:\n  type: table\n@bruin */\n" + BODY,
        "/*@bruin\nname: silver.x\ntype: duckdb.sql\nmaterialization: {type: table}\n@bruin*/\n" + BODY,
        "\n\n  /*   @bruin  \n\nname:  silver.x  \ntype: duckdb.sql\n\nmaterialization: {type: table}\n@bruin   */ \n"
        + BODY,
        "/* @bruin\nname: silver.x\ntype: duckdb.sql\nmaterialization: {type: table}\nowner:\ndepends:\n@bruin */"
        + "\n"
        + BODY,
        "-- @bruin.name: silver.x\n--@bruin.type: duckdb.sql\n--   @bruin.materialization.type:table\n" + BODY,
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_headers_are_read_whatever_their_blanks_line_ends_and_marks(folder, text, newline, mark):
    write(folder, "x.sql", mark + text.replace("\n", newline).encode())

    assert only(folder).name == "silver.x"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("/* @bruin\nname: silver.x\nSELECT 1", "x.sql:1: the header does not end"),
        ("/* @bruin name: silver.x\n@bruin */\nSELECT 1", "x.sql:1: the header's first line has to be `/* @bruin`"),
        ("/*    @bruin\nname: silver.x\n@bruin */\nSELECT 1", "x.sql:1: the header's first line has to be"),
        ("-- @bruin\n-- name: silver.x\nSELECT 1", "x.sql:1: the header's first line has to be"),
        ("SELECT 1\n@bruin */", "x.sql:2: there is the end of a header without a beginning"),
        ("/* @Bruin\nname: x\n@bruin */", "x.sql:1: the header's first line has to be"),
        ("-- by me\n\n/* @bruin\nname: x\n@bruin */", "x.sql:3: the header has to be the first thing"),
        ("/* @bruin\nname: x\n/* @bruin\n@bruin */", "x.sql:3: a second header"),
        ("/* @bruin\nname: x\n@bruin */\n@bruin */", "x.sql:4: the header already ended in line 3"),
        ("/* @bruin\nname: x\n@bruin */\n-- @bruin.name: y", "x.sql:4: a second header"),
        ("/* @bruin\nname: x\n  type: y\n@bruin */", "x.sql:3: not valid YAML"),
        ("/* @bruin\nname: x\n\ttype: y\n@bruin */", "x.sql:3: not valid YAML"),
        ("/* @bruin\nname: x\nname: y\n@bruin */", "x.sql:3: the key 'name' is already given in line 2"),
        ("/* @bruin\n- a\n@bruin */", "x.sql:1: expected a mapping"),
        ("/* @bruin\n\nstart_date: {{ x }}\n@bruin */", "x.sql:3: "),
        ("/* @bruin\nname: 'a.b.c'\n@bruin */", "x.sql:2: name: 'a.b.c' is not a valid name"),
        ("/* @bruin\nname: 'a b'\n@bruin */", "x.sql:2: name: 'a b' is not a valid name"),
        ("-- @bruin.name\n", "x.sql:1: `@bruin.name` has no value"),
        ("SELECT 1\n-- @bruin.nmae: x", "x.sql:2: unknown key 'nmae'"),
        ("-- @bruin.name: x\n-- @bruin.name: y", "x.sql:2: the key 'name' is already given in line 1"),
        ("-- @bruin.columns.a.primary_key: maybe", "x.sql:1: 'columns.a.primary_key' has to be true or false"),
        (b"/* @bruin\nname: \xff\n@bruin */", "x.sql:1: is not UTF-8"),
    ],
)
def test_a_header_that_cannot_be_one_is_named_by_its_line(folder, text, says):
    write(folder, "x.sql", text)

    assert problem(folder).startswith(f"t/{says}")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("''' @bruin\nname: x\n@bruin '''\n", 'x.py:1: the header\'s first line has to be `""" @bruin`'),
        ('import os\n""" @bruin\nname: x\n@bruin """\n', "x.py:2: the header has to be the first thing"),
        ("# @bruin.type: duckdb.sql\n", "x.py:1: comboi does not run type: duckdb.sql; it has to be in a .sql file"),
    ],
)
def test_headers_of_python_files_likewise(folder, text, says):
    write(folder, "x.py", text)

    assert problem(folder).startswith(f"t/{says}")


@pytest.mark.parametrize(
    "name", ["plain.sql", "plain.py", "notes.yml", "quality/check.py", ".venv/a.sql", "macros/m.sql"]
)
def test_files_without_a_header_and_folders_for_other_things_are_left_alone(folder, name):
    header = "/* @bruin\nbroken" if name.split("/")[0] in ("quality", ".venv", "macros") else "# nothing about bruin\n"
    write(folder, name, header)

    assert load(folder) == LoadedAssets()


def test_the_older_form_says_all_that_it_can(folder):
    write(
        folder,
        "x.sql",
        """
        -- @bruin.name: silver.x
        -- @bruin.description: With a colon: and more
        -- @bruin.type: duckdb.sql
        -- @bruin.depends: shop.orders, bronze.items
        -- @bruin.materialization.type: table
        -- @bruin.materialization.strategy: merge
        -- @bruin.columns.id.type: bigint
        -- @bruin.columns.id.primary_key: true
        -- @bruin.columns.id.checks: not_null, unique
        SELECT 1 AS id
        -- @bruin.columns.note.type: string
        """,
    )

    found = only(folder)

    assert found.description == "With a colon: and more"
    assert [item.alias for item in found.inputs] == ["shop.orders", "bronze.items"]
    assert found.materialization == Materialization(strategy="merge", unique_key=("id",), update=())
    assert [(column.name, column.type) for column in found.columns] == [("id", "bigint"), ("note", "string")]
    assert [check.label for check in found.checks] == ["not_null(id)", "unique(id)"]


def test_the_code_keeps_its_lines_and_its_places(folder):
    text = "/* @bruin\ntype: duckdb.sql # Zoë 🦆\nmaterialization: {type: table}\n@bruin */ \n\nSELECT 'é'\n"
    file = write(folder, "x.sql", text)

    body = read_asset(file, folder).body

    assert body.strip() == "SELECT 'é'"
    assert body.encode().index(b"SELECT") == text.encode().index(b"SELECT")
    assert [line for line, content in enumerate(body.split("\n"), 1) if content.strip()] == [6]
