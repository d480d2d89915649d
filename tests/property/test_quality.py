"""Library metrics, against counting by hand: any values, any metric, any operator, any unit."""

from __future__ import annotations

import json
import re
from collections import Counter
from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.thorough import examples
from tests.unit.validation.files import contract, judge, unchecked_plan_of

VALUES = st.sampled_from([None, "", "a", "b", "B1", "n/a"])
NUMBERS = st.one_of(st.integers(0, 6), st.sampled_from([0.5, 12.5, 33.3, 50, 100]))
ARGUMENTS: dict[str, list[dict[str, Any]]] = {
    "nullValues": [{}],
    "missingValues": [{"missingValues": [None, "n/a"]}, {"missingValues": ["", "a"]}],
    "invalidValues": [
        {"validValues": ["a", "b"]},
        {"pattern": "^[a-z]$"},
        {"validValues": ["a", "B1", ""], "pattern": "^[a-zA-Z]"},
    ],
    "duplicateValues": [{}],
    "rowCount": [{}],
}
SINGLE = {
    "mustBe": lambda found, limit: found == limit,
    "mustNotBe": lambda found, limit: found != limit,
    "mustBeGreaterThan": lambda found, limit: found > limit,
    "mustBeGreaterOrEqualTo": lambda found, limit: found >= limit,
    "mustBeLessThan": lambda found, limit: found < limit,
    "mustBeLessOrEqualTo": lambda found, limit: found <= limit,
}
DOUBLE = {
    "mustBeBetween": lambda found, low, high: low <= found <= high,
    "mustNotBeBetween": lambda found, low, high: not low <= found <= high,
}


@st.composite
def rules(draw: st.DrawFn) -> dict[str, Any]:
    metric = draw(st.sampled_from(sorted(ARGUMENTS)))
    rule: dict[str, Any] = {"metric": metric}
    if arguments := draw(st.sampled_from(ARGUMENTS[metric])):
        rule["arguments"] = arguments
    if metric != "rowCount":
        rule |= draw(st.sampled_from([{}, {"unit": "rows"}, {"unit": "percent"}, {"unit": "%"}]))
    rule |= draw(st.sampled_from([{}, {"severity": "error"}, {"severity": "warning"}]))
    operator = draw(st.sampled_from([*SINGLE, *DOUBLE]))
    if operator in SINGLE:
        return {**rule, operator: draw(NUMBERS)}
    low, high = sorted(draw(st.lists(NUMBERS, min_size=2, max_size=2, unique=True)))
    return {**rule, operator: [low, high]}


def counted(rule: dict[str, Any], values: list[str | None]) -> int:
    """What the metric says of these values, by its description in the standard."""
    arguments = rule.get("arguments", {})
    match rule["metric"]:
        case "rowCount":
            return len(values)
        case "nullValues":
            return values.count(None)
        case "missingValues":
            missing = arguments["missingValues"]
            # In these files null is the empty text: who names one means the other.
            missing = {*missing, None} if "" in missing else set(missing)
            return sum(value in missing for value in values)
        case "duplicateValues":
            times = Counter(value for value in values if value is not None)
            return sum(count - 1 for count in times.values())
    valid, pattern = arguments.get("validValues"), arguments.get("pattern")
    return sum(
        value is not None
        and (
            (valid is not None and value not in valid)
            or (pattern is not None and not re.search(pattern, value))
        )
        for value in values
    )


def holds(rule: dict[str, Any], values: list[str | None]) -> bool:
    count: Fraction = Fraction(counted(rule, values))
    if rule.get("unit") in {"percent", "%"}:
        count = count * 100 / len(values)
    [operator] = [name for name in rule if name in SINGLE or name in DOUBLE]
    limit = rule[operator]
    if operator in DOUBLE:
        return DOUBLE[operator](count, *(Fraction(str(one)) for one in limit))
    return SINGLE[operator](count, Fraction(str(limit)))


@settings(max_examples=examples(150))
@given(st.lists(VALUES, min_size=1, max_size=12), rules())
def test_a_rule_holds_exactly_when_counting_says_so(
    values: list[str | None], rule: dict[str, Any]
) -> None:
    field = {"name": "v", "logicalType": "string"}
    at_object = rule["metric"] == "rowCount"
    properties = [{"name": "n", "logicalType": "integer"}, field | {"quality": [rule]}]
    if at_object:
        properties[1] = field
    more = {"quality": [rule]} if at_object else {}
    plan = unchecked_plan_of(contract(properties, **more))
    # A CSV file holds no empty text that is not null; a JSON file does.
    cells = [value or None for value in values]
    csv = "n,v\n" + "".join(f"{n},{value or ''}\n" for n, value in enumerate(cells))
    lines = "".join(json.dumps({"n": n, "v": value}) + "\n" for n, value in enumerate(values))
    severe = rule.get("severity") != "warning"

    for name, text, expected in (
        ("rows.csv", csv, holds(rule, cells)),
        ("rows.jsonl", lines, holds(rule, values)),
    ):
        report = judge(plan, text.encode(), name).report
        assert (report.verdict == "accepted") is (expected or not severe)
        assert len(report.problems) == (not expected and severe)
        assert len(report.warnings) == (not expected and not severe)
