"""Hooks: SQL beside an asset's own.

They act inside the DuckDB session of the build and nowhere else: what they attach, copy, install or change for good in
Bruin's database is refused by name. Post hooks run on the staged result, after it can be read by the asset's name and
before it is checked, so that one that fails publishes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from comboi_core.bruin.header.asset import Asset
from comboi_core.bruin.run.context import Moment
from comboi_core.bruin.run.templates import render
from comboi_core.domain.errors import ScriptError
from comboi_core.duckdb.errors import error_details

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_ALLOWED = {
    "SELECT", "CREATE", "CREATE_FUNC", "DROP", "INSERT", "UPDATE", "DELETE", "MERGE_INTO", "ALTER", "SET",
    "VARIABLE_SET", "ANALYZE", "EXPLAIN", "PRAGMA", "CALL",
}  # fmt: skip
_REMEDIES = {
    "LOAD": "comboi loads only the extensions that it comes with",
    "ATTACH": "configure the other database as a source",
    "COPY": "a build writes only its dataset",
    "EXPORT": "a build writes only its dataset",
    "TRANSACTION": "a build publishes everything or nothing, so it needs no transaction",
}


def run_hooks(con: DuckDBPyConnection, asset: Asset, moment: Moment, which: Literal["pre", "post"]) -> None:
    """Run an asset's hooks, in order.

    Raises:
        ScriptError: one cannot be rendered, is not allowed, or failed; with its line.
    """
    import duckdb

    for place, text in _rendered(asset, moment, which):
        problem = _problem(con, text)
        if problem:
            raise ScriptError(f"{place}: {which} hook: {problem}", script=str(asset.file))
        try:
            con.execute(text)
        except duckdb.Error as error:
            cause = error_details(error)[0].splitlines()[0]
            raise ScriptError(f"{place}: {which} hook: {cause}", script=str(asset.file)) from error


def hook_problems(con: DuckDBPyConnection, asset: Asset, moment: Moment) -> list[str]:
    """Return what is wrong with hooks, as `file:line: text`, without running them."""
    found = []
    for which in ("pre", "post"):
        try:
            for place, text in _rendered(asset, moment, which):
                problem = _problem(con, text)
                if problem:
                    found.append(f"{place}: {which} hook: {problem}")
        except ScriptError as error:
            found.append(error.message)
    return found


def _rendered(asset: Asset, moment: Moment, which: Literal["pre", "post"]) -> Iterator[tuple[str, str]]:
    for position, hook in enumerate(getattr(asset.header.hooks, which)):
        place = asset.at("hooks", which, position)
        yield place, render(asset, hook.query, moment.variables, place=place)


def _problem(con: DuckDBPyConnection, text: str) -> str | None:
    import duckdb

    try:
        kinds = [statement.type.name for statement in con.extract_statements(text)]
    except duckdb.Error as error:
        return error_details(error)[0].splitlines()[0]
    refused = next((kind for kind in kinds if kind not in _ALLOWED), None)
    if refused is None:
        return None
    remedy = _REMEDIES.get(refused.split("_")[0], "hooks can only change the build's DuckDB session")
    return f"{refused} is not allowed: {remedy}"
