"""Tabular operators into SQL: each wraps the one before it as a subquery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from local.telemetry.kql import syntax as x
from local.telemetry.kql.columns import aggregate, is_extreme, name_of
from local.telemetry.kql.functions import Sql
from local.telemetry.kql.lexer import error
from local.telemetry.kql.scalars import Scope, quoted, text_literal


@dataclass(frozen=True, slots=True)
class Table:
    """A SELECT, the types of its columns in their order, and how it is sorted at last."""

    sql: str
    columns: Mapping[str, str]


_ONE_ROW = Table("SELECT 1", {})


def translate(
    program: x.Program, text: str, *, tables: Mapping[str, Mapping[str, str]], now: int
) -> Table:
    """The SQL of a query.

    Args:
        tables: the types of each table's columns.
        now: what `now()` is, in microseconds since 1970.

    Raises:
        KqlError: it names what there is not, or its types do not go together.
    """
    translator = _Translator(text, tables, now)
    for name, value in program.lets:
        translator.define(name, value)
    return translator.query(program.query)


class _Translator:
    def __init__(self, text: str, tables: Mapping[str, Mapping[str, str]], now: int) -> None:
        self._text = text
        self._now = now
        self._scalars: dict[str, Sql] = {}
        self._tables = {
            name: Table(_select(columns, name), columns) for name, columns in tables.items()
        }

    def define(self, name: str, value: x.Expression | x.Query) -> None:
        if isinstance(value, x.Query):
            self._tables[name] = self.query(value)
        else:
            self._scalars[name] = self._scope({}).sql(value)

    def query(self, node: x.Query) -> Table:
        table: Table | None = None
        if node.source is not None:
            table = self._tables.get(node.source)
            if table is None:
                known = ", ".join(self._tables)
                why = f"there is no table {node.source!r}; these are: {known}"
                raise error(self._text, node.at, why)
        for operator in node.operators:
            table = self._apply(operator, table)
        assert table is not None  # a query begins with a table or a union
        return table

    def _apply(self, operator: x.Operator, table: Table | None) -> Table:
        if isinstance(operator, x.Union):
            return self._union(operator, table)
        if isinstance(operator, x.Print):
            return self._project(x.Project("project", operator.columns), _ONE_ROW, self._scope({}))
        assert table is not None  # only a union can be first
        scope = self._scope(table.columns)
        match operator:
            case x.Project():
                return self._project(operator, table, scope)
            case x.Away():
                return self._away(operator, table)
            case x.Rename():
                return self._rename(operator, table)
            case x.Summarize():
                return self._summarize(operator, table, scope)
            case x.Join():
                return self._join(operator, table)
            case x.Expand():
                return self._expand(operator, table)
            case _:
                return _rows(operator, table, scope)

    def _away(self, operator: x.Away, table: Table) -> Table:
        self._known(operator.at, table, operator.names)
        left = {name: kind for name, kind in table.columns.items() if name not in operator.names}
        return Table(_select(left, f"({table.sql})"), left)

    def _scope(self, columns: Mapping[str, str]) -> Scope:
        return Scope(
            text=self._text,
            columns=columns,
            scalars=self._scalars,
            now=self._now,
            select=lambda query: self.query(query).sql,
        )

    def _known(self, at: int, table: Table, names: Sequence[str]) -> None:
        for name in names:
            if name not in table.columns:
                known = ", ".join(table.columns)
                why = f"there is no column {name!r}; these are: {known}"
                raise error(self._text, at, why)

    def _project(self, operator: x.Project, table: Table, scope: Scope) -> Table:
        made: dict[str, Sql] = {}
        if operator.kind == "extend":
            made = {name: Sql(quoted(name), kind) for name, kind in table.columns.items()}
        for place, column in enumerate(operator.columns, start=1):
            made[name_of(column, place)] = scope.sql(column.value)
        chosen = ", ".join(f"{sql.text} AS {quoted(name)}" for name, sql in made.items())
        word = "SELECT DISTINCT" if operator.kind == "distinct" else "SELECT"
        columns = {name: sql.type for name, sql in made.items()}
        return Table(f"{word} {chosen} FROM ({table.sql})", columns)

    def _rename(self, operator: x.Rename, table: Table) -> Table:
        self._known(operator.at, table, [old for _, old in operator.names])
        new = {old: name for name, old in operator.names}
        chosen = ", ".join(
            f"{quoted(name)} AS {quoted(new.get(name, name))}" for name in table.columns
        )
        columns = {new.get(name, name): kind for name, kind in table.columns.items()}
        return Table(f"SELECT {chosen} FROM ({table.sql})", columns)

    def _summarize(self, operator: x.Summarize, table: Table, scope: Scope) -> Table:
        groups = {
            name_of(column, place): scope.sql(column.value)
            for place, column in enumerate(operator.by, start=1)
        }
        made = dict(groups)
        for place, column in enumerate(operator.aggregates, start=1):
            made |= aggregate(column, place, table.columns, scope)
            if is_extreme(column.value) and len(operator.aggregates) > 1:
                why = "arg_max and arg_min stand alone here; join for other aggregates"
                raise error(self._text, operator.at, why)
        chosen = ", ".join(f"{sql.text} AS {quoted(name)}" for name, sql in made.items())
        by = f" GROUP BY {', '.join(sql.text for sql in groups.values())}" if groups else ""
        columns = {name: sql.type for name, sql in made.items()}
        return Table(f"SELECT {chosen} FROM ({table.sql}){by}", columns)

    def _expand(self, operator: x.Expand, table: Table) -> Table:
        self._known(operator.at, table, [operator.name])
        columns = {**table.columns, operator.name: operator.type}
        chosen = ", ".join(
            f"member.value AS {quoted(name)}" if name == operator.name else f"t.{quoted(name)}"
            for name in columns
        )
        members = f"json_each(t.{quoted(operator.name)}) AS member"
        return Table(f"SELECT {chosen} FROM ({table.sql}) AS t, {members}", columns)

    def _join(self, operator: x.Join, left: Table) -> Table:
        right = self.query(operator.right)
        self._known(operator.at, left, [name for name, _ in operator.on])
        self._known(operator.at, right, [name for _, name in operator.on])
        on = " AND ".join(f"l.{quoted(one)} = r.{quoted(other)}" for one, other in operator.on)
        if operator.kind in {"leftanti", "leftsemi"}:
            word = "NOT EXISTS" if operator.kind == "leftanti" else "EXISTS"
            sql = (
                f"SELECT l.* FROM ({left.sql}) AS l WHERE {word} "
                f"(SELECT 1 FROM ({right.sql}) AS r WHERE {on})"
            )
            return Table(sql, left.columns)
        columns = dict(left.columns)
        chosen = [f"l.{quoted(name)} AS {quoted(name)}" for name in left.columns]
        for name, kind in right.columns.items():
            new = name
            while new in columns:
                new += "1"
            columns[new] = kind
            chosen.append(f"r.{quoted(name)} AS {quoted(new)}")
        word = "JOIN" if operator.kind == "inner" else "LEFT JOIN"
        sql = f"SELECT {', '.join(chosen)} FROM ({left.sql}) AS l {word} ({right.sql}) AS r ON {on}"
        return Table(sql, columns)

    def _union(self, operator: x.Union, table: Table | None) -> Table:
        parts = ([table] if table else []) + [
            self._from(query, operator.source) for query in operator.queries
        ]
        columns: dict[str, str] = {}
        for part in parts:
            for name, kind in part.columns.items():
                if columns.setdefault(name, kind) != kind:
                    why = f"the column {name!r} has two types, {columns[name]} and {kind}"
                    raise error(self._text, operator.at, why)
        selects = [
            "SELECT "
            + ", ".join(
                f"{quoted(name) if name in part.columns else 'NULL'} AS {quoted(name)}"
                for name in columns
            )
            + f" FROM ({part.sql})"
            for part in parts
        ]
        return Table(" UNION ALL ".join(selects), columns)

    def _from(self, query: x.Query, column: str | None) -> Table:
        """A part of a union, with the name of its table in a column if that is asked for."""
        part = self.query(query)
        if column is None:
            return part
        source = text_literal(query.source or "")
        columns = {column: "string", **part.columns}
        return Table(f"SELECT {source} AS {quoted(column)}, * FROM ({part.sql})", columns)


def _select(columns: Mapping[str, str], source: str) -> str:
    return f"SELECT {', '.join(map(quoted, columns))} FROM {source}"


def _rows(operator: x.Where | x.Order | x.Take | x.Count, table: Table, scope: Scope) -> Table:
    """What chooses or sorts rows, and leaves their columns alone."""
    match operator:
        case x.Where():
            condition = scope.sql(operator.condition).text
            return replace(table, sql=f"SELECT * FROM ({table.sql}) WHERE {condition}")
        case x.Order():
            return _order(operator, table, scope)
        case x.Take():
            return replace(table, sql=f"SELECT * FROM ({table.sql}) LIMIT {operator.rows}")
        case x.Count():
            return Table(f"SELECT count(*) AS Count FROM ({table.sql})", {"Count": "long"})


def _order(operator: x.Order, table: Table, scope: Scope) -> Table:
    """Nothing comes last when it descends, first when it ascends: as Kusto has it."""
    keys = ", ".join(
        f"{scope.sql(key).text} {'DESC NULLS LAST' if down else 'ASC NULLS FIRST'}"
        for key, down in operator.keys
    )
    limit = "" if operator.first is None else f" LIMIT {operator.first}"
    return replace(table, sql=f"SELECT * FROM ({table.sql}) ORDER BY {keys}{limit}")
