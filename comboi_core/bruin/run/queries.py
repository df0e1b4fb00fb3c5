"""An SQL asset's query: one SELECT, rendered, and made readable as a view."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from comboi_core.bruin.header.asset import Asset
from comboi_core.bruin.run.context import Moment
from comboi_core.bruin.run.templates import Template
from comboi_core.domain.errors import ScriptError
from comboi_core.domain.redaction import redactor
from comboi_core.domain.sql import identifier
from comboi_core.transforms.blame import Statement, database_error, line_at, setting, statement_start, user_errors
from comboi_core.transforms.scripts import looks_values_up, not_one_select

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class Query:
    """The query of one run of one asset.

    Attributes:
        text: The rendered SQL. Without Jinja it is the file's text with blanks in place of the header.
    """

    def __init__(self, asset: Asset, moment: Moment) -> None:
        self.asset = asset
        self._moment = moment
        self._template = Template(asset, asset.body)
        self.text = self._template.render(moment.variables) if asset.has_jinja else asset.body

    def line(self, offset: int) -> int:
        """Return the file's line from which a place in the rendered text comes."""
        if not self.asset.has_jinja:
            return line_at(self.text, offset)
        return self._template.line(self._moment.variables, self.text, offset)

    def statement(self, command: str = "") -> Statement:
        """Return the statement that makes something of the query; its errors name the file's lines."""
        return _Rendered(self, command)

    def refuse_unless_select(self, con: DuckDBPyConnection) -> None:
        """Parse the query, without running it.

        Raises:
            ScriptError: it is not exactly one SELECT, or no SQL.
        """
        import duckdb

        statement = self.statement()
        with setting(con, "errors_as_json", True):
            try:
                refused = not_one_select(con, statement.full)
                if refused is None:
                    kind = "TABLE" if looks_values_up(con, self.text) else "VIEW"
                    con.extract_statements(self.statement(f"CREATE {kind} result AS").full)
                    return
            except duckdb.Error as error:
                raise database_error(self.asset.file, con, {}, error, sql=statement) from error
        rendered, cause = refused
        line = self.line(sum(len(part) + 1 for part in self.text.split("\n")[: rendered - 1]))
        quoted = self.asset.body.split("\n")[line - 1].strip()
        shown = f"\n    > {redactor.cut(quoted, 200)}" if quoted else ""
        raise ScriptError(
            f"{self.asset.shown}:{line}: {cause}; expected one SELECT{shown}", script=str(self.asset.file), line=line
        )

    def create(self, con: DuckDBPyConnection, inputs: Mapping[str, str], into: str) -> None:
        """Make a view of the query, or a table where DuckDB allows no view.

        Raises:
            ScriptError: it cannot be bound; with the file's line and the columns of the inputs.
        """
        import duckdb

        self.refuse_unless_select(con)
        kind = "TABLE" if looks_values_up(con, self.text) else "VIEW"
        statement = self.statement(f"CREATE {kind} {identifier(into)} AS")
        try:
            with setting(con, "python_enable_replacements", False):
                con.execute(statement.full)
        except duckdb.Error as error:
            raise database_error(self.asset.file, con, inputs, error, sql=statement) from error


class _Rendered(Statement):
    """A statement whose positions are those of the rendered text, and whose lines are those of the template."""

    def __init__(self, query: Query, command: str) -> None:
        super().__init__(query.text, command)
        self._query = query
        self._prefix = len(self.full.encode()) - len(query.text.encode())
        self._bytes = query.text.encode()
        self.text = query.asset.body  # what errors quote

    @property
    def first_line(self) -> int:
        return self._query.line(statement_start(self._query.text))

    def line(self, position: int | None) -> int:
        if position is None or position < self._prefix:
            return self.first_line
        before = self._bytes[: position - self._prefix].decode(errors="ignore")
        return self._query.line(len(before))


@contextmanager
def query_errors(
    query: Query | None, asset: Asset, con: DuckDBPyConnection, inputs: Mapping[str, str]
) -> Iterator[None]:
    """Turn what arises while an asset's result is made or read into ScriptError with the asset's file and line.

    Args:
        query: An SQL asset's query.
    """
    import duckdb

    with user_errors(asset.file, con, inputs):
        try:
            yield
        except duckdb.InterruptException:
            raise
        except duckdb.Error as error:
            if query is None:
                raise
            raise database_error(asset.file, con, inputs, error, sql=query.statement()) from error
