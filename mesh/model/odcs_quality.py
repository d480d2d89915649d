"""What the standard's text demands of quality rules beyond its JSON Schema."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeGuard

from mesh.model.contract_quality import METRIC_NAMES, OPERATORS, unit_of, valid_values
from mesh.model.odcs_problem import Problem
from mesh.model.odcs_values import is_number, pattern_problems

_OF_FIELDS = {"nullValues", "missingValues", "invalidValues"}
_PROPERTY = re.compile(r"\$?\{(?:property|column)\}")
_ANYTHING = {"mustBe", "mustNotBe"}
"""Operators whose limit the JSON Schema leaves open."""
_ARGUMENTS: Mapping[str, frozenset[str]] = {
    "nullValues": frozenset(),
    "missingValues": frozenset({"missingValues"}),
    "invalidValues": frozenset({"validValues", "pattern"}),
    "duplicateValues": frozenset({"properties"}),
    "rowCount": frozenset(),
}


def quality_problems(
    holder: Mapping[str, Any], path: str, *, fields: Sequence[str] | None
) -> Iterator[Problem]:
    """What is wrong with the quality rules of an object or of a property.

    Args:
        holder: The object or the property.
        fields: Names of the object's properties; None at a property.
    """
    rules = holder.get("quality")
    for index, rule in enumerate(rules if isinstance(rules, list) else ()):
        if not isinstance(rule, Mapping):
            continue
        at = f"{path}/quality/{index}"
        kind = rule.get("type") or "library"
        if kind in {"library", "sql"}:
            yield from _limits(rule, kind, at)
        if kind == "library":
            yield from _metric(rule, fields, at)
        query = rule.get("query")
        place = _PROPERTY.search(query) if fields is not None and isinstance(query, str) else None
        if place:
            yield Problem(
                f"{at}/query",
                "odcs.quality.query",
                f"The query has a place for a property, {place[0]}, and stands at an object.",
                "Name the property in the query, or move the rule to the property.",
            )


def _limits(rule: Mapping[str, Any], kind: str, path: str) -> Iterator[Problem]:
    for operator in OPERATORS:
        limit = rule.get(operator)
        if operator.endswith("Between"):
            numbers = isinstance(limit, list) and len(limit) == 2 and all(map(is_number, limit))
            if isinstance(limit, list) and numbers and limit[0] > limit[1]:
                yield Problem(
                    f"{path}/{operator}",
                    "odcs.quality.between",
                    f"{operator} {limit} has the greater number first: nothing is between them.",
                    "Write the smaller number first.",
                )
        elif operator in _ANYTHING and operator in rule and not is_number(limit):
            if kind == "sql" and isinstance(limit, bool):
                continue
            other = "; or true or false, if the query answers so." if kind == "sql" else "."
            yield Problem(
                f"{path}/{operator}",
                "odcs.quality.limit",
                f"{operator} {limit!r} cannot be compared with what the rule measures.",
                f"Write a number{other}",
            )


def _metric(rule: Mapping[str, Any], fields: Sequence[str] | None, path: str) -> Iterator[Problem]:
    named = rule.get("metric") or rule.get("rule")
    metric = METRIC_NAMES.get(named, named) if isinstance(named, str) else ""
    if metric not in _ARGUMENTS:
        return
    given = rule.get("arguments")
    arguments: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
    if named == "validValues":
        arguments = {**arguments, "validValues": valid_values(rule)}
    if (metric in _OF_FIELDS and fields is not None) or (metric == "rowCount" and fields is None):
        right = "a property" if fields is not None else "an object"
        yield Problem(
            path,
            "odcs.quality.level",
            f"{metric} is a metric of {right}; here, there is nothing for it to count.",
            f"Move the rule to the `quality` of {right}.",
        )
    if fields is None and metric == "duplicateValues" and "properties" in arguments:
        yield Problem(
            f"{path}/arguments",
            "odcs.quality.arguments",
            "At a property, duplicateValues counts the values of that property alone.",
            "Leave `properties` out, or move the rule to the object.",
        )
    unknown = sorted(set(arguments) - _ARGUMENTS[metric])
    if unknown:
        yield Problem(
            f"{path}/arguments",
            "odcs.quality.arguments",
            f"{metric} knows no argument {', '.join(unknown)}.",
            f"It knows {', '.join(sorted(_ARGUMENTS[metric])) or 'none'}.",
        )
    yield from _unit_problems(rule, metric, path)
    yield from _argument_problems(metric, arguments, fields, path)


def _unit_problems(rule: Mapping[str, Any], metric: str, path: str) -> Iterator[Problem]:
    unit = unit_of(rule)
    if unit not in {"", "percent"}:
        yield Problem(
            f"{path}/unit",
            "odcs.quality.unit",
            f"{metric} counts rows, or a share of them; {unit!r} is neither.",
            "Write rows or percent.",
        )
    if metric == "rowCount" and unit == "percent":
        yield Problem(
            f"{path}/unit",
            "odcs.quality.unit",
            "The number of rows is no share of the rows: in percent, it is always 100.",
            "Leave `unit` out, or write rows.",
        )


def _argument_problems(
    metric: str, arguments: Mapping[str, Any], fields: Sequence[str] | None, path: str
) -> Iterator[Problem]:
    if metric == "missingValues" and not _is_filled(arguments.get("missingValues")):
        yield _lacks(path, "missingValues counts the values of a list that it lacks", metric)
    if metric == "invalidValues":
        pattern, valid = arguments.get("pattern"), arguments.get("validValues")
        if not isinstance(pattern, str) and not _is_filled(valid):
            yield _lacks(path, "invalidValues has neither valid values nor a pattern", metric)
        if isinstance(pattern, str):
            yield from pattern_problems(pattern, f"{path}/arguments/pattern")
    if metric == "duplicateValues" and fields is not None:
        names = arguments.get("properties")
        if not _is_filled(names):
            yield _lacks(path, "duplicateValues of an object lacks the properties", metric)
        for name in names if isinstance(names, list) else ():
            if name not in fields:
                yield Problem(
                    f"{path}/arguments/properties",
                    "odcs.quality.arguments",
                    f"The object has no property {name!r}.",
                    f"Name some of {', '.join(fields)}.",
                )


def _lacks(path: str, what: str, metric: str) -> Problem:
    wanted = " or ".join(sorted(_ARGUMENTS[metric]))
    return Problem(path, "odcs.quality.arguments", f"{what}.", f"Write {wanted} under `arguments`.")


def _is_filled(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list) and bool(value)
