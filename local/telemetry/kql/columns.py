"""The columns of an answer: what Kusto calls them, and those that aggregates make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from local.telemetry.kql import syntax as x
from local.telemetry.kql.functions import AGGREGATES, Sql
from local.telemetry.kql.scalars import Scope, quoted

_KNOWN = ", ".join(sorted({*AGGREGATES, "arg_max", "arg_min"}))


def name_of(column: x.Column, place: int) -> str:
    """The name that Kusto gives a column."""
    if column.name is not None:
        return column.name
    match column.value:
        case x.Name(name=name):
            return name
        case x.Member(of=x.Name(name=of), name=name):
            return f"{of}_{name}".replace(".", "_")
        case x.Call(name="bin" | "tostring", arguments=(x.Name(name=name), *_)):
            return name
        case x.Call(name=call, arguments=(x.Name(name=name), *_)) if call in AGGREGATES:
            return f"{call}_{name}"
        case x.Call(name=call) if call in AGGREGATES:
            return f"{call}_"
    return f"Column{place}"


def is_extreme(value: x.Expression) -> bool:
    """Whether it picks the row in which something is largest or smallest."""
    return isinstance(value, x.Call) and value.name in {"arg_max", "arg_min"}


def aggregate(
    column: x.Column, place: int, columns: Mapping[str, str], scope: Scope
) -> dict[str, Sql]:
    """The columns that an aggregate gives: one, or several for arg_max and arg_min."""
    if isinstance(column.value, x.Call) and is_extreme(column.value):
        return _extreme(column, column.value, columns, scope)
    if not _aggregates(column.value):
        raise scope.error(column.value.at, f"summarize takes aggregates; these are: {_KNOWN}")
    return {name_of(column, place): replace(scope, aggregates=True).sql(column.value)}


def _aggregates(node: x.Expression) -> bool:
    """Whether there is an aggregate in an expression."""
    match node:
        case x.Call(name=name, arguments=arguments):
            return name in AGGREGATES or any(map(_aggregates, arguments))
        case x.Binary(left=left, right=right):
            return _aggregates(left) or _aggregates(right)
        case x.Negative(of=of) | x.Member(of=of):
            return _aggregates(of)
    return False


def _extreme(
    column: x.Column, call: x.Call, columns: Mapping[str, str], scope: Scope
) -> dict[str, Sql]:
    """The row in which the first argument is largest, or smallest.

    SQLite takes columns beside a lone max() or min() from just that row, and documents it.
    """
    key, *others = call.arguments
    name = column.name or (key.name if isinstance(key, x.Name) else f"{call.name}_")
    found = scope.sql(key)
    made = {name: Sql(f"{call.name.removeprefix('arg_')}({found.text})", found.type)}
    for place, other in enumerate(others, start=2):
        if isinstance(other, x.Star):
            rest = {n: Sql(quoted(n), t) for n, t in columns.items() if n not in made}
            made |= rest
        else:
            made[name_of(x.Column(None, other), place)] = scope.sql(other)
    return made
