"""Which changes of a table's columns a load may carry on with, and what it says of them."""

from __future__ import annotations

import itertools

import pytest

from comboi_core.domain.errors import SchemaDrift
from comboi_core.domain.load import Column
from comboi_core.sources.common import drift

OLD = (Column("id", "integer", "INTEGER"), Column("a", "text", "VARCHAR"), Column("old", "date", ""))


def settle(old, new, policy="evolve", replaces=False, named=()):
    return drift.settle(old, new, policy=policy, replaces=replaces, place="s.t", named=frozenset(named))


def columns(**types: str) -> tuple[Column, ...]:
    return tuple(Column(name, kind.lower(), kind) for name, kind in types.items())


def test_nothing_changed_and_nothing_before():
    now = columns(id="INTEGER", a="VARCHAR")
    assert settle(now, now) == drift.Settled(now)
    for policy in ("evolve", "freeze", "discard_columns"):
        assert settle((), now, policy) == drift.Settled(now)


def test_a_column_that_is_gone_is_told_once():
    before, now = columns(id="INTEGER", a="VARCHAR"), columns(id="INTEGER")
    first = settle(before, now)
    assert first.changes == ("column a (varchar) is gone; new rows read NULL",) and first.altered
    committed = (*now, Column("a", "", "VARCHAR"))
    assert settle(committed, now) == drift.Settled(now)
    back = settle(committed, before)
    assert back.changes == ("column a (varchar) is back",) and back.columns == before


def test_a_column_that_comes_back_has_to_fit_its_earlier_rows():
    with pytest.raises(SchemaDrift):
        settle((Column("a", "", "VARCHAR"),), columns(a="INTEGER"))


def test_a_narrowed_column_keeps_its_committed_type_and_is_told_once():
    first = settle(columns(a="BIGINT", b="DECIMAL(14,3)"), columns(a="INTEGER", b="DECIMAL(10,2)"))
    assert [column.type for column in first.columns] == ["BIGINT", "DECIMAL(14,3)"]
    assert [column.source_type for column in first.columns] == ["integer", "decimal(10,2)"]
    assert "column a changed from bigint to integer; it goes on landing as BIGINT" in first.changes
    second = settle(first.columns, columns(a="INTEGER", b="DECIMAL(10,2)"))
    assert second == drift.Settled(first.columns)
    wide = settle(first.columns, columns(a="BIGINT", b="DECIMAL(10,2)"))
    assert wide.columns[0] == Column("a", "bigint", "BIGINT") and not wide.changes


def test_a_load_that_replaces_takes_every_type_as_it_is():
    settled = settle(columns(a="VARCHAR", b="BIGINT"), columns(a="INTEGER", b="INTEGER"), replaces=True)
    assert settled.columns == columns(a="INTEGER", b="INTEGER") and len(settled.changes) == 2


def test_discarded_columns_do_not_land_unless_the_configuration_names_them():
    before, now = columns(id="INTEGER"), columns(id="INTEGER", a="VARCHAR", b="DATE")
    settled = settle(before, now, "discard_columns", named=["b"])
    assert [column.name for column in settled.columns] == ["id", "b"]
    assert settled.changes == (
        "new column b (date); earlier rows read NULL",
        "new column a (varchar) is ignored: schema_policy discard_columns",
    )
    assert not settle(before, columns(id="INTEGER", a="VARCHAR"), "discard_columns").altered


def test_freeze_refuses_every_change_even_where_the_load_replaces():
    for now in (columns(id="BIGINT"), columns(id="INTEGER", a="DATE"), columns(b="INTEGER"), columns(id="SMALLINT")):
        for replaces in (True, False):
            with pytest.raises(SchemaDrift, match="freeze allows no change"):
                settle(columns(id="INTEGER"), now, "freeze", replaces)


def test_a_name_that_changes_by_case_only_is_the_same_column():
    settled = settle(columns(Amount="INTEGER"), columns(amount="INTEGER"))
    assert settled.changes == ("column Amount is now called amount",) and settled.columns == columns(amount="INTEGER")


TYPES = ("SMALLINT", "INTEGER", "BIGINT", "FLOAT", "DOUBLE", "DECIMAL(5,0)", "DECIMAL(10,0)", "DECIMAL(19,0)",
         "DECIMAL(12,2)", "DECIMAL(14,3)", "DECIMAL(38,10)", "VARCHAR", "DATE", "TIMESTAMP", "TIMESTAMPTZ")  # fmt: skip
EXTREMES = {
    "SMALLINT": ["-32768", "32767"],
    "INTEGER": ["-2147483648", "2147483647"],
    "BIGINT": ["-9223372036854775808", "9223372036854775807"],
    "FLOAT": ["3.4028235e38", "1.17549435e-38"],
    "DOUBLE": ["1.7976931348623157e308"],
    "DECIMAL(5,0)": ["99999"],
    "DECIMAL(10,0)": ["9999999999"],
    "DECIMAL(19,0)": ["9999999999999999999"],
    "DECIMAL(12,2)": ["9999999999.99"],
    "DECIMAL(14,3)": ["99999999999.999"],
    "DECIMAL(38,10)": ["9999999999999999999999999999.9999999999"],
    "VARCHAR": ["x"],
    "DATE": ["2026-01-01"],
    "TIMESTAMP": ["2026-01-01 00:00:00.000001"],
    "TIMESTAMPTZ": ["2026-01-01 00:00:00.000001+00"],
}


@pytest.mark.parametrize(("old", "new"), [pair for pair in itertools.permutations(TYPES, 2) if drift.widens(*pair)])
def test_every_widening_keeps_every_value(con, old, new):
    for value in EXTREMES[old]:
        there_and_back = f"'{value}'::{old}::{new}::{old} = '{value}'::{old}"
        assert con.execute(f"SELECT {there_and_back}").fetchone()[0]


def test_what_moved_while_a_load_was_read_is_named():
    planned = columns(a="INTEGER", b="VARCHAR", c="DATE")
    drift.confirm(planned, (*planned, Column("new", "text", "VARCHAR")), "s.t")
    with pytest.raises(SchemaDrift) as caught:
        drift.confirm(planned, columns(a="BIGINT", c="DATE"), "s.t")
    assert caught.value.message == (
        "s.t: column a changed from integer to bigint; column b is gone while the load was read; "
        "nothing of it was published"
    )
    assert not caught.value.transient
