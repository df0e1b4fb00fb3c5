"""Masks against Python's own HMAC, on hostile values."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from comboi_core.domain.errors import ConfigError, SchemaDrift
from comboi_core.domain.load import Column
from comboi_core.duckdb.engine import open_duckdb
from comboi_core.lake.masking import keyed, masked_columns, masked_rows

TEXTS = ["", "a", "Ōsaka 👩‍👩‍👧", 'it\'s "quoted"\n', "x" * 50_000, None]
COLUMNS = (Column("id", "int", "INTEGER"), Column("e-mail", "text", "VARCHAR"))


def masked(mask: dict[str, str]) -> tuple[Column, ...]:
    return masked_columns(COLUMNS, mask, (), replaces=False, place="shop.people")


def rows_of(select: str, columns: tuple[Column, ...], salt: str | None = None) -> list[tuple]:
    with open_duckdb(memory_limit="256MB", threads=2) as con:
        con.execute('CREATE TABLE people (id INTEGER, "e-mail" VARCHAR)')
        con.executemany("INSERT INTO people VALUES (?, ?)", list(enumerate(TEXTS)))
        with keyed(con, salt):
            found = con.execute(f"{masked_rows(select, columns)} ORDER BY ALL").fetchall()
        assert con.execute("SELECT getvariable('comboi_inner')").fetchone() == (None,), "the key does not stay behind"
        return found


@pytest.mark.parametrize("salt", ["s", "it's a 'salt'", "ü" * 100])
def test_a_hash_is_the_hmac_of_the_text(salt: str):
    found = dict(rows_of("SELECT * FROM people", masked({"e-mail": "hash"}), salt))
    for place, text in enumerate(TEXTS):
        expected = text and hmac.new(salt.encode(), text.encode(), hashlib.sha256).hexdigest()
        if text == "":
            expected = hmac.new(salt.encode(), b"", hashlib.sha256).hexdigest()
        assert found[place] == expected


def test_a_number_is_hashed_by_its_text():
    found = rows_of("SELECT id FROM people WHERE id = 3", masked({"id": "hash"})[:1], "salt")
    assert found == [(hmac.new(b"salt", b"3", hashlib.sha256).hexdigest(),)]


def test_what_the_other_masks_leave():
    assert [row[1] for row in rows_of("SELECT * FROM people", masked({"e-mail": "redact"}))] == ["***"] * 5 + [None]
    partly = [row[1] for row in rows_of("SELECT * FROM people", masked({"e-mail": "partial"}))]
    assert partly == ["***", "***", "Ō***👧", "i***\n", "x***x", None]
    assert rows_of("SELECT * FROM people", masked({"e-mail": "drop"})) == [(place,) for place in range(len(TEXTS))]


def test_without_a_mask_the_rows_come_as_they_are():
    assert masked_rows("SELECT 1", COLUMNS) == "SELECT 1"


def test_a_mask_for_no_column_is_refused():
    with pytest.raises(ConfigError, match=r"mask: there is no column 'email' \(did you mean 'e-mail'\?\)"):
        masked({"email": "hash"})


def test_rows_of_two_masks_do_not_mix():
    before = masked({"e-mail": "redact"})
    with pytest.raises(SchemaDrift, match="earlier rows have redact, but the configuration says none"):
        masked_columns(COLUMNS, {}, before, replaces=False, place="shop.people")
    assert masked_columns(COLUMNS, {}, before, replaces=True, place="shop.people") == COLUMNS
    assert [column.landed for column in masked({"id": "hash"})] == ["VARCHAR", "VARCHAR"]
