"""The quality rules of a contract, as ODCS writes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mesh.model.contract_schema import column_name
from mesh.model.value_paths import Steps, nested_elements

OPERATORS = (
    "mustBe",
    "mustNotBe",
    "mustBeGreaterThan",
    "mustBeGreaterOrEqualTo",
    "mustBeLessThan",
    "mustBeLessOrEqualTo",
    "mustBeBetween",
    "mustNotBeBetween",
)
METRIC_NAMES: Mapping[str, str] = {
    "nullCheck": "nullValues",
    "duplicateCount": "duplicateValues",
    "uniqueCheck": "duplicateValues",
    "validValues": "invalidValues",
    "rowCountCheck": "rowCount",
    "countCheck": "rowCount",
}
"""The metrics that ODCS 3.0 has other names for."""
METRICS = frozenset({"nullValues", "missingValues", "invalidValues", "duplicateValues", "rowCount"})
_IMPLIED = ("mustBe", frozenset({"nullCheck", "uniqueCheck", "validValues"}))
"""The operator, with a limit of 0, of rules of ODCS 3.0 that need none to be understood."""

ERROR = "error"
_UNITS: Mapping[str, str] = dict.fromkeys(
    ("rows", "row", "records", "values", "entries", "count"), ""
) | dict.fromkeys(("%", "percent", "percentage", "pct"), "percent")
"""By what contracts call them: `percent`, or what needs no word; any other is only told."""

_SEVERE = frozenset({ERROR, "critical", "fatal", "blocker", "blocking", "severe", "high", "major"})
"""Severities of rules that reject a file; the standard leaves their names open."""


@dataclass(frozen=True, kw_only=True, slots=True)
class QualityRule:
    """One rule on a field or on the object as a whole.

    Attributes:
        pointer: JSON Pointer of the rule in the contract.
        kind: `library`, `sql`, `custom` or `text`.
        metric: What a library rule counts (`nullValues`, …); the query of an SQL rule.
        field: Name of the field the rule stands at, or the way to it; None at the object.
        steps: The way to its values from the top of a record; empty at the object.
        operator: One of `OPERATORS`, None for rules for people.
        limit: What the count is compared with: a number, or two for the `Between` operators.
        percent: Whether the count is a share of the rows, in percent.
        unit: What is counted, for people; empty for rows.
        severity: `error`, also for what the contract calls so severe in another word, or not at
            all; else its own word, in lower case.
        arguments: Of a library metric: `missingValues`, `validValues`, `pattern`, `properties`.
        name: For people.
    """

    pointer: str
    kind: str
    metric: str | None
    field: str | None
    steps: Steps
    operator: str | None
    limit: Any
    percent: bool
    unit: str
    severity: str
    arguments: Mapping[str, Any]
    name: str


def is_checked(rule: QualityRule) -> bool:
    """Whether a rule of the library says what to count, and what to compare that with."""
    return rule.kind == "library" and rule.metric in METRICS and rule.operator is not None


def valid_values(rule: Mapping[str, Any]) -> object:
    """What a rule `validValues` of ODCS 3.0 lists, beside its name or among its arguments."""
    arguments = rule.get("arguments")
    inner = arguments.get("validValues") if isinstance(arguments, Mapping) else None
    return rule.get("validValues", inner)


def quality_rules(element: Mapping[str, Any], pointer: str) -> Iterator[QualityRule]:
    """All rules of a schema object: its own, those of its fields, then those within its fields.

    A rule with several operators, which ODCS 3.0 admits, is one for each.
    """
    items = element.get("properties") or ()
    columns = {str(item["name"]): column_name(item) for item in items}
    yield from _rules(element, pointer, field=None, steps=(), columns=columns)
    for index, item in enumerate(items):
        at, name = f"{pointer}/properties/{index}", column_name(item)
        yield from _rules(item, at, field=name, steps=(name,), columns=columns)
    for one in nested_elements(element, pointer):
        if not one.is_key:
            yield from _rules(
                one.element, one.pointer, field=one.label, steps=one.steps, columns={}
            )


def _rules(
    element: Mapping[str, Any],
    pointer: str,
    *,
    field: str | None,
    steps: Steps,
    columns: Mapping[str, str],
) -> Iterator[QualityRule]:
    for index, rule in enumerate(element.get("quality") or ()):
        metric = rule.get("metric") or rule.get("rule")
        kind = rule.get("type") or "library"
        arguments = dict(rule.get("arguments") or {})
        if metric == "validValues":
            arguments["validValues"] = valid_values(rule)
        operators: list[str | None] = [name for name in OPERATORS if name in rule]
        if kind == "library" and metric in _IMPLIED[1] and not operators:
            operators = [_IMPLIED[0]]
        for operator in operators or [None]:
            yield QualityRule(
                pointer=f"{pointer}/quality/{index}",
                kind=kind,
                metric=rule.get("query") if kind == "sql" else METRIC_NAMES.get(metric, metric),
                field=field,
                steps=steps,
                operator=operator,
                limit=rule.get(operator, 0) if operator else None,
                percent=unit_of(rule) == "percent",
                unit=unit_of(rule),
                severity=_severity(rule),
                arguments=_arguments(arguments, columns),
                name=rule.get("name") or rule.get("description") or "",
            )


def _arguments(given: Mapping[str, Any], columns: Mapping[str, str]) -> Mapping[str, Any]:
    """The arguments, with properties called as files call them."""
    names = given.get("properties")
    if not isinstance(names, list):
        return given
    return {**given, "properties": [columns.get(str(name), str(name)) for name in names]}


def _severity(rule: Mapping[str, Any]) -> str:
    said = str(rule.get("severity") or ERROR).strip().lower()
    return ERROR if said in _SEVERE else said


def unit_of(rule: Mapping[str, Any]) -> str:
    """`percent`, nothing for rows, or another word of the contract."""
    unit = str(rule.get("unit") or "").strip()
    return _UNITS.get(unit.lower(), unit)
