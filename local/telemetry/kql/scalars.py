"""Expressions into SQL, with the type that each has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from local.telemetry.kql import syntax as x
from local.telemetry.kql.functions import AGGREGATES, SCALARS, Sql
from local.telemetry.kql.lexer import KqlError, error

if TYPE_CHECKING:
    from collections.abc import Callable

_NUMBERS = {"long", "real"}
_TEXT_TESTS = {
    "has": "kql_has({0}, {1})",
    "contains": "(instr(lower({0}), lower({1})) > 0)",
    "contains_cs": "(instr({0}, {1}) > 0)",
    "startswith": "(substr(lower({0}), 1, length({1})) = lower({1}))",
    "startswith_cs": "(substr({0}, 1, length({1})) = {1})",
    "endswith": "(substr(lower({0}), -length({1})) = lower({1}))",
    "endswith_cs": "(substr({0}, -length({1})) = {1})",
    "=~": "(lower({0}) = lower({1}))",
    "!~": "(lower({0}) <> lower({1}))",
}


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What a name may mean.

    Attributes:
        columns: the type of each column.
        scalars: what `let` has named.
        now: in microseconds; the same all over a query.
        select: SQL of a subquery of one column.
        aggregates: whether aggregates may stand here: in summarize, outside of another one.
    """

    text: str
    columns: Mapping[str, str]
    scalars: Mapping[str, Sql]
    now: int
    select: Callable[[x.Query], str]
    aggregates: bool = False

    def error(self, at: int, why: str) -> KqlError:
        return error(self.text, at, why)

    def sql(self, node: x.Expression) -> Sql:
        """The SQL of an expression.

        Raises:
            KqlError: it names what there is not, or its types do not go together.
        """
        match node:
            case x.Literal():
                return _literal(node)
            case x.Dynamic():
                members = ", ".join(_literal(member).text for member in node.members)
                return Sql(f"json_array({members})", "dynamic")
            case x.Name():
                return self._name(node)
            case x.Member():
                return self._member(node)
            case x.Call():
                return self._call(node)
            case x.Binary():
                return self._binary(node)
            case x.Negative():
                inner = self.sql(node.of)
                return Sql(f"(-{inner.text})", inner.type)
            case x.Among():
                return self._among(node)
            case x.Between():
                of, low, high = (self.sql(one).text for one in (node.of, node.low, node.high))
                word = "NOT BETWEEN" if node.negated else "BETWEEN"
                return Sql(f"({of} {word} {low} AND {high})", "bool")
        raise self.error(node.at, "'*' has no value")

    def _name(self, node: x.Name) -> Sql:
        if node.name in self.columns:
            return Sql(quoted(node.name), self.columns[node.name])
        if node.name in self.scalars:
            return self.scalars[node.name]
        known = ", ".join(self.columns)
        raise self.error(node.at, f"there is no column {node.name!r}; these are: {known}")

    def _member(self, node: x.Member) -> Sql:
        of = self.sql(node.of)
        if of.type != "dynamic":
            raise self.error(node.at, f"a value of the type {of.type} has no members")
        name = node.name.replace('"', '\\"').replace("'", "''")
        return Sql(f"json_extract({of.text}, '$.\"{name}\"')", "dynamic")

    def _call(self, node: x.Call) -> Sql:
        if node.name in {"now", "ago"}:
            return self._moment(node)
        if node.name in AGGREGATES and self.aggregates:
            return self._aggregate(node)
        if node.name in AGGREGATES or node.name in {"arg_max", "arg_min"}:
            raise self.error(node.at, f"{node.name} is an aggregate, and cannot stand here")
        function = SCALARS.get(node.name)
        if function is None:
            known = ", ".join(sorted({*SCALARS, "ago", "now"}))
            why = f"the function {node.name!r} is not supported here; these are: {known}"
            raise self.error(node.at, why)
        if not function.least <= len(node.arguments) <= function.most:
            raise self.error(node.at, f"{node.name} takes another number of arguments")
        return function.make([self.sql(argument) for argument in node.arguments])

    def _aggregate(self, node: x.Call) -> Sql:
        aggregate = AGGREGATES[node.name]
        if len(node.arguments) != aggregate.arguments:
            raise self.error(node.at, f"{node.name} takes another number of arguments")
        inside = replace(self, aggregates=False)
        given = [inside.sql(argument) for argument in node.arguments]
        if given and given[0].type == "dynamic" and not node.name.startswith("dcount"):
            raise self.error(node.at, f"{node.name} takes no dynamic value; convert it")
        kind = aggregate.kind or given[0].type
        return Sql(aggregate.make([one.text for one in given]), kind)

    def _moment(self, node: x.Call) -> Sql:
        if not node.arguments:
            return Sql(str(self.now), "datetime")
        if len(node.arguments) > 1 or (pause := self.sql(node.arguments[0])).type != "timespan":
            raise self.error(node.at, f"{node.name} takes a timespan, such as 1h")
        sign = "-" if node.name == "ago" else "+"
        return Sql(f"({self.now} {sign} {pause.text})", "datetime")

    def _among(self, node: x.Among) -> Sql:
        of = self._compared(self.sql(node.of), "string")
        query = self._query_of(node)
        if query is not None:
            members = self.select(query)
        else:
            members = ", ".join(
                f"lower({one.text})" if node.any_case else one.text
                for one in map(self.sql, node.members)  # type: ignore[arg-type] # no query
            )
        left = f"lower({of.text})" if node.any_case else of.text
        return Sql(f"({left} {'NOT IN' if node.negated else 'IN'} ({members}))", "bool")

    def _query_of(self, node: x.Among) -> x.Query | None:
        """The query whose rows are the members: written out, or named by `let`."""
        if isinstance(node.members, x.Query):
            return node.members
        if len(node.members) == 1 and isinstance(only := node.members[0], x.Name):
            is_table = only.name not in self.columns and only.name not in self.scalars
            return x.Query(only.at, only.name, ()) if is_table else None
        return None

    def _binary(self, node: x.Binary) -> Sql:
        left, right = self.sql(node.left), self.sql(node.right)
        operator = node.operator
        if operator in {"and", "or"}:
            return Sql(f"({left.text} {operator.upper()} {right.text})", "bool")
        if operator.lstrip("!") in _TEXT_TESTS or operator in _TEXT_TESTS:
            form = _TEXT_TESTS.get(operator) or f"(NOT {_TEXT_TESTS[operator.lstrip('!')]})"
            texts = (self._compared(one, "string").text for one in (left, right))
            return Sql(form.format(*texts), "bool")
        if operator in {"==", "!=", "<", ">", "<=", ">="}:
            return self._comparison(node, left, right)
        kind = self._result(node, left, right)
        if operator == "/" and left.type == right.type == "timespan":
            return Sql(f"(CAST({left.text} AS REAL) / {right.text})", "real")
        return Sql(f"({left.text} {operator} {right.text})", kind)

    def _comparison(self, node: x.Binary, left: Sql, right: Sql) -> Sql:
        left, right = self._compared(left, right.type), self._compared(right, left.type)
        kinds = {left.type, right.type}
        if len(kinds) > 1 and not kinds <= _NUMBERS:
            why = f"{left.type} and {right.type} cannot be compared; convert one of them"
            raise self.error(node.at, why)
        operator = {"==": "=", "!=": "<>"}.get(node.operator, node.operator)
        return Sql(f"({left.text} {operator} {right.text})", "bool")

    @staticmethod
    def _compared(one: Sql, with_type: str) -> Sql:
        """A dynamic value as what it is compared with."""
        if one.type != "dynamic":
            return one
        if with_type in _NUMBERS:
            return SCALARS["todouble"].make([one])
        return SCALARS["tostring"].make([one]) if with_type in {"string", "dynamic"} else one

    def _result(self, node: x.Binary, left: Sql, right: Sql) -> str:
        """The type of a sum, difference, product or quotient."""
        kinds = (left.type, right.type)
        if node.operator == "-" and kinds == ("datetime", "datetime"):
            return "timespan"
        if node.operator in "+-" and kinds == ("datetime", "timespan"):
            return "datetime"
        if node.operator in "+-" and kinds == ("timespan", "timespan"):
            return "timespan"
        if node.operator == "/" and kinds == ("timespan", "timespan"):
            return "real"
        if node.operator in "*/" and left.type == "timespan" and right.type in _NUMBERS:
            return "timespan"
        if set(kinds) <= _NUMBERS:
            return "real" if "real" in kinds else "long"
        why = f"{left.type} {node.operator} {right.type} makes no sense; convert one of them"
        raise self.error(node.at, why)


def quoted(name: str) -> str:
    """A name as SQL takes it, whatever it is."""
    return '"' + name.replace('"', '""') + '"'


def text_literal(text: str) -> str:
    """A text as SQL takes it, whatever is in it."""
    return "'" + text.replace("'", "''") + "'"


def _literal(node: x.Literal) -> Sql:
    if node.type == "string":
        return Sql(text_literal(str(node.value)), "string")
    return Sql(str(node.value), node.type)
