"""Errors of a user's transformation, with file, line and the columns of the inputs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from comboi_core.domain.errors import ComboiError, LakeUnavailable, ScriptError
from comboi_core.domain.redaction import redactor
from comboi_core.domain.sql import literal
from comboi_core.domain.userscript import blame, definition_line, said_by
from comboi_core.duckdb.errors import error_details
from comboi_core.duckdb.rows import one_row

if TYPE_CHECKING:
    import duckdb
    from duckdb import DuckDBPyConnection

_LEADING = re.compile(r"(?:\s|--[^\n]*|/\*.*?\*/)*", re.DOTALL)
_MOST_COLUMNS = 60
_PREFIX_LENGTH = 160
_MEMORY_REMEDY = (
    "Increase `engine.memory_limit`, reduce `engine.threads`, or change the script to need less memory "
    "(fewer columns, an aggregate before a join)."
)
_SPILL_REMEDY = "Free space on the disk of `engine.temp_directory`, or choose a folder on a larger disk."
_FILES_REMEDY = (
    "Check the lake's account, credential and network, the free disk space for temporary files, "
    "and the paths of files that the script itself reads."
)


@contextmanager
def user_errors(script: Path, con: DuckDBPyConnection, inputs: Mapping[str, str]) -> Iterator[None]:
    """Turn what user code raises into ScriptError with the user's file and line.

    Put it around everything that runs the script, the statement that finally reads the lazy view included. Within it
    DuckDB's errors carry JSON, the only way to learn where in a view's text an error arose; do not parse them yourself.

    Raises:
        ScriptError: for any DuckDB error, and for any Python exception that came through the user's file.
        LakeUnavailable: a file or the network failed underneath; transient.
        Exception: ComboiError, interrupts, and what has nothing to do with the script, untouched.
    """
    import duckdb

    with setting(con, "errors_as_json", True):
        try:
            yield
        except (ComboiError, KeyboardInterrupt, GeneratorExit, duckdb.InterruptException):
            raise
        except duckdb.Error as error:
            raise database_error(script, con, inputs, error) from error
        except BaseException as error:
            said = said_by(error)
            line = blame(script, error, said)
            if line is None:
                raise
            cause = f"{type(error).__name__}: {said}" if said else type(error).__name__
            raise _script_error(script, line, cause, _source_line(script, line)) from error


@contextmanager
def setting(con: DuckDBPyConnection, name: str, value: bool) -> Iterator[None]:
    """Change one of DuckDB's settings for a while.

    It is done through a connection of its own: whatever `con` executes cuts off a result that it is still streaming.
    """
    import duckdb

    with con.cursor() as other:
        before = one_row(other, f"SELECT current_setting({literal(name)})")[0]
        other.execute(f"SET GLOBAL {name} = {value}")
        try:
            yield
        finally:
            # The user's own error is more important than an error about the closed database.
            with suppress(duckdb.Error):
                other.execute(f"SET GLOBAL {name} = {before}")


def database_error(
    script: Path,
    con: DuckDBPyConnection,
    inputs: Mapping[str, str],
    error: duckdb.Error,
    *,
    sql: Statement | None = None,
) -> ComboiError:
    """Return the error to show for a DuckDB error.

    Args:
        sql: The statement that failed, if it is known; by default the file's own, for an SQL file.
    """
    import duckdb

    cause, position = error_details(error)
    if isinstance(error, duckdb.OutOfMemoryException):
        limit = _memory_limit(con)
        message = f"{script}: DuckDB ran out of memory{limit}: {cause.splitlines()[0]}"
        remedy = _SPILL_REMEDY if "offload data block" in cause else _MEMORY_REMEDY
        return ScriptError(message, remedy=remedy, script=str(script))
    if isinstance(error, duckdb.IOException):
        return LakeUnavailable(f"while {script} ran: {cause}", remedy=_FILES_REMEDY, script=str(script))
    line, offending = _place(script, blame(script, error, cause), position, sql or _own_statement(script))
    missing = isinstance(error, duckdb.BinderException | duckdb.CatalogException)
    return _script_error(script, line, cause, offending, describe_inputs(con, inputs) if missing else "")


class Statement:
    """A user's SELECT within the statement that comboi makes of it, to find positions in the user's text again.

    DuckDB keeps the positions of the statement that made a view and quotes them when the view is read, long after. So
    what comboi puts before the user's text has one fixed length, and a position can be told without knowing more.

    Args:
        text: What the user wrote.
        command: What to make of it, in one line, e.g. `CREATE VIEW x AS`.
    """

    def __init__(self, text: str, command: str = "") -> None:
        self.text = text
        self.full = command.ljust(_PREFIX_LENGTH) + text

    @property
    def first_line(self) -> int:
        """The line at which the statement starts, after blank lines and comments."""
        return line_at(self.text, statement_start(self.text))

    def line(self, position: int | None) -> int:
        """Return the user's line for DuckDB's position, which counts bytes; the first line where it gives none."""
        start = len(self.full.encode()) - len(self.text.encode())
        if position is None or position < start:
            return self.first_line
        return 1 + self.text.encode()[: position - start].count(b"\n")


def line_at(text: str, offset: int) -> int:
    """Return the line, counted from 1, at an offset of characters."""
    return 1 + text.count("\n", 0, offset)


def statement_start(text: str, offset: int = 0) -> int:
    """Return the offset of what follows blank space and comments."""
    blank = _LEADING.match(text, offset)
    return blank.end() if blank else offset


def describe_inputs(con: DuckDBPyConnection, inputs: Mapping[str, str]) -> str:
    """Return one line per input with its columns, as far as the connection still answers."""
    import duckdb

    lines = []
    for alias, view in inputs.items():
        with suppress(duckdb.Error):
            columns = [row[0] for row in con.execute(f"DESCRIBE {view}").fetchall()]
            shown = ", ".join(columns[:_MOST_COLUMNS])
            more = f", and {len(columns) - _MOST_COLUMNS} more" if len(columns) > _MOST_COLUMNS else ""
            lines.append(f"    {alias} has {shown}{more}")
    return "\n".join(lines)


def _place(script: Path, line: int | None, position: int | None, sql: Statement | None) -> tuple[int, str]:
    """Return the line to name and its text: the user's own frame if there is one, else where the statement says."""
    if line is not None:
        return line, _source_line(script, line)
    if sql is None:
        return definition_line(script, "transform"), ""
    line = sql.line(position)
    offending = sql.text.split("\n")[line - 1].strip()
    if script.suffix == ".sql":
        return line, offending
    return _line_of_text(script, offending), offending


def _line_of_text(script: Path, text: str) -> int:
    """Return where a Python file holds a line of SQL, if it does so exactly once; else where `transform` is."""
    found = [number for number, line in enumerate(_lines(script), 1) if text and text in line]
    return found[0] if len(found) == 1 else definition_line(script, "transform")


def _own_statement(script: Path) -> Statement | None:
    if script.suffix != ".sql":
        return None
    return Statement("\n".join(_lines(script)))


def _lines(script: Path) -> list[str]:
    try:
        return script.read_text(encoding="utf-8-sig", errors="replace").split("\n")
    except OSError:
        return []


def _source_line(script: Path, line: int) -> str:
    lines = _lines(script)
    return lines[line - 1].strip() if line <= len(lines) else ""


def _memory_limit(con: DuckDBPyConnection) -> str:
    import duckdb

    with suppress(duckdb.Error):
        limit = one_row(con, "SELECT current_setting('memory_limit')")[0]
        return f" (its limit is {limit})"
    return ""


def _script_error(script: Path, line: int, cause: str, offending: str, inputs: str = "") -> ScriptError:
    shown = f"    > {redactor.cut(offending, 200)}" if offending else ""
    message = "\n".join(part for part in (f"{script}:{line}: {cause}", shown, inputs) if part)
    return ScriptError(message, script=str(script), line=line)
