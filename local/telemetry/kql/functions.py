"""The functions of the subset: the SQL they become, and the type they give."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from local.telemetry.kql.lexer import MICROSECONDS

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Sql:
    """An expression in SQL, and its KQL type."""

    text: str
    type: str


@dataclass(frozen=True, slots=True)
class Function:
    """A scalar function.

    Attributes:
        least, most: how many arguments it takes.
        make: the SQL from those of the arguments.
    """

    least: int
    most: int
    make: Callable[[Sequence[Sql]], Sql]


def _plain(name: str, kind: str | None = None, *, most: int = 1) -> Function:
    """A function of SQLite's, or one registered there, under its SQL name."""

    def make(given: Sequence[Sql]) -> Sql:
        return Sql(f"{name}({', '.join(a.text for a in given)})", kind or given[0].type)

    return Function(1, most, make)


def _number(kind: str) -> Function:
    return Function(1, 1, lambda given: Sql(f"kql_{kind}({given[0].text})", kind))


def _tostring(given: Sequence[Sql]) -> Sql:
    if given[0].type in {"datetime", "timespan"}:
        return Sql(f"kql_text({given[0].text}, '{given[0].type}')", "string")
    return Sql(f"coalesce(CAST({given[0].text} AS TEXT), '')", "string")


def _iff(given: Sequence[Sql]) -> Sql:
    condition, yes, no = given
    return Sql(f"CASE WHEN {condition.text} THEN {yes.text} ELSE {no.text} END", _common(yes, no))


def _case(given: Sequence[Sql]) -> Sql:
    *pairs, otherwise = given
    parts = [
        f"WHEN {condition.text} THEN {value.text}"
        for condition, value in zip(pairs[::2], pairs[1::2], strict=True)
    ]
    return Sql(f"CASE {' '.join(parts)} ELSE {otherwise.text} END", _common(pairs[1], otherwise))


def _common(one: Sql, other: Sql) -> str:
    return "real" if {one.type, other.type} == {"long", "real"} else one.type


def _bin(given: Sequence[Sql]) -> Sql:
    value, size = given
    if value.type == "real" or size.type == "real":
        return Sql(f"(kql_floor({value.text} * 1.0 / {size.text}) * {size.text})", "real")
    return Sql(f"(({value.text}) - (({value.text}) % ({size.text})))", value.type)


def _coalesce(given: Sequence[Sql]) -> Sql:
    parts = [
        f"nullif({one.text}, '')" if one.type in {"string", "dynamic"} else one.text
        for one in given
    ]
    return Sql(f"coalesce({', '.join(parts)})", given[0].type)


def _round(given: Sequence[Sql]) -> Sql:
    return Sql(f"round({', '.join(one.text for one in given)})", "real")


def _between_dates(given: Sequence[Sql]) -> Sql:
    unit, later, earlier = given
    return Sql(f"kql_datetime_diff({unit.text}, {later.text}, {earlier.text})", "long")


SCALARS: dict[str, Function] = {
    "bin": Function(2, 2, _bin),
    "case": Function(3, 99, _case),
    "coalesce": Function(2, 99, _coalesce),
    "datetime_diff": Function(3, 3, _between_dates),
    "floor": Function(2, 2, _bin),
    "iff": Function(3, 3, _iff),
    "iif": Function(3, 3, _iff),
    "isempty": Function(1, 1, lambda g: Sql(f"(coalesce({g[0].text}, '') = '')", "bool")),
    "isnotempty": Function(1, 1, lambda g: Sql(f"(coalesce({g[0].text}, '') <> '')", "bool")),
    "isnotnull": Function(1, 1, lambda g: Sql(f"({g[0].text} IS NOT NULL)", "bool")),
    "isnull": Function(1, 1, lambda g: Sql(f"({g[0].text} IS NULL)", "bool")),
    "not": Function(1, 1, lambda g: Sql(f"(NOT {g[0].text})", "bool")),
    "round": Function(1, 2, _round),
    "split": _plain("kql_split", "string", most=3),
    "strcat": Function(
        1, 99, lambda g: Sql(f"({' || '.join(_tostring([a]).text for a in g)})", "string")
    ),
    "strlen": _plain("length", "long"),
    "substring": Function(
        2,
        3,
        lambda g: Sql(
            f"substr({g[0].text}, {g[1].text} + 1{''.join(', ' + a.text for a in g[2:])})", "string"
        ),
    ),
    "tobool": Function(1, 1, lambda g: Sql(f"kql_bool({g[0].text})", "bool")),
    "todouble": _number("real"),
    "toint": _number("long"),
    "tolong": _number("long"),
    "tolower": _plain("lower", "string"),
    "toreal": _number("real"),
    "tostring": Function(1, 1, _tostring),
    "toupper": _plain("upper", "string"),
}


@dataclass(frozen=True, slots=True)
class Aggregate:
    """An aggregate; `kind` None gives the type of its argument."""

    arguments: int
    make: Callable[[Sequence[str]], str]
    kind: str | None


def _if(value: str, condition: str) -> str:
    return f"CASE WHEN {condition} THEN {value} END"


AGGREGATES: dict[str, Aggregate] = {
    "avg": Aggregate(1, lambda a: f"avg({a[0]})", "real"),
    "avgif": Aggregate(2, lambda a: f"avg({_if(a[0], a[1])})", "real"),
    "count": Aggregate(0, lambda _: "count(*)", "long"),
    "countif": Aggregate(1, lambda a: f"count({_if('1', a[0])})", "long"),
    "dcount": Aggregate(1, lambda a: f"count(DISTINCT {a[0]})", "long"),
    "dcountif": Aggregate(2, lambda a: f"count(DISTINCT {_if(a[0], a[1])})", "long"),
    "max": Aggregate(1, lambda a: f"max({a[0]})", None),
    "maxif": Aggregate(2, lambda a: f"max({_if(a[0], a[1])})", None),
    "min": Aggregate(1, lambda a: f"min({a[0]})", None),
    "minif": Aggregate(2, lambda a: f"min({_if(a[0], a[1])})", None),
    "percentile": Aggregate(2, lambda a: f"kql_percentile({a[0]}, {a[1]})", None),
    "percentilew": Aggregate(3, lambda a: f"kql_weighted_percentile({a[0]}, {a[1]}, {a[2]})", None),
    "sum": Aggregate(1, lambda a: f"coalesce(sum({a[0]}), 0)", None),
    "sumif": Aggregate(2, lambda a: f"coalesce(sum({_if(a[0], a[1])}), 0)", None),
    "take_any": Aggregate(1, lambda a: f"max({a[0]})", None),
}
"""`arg_max` and `arg_min` are not among them: they decide about other columns too."""


class WeightedPercentile:
    """The nearest-rank percentile; Kusto's is an estimate of the same.

    A value of weight 3 counts as three of it.
    """

    def __init__(self) -> None:
        self._values: list[tuple[float, int]] = []
        self._percent = 50.0

    def step(self, value: float | None, weight: int, percent: float) -> None:
        self._percent = percent
        if value is not None:
            self._values.append((value, weight))

    def finalize(self) -> float | None:
        rank = self._percent / 100 * sum(weight for _, weight in self._values)
        passed = 0
        for value, weight in sorted(self._values):
            passed += weight
            if passed >= rank:
                return value
        return None


class Percentile(WeightedPercentile):
    """The same, of values that weigh the same."""

    def step(self, value: float | None, percent: float) -> None:  # type: ignore[override] # SQLite counts arguments
        super().step(value, 1, percent)


def has_term(text: str | None, term: str | None) -> bool:
    """Whether the words of `term` stand in `text` one after the other, in any case (`has`)."""
    words, wanted = (_WORD.findall((one or "").lower()) for one in (text, term))
    places = range(len(words) - len(wanted) + 1)
    return any(words[place : place + len(wanted)] == wanted for place in places)


def as_text(value: int | None, kind: str) -> str:
    """A datetime or timespan in microseconds as KQL writes it."""
    if value is None:
        return ""
    if kind == "datetime":
        moment = datetime.fromtimestamp(value // 1_000_000, UTC)
        return f"{moment:%Y-%m-%dT%H:%M:%S}.{value % 1_000_000:06d}0Z"
    sign, rest = ("-" if value < 0 else ""), abs(value)
    days, rest = divmod(rest, MICROSECONDS["d"])
    hours, rest = divmod(rest, MICROSECONDS["h"])
    minutes, rest = divmod(rest, MICROSECONDS["m"])
    seconds, rest = divmod(rest, MICROSECONDS["s"])
    day = f"{days}." if days else ""
    fraction = f".{rest:06d}0" if rest else ""
    return f"{sign}{day}{hours:02d}:{minutes:02d}:{seconds:02d}{fraction}"


def as_bool(value: Any) -> int | None:
    """`tobool`: of a text, a number or nothing."""
    if isinstance(value, str):
        return {"true": 1, "1": 1, "false": 0, "0": 0}.get(value.strip().lower())
    return None if value is None else int(bool(value))


def as_real(value: Any) -> float | None:
    """`todouble`: of a text, a number or nothing; what is no number gives nothing."""
    try:
        return None if value is None else float(value)
    except ValueError:
        return None


def as_long(value: Any) -> int | None:
    """`tolong`: the same, cut to a whole number."""
    number = as_real(value)
    return None if number is None else int(number)


def datetime_diff(unit: str, later: int, earlier: int) -> int:
    """How many borders of a unit lie between two moments.

    Raises:
        ValueError: the unit is none.
    """
    size = {"second": "s", "minute": "m", "hour": "h", "day": "d", "millisecond": "ms"}[unit]
    return later // MICROSECONDS[size] - earlier // MICROSECONDS[size]


def part_of(text: str | None, separator: str, place: int = 0) -> str:
    """`split(text, separator, place)[0]`."""
    parts = (text or "").split(separator)
    return parts[place] if 0 <= place < len(parts) else ""
