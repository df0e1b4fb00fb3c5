"""Transformations as files: `NAME.sql`, one SELECT; or `NAME.py`, with `transform(con, inputs)`.

`inputs` maps each alias to the quoted name of a view that stands in `con` already. `transform` returns SQL text, a
relation of `con`, a pandas or polars DataFrame, or something of Arrow. Wherever possible the result becomes a view, so
that rows stream through it when it is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comboi_core.domain.errors import ScriptError
from comboi_core.domain.names import did_you_mean
from comboi_core.domain.sql import identifier
from comboi_core.domain.userscript import call_script, definition_line, script_problems
from comboi_core.transforms.arrow import InexactError, exact_table, from_pandas
from comboi_core.transforms.blame import (
    Statement,
    database_error,
    line_at,
    setting,
    statement_start,
    user_errors,
)

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["find_script", "run_script", "user_errors", "validate_check_script", "validate_script"]

_ENDINGS = (".py", ".sql")
_TRANSFORM = ("transform", ("con", "inputs"))
_CHECK = ("check", ("con", "dataset_name"))
_EXPECTED = (
    "SQL text, a relation (con.sql(...)), a pandas or polars DataFrame, an Arrow table or an Arrow RecordBatchReader"
)
# What DuckDB can scan as often as it likes, by package and class; anything else of Arrow is read once, into a table.
_SCANNABLE = {
    ("pandas", "DataFrame"),
    ("polars", "DataFrame"),
    ("pyarrow", "Table"),
    ("pyarrow", "RecordBatch"),
}


def find_script(folder: Path, name: str) -> Path:
    """Return `NAME.py` or `NAME.sql` in `folder`.

    Raises:
        ScriptError: neither exists (the message lists the existing scripts), or both exist.
    """
    found = [folder / (name + ending) for ending in _ENDINGS if (folder / (name + ending)).is_file()]
    if len(found) == 1:
        return found[0]
    if found:
        raise ScriptError(f"{folder}: both {name}.py and {name}.sql exist", remedy="Remove one of the two files.")
    if not folder.is_dir():
        raise ScriptError(f"{folder}: there is no such folder; it has to contain {name}.py or {name}.sql")
    present = sorted(path.name for path in folder.iterdir() if path.suffix in _ENDINGS)
    hint = did_you_mean(name, [Path(file).stem for file in present])
    raise ScriptError(
        f"{folder}: there is no {name}.py and no {name}.sql{hint}; the folder contains "
        f"{', '.join(present) or 'no scripts'}",
        remedy="Create the file, or correct `script:` or the dataset's name in the configuration.",
    )


def run_script(con: DuckDBPyConnection, script: Path, inputs: Mapping[str, str], *, into: str) -> None:
    """Run a transformation and make its result readable as `into`.

    Args:
        inputs: Alias to quoted view name; the views exist.
        into: Plain (unquoted) name of the view to create, or of the table where the result can be read only once (a
            RecordBatchReader) or cannot be a view (a PIVOT over values it has to look up). Must not exist yet.

    Raises:
        ScriptError: with the user's file and line. A view is only bound here: what arises when its rows are computed
            arises where it is read, so read it within `user_errors`.
    """
    with user_errors(script, con, inputs):
        if script.suffix == ".sql":
            text = _read_sql(script)
            problems = _sql_problems(con, script, text)
            if problems:
                raise ScriptError("\n".join(problems), script=str(script))
            _create(con, script, inputs, text, into)
            return
        with setting(con, "errors_as_json", False):
            result = call_script(script, *_TRANSFORM, (con, dict(inputs)))
        adopt(con, script, inputs, result, into)


def validate_script(script: Path) -> list[str]:
    """Return what is wrong with a transformation, as `file:line: text`, without running it or knowing its inputs."""
    if script.suffix == ".py":
        return script_problems(script, *_TRANSFORM)
    import duckdb

    try:
        text = _read_sql(script)
    except ScriptError as error:
        return [error.message]
    with duckdb.connect(":memory:") as con:
        return _sql_problems(con, script, text)


def validate_check_script(script: Path) -> list[str]:
    """Return what is wrong with a check script, which has `check(con, dataset_name)`, without running it."""
    return script_problems(script, *_CHECK)


def adopt(
    con: DuckDBPyConnection,
    script: Path,
    inputs: Mapping[str, str],
    result: Any,
    into: str,
    *,
    function: str = "transform",
) -> None:
    """Make `into` of what a Python script's function returned.

    Raises:
        ScriptError: it is nothing that DuckDB reads, or DuckDB would change a value of it; it names the column.
    """
    import duckdb

    try:
        result = _readable(result)
    except InexactError as error:
        line = definition_line(script, function)
        raise ScriptError(
            f"{script}:{line}: {function} returned values that DuckDB would change: {error}",
            script=str(script),
            line=line,
            remedy="Cast the column in the script, e.g. to text, microseconds or a decimal of 38 digits.",
        ) from None

    if isinstance(result, str):
        line = definition_line(script, "transform")
        problems = _sql_problems(con, script, result, returned_at=line)
        if problems:
            raise ScriptError("\n".join(problems), script=str(script), line=line)
        _create(con, script, inputs, result, into)
    elif isinstance(result, duckdb.DuckDBPyRelation):
        _refuse_foreign(con, script, result)
        result.create_view(into, replace=False)
    elif _kinds(result) & _SCANNABLE:
        con.register(into, result)
    elif hasattr(result, "__arrow_c_stream__"):
        # On a connection of its own: the stream may be one of `con`, which anything that `con` executes would cut off.
        with con.cursor() as other:
            other.register("_comboi_stream", result)
            other.execute(f"CREATE TABLE {identifier(into)} AS FROM _comboi_stream")
    else:
        line = definition_line(script, "transform")
        got = (
            "None (is a `return` missing?)"
            if result is None
            else f"a {type(result).__module__}.{type(result).__name__}"
        )
        raise ScriptError(
            f"{script}:{line}: transform returned {got}; expected {_EXPECTED}", script=str(script), line=line
        )


def _readable(result: Any) -> Any:
    """Return a DataFrame or something of Arrow as Arrow whose values DuckDB reads as they are; all else as it is."""
    kinds = _kinds(result)
    if not kinds & _SCANNABLE and not hasattr(result, "__arrow_c_stream__"):
        return result
    if ("duckdb", "DuckDBPyRelation") in kinds or ("_duckdb", "DuckDBPyRelation") in kinds:
        return result
    import pyarrow as pa  # not for results of DuckDB, which do not need it

    if ("pandas", "DataFrame") in kinds:
        return exact_table(from_pandas(result))
    if ("pyarrow", "RecordBatch") in kinds:
        return exact_table(pa.Table.from_batches([result]))
    if kinds & _SCANNABLE:
        return exact_table(pa.table(result))
    reader = pa.RecordBatchReader.from_stream(result)
    exact = exact_table(reader.schema.empty_table()).schema
    if exact.equals(reader.schema):
        return reader
    batches = (part for batch in reader for part in exact_table(pa.Table.from_batches([batch])).to_batches())
    return pa.RecordBatchReader.from_batches(exact, batches)


def _create(con: DuckDBPyConnection, script: Path, inputs: Mapping[str, str], text: str, into: str) -> None:
    """Make a view of a user's SELECT, or a table where DuckDB allows no view."""
    import duckdb

    kind = "TABLE" if looks_values_up(con, text) else "VIEW"
    statement = Statement(text, f"CREATE {kind} {identifier(into)} AS")
    try:
        # Without this, a name that is no table could be found among comboi's own Python variables.
        with setting(con, "python_enable_replacements", False):
            con.execute(statement.full)
    except duckdb.Error as error:
        raise database_error(script, con, inputs, error, sql=statement) from error


def _sql_problems(con: DuckDBPyConnection, script: Path, text: str, *, returned_at: int | None = None) -> list[str]:
    """Parse, not run, what should be one SELECT.

    Args:
        returned_at: For SQL that a Python script returned: the line to name instead of the line of the SQL.
    """
    import duckdb

    with setting(con, "errors_as_json", True):
        try:
            refused = not_one_select(con, Statement(text).full)
            if refused is None:
                kind = "TABLE" if looks_values_up(con, text) else "VIEW"
                con.extract_statements(Statement(text, f"CREATE {kind} result AS").full)
                return []
        except duckdb.Error as error:
            return [database_error(script, con, {}, error, sql=Statement(text)).message]
    line, cause = refused
    offending = text.split("\n")[line - 1].strip()
    return [
        f"{script}:{returned_at or line}: {cause}; expected one SELECT" + (f"\n    > {offending}" if offending else "")
    ]


def not_one_select(con: DuckDBPyConnection, text: str) -> tuple[int, str] | None:
    """Return line and reason if `text` is not exactly one SELECT without parameters."""
    statements = con.extract_statements(text)
    kinds = [statement.type.name for statement in statements]
    first = line_at(text, statement_start(text))
    if not kinds:
        return 1, "there is no SQL statement"
    # A PIVOT that looks its values up is taken apart into several statements that have no text of their own.
    taken_apart = not statements[0].query
    if kinds.count("SELECT") > 1 or (len(kinds) > 1 and not taken_apart):
        second = statement_start(text, len(statements[0].query) + 1) if not taken_apart else 0
        return line_at(text, second) if second else first, "there is more than one statement"
    if kinds[-1] != "SELECT":
        return first, f"there is a statement of kind {kinds[-1]}"
    if statements[-1].named_parameters:
        names = ", ".join(f"${name}" for name in sorted(statements[-1].named_parameters))
        return first, f"there are parameters ({names}), which have no values"
    return None


def looks_values_up(con: DuckDBPyConnection, text: str) -> bool:
    """Whether DuckDB takes a statement apart (a PIVOT over values that it looks up), so that it can be no view."""
    return any(not statement.query for statement in con.extract_statements(text))


def _read_sql(script: Path) -> str:
    try:
        return script.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ScriptError(f"{script}:1: is not UTF-8: {error}", script=str(script)) from error
    except OSError as error:
        raise ScriptError(f"{script}:1: cannot be read: {error.strerror}", script=str(script)) from error


def _refuse_foreign(con: DuckDBPyConnection, script: Path, _comboi_result: Any) -> None:
    """Refuse a relation of another connection, e.g. of `duckdb.sql(...)`, because its view would be created there."""
    import duckdb

    try:
        con.sql("FROM _comboi_result")
    except duckdb.InvalidInputException as error:
        line = definition_line(script, "transform")
        raise ScriptError(
            f"{script}:{line}: transform returned a relation of another connection",
            remedy="Use the argument `con` of transform: con.sql(...), not duckdb.sql(...).",
        ) from error


def _kinds(value: Any) -> set[tuple[str, str]]:
    """Return package and name of a value's classes, so that none of these packages has to be imported."""
    return {(kind.__module__.split(".")[0], kind.__name__) for kind in type(value).__mro__}
