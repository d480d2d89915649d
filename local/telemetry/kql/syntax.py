"""The nodes of a query; `at` is where in the text a node stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal as Choice


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant; its type is long, real, string, bool, timespan or datetime."""

    at: int
    value: object
    type: str


@dataclass(frozen=True, slots=True)
class Name:
    """A column, or a scalar that `let` named."""

    at: int
    name: str


@dataclass(frozen=True, slots=True)
class Star:
    """`*`, as an argument of arg_max."""

    at: int


@dataclass(frozen=True, slots=True)
class Member:
    """`of.name` or `of["name"]`: a member of a dynamic value."""

    at: int
    of: Expression
    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """A function's call."""

    at: int
    name: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Binary:
    """Two expressions with an operator between them."""

    at: int
    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Negative:
    """`-of`."""

    at: int
    of: Expression


@dataclass(frozen=True, slots=True)
class Among:
    """`of in (…)`: a list of expressions, or a query of one column."""

    at: int
    of: Expression
    members: tuple[Expression, ...] | Query
    negated: bool
    any_case: bool


@dataclass(frozen=True, slots=True)
class Between:
    """`of between (low .. high)`, both ends included."""

    at: int
    of: Expression
    low: Expression
    high: Expression
    negated: bool


@dataclass(frozen=True, slots=True)
class Dynamic:
    """`dynamic(["a", "b"])`: a list of constants."""

    at: int
    members: tuple[Literal, ...]


Expression = Literal | Dynamic | Name | Star | Member | Call | Binary | Negative | Among | Between


@dataclass(frozen=True, slots=True)
class Column:
    """`name = value`; name None where none is given."""

    name: str | None
    value: Expression


@dataclass(frozen=True, slots=True)
class Where:
    """Rows for which the condition holds."""

    condition: Expression


@dataclass(frozen=True, slots=True)
class Project:
    """Columns: chosen and computed (`project`), added (`extend`), distinct (`distinct`)."""

    kind: Choice["project", "extend", "distinct"]
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Away:
    """Columns that are taken away (`project-away`)."""

    at: int
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rename:
    """Columns under new names (`project-rename`): pairs of new and old."""

    at: int
    names: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Summarize:
    """Aggregates of groups."""

    at: int
    aggregates: tuple[Column, ...]
    by: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Order:
    """Sort keys with whether they descend; `first` rows only where it is given (`top`)."""

    keys: tuple[tuple[Expression, bool], ...]
    first: int | None = None


@dataclass(frozen=True, slots=True)
class Take:
    """Some rows."""

    rows: int


@dataclass(frozen=True, slots=True)
class Count:
    """How many rows there are."""


@dataclass(frozen=True, slots=True)
class Join:
    """Rows with those of another query; `on` are pairs of names, left and right."""

    at: int
    kind: str
    right: Query
    on: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Union:
    """Rows of these queries too; `source` names a column that tells from which table a row is."""

    at: int
    queries: tuple[Query, ...]
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Print:
    """One row of these columns."""

    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Expand:
    """One row for each member of a list, of the type that is given (`mv-expand`)."""

    at: int
    name: str
    type: str


Operator = (
    Where
    | Project
    | Away
    | Rename
    | Summarize
    | Order
    | Take
    | Count
    | Join
    | Union
    | Print
    | Expand
)


@dataclass(frozen=True, slots=True)
class Query:
    """A table, and what is done with its rows; `source` None begins with a union or `print`."""

    at: int
    source: str | None
    operators: tuple[Operator, ...]


@dataclass(frozen=True, slots=True)
class Program:
    """`let` statements and the query they serve."""

    lets: tuple[tuple[str, Expression | Query], ...]
    query: Query
