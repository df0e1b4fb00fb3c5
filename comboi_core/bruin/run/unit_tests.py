"""Unit tests of assets: the query on rows that the test gives, in a DuckDB of its own, against the rows it expects.

Inputs that a test leaves out are empty tables of the columns that their own assets list.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from comboi_core.bruin.header.asset import SQL, Asset
from comboi_core.bruin.header.loading import read_asset
from comboi_core.bruin.header.testing import Expectation, Mock, UnitTest
from comboi_core.bruin.run.context import AssetContext, moment_of
from comboi_core.bruin.run.expectations import Row, differences, instant
from comboi_core.bruin.run.hooks import run_hooks
from comboi_core.bruin.run.queries import Query, query_errors
from comboi_core.bruin.run.rows import RowsError, arrow_table
from comboi_core.bruin.run.types import declared_types
from comboi_core.config.datasets import DatasetConfig, Input
from comboi_core.domain.errors import ComboiError, ScriptError
from comboi_core.domain.names import table_id
from comboi_core.domain.sql import identifier, literal, qualified
from comboi_core.duckdb.engine import open_duckdb
from comboi_core.duckdb.errors import error_details
from comboi_core.duckdb.parsing import parsed
from comboi_core.duckdb.rows import one_row

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_RESULT, _ROWS = "_comboi_result", "_comboi_mock"
_CLOCKS = {
    "now": "",
    "get_current_timestamp": "",
    "transaction_timestamp": "",
    "current_date": "::DATE",
    "today": "::DATE",
    "get_current_time": "::TIMETZ",
    "current_localtime": "::TIMESTAMP::TIME",
    "current_localtimestamp": "::TIMESTAMP",
}
"""DuckDB's functions that tell the time, and what they make of an instant; CURRENT_TIMESTAMP is one of them."""


@dataclass(frozen=True)
class TestResult:
    """How one unit test ended.

    Attributes:
        place: `file:line` of the test.
        problems: The differences from what was expected. Empty if the test passed.
    """

    __test__ = False  # not pytest's

    dataset: str
    name: str
    place: str
    problems: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether everything came as expected."""
        return not self.problems


def run_unit_tests(
    dataset: DatasetConfig,
    datasets: Iterable[DatasetConfig],
    context: AssetContext,
    *,
    only: str | None = None,
    memory_limit: str = "512MB",
) -> list[TestResult]:
    """Run the unit tests of an asset's dataset.

    Args:
        datasets: All datasets, for the columns of inputs that a test leaves out.
        context: As of a run now; its interval is today, unless a test sets `execution_time`.
        only: The one test to run.

    Returns:
        A result per test; none for a dataset that is no asset, or has no tests.
    """
    if dataset.asset is None:
        return []
    asset = read_asset(context.folder / dataset.asset, context.folder)
    columns = {other.name: _columns_of(other, context) for other in datasets}
    results = []
    for position, test in enumerate(asset.header.unit_tests):
        if only is None or test.name == only:
            place = asset.at("unit_tests", position)
            with open_duckdb(memory_limit=memory_limit, threads=1) as con:
                problems = tuple(_run(con, asset, dataset, test, columns, context, place))
            results.append(TestResult(dataset.name, test.name, place, problems))
    return results


def _columns_of(dataset: DatasetConfig, context: AssetContext) -> dict[str, str]:
    """Return the columns that a dataset's asset lists with a type."""
    if dataset.asset is None:
        return {column.name: column.type for column in dataset.columns if column.type}
    try:
        return declared_types(read_asset(context.folder / dataset.asset, context.folder))
    except ScriptError:
        return {}


def _run(
    con: DuckDBPyConnection,
    asset: Asset,
    dataset: DatasetConfig,
    test: UnitTest,
    columns: Mapping[str, Mapping[str, str]],
    context: AssetContext,
    place: str,
) -> Iterator[str]:
    """Yield what did not come as expected."""
    if asset.type != SQL:
        yield "unit tests are only for SQL assets"
        return
    try:
        frozen, today = _clock(test, context)
        run = replace(today, variables={**context.variables, **test.variables})
        moment = moment_of(asset, run)
        if frozen is not None:
            _freeze(con, frozen)
        inputs = _mock(con, asset, dataset, test, columns)
        query = Query(asset, moment)
        with query_errors(query, asset, con, inputs):
            run_hooks(con, asset, moment, "pre")
            query.create(con, inputs, _RESULT)
            if test.expected.says_something:
                yield from differences("the result", test.expected, _rows(con, f"FROM {_RESULT}"))
            for name, expected in test.expected.ctes.items():
                yield from _cte_differences(con, query, name, expected)
    except RowsError as error:
        yield f"the rows of an input: {error}"
    except ComboiError as error:
        yield error.message


# The world of a test.


def _clock(test: UnitTest, context: AssetContext) -> tuple[datetime | None, AssetContext]:
    """Return the time that a test stops at, if any, and the run's context with that day as its interval."""
    frozen = None if test.execution_time is None else instant(test.execution_time)
    if test.execution_time is not None and frozen is None:
        raise ScriptError(f"execution_time: '{test.execution_time}' is not a time such as 2026-11-01 09:00:00")
    now = frozen or context.started_at
    start = datetime.combine(now.astimezone(UTC).date(), time(), UTC)
    return frozen, replace(context, started_at=now, interval_start=start, interval_end=start + timedelta(days=1))


def _freeze(con: DuckDBPyConnection, now: datetime) -> None:
    """Put macros in front of the functions that tell the time."""
    for name, cast in _CLOCKS.items():
        con.execute(f"CREATE MACRO {identifier(name)}() AS {literal(now.isoformat())}::TIMESTAMPTZ{cast}")


def _mock(
    con: DuckDBPyConnection,
    asset: Asset,
    dataset: DatasetConfig,
    test: UnitTest,
    columns: Mapping[str, Mapping[str, str]],
) -> dict[str, str]:
    """Create a table for each input; return alias -> quoted name."""
    fixtures = {fixture.name: fixture for fixture in asset.pipeline.fixtures}
    aliases = {item.alias.lower(): item for item in dataset.inputs}
    meant = {
        (item.dataset or table_id(str(item.source), str(item.table))).lower(): alias for alias, item in aliases.items()
    }
    mocks = (*(fixtures[name] for name in test.fixtures), *test.inputs)
    given = {name if name in aliases else meant.get(name, name): rows for name, rows in _by_name(mocks).items()}
    unread = [name for name in given if name not in aliases]
    if unread:
        read = ", ".join(item.alias for item in dataset.inputs) or "nothing"
        raise ScriptError(
            f"the test gives rows for {', '.join(unread)}, which {asset.name} does not read; it reads {read}"
        )
    created = {}
    for alias, item in aliases.items():
        types = columns.get(item.dataset or "", {})
        if alias not in given and not types:
            raise ScriptError(
                f"the test gives no rows for {item.alias}, whose columns are not known; give rows (null where "
                "they do not matter, or list its columns: with types in its own header"
            )
        created[item.alias] = _create_mock(con, item.alias, given.get(alias, ()), types)
    return created


def _target(item: Input) -> str:
    return item.dataset or table_id(str(item.source), str(item.table))


def _by_name(mocks: Iterable[Mock]) -> dict[str, Sequence[Row]]:
    return {mock.asset.lower(): mock.rows for mock in mocks}


def _create_mock(con: DuckDBPyConnection, alias: str, rows: Sequence[Row], types: Mapping[str, str]) -> str:
    """Create one table: columns that the header lists have their type, others the type of the rows' values."""
    schema, _, _ = alias.rpartition(".")
    if schema:
        con.execute(f"CREATE SCHEMA IF NOT EXISTS {identifier(schema)}")
    table = arrow_table([{name: _plain(value) for name, value in row.items()} for row in rows])
    listed = {name.lower(): (name, kind) for name, kind in types.items()}
    if not rows:
        columns = [f"CAST(NULL AS {kind}) AS {identifier(name)}" for name, kind in types.items()]
        sql = f"SELECT {', '.join(columns) or 'NULL AS nothing'} WHERE false"
    else:
        columns = []
        for name in table.column_names:
            quoted = identifier(name)
            kind = listed.get(name.lower(), ("", ""))[1]
            columns.append(f"CAST({quoted} AS {kind}) AS {quoted}" if kind else quoted)
        missing = [
            (name, kind) for key, (name, kind) in listed.items() if key not in map(str.lower, table.column_names)
        ]
        columns += [f"CAST(NULL AS {kind}) AS {identifier(name)}" for name, kind in missing]
        con.register(_ROWS, table)
        sql = f"SELECT {', '.join(columns)} FROM {_ROWS}"
    con.execute(f"CREATE TABLE {qualified(alias)} AS {sql}")
    if rows:
        con.unregister(_ROWS)
    return qualified(alias)


def _plain(value: Any) -> Any:
    """Return a YAML value as a column holds it: what is nested as JSON text."""
    return json.dumps(value, default=str) if isinstance(value, dict | list) else value


def _rows(con: DuckDBPyConnection, sql: str) -> list[Row]:
    result = con.execute(sql)
    names = [column[0].lower() for column in result.description]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def _cte_differences(con: DuckDBPyConnection, query: Query, name: str, expected: Expectation) -> Iterator[str]:
    """Compare a CTE's rows: the query's WITH clause in front of a SELECT from it, as DuckDB's own parser has them."""
    import duckdb

    try:
        own = parsed(con, query.text.strip().rstrip(";"))
        probe = parsed(con, f"SELECT * FROM {identifier(name)}")
        ctes = {item["key"].lower() for item in own["statements"][0]["node"]["cte_map"]["map"]}
        if name.lower() not in ctes:
            yield f"there is no CTE '{name}'; the query has {', '.join(sorted(ctes)) or 'none'}"
            return
        probe["statements"][0]["node"]["cte_map"] = own["statements"][0]["node"]["cte_map"]
        sql = one_row(con, "SELECT json_deserialize_sql(?::JSON)", [json.dumps(probe)])[0]
        yield from differences(f"the CTE {name}", expected, _rows(con, sql))
    except duckdb.Error as error:
        yield f"the CTE {name}: {error_details(error)[0].splitlines()[0]}"
