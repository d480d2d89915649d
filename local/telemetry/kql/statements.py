"""Tokens into nodes: statements and tabular operators."""

from __future__ import annotations

from collections.abc import Callable

from local.telemetry.kql import syntax as x
from local.telemetry.kql.parser import ExpressionParser

JOINS = ("inner", "leftouter", "leftanti", "leftsemi")


def parse(text: str) -> x.Program:
    """Read a whole query.

    Raises:
        KqlError: it is not in the subset; the message says where and why.
    """
    return _Parser(text).program()


class _Parser(ExpressionParser):
    def program(self) -> x.Program:
        lets: list[tuple[str, x.Expression | x.Query]] = []
        while self.skip("let"):
            name = self.name("the name of what is defined")
            self.expect("=")
            lets.append((name, self._defined({named for named, _ in lets})))
            self.expect(";")
        query = self.subquery()
        self.skip(";")
        if self.now.kind != "end":
            raise self.error(f"expected '|' or the end, found {self.now.text!r}")
        return x.Program(tuple(lets), query)

    def subquery(self) -> x.Query:
        at = self.now.at
        source: str | None = None
        operators: list[x.Operator] = []
        if self.at("union", "print"):
            operators.append(self._operator())
        else:
            source = self.name("the name of a table")
        while self.skip("|"):
            operators.append(self._operator())
        return x.Query(at, source, tuple(operators))

    def _defined(self, before: set[str]) -> x.Expression | x.Query:
        """A table if it looks like one: a union, or a name that a pipe follows."""
        is_table = self.now.kind == "name" and (
            self.at("union", "print")
            or self.after().text == "|"
            or (self.after().text == ";" and self.now.text not in before)
        )
        return self.subquery() if is_table else self.expression()

    def _operator(self) -> x.Operator:
        at = self.now.at
        name = self.name("an operator")
        read: dict[str, Callable[[int], x.Operator]] = {
            "where": lambda _: x.Where(self.expression()),
            "filter": lambda _: x.Where(self.expression()),
            "project": lambda _: x.Project("project", self._columns()),
            "extend": lambda _: x.Project("extend", self._columns()),
            "distinct": lambda _: x.Project("distinct", self._columns()),
            "project-away": lambda at: x.Away(at, self._names()),
            "project-rename": lambda at: x.Rename(at, self._renamed()),
            "summarize": self._summarize,
            "order": lambda _: self._order(),
            "sort": lambda _: self._order(),
            "top": lambda _: self._top(),
            "take": lambda _: x.Take(self._long()),
            "limit": lambda _: x.Take(self._long()),
            "count": lambda _: x.Count(),
            "join": self._join,
            "mv-expand": self._expand,
            "print": lambda _: x.Print(self._columns()),
            "union": self._union,
        }
        if name == "render":
            return self._render()
        if name not in read:
            known = ", ".join(sorted(read))
            raise self.error(f"the operator {name!r} is not supported here; these are: {known}", at)
        return read[name](at)

    def _render(self) -> x.Operator:
        """How it is to be drawn changes nothing of the answer: take all (`LIMIT -1`)."""
        depth = 0
        while self.now.kind != "end" and (depth or not self.at("|", ";", ")")):
            depth += {"(": 1, ")": -1}.get(self.next().text, 0)
        return x.Take(-1)

    def _columns(self) -> tuple[x.Column, ...]:
        found = [self._column()]
        while self.skip(","):
            found.append(self._column())
        return tuple(found)

    def _column(self) -> x.Column:
        if self.now.kind == "name" and self.after().text == "=":
            name = self.next().text
            self.expect("=")
            return x.Column(name, self.expression())
        return x.Column(None, self.expression())

    def _names(self) -> tuple[str, ...]:
        found = [self.name("a column")]
        while self.skip(","):
            found.append(self.name("a column"))
        return tuple(found)

    def _renamed(self) -> tuple[tuple[str, str], ...]:
        found = []
        while True:
            new = self.name("the new name of a column")
            self.expect("=")
            found.append((new, self.name("a column")))
            if not self.skip(","):
                return tuple(found)

    def _summarize(self, at: int) -> x.Operator:
        aggregates = () if self.at("by") else self._columns()
        by = self._columns() if self.skip("by") else ()
        return x.Summarize(at, aggregates, by)

    def _order(self) -> x.Operator:
        self.expect("by")
        return x.Order(self._keys())

    def _top(self) -> x.Operator:
        rows = self._long()
        self.expect("by")
        return x.Order(self._keys(), rows)

    def _keys(self) -> tuple[tuple[x.Expression, bool], ...]:
        found = []
        while True:
            key = self.expression()
            direction = self.skip("asc", "desc")
            found.append((key, direction is None or direction.text == "desc"))
            if not self.skip(","):
                return tuple(found)

    def _long(self) -> int:
        if self.now.kind != "long":
            raise self.error(f"expected a number of rows, found {self.now.text!r}")
        return int(str(self.next().value))

    def _join(self, at: int) -> x.Operator:
        kind = "innerunique"
        if self.skip("kind"):
            self.expect("=")
            kind = self.name("a kind of join")
        if kind not in JOINS:
            raise self.error(f"a join is to say its kind, one of {', '.join(JOINS)}", at)
        right = self._source()
        self.expect("on")
        on = [self._pair()]
        while self.skip(","):
            on.append(self._pair())
        return x.Join(at, kind, right, tuple(on))

    def _source(self) -> x.Query:
        """A table by its name, or a query in parentheses."""
        if not self.skip("("):
            return x.Query(self.now.at, self.name("the name of a table"), ())
        query = self.subquery()
        self.expect(")")
        return query

    def _pair(self) -> tuple[str, str]:
        if not self.skip("$left"):
            name = self.name("a column")
            return name, name
        self.expect(".")
        left = self.name("a column")
        self.expect("==")
        self.expect("$right")
        self.expect(".")
        return left, self.name("a column")

    def _expand(self, at: int) -> x.Operator:
        name = self.name("a column")
        kind = "dynamic"
        if self.skip("to"):
            self.expect("typeof")
            self.expect("(")
            kind = self.name("a type")
            self.expect(")")
        if kind not in {"dynamic", "string", "long", "real"}:
            raise self.error(f"mv-expand does not give {kind!r} here", at)
        return x.Expand(at, name, kind)

    def _union(self, at: int) -> x.Operator:
        queries = []
        source = None
        if self.skip("withsource"):
            self.expect("=")
            source = self.name("the name of a column")
        while True:
            queries.append(self._source())
            if not self.skip(","):
                return x.Union(at, tuple(queries), source)
