"""The database behind the double: tables with T-SQL's types, row versions, transactions, and the catalog's views."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
from sqlglot import exp

from tests.doubles.tds import catalog
from tests.doubles.tds.dialect import INT, Columns, Query, Refused, Translator, data_type, parse, quoted, string
from tests.doubles.tds.functions import PURE, assigned, refusal
from tests.doubles.tds.types import SqlType

NAME = SqlType("nvarchar", (128,))


@dataclass
class Index:
    """A unique or other index."""

    columns: tuple[str, ...]
    unique: bool
    filtered: bool = False


@dataclass
class Table:
    """A table, view or synonym as the catalog has it; a synonym has a base, a view what it names."""

    oid: int
    schema: str
    name: str
    columns: Columns
    indexes: list[Index] = field(default_factory=list)
    view: bool = False
    base: str = ""
    references: frozenset[int] = frozenset()
    altered: str = "2026-01-01 00:00:00.000"
    unit: int = 1

    def place(self, column: str) -> int:
        """The column's number, from 1."""
        return [name.lower() for name, *_ in self.columns].index(column.lower()) + 1

    @property
    def kept(self) -> str:
        """Its name in DuckDB."""
        return f"{quoted(self.schema.lower())}.{quoted(self.name.lower())}"

    @property
    def kind(self) -> str:
        """What sys.objects calls it."""
        return "SN" if self.base else "V" if self.view else "U"

    @property
    def version(self) -> str | None:
        """The column of type rowversion."""
        return next((name for name, kind, _ in self.columns if kind.base == "rowversion"), None)


class Database:
    """The tables and what the server says of itself; several connections may use it at once.

    Attributes:
        shows_state: Whether logins hold VIEW DATABASE STATE; `shows_definition`: VIEW DEFINITION.
        server_state, server_performance: What HAS_PERMS_BY_NAME answers; None where the server does not know the right.
        read_only: Whether it is a readable replica.
        snapshot: Whether ALLOW_SNAPSHOT_ISOLATION is on; `committed`: READ_COMMITTED_SNAPSHOT.
        edition: As SERVERPROPERTY('EngineEdition') has it; `objective`: the service objective.
        state_reader: Whether logins are in ##MS_ServerStateReader##.
        filtered: Tables, as `schema.name`, with a filter predicate of a security policy.
        clock: What the server's clock shows; None for the machine's.
        denied: Tables, as `schema.name`, that logins may not read.
    """

    def __init__(self) -> None:
        self.shows_state, self.read_only, self.snapshot, self.committed = True, False, True, True
        self.edition, self.objective, self.state_reader, self.filtered = "5", "S3", False, set[str]()
        self.shows_definition, self.server_state, self.server_performance = True, None, None
        self.denied: set[str] = set()
        self._read: set[int] | None = None
        self.clock: datetime | None = None
        self._con = duckdb.connect(config={"threads": 1, "autoload_known_extensions": False})
        self._lock = threading.Lock()
        self._tables: dict[tuple[str, str], Table] = {}
        self._oids = itertools.count(1_000_001)
        self._version = 2000
        self._numbers = itertools.count(1)
        self._writing: dict[int, tuple[int, datetime]] = {}
        self._register()
        self._con.execute("CREATE SCHEMA dbo")

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """Return a connection of its own to the tables."""
        return self._con.cursor()

    def run(self, text: str) -> None:
        """Run T-SQL, each statement by itself, as somebody else than comboi."""
        with self.cursor() as con:
            for statement in parse(text):
                self.execute(con, statement)

    def query(self, text: str) -> list[tuple[Any, ...]]:
        """Return a SELECT's rows as DuckDB has them."""
        with self.cursor() as con:
            return self.execute(con, parse(text)[0])[1].fetchall()

    @contextmanager
    def transaction(self, text: str = "", *, began: timedelta = timedelta()) -> Iterator[Transaction]:
        """Run T-SQL in a transaction that is open for the block, and commits at its end.

        Args:
            began: How long ago the transaction is said to have begun.
        """
        with self.cursor() as con:
            con.execute("BEGIN")
            opened = Transaction(self, con, next(self._numbers), datetime.now(UTC) - began)
            try:
                opened.run(text)
                yield opened
                con.execute("COMMIT")
            finally:
                self._writing.pop(opened.number, None)

    def execute(
        self, con: duckdb.DuckDBPyConnection, statement: exp.Expression, number: int | None = None
    ) -> tuple[Columns, duckdb.DuckDBPyConnection] | None:
        """Execute a statement; return columns and rows if it gives some.

        Raises:
            Refused: what the server says is wrong.
        """
        if isinstance(statement, exp.Query):
            query = self.translate(statement)
            return query.columns, self._duckdb(con, query.sql)
        own = number or next(self._numbers)
        self.writes(own, datetime.now(UTC))
        try:
            for text in self._changed(statement):
                self._duckdb(con, text)
        finally:
            if number is None:
                self._writing.pop(own, None)
        return None

    def translate(self, statement: exp.Expression) -> Query:
        """Translate a SELECT."""
        return self._translator().query(statement)

    def writes(self, number: int, began: datetime) -> None:
        """Note that a transaction draws row versions from now on."""
        with self._lock:
            self._writing.setdefault(number, (self._version + 1, began))

    @property
    def tables(self) -> list[Table]:
        """All tables and views."""
        return list(self._tables.values())

    def count(self, table: Table) -> int | None:
        """Return a table's committed rows; None for a view or synonym."""
        if table.kind != "U":
            return None
        return self.cursor().execute(f"SELECT count(*) FROM {table.kept}").fetchone()[0]

    def writing(self) -> list[tuple[int, str]]:
        """Return the numbers of the transactions that have written and go on, and when they began."""
        with self._lock:
            return [
                (number, f"{began:%Y-%m-%d %H:%M:%S}.{began.microsecond // 1000:03}")
                for number, (_, began) in self._writing.items()
            ]

    def _duckdb(self, con: duckdb.DuckDBPyConnection, text: str) -> duckdb.DuckDBPyConnection:
        try:
            return con.execute(text)
        except duckdb.Error as error:
            raise refusal(error) from None

    def _translator(self) -> Translator:
        now = self.clock or datetime.now(UTC)
        stamp = f"{now:%Y-%m-%d %H:%M:%S.%f}0"
        local = (string(stamp), SqlType("datetime2", (7,)))
        with self._lock:
            active = min([first for first, _ in self._writing.values()], default=self._version + 1)
        updateable = "READ_ONLY" if self.read_only else "READ_WRITE"
        functions = {
            **dict.fromkeys(("CURRENTTIMESTAMP", "SYSUTCDATETIME", "GETUTCDATE"), local),
            "CURRENTTIMESTAMPLTZ": (string(f"{stamp} +00:00"), SqlType("datetimeoffset", (7,))),
            "MIN_ACTIVE_ROWVERSION": (f"from_hex('{active:016x}')", SqlType("binary", (8,))),
            "DATABASEPROPERTYEX": (string(updateable), NAME),
            "DATABASEPROPERTYEX SERVICEOBJECTIVE": (string(self.objective), NAME),
            "DB_NAME": ("'crm'", NAME),
            "DB_ID": ("5", INT),
            "SERVERPROPERTY": (string(self.edition), NAME),
            "HAS_PERMS_BY_NAME VIEW DATABASE STATE": (str(int(self.shows_state)), INT),
            "HAS_PERMS_BY_NAME VIEW SERVER STATE": (_answer(self.server_state, self.shows_state), INT),
            "HAS_PERMS_BY_NAME VIEW SERVER PERFORMANCE STATE": (_answer(self.server_performance), INT),
            "HAS_PERMS_BY_NAME VIEW DEFINITION": (str(int(self.shows_definition)), INT),
            "IS_SRVROLEMEMBER": (str(int(self.state_reader)), INT),
        }
        return Translator(self._from, functions)

    def _from(self, node: exp.Table) -> tuple[str, Columns] | None:
        if isinstance(node.this, exp.GenerateSeries):
            start, end = (node.this.args[key].name for key in ("start", "end"))
            return f"(SELECT generate_series AS value FROM generate_series({start}, {end}))", [("value", INT, False)]
        if node.db.lower() == "sys" and isinstance(node.this, exp.Anonymous):
            told = self._translator().expression(node.this.expressions[0], {})[0]
            return catalog.source(self, node.this.name.lower(), self.cursor().execute(f"SELECT {told}").fetchone()[0])
        if node.db.lower() == "sys":
            return catalog.source(self, node.name.lower(), None)
        table = self.find(node)
        if table is None:
            return None
        if f"{table.schema}.{table.name}".lower() in self.denied:
            raise Refused(229, f"The SELECT permission was denied on the object '{table.name}', database 'crm'.")
        if self._read is not None:
            self._read.add(table.oid)
        return table.kept, table.columns

    def find(self, node: exp.Table) -> Table | None:
        """Return a table or view, or None; of a synonym, what it stands for."""
        table = self._tables.get(((node.db or "dbo").lower(), node.name.lower()))
        return self.named(table.base) if table and table.base else table

    def named(self, name: str) -> Table:
        """Return what a name means."""
        node = parse(f"SELECT 1 AS x FROM {name}")[0].find(exp.Table)
        return self._tables[(node.db or "dbo").lower(), node.name.lower()]

    def _known(self, node: exp.Expression) -> Table:
        table = self.find(node)
        if table is None:
            raise Refused(208, f"Invalid object name '{node.name}'.")
        return table

    def _changed(self, statement: exp.Expression) -> list[str]:
        """DuckDB's statements for one that changes something."""
        if isinstance(statement, exp.Create):
            return self._create(statement)
        if isinstance(statement, exp.Command):
            name, base = statement.sql().split()[2::2]
            node = parse(f"SELECT 1 AS x FROM {name}")[0].find(exp.Table)
            self._add(node, []).base = base
            return []
        if isinstance(statement, exp.Insert):
            return [self._insert(statement)]
        if isinstance(statement, exp.Update):
            return [self._update(statement)]
        if isinstance(statement, exp.Delete):
            table = self._known(statement.this)
            return [f"DELETE FROM {table.kept}{self._where(statement, table)}"]
        if isinstance(statement, exp.Alter):
            return list(self._alter(statement))
        if isinstance(statement, exp.TruncateTable):
            table = self._known(statement.expressions[0])
            table.unit += 1
            return [f"DELETE FROM {table.kept}"]
        if isinstance(statement, exp.Drop):
            table = self._known(statement.args["tables"][0])
            del self._tables[table.schema.lower(), table.name.lower()]
            return [f"DROP {'VIEW' if table.view else 'TABLE'} {table.kept}"]
        return []

    def _create(self, statement: exp.Create) -> list[str]:
        kind, target = statement.args["kind"], statement.this
        if kind == "SCHEMA":
            return [f"CREATE SCHEMA {quoted(target.db.lower())}"]
        if kind == "INDEX":
            parameters = target.args["params"]
            names = tuple(item.this.name for item in parameters.args["columns"])
            filtered = parameters.args.get("where") is not None
            self._known(target.args["table"]).indexes.append(Index(names, bool(statement.args["unique"]), filtered))
            return []
        node = target.this if isinstance(target, exp.Schema) else target
        if kind == "VIEW":
            self._read = set()
            query = self.translate(statement.expression)
            made = self._add(node, query.columns, view=True)
            made.references, self._read = frozenset(self._read), None
            return [f"CREATE VIEW {made.kept} AS {query.sql}"]
        columns, indexes = [], []
        for item in target.expressions:
            if isinstance(item, exp.ColumnDef):
                rules = {type(rule.kind) for rule in item.constraints}
                unique = rules & {exp.PrimaryKeyColumnConstraint, exp.UniqueColumnConstraint}
                required = rules & {exp.NotNullColumnConstraint, exp.PrimaryKeyColumnConstraint}
                columns.append((item.name, column_type(item), not required))
                indexes += [Index((item.name,), unique=True)] if unique else []
            else:
                keyed = item.find(exp.PrimaryKey) or item.find(exp.Schema)
                names = tuple(part.name for part in keyed.find_all(exp.Identifier))
                if isinstance(keyed, exp.PrimaryKey):
                    columns = [(name, kind, nullable and name not in names) for name, kind, nullable in columns]
                indexes.append(Index(names, unique=True))
        made = self._add(node, columns)
        made.indexes = indexes
        return [f"CREATE TABLE {made.kept} ({', '.join(f'{quoted(n)} {k.kept}' for n, k, _ in columns)})"]

    def _add(self, node: exp.Table, columns: Columns, *, view: bool = False) -> Table:
        table = Table(next(self._oids), node.db or "dbo", node.name, list(columns), view=view)
        self._tables[table.schema.lower(), table.name.lower()] = table
        return table

    def _insert(self, statement: exp.Insert) -> str:
        target = statement.this
        table = self._known(target.this if isinstance(target, exp.Schema) else target)
        kinds = {name.lower(): kind for name, kind, _ in table.columns}
        names = [item.name for item in target.expressions] if isinstance(target, exp.Schema) else []
        names = names or [name for name, kind, _ in table.columns if kind.base != "rowversion"]
        translator = self._translator()
        if isinstance(statement.expression, exp.Values):
            rows = [[translator.expression(cell, {}) for cell in row.expressions]
                    for row in statement.expression.expressions]  # fmt: skip
            cells = [[assigned(*cell, kinds[name.lower()], translator) for name, cell in zip(names, row, strict=True)]
                     for row in rows]  # fmt: skip
            source = f"(VALUES {', '.join('(' + ', '.join(row) + ')' for row in cells)})"
            shown = [f"v{index}" for index in range(len(names))]
        else:
            query = translator.query(statement.expression)
            source = f"({query.sql})"
            shown = [assigned(f"v{index}", kind, kinds[name.lower()], translator)
                     for index, (name, (_, kind, _)) in enumerate(zip(names, query.columns, strict=True))]  # fmt: skip
        aliases = ", ".join(f"v{index}" for index in range(len(names)))
        if table.version:
            names, shown = [*names, table.version], [*shown, "tsql_version(row_number() OVER ())"]
        into = f"{table.kept} ({', '.join(map(quoted, names))})"
        return f"INSERT INTO {into} SELECT {', '.join(shown)} FROM {source} AS v({aliases})"

    def _update(self, statement: exp.Update) -> str:
        table, translator = self._known(statement.this), self._translator()
        scope = {table.name.lower(): table.columns}
        kinds = {name.lower(): kind for name, kind, _ in table.columns}
        changes = []
        for change in statement.expressions:
            value = translator.expression(change.expression, scope)
            changes.append(
                f"{quoted(change.this.name)} = {assigned(*value, kinds[change.this.name.lower()], translator)}"
            )
        if table.version:
            changes.append(f"{quoted(table.version)} = tsql_version(rowid)")
        return f"UPDATE {table.kept} SET {', '.join(changes)}{self._where(statement, table)}"

    def _where(self, statement: exp.Expression, table: Table) -> str:
        where = statement.args.get("where")
        if where is None:
            return ""
        return f" WHERE {self._translator().expression(where.this, {table.name.lower(): table.columns})[0]}"

    def _alter(self, statement: exp.Alter) -> Iterator[str]:
        table, translator = self._known(statement.this), self._translator()
        table.altered = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S.%f}"[:23]
        for action in statement.args["actions"]:
            if isinstance(action, exp.ColumnDef):
                kind = column_type(action)
                table.columns.append((action.name, kind, True))
                yield f"ALTER TABLE {table.kept} ADD COLUMN {quoted(action.name)} {kind.kept}"
            elif isinstance(action, exp.AlterColumn):
                old = next(column for column in table.columns if column[0].lower() == action.name.lower())
                kind = data_type(action.args["dtype"])
                table.columns[table.columns.index(old)] = (old[0], kind, old[2])
                using = assigned(quoted(old[0]), old[1], kind, translator)
                yield f"ALTER TABLE {table.kept} ALTER COLUMN {quoted(old[0])} TYPE {kind.kept} USING {using}"
            else:
                name = action.find(exp.Column).name
                table.columns = [column for column in table.columns if column[0].lower() != name.lower()]
                yield f"ALTER TABLE {table.kept} DROP COLUMN {quoted(name)}"

    def _register(self) -> None:
        def version(_: int) -> bytes:
            with self._lock:
                self._version += 1
                return self._version.to_bytes(8, "big")

        def found(name: str) -> int | None:
            try:
                return self.named(name).oid
            except KeyError:
                return None

        def is_table(oid: int | None) -> int:
            return int(any(table.oid == oid and table.kind == "U" for table in self._tables.values()))

        free = {"null_handling": "special", "side_effects": True}
        self._con.create_function("tsql_version", version, ["BIGINT"], "BLOB", **free)
        self._con.create_function("tsql_object", found, ["VARCHAR"], "INTEGER", **free)
        self._con.create_function("tsql_is_table", is_table, ["INTEGER"], "INTEGER", **free)
        for function, arguments, result in PURE:
            self._con.create_function(function.__name__, function, arguments, result)


def _answer(right: bool | None, otherwise: bool | None = None) -> str:
    told = otherwise if right is None else right
    return "NULL" if told is None else str(int(told))


def column_type(node: exp.ColumnDef) -> SqlType:
    """Return the type of a column's definition."""
    found = node.find(exp.CollateColumnConstraint)
    return replace(data_type(node.kind), collation=found.this.name if found else "")


@dataclass
class Transaction:
    """A transaction that is open."""

    database: Database
    con: duckdb.DuckDBPyConnection
    number: int
    began: datetime

    def run(self, text: str) -> None:
        """Run T-SQL in it."""
        for statement in parse(text) if text else []:
            self.database.writes(self.number, self.began)
            self.database.execute(self.con, statement, self.number)
