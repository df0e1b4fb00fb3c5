"""Python assets: `materialize()` run in this process, with Bruin's environment and its `bruin` module around it.

Not in a process of its own: the inputs are views in this process's DuckDB, which another one could only be given copies
of. Environment variables and modules belong to the whole process, though, so a lock lets one asset at a time have them,
and everything is as before when it ends. A generator is read to its end within the lock: that is when its code runs.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from types import GeneratorType, ModuleType
from typing import TYPE_CHECKING, Any

from comboi_core.bruin.header.asset import Asset
from comboi_core.bruin.run.rows import RowsError, load_rows, null_columns
from comboi_core.bruin.run.texts import first_refused
from comboi_core.bruin.run.types import declared_types
from comboi_core.domain.errors import ScriptError
from comboi_core.domain.sql import identifier
from comboi_core.domain.userscript import call_script, definition_line, script_problems
from comboi_core.transforms.blame import setting
from comboi_core.transforms.scripts import adopt, run_script

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

log = logging.getLogger("comboi.assets")

_MATERIALIZE = ("materialize", ())
_TRANSFORM = ("transform", ("con", "inputs"))
_ROWS = "_comboi_materialized"
_LOCK = threading.RLock()
_NO_CONNECTIONS = (
    "comboi has no Bruin connections: query(...) reads the asset's depends; "
    "to read another database, configure a source"
)


def python_problems(asset: Asset) -> list[str]:
    """Return what is wrong with a Python asset, as `file:line: text`, without running it."""
    if _is_native(asset):
        return []
    return [problem.replace(str(asset.file), asset.shown, 1) for problem in script_problems(asset.file, *_MATERIALIZE)]


def run_python(
    con: DuckDBPyConnection, asset: Asset, environment: Mapping[str, str], inputs: Mapping[str, str], into: str
) -> None:
    """Run a Python asset and make what it gives readable as `into`; see `run_asset`.

    A file with `transform(con, inputs)` in place of `materialize()` runs as comboi's own scripts do.
    """
    with bruin_around(con, environment):
        if _is_native(asset):
            run_script(con, asset.file, inputs, into=into)
            return
        with setting(con, "errors_as_json", False):
            result = call_script(asset.file, *_MATERIALIZE, ())
            _keep(con, asset, inputs, result, into)


def _is_native(asset: Asset) -> bool:
    return bool(script_problems(asset.file, *_MATERIALIZE)) and not script_problems(asset.file, *_TRANSFORM)


def _keep(con: DuckDBPyConnection, asset: Asset, inputs: Mapping[str, str], result: Any, into: str) -> None:
    rows = isinstance(result, list | tuple | GeneratorType) or (
        hasattr(result, "__next__") and not hasattr(result, "__arrow_c_stream__")
    )
    if result is None:
        log.warning("%s: materialize gave None: no rows", asset.name, extra={"item": asset.name})
        _no_rows(con, asset, into)
    elif rows:
        try:
            if not load_rows(con, iter(result), _ROWS):
                _no_rows(con, asset, into)
                return
        except RowsError as error:
            raise _error(asset, f"returned rows that are not a table: {error}") from None
        _typed(con, asset, into)
    elif not isinstance(result, str) and _has_columns(result):
        adopt(con, asset.file, inputs, result, into, function="materialize")
    elif not isinstance(result, str) and hasattr(result, "columns"):
        _no_rows(con, asset, into)
    else:
        kind = type(result)
        raise _error(
            asset,
            f"returned a {kind.__module__}.{kind.__name__}; expected a pandas or polars DataFrame, an Arrow table, a "
            "list of dicts, or a generator of dicts, lists of dicts or Arrow tables",
        )


def _has_columns(result: Any) -> bool:
    """Whether a result is something that DuckDB reads, and has columns: `pd.DataFrame([])` has none."""
    import duckdb

    if isinstance(result, duckdb.DuckDBPyRelation):
        return True
    names = getattr(result, "columns", None)
    names = names if names is not None else getattr(getattr(result, "schema", None), "names", None)
    return hasattr(result, "__arrow_c_stream__") and (names is None or len(names) > 0)


def _no_rows(con: DuckDBPyConnection, asset: Asset, into: str) -> None:
    """Make an empty result of the columns that the header lists."""
    types = declared_types(asset)
    if not types:
        raise _error(asset, "returned no rows and no columns; list columns: with their types in the header")
    columns = ", ".join(f"CAST(NULL AS {kind}) AS {identifier(name)}" for name, kind in types.items())
    con.execute(f"CREATE VIEW {identifier(into)} AS SELECT {columns} WHERE false")


def _typed(con: DuckDBPyConnection, asset: Asset, into: str) -> None:
    """Make a view of the rows in which text has the type that the header gives the column, and so has a column of NULL.

    Dicts of JSON hold dates and decimals as text; numbers keep the type they have.
    """
    types = {name.lower(): kind for name, kind in declared_types(asset).items()}
    empty = set(null_columns(con, _ROWS))
    columns = []
    found = con.execute(f"DESCRIBE {_ROWS}").fetchall()
    texts = {name: types[name.lower()] for name, kind, *_ in found if kind == "VARCHAR" and name.lower() in types}
    refused = first_refused(con, _ROWS, texts)
    if refused:
        _, column, kind, text = refused
        raise _error(
            asset, f"returned {text!r} for the column {column}, which is not a {kind} (the type in the header)"
        )
    for name, kind, *_ in found:
        wanted = types.get(name.lower(), "VARCHAR" if name in empty else kind)
        quoted = identifier(name)
        cast = kind == "VARCHAR" or name in empty
        columns.append(f"CAST({quoted} AS {wanted}) AS {quoted}" if cast and wanted != kind else quoted)
    con.execute(f"CREATE VIEW {identifier(into)} AS SELECT {', '.join(columns)} FROM {_ROWS}")


def _error(asset: Asset, said: str) -> ScriptError:
    line = definition_line(asset.file, "materialize")
    return ScriptError(f"{asset.shown}:{line}: materialize {said}", script=str(asset.file), line=line)


# What the script finds around it.


@contextmanager
def bruin_around(con: DuckDBPyConnection, environment: Mapping[str, str]) -> Iterator[None]:
    """Give the code inside Bruin's environment variables and its module, one asset at a time."""
    with _LOCK:
        variables = {name: os.environ.get(name) for name in environment}
        modules = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "bruin"}
        os.environ.update(environment)
        for name in modules:
            del sys.modules[name]
        sys.modules["bruin"] = _bruin(con)
        try:
            yield
        finally:
            for name in [name for name in sys.modules if name.split(".")[0] == "bruin"]:
                del sys.modules[name]
            sys.modules.update(modules)
            for name, value in variables.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


def _bruin(con: DuckDBPyConnection) -> ModuleType:
    """Return a module with what scripts import from Bruin's SDK, bound to the build's DuckDB."""

    def query(sql: str, connection: str | None = None) -> Any:
        """Return the rows of a query as a pandas DataFrame, or None for a statement without rows.

        All connections are this one; a name that is no table is not looked for among Python's variables.
        """
        with setting(con, "python_enable_replacements", False), con.cursor() as other:
            result = other.execute(sql)
            return result.df() if result.description else None

    def get_connection(name: str) -> Any:
        raise RuntimeError(f"get_connection({name!r}): {_NO_CONNECTIONS}")

    module = ModuleType("bruin")
    module.__dict__.update(query=query, get_connection=get_connection, context=_Context())
    return module


class _Context:
    """What Bruin's SDK calls `context`; read from the environment each time, as there."""

    def __getattr__(self, name: str) -> Any:
        read = _CONTEXT.get(name)
        if read is None:
            raise AttributeError(f"bruin.context has no '{name}'; it has {', '.join(_CONTEXT)}")
        return read()


_READERS = {"date": date.fromisoformat, "datetime": datetime.fromisoformat, "timestamp": datetime.fromisoformat}


def _reader(variable: str, read: Callable[[str], Any] = str) -> Callable[[], Any]:
    return lambda: read(os.environ[variable])


_CONTEXT: dict[str, Callable[[], Any]] = {
    **{
        f"{which}_{kind}": _reader(f"BRUIN_{which}_{kind}".upper(), read)
        for which in ("start", "end", "execution")
        for kind, read in _READERS.items()
    },
    "run_id": _reader("BRUIN_RUN_ID"),
    "pipeline": _reader("BRUIN_PIPELINE"),
    "asset_name": _reader("BRUIN_ASSET"),
    "connection": _reader("BRUIN_CONNECTION"),
    "commit_hash": _reader("BRUIN_COMMIT_HASH"),
    "is_full_refresh": _reader("BRUIN_FULL_REFRESH", bool),
    "vars": _reader("BRUIN_VARS", json.loads),
}
