"""T-SQL into DuckDB's SQL, with the T-SQL type of every result.

Only what comboi and the tests send is known; everything else is an error, as is a name that is not there.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import sqlglot
from sqlglot import exp

from tests.doubles.tds.types import MAX, MOMENTS, SqlType

Columns = list[tuple[str, SqlType, bool]]
"""Name, type, and whether NULL is possible."""

NVARCHAR, VARCHAR = SqlType("nvarchar", (MAX,)), SqlType("varchar", (MAX,))
INT, BIGINT, BIT, FLOAT = SqlType("int"), SqlType("bigint"), SqlType("bit"), SqlType("float")
_TYPES = {
    "TIMESTAMPTZ": "datetimeoffset", "UUID": "uniqueidentifier", "VARIANT": "sql_variant", "UTINYINT": "tinyint",
    "BOOLEAN": "bit", "TIMESTAMP": "datetime2", "DOUBLE": "float", "ROWVERSION": "rowversion", "BINARY": "binary",
}  # fmt: skip
_COMPARED = {exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">="}
_ARITHMETIC = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Mod: "%"}


class Refused(Exception):
    """What the server answers with an error: its number and message."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(number, message)
        self.number, self.message = number, message


@dataclass(frozen=True)
class Query:
    """A translated SELECT."""

    sql: str
    columns: Columns


Tables = Callable[[exp.Table], tuple[str, Columns] | None]
"""Gives a table's FROM item for DuckDB and its columns, or None if there is none."""


def parse(text: str) -> list[exp.Expression]:
    """Parse T-SQL.

    Raises:
        Refused: error 102, as SQL Server words it.
    """
    try:
        # sqlglot takes `real` for `float`; float(24) is the same type.
        parsed = sqlglot.parse(re.sub(r"\breal\b", "float(24)", text, flags=re.IGNORECASE), read="tsql")
    except sqlglot.errors.SqlglotError as error:
        near = (getattr(error, "errors", None) or [{}])[0].get("highlight", "")
        raise Refused(102, f"Incorrect syntax near '{near}'.") from None
    known = (exp.Query, exp.Set, exp.Create, exp.Insert, exp.Update, exp.Delete, exp.Alter, exp.Drop, exp.TruncateTable)
    for statement in parsed:
        if isinstance(statement, exp.Command) and statement.sql().split()[1:2] == ["SYNONYM"]:
            continue
        if not isinstance(statement, known):
            raise Refused(102, f"Incorrect syntax near '{str(statement).split()[0]}'.")
    return [statement for statement in parsed if statement is not None]


def data_type(node: exp.DataType) -> SqlType:
    """Return a parsed type as ours."""
    kind = node.args.get("kind")
    if isinstance(kind, str) or (kind is not None and node.this == exp.DType.USERDEFINED):
        return SqlType.parse(str(kind))
    word = node.this.value if hasattr(node.this, "value") else str(node.this)
    base = _TYPES.get(word.upper(), word.lower())
    numbers = ",".join(parameter.this.name if hasattr(parameter.this, "name") else str(parameter.this)
                       for parameter in node.expressions)  # fmt: skip
    return SqlType.parse(f"{base}({numbers})" if numbers else base)


class Translator:
    """Translates one statement.

    Args:
        tables: Finds tables, views and functions that give rows.
        functions: DuckDB text and type of T-SQL's functions without arguments that matter, by upper-case name.
    """

    def __init__(self, tables: Tables, functions: dict[str, tuple[str, SqlType]]) -> None:
        self._tables = tables
        self._functions = functions
        self._ctes: dict[str, Columns] = {}

    def query(self, node: exp.Expression) -> Query:
        """Translate a SELECT."""
        if isinstance(node, exp.Subquery):
            return self.query(node.this)
        if isinstance(node, exp.Union):
            left, right = self.query(node.left), self.query(node.right)
            return Query(f"{left.sql} UNION {'' if node.args.get('distinct') else 'ALL '}{right.sql}", left.columns)
        if not isinstance(node, exp.Select):
            raise Refused(102, f"Incorrect syntax near '{str(node).split()[0]}'.")
        ctes = []
        for cte in (node.args.get("with_") or exp.With(expressions=[])).expressions:
            inner = self.query(cte.this)
            self._ctes[cte.alias.lower()] = inner.columns
            ctes.append(f"{quoted(cte.alias)} AS ({inner.sql})")
        scope: dict[str, Columns] = {}
        source = ""
        if node.args.get("from_"):
            source = " FROM " + self._from(node.args["from_"].this, scope)
            for join in node.args.get("joins") or []:
                side = f"{join.side} " if join.side else ""
                item = self._from(join.this, scope)
                on = f" ON {self._text(join.args['on'], scope)}" if join.args.get("on") else ""
                source += f" {side}JOIN {item}{on}" if on else f", {item}"
        columns: Columns = []
        shown: list[str] = []
        for projection in node.expressions:
            for name, text, kind, nullable in self._projected(projection, scope):
                columns.append((name, kind, nullable))
                shown.append(f"{text} AS {quoted(name or f'_{len(shown)}')}")
        tail = f" WHERE {self._text(node.args['where'].this, scope)}" if node.args.get("where") else ""
        if node.args.get("group"):
            tail += " GROUP BY " + ", ".join(self._text(item, scope) for item in node.args["group"].expressions)
        if node.args.get("order"):
            items = node.args["order"].expressions
            tail += " ORDER BY " + ", ".join(
                self._text(item.this, scope) + (" DESC" if item.args.get("desc") else "") for item in items
            )
        if node.args.get("limit"):
            tail += f" LIMIT {int(node.args['limit'].expression.name)}"
        head = f"WITH {', '.join(ctes)} " if ctes else ""
        return Query(f"{head}SELECT {', '.join(shown)}{source}{tail}", columns)

    def _from(self, item: exp.Expression, scope: dict[str, Columns]) -> str:
        alias = item.alias or getattr(item, "name", "")
        if isinstance(item, exp.Subquery):
            inner = self.query(item.this)
            names = [name.lower() for name, *_ in inner.columns]
            for position, name in enumerate(names):
                if not name:
                    raise Refused(8155, f"No column name was specified for column {position + 1} of '{alias}'.")
                if names.index(name) != position:
                    raise Refused(8156, f"The column '{name}' was specified multiple times for '{alias}'.")
            scope[alias.lower()] = inner.columns
            return f"({inner.sql}) AS {quoted(alias)}"
        assert isinstance(item, exp.Table), item
        if not item.db and item.name.lower() in self._ctes:
            scope[alias.lower()] = self._ctes[item.name.lower()]
            return f"{quoted(item.name)} AS {quoted(alias)}"
        found = self._tables(item)
        if found is None:
            raise Refused(208, f"Invalid object name '{'.'.join(part.name for part in item.parts)}'.")
        text, columns = found
        scope[(alias or "t").lower()] = columns
        return f"{text} AS {quoted(alias or 't')}"

    def _projected(self, node: exp.Expression, scope: dict[str, Columns]) -> list[tuple[str, str, SqlType, bool]]:
        star = isinstance(node, exp.Star) or (isinstance(node, exp.Column) and isinstance(node.this, exp.Star))
        if star:
            tables = [node.table.lower()] if isinstance(node, exp.Column) else list(scope)
            return [
                (name, f"{quoted(table)}.{quoted(name)}", kind, nullable)
                for table in tables
                for name, kind, nullable in scope[table]
            ]
        inner = node.this if isinstance(node, exp.Alias) else node
        text, kind = self.expression(inner, scope)
        nullable = True
        if isinstance(inner, exp.Column):
            nullable = self._column(inner, scope)[2]
        name = node.alias if isinstance(node, exp.Alias) else inner.name if isinstance(inner, exp.Column) else ""
        return [(name, text, kind, nullable)]

    def _text(self, node: exp.Expression, scope: dict[str, Columns]) -> str:
        return self.expression(node, scope)[0]

    def _column(self, node: exp.Column, scope: dict[str, Columns]) -> tuple[str, SqlType, bool]:
        tables = [node.table.lower()] if node.table else list(scope)
        for table in tables:
            for name, kind, nullable in scope.get(table, []):
                if name.lower() == node.name.lower():
                    return f"{quoted(table)}.{quoted(name)}", kind, nullable
        if node.name.lower() == "0x":  # the empty binary, which sqlglot takes for a name
            return "from_hex('')", SqlType("varbinary", (1,)), False
        raise Refused(207, f"Invalid column name '{node.name}'.")

    def expression(self, node: exp.Expression, scope: dict[str, Columns]) -> tuple[str, SqlType]:
        """Translate an expression."""
        if isinstance(node, exp.Column):
            return self._column(node, scope)[:2]
        if isinstance(node, exp.Literal):
            return (string(node.name), VARCHAR) if node.is_string else (node.name, _number(node.name))
        if isinstance(node, exp.National):
            return string(node.name), NVARCHAR
        if isinstance(node, exp.Null):
            return "NULL", INT
        if isinstance(node, exp.HexString):
            return f"from_hex('{node.name}')", SqlType("varbinary", (max(len(node.name) // 2, 1),))
        if isinstance(node, exp.Paren):
            text, kind = self.expression(node.this, scope)
            return f"({text})", kind
        if isinstance(node, exp.Neg):
            text, kind = self.expression(node.this, scope)
            return f"-{text}", kind
        if isinstance(node, (exp.Convert, exp.Cast)):
            style = node.args.get("style")
            value = node.args["expression"] if isinstance(node, exp.Convert) else node.this
            target = data_type(node.this if isinstance(node, exp.Convert) else node.args["to"])
            text, kind = self.expression(value, scope)
            kept = replace(target, collation=kind.collation)
            return self.convert(text, kind, target, int(style.name) if style else 0), kept
        if isinstance(node, (exp.And, exp.Or)):
            word = "AND" if isinstance(node, exp.And) else "OR"
            return f"({self._text(node.left, scope)} {word} {self._text(node.right, scope)})", BIT
        if isinstance(node, exp.Not):
            return f"NOT {self._text(node.this, scope)}", BIT
        if isinstance(node, exp.Is):
            return f"{self._text(node.this, scope)} IS {self._text(node.expression, scope)}", BIT
        if isinstance(node, exp.Like):
            return f"{self._text(node.this, scope)} LIKE {self._text(node.expression, scope)}", BIT
        if isinstance(node, exp.Collate):
            text, kind = self.expression(node.this, scope)
            return text, replace(kind, collation=node.expression.name)
        if isinstance(node, exp.In):
            members = ", ".join(self._text(item, scope) for item in node.expressions)
            members = members or self.query(node.args["query"]).sql
            return f"{self._text(node.this, scope)} IN ({members})", BIT
        if type(node) in _COMPARED:
            return self._compared(node, scope), BIT
        if type(node) in _ARITHMETIC:
            left, kind = self.expression(node.left, scope)
            right, other = self.expression(node.right, scope)
            joined = "char" in kind.base and "char" in other.base
            return f"({left} {'||' if joined else _ARITHMETIC[type(node)]} {right})", kind
        if isinstance(node, exp.Div):
            left, right = self._text(node.left, scope), self._text(node.right, scope)
            return f"(CASE WHEN {right} = 0 THEN error('tsql:8134') ELSE {left} // {right} END)", INT
        if isinstance(node, exp.Case):
            return self._case(node, scope)
        return self._function(node, scope)

    def _case(self, node: exp.Case, scope: dict[str, Columns]) -> tuple[str, SqlType]:
        kinds, text = [], "CASE"
        subject = f"{self._text(node.this, scope)} = " if node.this else ""
        for branch in node.args["ifs"]:
            value, kind = self.expression(branch.args["true"], scope)
            kinds.append(kind)
            text += f" WHEN {subject}{self._text(branch.this, scope)} THEN {value}"
        if node.args.get("default"):
            value, kind = self.expression(node.args["default"], scope)
            kinds.append(kind)
            text += f" ELSE {value}"
        return f"({text} END)", kinds[0]

    def _compared(self, node: exp.Binary, scope: dict[str, Columns]) -> str:
        (left, kind), (right, other) = (self.expression(side, scope) for side in (node.left, node.right))
        for moment in (kind, other):
            if moment.base in MOMENTS and kind != other:
                wanted = moment if "char" in kind.base + other.base else SqlType("datetimeoffset", (7,))
                left, right = self.convert(left, kind, wanted, 121), self.convert(right, other, wanted, 121)
                kind = wanted
                break
        if kind.base == "datetimeoffset":
            left, right = f"left({left}, 27)", f"left({right}, 27)"
        return f"{left} {_COMPARED[type(node)]} {right}"

    def convert(self, text: str, source: SqlType, target: SqlType, style: int) -> str:
        """Translate CONVERT."""
        if target.base in MOMENTS:
            if source.base == "sql_variant":
                text = f"split_part({text}, '|', 2)"
            return f"tsql_moment({text}, {string(source.base)}, {string(target.base)}, {target.scale})"
        if "char" in target.base:
            return self.printed(text, source, style)
        if source.base == "sql_variant":
            text = f"split_part({text}, '|', 2)"
            if "binary" in target.base:
                return f"from_hex(substr({text}, 3))"
        if "binary" in target.base or target.base == "rowversion":
            if "char" in source.base:
                return f"from_hex(substr({text}, 3))" if style == 1 else f"encode({text})"
            if source.base in ("bigint", "int"):
                return f"from_hex(printf('%016x', {text}))"
            return text
        if source.base in ("binary", "varbinary", "rowversion") and target.base == "bigint":
            return f"('0x' || hex({text}))::BIGINT"
        return f"({text})::{target.kept}"

    def printed(self, text: str, source: SqlType, style: int) -> str:
        """Translate CONVERT to text."""
        if source.base == "datetimeoffset":
            return f"tsql_printed({text}, {source.scale})"
        if source.base in ("binary", "varbinary", "rowversion"):
            return f"('0x' || upper(hex({text})))" if style == 1 else f"decode({text})"
        if source.base == "uniqueidentifier":
            return f"upper(({text})::VARCHAR)"
        if source.base == "bit":
            return f"CASE {text} WHEN true THEN '1' WHEN false THEN '0' END"
        if source.base == "sql_variant":
            return f"split_part({text}, '|', 2)"
        return f"({text})::VARCHAR"

    def _function(self, node: exp.Expression, scope: dict[str, Columns]) -> tuple[str, SqlType]:
        if isinstance(node, exp.Subquery):
            inner = self.query(node)
            return f"({inner.sql})", inner.columns[0][1]
        if isinstance(node, exp.Count):
            inner = "*" if isinstance(node.this, exp.Star) else self._text(node.this, scope)
            return f"count({inner})", BIGINT if node.args.get("big_int") else INT
        if isinstance(node, (exp.Max, exp.Min, exp.Sum)):
            text, kind = self.expression(node.this, scope)
            word = type(node).__name__.lower()
            if kind.base == "datetimeoffset":
                return f"arg_{word}({text}, left({text}, 27))", kind
            return f"{word}({text})", kind
        if isinstance(node, exp.Window):
            # Only NTILE(n) OVER (ORDER BY x).
            order = self._text(node.args["order"].expressions[0].this, scope)
            return f"ntile({(node.this.this or node.this.expressions[0]).name}) OVER (ORDER BY {order})", BIGINT
        if isinstance(node, exp.Trim) and node.args["position"] == "TRAILING":
            text, kind = self.expression(node.this, scope)
            return f"rtrim({text}, ' ')", kind
        if isinstance(node, exp.Coalesce):
            items = [self.expression(item, scope) for item in (node.this, *node.expressions)]
            return f"coalesce({', '.join(text for text, _ in items)})", items[0][1]
        if isinstance(node, exp.DateAdd):
            text, kind = self.expression(node.this, scope)
            if kind.base not in MOMENTS:
                target = SqlType("datetime")
                text, kind = self.convert(text, kind, target, 0), target
            count = self._text(node.expression, scope)
            unit = string(node.unit.name.lower())
            return f"tsql_dateadd({text}, {unit}, {count}, {string(kind.base)}, {kind.scale})", kind
        if isinstance(node, exp.DateDiff):
            ends = [self._text(side.find(exp.Column) or side, scope) for side in (node.expression, node.this)]
            return f"tsql_milliseconds({ends[0]}, {ends[1]})", BIGINT
        if isinstance(node, exp.TimeStrToTime):
            return self.expression(node.this, scope)
        if isinstance(node, exp.ObjectId):
            return f"tsql_object({self._text(node.this, scope)})", INT
        if isinstance(node, exp.Repeat):
            text, kind = self.expression(node.this, scope)
            return f"repeat({text}, {self._text(node.args['times'], scope)})", kind
        if isinstance(node, exp.Dot) and str(node.expression).lower() == "tostring()":
            table, name = (part.name for part in node.this.find_all(exp.Identifier))
            return self._column(exp.column(name, table=table), scope)[0], NVARCHAR
        name = node.name.upper() if isinstance(node, exp.Anonymous) else node.key.upper()
        if name == "OBJECTPROPERTY":
            return f"tsql_is_table({self._text(node.expressions[0], scope)})", INT
        if name == "SQL_VARIANT_PROPERTY":
            return f"split_part({self._text(node.expressions[0], scope)}, '|', 1)", NVARCHAR
        if node.expressions and f"{name} {node.expressions[-1].name.upper()}" in self._functions:
            name = f"{name} {node.expressions[-1].name.upper()}"
        if name in self._functions:
            return self._functions[name]
        raise Refused(195, f"'{name}' is not a function that the double knows.")


def quoted(name: str) -> str:
    """Quote an identifier for DuckDB."""
    return '"' + name.replace('"', '""') + '"'


def string(value: Any) -> str:
    """Quote a string for DuckDB."""
    return "'" + str(value).replace("'", "''") + "'"


def _number(text: str) -> SqlType:
    if "." in text:
        whole, _, fraction = text.partition(".")
        return SqlType("decimal", (len(whole) + len(fraction), len(fraction)))
    return INT if len(text) < 10 else BIGINT
