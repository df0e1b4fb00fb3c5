"""What every source keeps to. A subclass gives a harness, and pytest runs the contract on it.

```python
from comboi_core.testing.source_contract import SourceContract

class TestShop(SourceContract):
    @pytest.fixture
    def harness(self, tmp_path):
        return ShopHarness(tmp_path)          # a comboi_core.testing.harness.Harness
```

`GrowingContract` is for sources in which a test cannot make tables as it likes.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest

from comboi_core.domain.errors import ComboiError, SchemaDrift, SourceChanged, SourceFileChanged, UnsupportedValue
from comboi_core.domain.load import Checkpoint
from comboi_core.testing.harness import Broken, Growing, Harness, Kind, Mode, Part, Row, Table
from comboi_core.testing.hostile import NAMES, VALUES
from comboi_core.testing.loading import SOURCE, TABLE, Begun, Loading

ORDERS = Table()
ROWS: list[Row] = [{"id": n, "v": f"v{n}", "n": n * 10, "at": datetime(2020, 1, n, 10)} for n in (1, 2, 3)]
LATER: Row = {"id": 4, "v": "v4", "n": 40, "at": datetime(2020, 1, 4, 10)}
FUTURE = datetime(2999, 1, 1)
MODES: tuple[Mode, ...] = ("merge", "append", "full")
CHANGED = (SourceChanged, SourceFileChanged, SchemaDrift)

F = TypeVar("F", bound=Callable[..., None])


def part(name: Part) -> Callable[[F], F]:
    """Mark a test as one of a part that a source may be without."""

    def marked(test: F) -> F:
        test.part = name  # type: ignore[attr-defined]
        return test

    return marked


def read(begun: Begun) -> list[tuple[Any, ...]]:
    """Return the rows that a plan reads, as an activity reads them, in an order that stays."""
    rows: list[tuple[Any, ...]] = []
    with begun.workspace.borrowed_duckdb(SOURCE) as con, begun.workspace.source(con, SOURCE, TABLE) as source:
        with source.reading(begun.plan):
            for chunk in begun.plan.chunks:
                rows += con.execute(source.select(begun.plan, chunk)).fetchall()
        source.confirm(begun.plan)
    return sorted(rows, key=repr)


def refuse_secrets(error: BaseException, broken: Broken) -> None:
    """Fail if an error, or one that goes along with it, holds a secret."""
    chain: list[BaseException] = [error]
    for one in chain:
        texts = [str(one), repr(one), repr(vars(one)), repr(one.args)]
        leaks = [secret for secret in broken.secrets if any(secret in text for text in texts)]
        assert not leaks, f"{type(one).__name__} holds a secret"
        chain += [further for further in (one.__cause__, one.__context__) if further is not None]


def close_at_odd_moments(begun: Begun) -> None:
    """Close a source before and after its connection is closed, and more than once."""
    with begun.workspace.duckdb() as con, begun.workspace.source(con, SOURCE, TABLE) as source:
        source.close()
    with begun.workspace.duckdb() as con, begun.workspace.source(con, SOURCE, TABLE) as source:
        source.plan(Checkpoint(), full_refresh=False)
        con.close()
        source.close()


class _Parts:
    """Skips tests of parts that the source is without, with its reason."""

    @pytest.fixture
    def loading(self, tmp_path: Path, harness: Harness | Growing) -> Loading:
        """A lake for one table of the source."""
        return Loading(tmp_path / "contract", harness.type)

    @pytest.fixture(autouse=True)
    def _applies(self, request: pytest.FixtureRequest, harness: Harness | Growing) -> None:
        name: Part | None = getattr(request.function, "part", None)
        if name and (reason := harness.without.get(name)):
            pytest.skip(reason)


class GrowingContract(_Parts):
    """The contract of a source whose rows become more and never change."""

    @pytest.fixture
    def harness(self) -> Growing:
        """The source; every subclass says which."""
        raise NotImplementedError("a subclass has a fixture `harness`")

    @staticmethod
    def load(harness: Growing, loading: Loading, *, full_refresh: bool = False) -> list[Row]:
        """Land what is new; return the table."""
        begun = loading.begin(harness.connection, harness.table, full_refresh=full_refresh)
        loading.finish(begun)
        return loading.rows(begun.workspace)

    def test_loads_land_every_row_once(self, harness: Growing, loading: Loading) -> None:
        harness.start()
        for full_refresh in (False, False, True):
            assert sorted(self.load(harness, loading, full_refresh=full_refresh), key=repr) == _sorted(harness.rows())
        harness.grow()
        assert sorted(self.load(harness, loading), key=repr) == _sorted(harness.rows())
        assert loading.begin(harness.connection, harness.table).plan.unchanged

    def test_the_same_plan_reads_the_same_rows(self, harness: Growing, loading: Loading) -> None:
        harness.start()
        begun = loading.begin(harness.connection, harness.table)
        first = read(begun)
        harness.grow()
        assert first and read(begun) == first

    def test_close_never_raises(self, harness: Growing, loading: Loading) -> None:
        harness.start()
        close_at_odd_moments(loading.begin(harness.connection, harness.table))

    @part("secrets")
    def test_no_error_holds_a_secret(self, harness: Growing, loading: Loading) -> None:
        broken = harness.broken()
        with pytest.raises(ComboiError) as caught:
            loading.begin(broken.connection, harness.table)
        refuse_secrets(caught.value, broken)


def _sorted(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=repr)


class _Landed:
    """The table of a harness, landed load by load."""

    def __init__(self, harness: Harness, loading: Loading, table: Table = ORDERS) -> None:
        self.harness = harness
        self.loading = loading
        self.table = table

    def begin(self, mode: Mode = "merge", /, *, full_refresh: bool = False, **settings: Any) -> Begun:
        """Plan the next load."""
        config = {**self.harness.place(self.table), **self.harness.modes[mode], **settings}
        return self.loading.begin(self.harness.connection, config, full_refresh=full_refresh)

    def load(self, mode: Mode = "merge", /, *, full_refresh: bool = False, **settings: Any) -> list[Row]:
        """Land what is new; return the table by id."""
        begun = self.begin(mode, full_refresh=full_refresh, **settings)
        self.loading.finish(begun)
        return sorted(self.loading.rows(begun.workspace), key=lambda row: (row.get("id", 0), repr(row)))

    def ids(self, mode: Mode = "merge", /, **settings: Any) -> list[int]:
        """Land what is new; return the ids of the table."""
        return [int(row["id"]) for row in self.load(mode, **settings)]


class SourceContract(_Parts):
    """The contract of a source in which a test makes tables as it likes."""

    @pytest.fixture
    def harness(self) -> Harness:
        """The source; every subclass says which."""
        raise NotImplementedError("a subclass has a fixture `harness`")

    @pytest.fixture
    def orders(self, harness: Harness, loading: Loading) -> _Landed:
        """A table with three rows, not landed yet."""
        harness.create(ORDERS)
        harness.insert(ORDERS, ROWS)
        return _Landed(harness, loading)

    # Loads.

    @pytest.mark.parametrize("mode", MODES)
    def test_loads_land_every_row_once(self, orders: _Landed, mode: Mode) -> None:
        for full_refresh in (False, False, True):
            rows = orders.load(mode, full_refresh=full_refresh)
            assert [(row["id"], row["v"], row["n"]) for row in rows] == [(n, f"v{n}", n * 10) for n in (1, 2, 3)]
        if mode == "append":  # a merge may read the last minutes again
            assert orders.begin(mode).plan.unchanged
        orders.harness.insert(ORDERS, [LATER])
        assert orders.ids(mode) == [1, 2, 3, 4]

    def test_a_changed_row_takes_the_place_of_the_landed_one(self, orders: _Landed) -> None:
        orders.load()
        orders.harness.update(ORDERS, {"id": 2, "v": "changed", "n": None, "at": datetime(2020, 1, 5)})
        assert [(row["id"], row["v"], row["n"]) for row in orders.load()] == [
            (1, "v1", 10),
            (2, "changed", None),
            (3, "v3", 30),
        ]

    @pytest.mark.parametrize("mode", MODES)
    def test_the_same_plan_reads_the_same_rows(self, orders: _Landed, mode: Mode) -> None:
        begun = orders.begin(mode)
        first = read(begun)
        if mode != "full":  # without a window there is no bound
            orders.harness.insert(ORDERS, [LATER | {"at": FUTURE}])
        assert len(first) == 3 and read(begun) == first

    @pytest.mark.parametrize("how", ["refilled", "replaced", "emptied"])
    @pytest.mark.parametrize("mode", MODES)
    def test_no_row_is_lost_where_a_planned_table_is_written_anew(self, orders: _Landed, mode: Mode, how: str) -> None:
        if how == "emptied" and "empty tables" in orders.harness.without:
            pytest.skip(orders.harness.without["empty tables"])
        before = orders.loading.checkpoint
        begun = orders.begin(mode)
        if how == "replaced":
            orders.harness.rewrite(ORDERS, ROWS)
        else:
            orders.harness.empty(ORDERS)
        if how == "refilled":
            orders.harness.insert(ORDERS, ROWS)
        try:
            orders.loading.finish(begun)
        except CHANGED:
            assert orders.loading.checkpoint == before, "a load that failed is committed"
        if how == "emptied":
            assert orders.ids(mode, full_refresh=True) == []
        else:
            assert orders.ids(mode) == [1, 2, 3]

    # Cursors.

    @part("cursor")
    def test_rows_without_a_cursor_are_read_by_each_load(self, orders: _Landed) -> None:
        orders.harness.insert(ORDERS, [LATER | {"at": None}])
        assert orders.ids() == [1, 2, 3, 4]
        orders.harness.update(ORDERS, {"id": 4, "v": "changed"})
        assert [row["v"] for row in orders.load()] == ["v1", "v2", "v3", "changed"]

    @part("cursor")
    def test_rows_without_a_cursor_are_left_out_or_refused_where_that_is_asked_for(self, orders: _Landed) -> None:
        orders.harness.insert(ORDERS, [LATER | {"at": None}])
        refusing: tuple[dict[str, Any], ...] = ({"on_null_cursor": "fail"}, {"mode": "append"})
        for settings in refusing:
            with pytest.raises(UnsupportedValue, match="1 rows have NULL in the cursor at"):
                orders.load(**settings)
            assert orders.loading.checkpoint["manifest"] is None
        assert orders.ids(on_null_cursor="exclude") == [1, 2, 3]

    @part("cursor")
    def test_a_row_from_the_future_is_told_and_waits(self, orders: _Landed) -> None:
        orders.harness.insert(ORDERS, [LATER | {"at": FUTURE}])
        begun = orders.begin()
        assert [(one.code, one.rows) for one in begun.plan.shortfalls if one.code == "future_cursor"] == [
            ("future_cursor", 1)
        ]
        assert orders.ids() == [1, 2, 3]
        orders.harness.update(ORDERS, {"id": 4, "at": datetime(2020, 1, 5)})
        assert orders.ids() == [1, 2, 3, 4], "the watermark must not have passed it"

    @part("late commits")
    @pytest.mark.parametrize("settings", [{}, {"mode": "append"}], ids=["merge", "append"])
    def test_a_row_that_is_committed_late_is_not_passed_over(self, orders: _Landed, settings: dict[str, Any]) -> None:
        orders.load(**settings)
        with orders.harness.inserting(ORDERS, [LATER | {"at": _now()}]):
            orders.harness.insert(ORDERS, [LATER | {"id": 5, "at": _now()}])
            orders.load(**settings)
        ids = orders.ids(**settings)
        if not settings:
            assert ids == [1, 2, 3, 4, 5]
        assert ids in ([1, 2, 3], [1, 2, 3, 4], [1, 2, 3, 4, 5]), "a later row has landed before an earlier one"

    @part("chunks")
    @pytest.mark.parametrize("settings", [{}, {"mode": "append"}], ids=["merge", "append"])
    def test_equal_cursors_at_the_edge_of_a_chunk_land_once(self, orders: _Landed, settings: dict[str, Any]) -> None:
        same = [LATER | {"id": n} for n in range(4, 101)]
        orders.harness.insert(ORDERS, same)
        orders.harness.settle(ORDERS)
        begun = orders.begin(chunk_rows=10, **settings)
        assert len(begun.plan.chunks) > 1 or settings, "an append may have one chunk"
        assert orders.ids(chunk_rows=10, **settings) == [*range(1, 101)]

    # Columns that change.

    def altered(self, orders: _Landed, columns: dict[str, Kind], row: Row) -> None:
        """Give the table other columns, and insert a row."""
        changed = Table(ORDERS.name, columns)
        orders.harness.alter(orders.table, changed)
        orders.table = changed
        orders.harness.insert(changed, [row])

    def test_a_new_column_lands_and_is_null_in_earlier_rows(self, orders: _Landed) -> None:
        orders.load()
        self.altered(orders, {**ORDERS.columns, "w": "text"}, LATER | {"w": "new"})
        assert any("w" in change for change in orders.begin().plan.schema_changes)
        assert [row["w"] for row in orders.load()] == [None, None, None, "new"]

    def test_a_column_that_is_gone_stays_with_the_values_that_landed(self, orders: _Landed) -> None:
        orders.load(lag=0)
        self.altered(orders, {name: kind for name, kind in ORDERS.columns.items() if name != "v"}, LATER)
        assert [row["v"] for row in orders.load(lag=0)] == ["v1", "v2", "v3", None]

    def test_a_column_of_another_kind_is_refused_until_all_is_read_anew(self, orders: _Landed) -> None:
        orders.load()
        before = orders.loading.checkpoint
        self.altered(orders, {**ORDERS.columns, "n": "text"}, LATER | {"n": "forty"})
        with pytest.raises(SchemaDrift):
            orders.load()
        assert orders.loading.checkpoint == before
        assert orders.load(full_refresh=True)[3]["n"] == "forty"

    @pytest.mark.parametrize("policy", ["freeze", "discard_columns"])
    def test_a_new_column_is_refused_or_left_out_where_that_is_asked_for(self, orders: _Landed, policy: str) -> None:
        orders.load(schema_policy=policy)
        self.altered(orders, {**ORDERS.columns, "w": "text"}, LATER | {"w": "new"})
        if policy == "freeze":
            with pytest.raises(SchemaDrift):
                orders.load(schema_policy=policy)
        else:
            rows = orders.load(schema_policy=policy)
            assert len(rows) == 4 and "w" not in rows[0]

    # Values and names.

    @pytest.mark.parametrize("value", VALUES)
    def test_a_value_lands_as_it_is(self, harness: Harness, loading: Loading, value: str) -> None:
        if value in harness.cannot_hold:
            pytest.skip(harness.cannot_hold[value])
        kind, given = VALUES[value]
        table = Table("valued", {"id": "integer", "x": kind})
        harness.create(table)
        harness.insert(table, [{"id": 1, "x": given}])
        (row,) = _Landed(harness, loading, table).load("full")
        assert row["x"] == harness.landed(kind, given)

    @pytest.mark.parametrize("name", NAMES)
    def test_a_column_may_have_any_name(self, harness: Harness, loading: Loading, name: str) -> None:
        if name in harness.cannot_name:
            pytest.skip(harness.cannot_name[name])
        column = NAMES[name]
        table = Table("named", {column: "integer", "at": "timestamp"}, (column,))
        harness.create(table)
        harness.insert(table, [{column: 7, "at": datetime(2020, 1, 1)}])
        landed = _Landed(harness, loading, table)
        for _ in range(2):
            assert [row[column] for row in landed.load(primary_key=[column])] == [7]

    @part("table names")
    @pytest.mark.parametrize("name", NAMES)
    def test_a_table_may_have_any_name(self, harness: Harness, loading: Loading, name: str) -> None:
        if name in harness.cannot_name:
            pytest.skip(harness.cannot_name[name])
        table = Table(NAMES[name])
        harness.create(table)
        harness.insert(table, ROWS)
        landed = _Landed(harness, loading, table)
        assert landed.ids() == landed.ids() == [1, 2, 3]

    # Errors and ends.

    @part("secrets")
    def test_no_error_holds_a_secret(self, harness: Harness, loading: Loading) -> None:
        broken = harness.broken()
        with pytest.raises(ComboiError) as caught:
            loading.begin(broken.connection, {**harness.place(ORDERS), **harness.modes["full"]})
        refuse_secrets(caught.value, broken)

    def test_close_never_raises(self, orders: _Landed) -> None:
        close_at_odd_moments(orders.begin())


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
