"""Quality rules of the ODCS library, in both formats, with the fast path and without it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mesh.validation import ValidationReport
from tests.unit.validation.files import Outcome, contract, judge, plan_of

ROWS: list[dict[str, Any]] = [
    {"id": 1, "code": "a", "n": 1},
    {"id": 2, "code": "b", "n": None},
    {"id": 3, "code": "a", "n": 1.0},
    {"id": 4, "code": "n/a", "n": None},
    {"id": 5, "code": None, "n": 2.5},
]


def outcome(rule: dict[str, Any], field: str | None, name: str) -> Outcome:
    properties: list[dict[str, Any]] = [
        {"name": "id", "logicalType": "integer", "primaryKey": True},
        {"name": "code", "logicalType": "string"},
        {"name": "n", "logicalType": "number"},
    ]
    more: dict[str, Any] = {}
    if field:
        next(item for item in properties if item["name"] == field)["quality"] = [rule]
    else:
        more["quality"] = [rule]
    plan = plan_of(contract(properties, **more))
    lines = [json.dumps(row) for row in ROWS]
    if name.endswith(".csv"):
        cells = (["" if value is None else str(value) for value in row.values()] for row in ROWS)
        lines = ["id,code,n", *(",".join(row) for row in cells)]
    return judge(plan, ("\n".join(lines) + "\n").encode(), name)


CASES: list[tuple[dict[str, Any], str | None, int]] = [
    ({"metric": "rowCount"}, None, 5),
    ({"metric": "nullValues"}, "n", 2),
    ({"metric": "nullValues", "unit": "percent"}, "n", 40),
    ({"metric": "missingValues", "arguments": {"missingValues": ["n/a", ""]}}, "code", 2),
    ({"metric": "missingValues", "arguments": {"missingValues": ["n/a"]}}, "code", 1),
    ({"metric": "invalidValues", "arguments": {"validValues": ["a", "b"]}}, "code", 1),
    ({"metric": "invalidValues", "arguments": {"validValues": [1]}}, "n", 1),
    ({"metric": "invalidValues", "arguments": {"pattern": "^[a-z]$"}}, "code", 1),
    ({"metric": "duplicateValues"}, "code", 1),
    ({"metric": "duplicateValues", "unit": "percent"}, "n", 20),
    ({"metric": "duplicateValues", "arguments": {"properties": ["code", "n"]}}, None, 1),
]


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl"])
@pytest.mark.parametrize(("rule", "field", "count"), CASES, ids=[str(case[0]) for case in CASES])
def test_a_metric_counts_what_it_says(
    rule: dict[str, Any], field: str | None, count: int, name: str
) -> None:
    assert outcome({**rule, "mustBe": count}, field, name).report.problems == ()
    found = outcome({**rule, "mustBe": count + 1}, field, name).report
    assert found.verdict == "rejected"
    assert [problem.rule for problem in found.problems] == ["quality"]
    ending = (
        f"must be {count + 1} percent; it is {count} percent."
        if "unit" in rule
        else (f"must be {count + 1}; it is {count}.")
    )
    assert found.problems[0].message.endswith(ending)


@pytest.mark.parametrize(
    ("operator", "good", "bad"),
    [
        ("mustBe", 2, 1),
        ("mustNotBe", 1, 2),
        ("mustBeGreaterThan", 1, 2),
        ("mustBeGreaterOrEqualTo", 2, 3),
        ("mustBeLessThan", 3, 2),
        ("mustBeLessOrEqualTo", 2, 1),
        ("mustBeBetween", [1, 2], [3, 4]),
        ("mustNotBeBetween", [3, 4], [1, 2]),
    ],
)
def test_every_operator_compares(operator: str, good: Any, bad: Any) -> None:
    rule = {"metric": "nullValues", "name": "Counted"}
    assert outcome({**rule, operator: good}, "n", "rows.csv").report.verdict == "accepted"
    problems = outcome({**rule, operator: bad}, "n", "rows.csv").report.problems
    assert problems[0].message.startswith("Counted: the number of null values in n must")


@pytest.mark.parametrize("severity", ["error", "Error", "ERROR", None])
def test_an_error_rejects_however_it_is_written(severity: str | None) -> None:
    rule = {"metric": "nullValues", "mustBe": 0} | ({"severity": severity} if severity else {})

    assert outcome(rule, "n", "rows.csv").report.verdict == "rejected"


def test_properties_are_counted_by_the_names_that_files_have() -> None:
    properties = [
        {"name": "one", "physicalName": "A", "logicalType": "string"},
        {"name": "two", "physicalName": "B", "logicalType": "string"},
    ]
    twice = {"metric": "duplicateValues", "mustBe": 0, "arguments": {"properties": ["one", "two"]}}
    plan = plan_of(contract(properties, quality=[twice]))

    report = judge(plan, b"A,B\nx,y\nx,z\nx,y\n", "rows.csv").report

    assert [problem.message for problem in report.problems] == [
        "The number of repeated values must be 0; it is 1."
    ]


def test_each_operator_of_a_rule_of_3_0_counts() -> None:
    rule = {"rule": "rowCountCheck", "mustBeGreaterThan": 1, "mustBeLessThan": 3}
    document = contract([{"name": "a", "logicalType": "string"}], quality=[rule])
    plan = plan_of({**document, "apiVersion": "v3.0.2"})

    found = [judge(plan, b"a\n" + b"x\n" * rows, "rows.csv").report for rows in (1, 2, 3)]

    assert [report.verdict for report in found] == ["rejected", "accepted", "rejected"]


def test_a_lesser_severity_warns() -> None:
    rule = {"metric": "nullValues", "mustBe": 0, "severity": "warning"}
    report = outcome(rule, "n", "rows.csv").report
    assert (report.verdict, report.problems) == ("accepted", ())
    assert report.warnings[0].message == "The number of null values in n must be 0; it is 2."


def test_a_rule_that_is_not_checked_is_said_to_be() -> None:
    rule = {"type": "custom", "engine": "soda", "implementation": "checks: []"}
    report = outcome(rule, None, "rows.csv").report
    assert report.verdict == "accepted"
    assert report.warnings[0].message == (
        "The custom quality rule at /schema/0/quality/0 was not checked."
    )


def judged_by_3_0(rule: dict[str, Any], *, at_object: bool = False) -> ValidationReport:
    field = {"name": "a", "logicalType": "string"} | ({} if at_object else {"quality": [rule]})
    document = contract([field], api_version="v3.0.2", **({"quality": [rule]} if at_object else {}))
    return judge(plan_of(document), b'a\nx\nx\n""\n', "rows.csv").report


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"rule": "nullCheck"}, "The number of null values in a must be 0; it is 1."),
        ({"rule": "uniqueCheck"}, "The number of repeated values in a must be 0; it is 1."),
        (
            {"rule": "validValues", "validValues": ["y"]},
            "The number of invalid values in a must be 0; it is 2.",
        ),
        (
            {"rule": "validValues", "arguments": {"validValues": ["y"]}, "mustBeLessThan": 2},
            "The number of invalid values in a must be less than 2; it is 2.",
        ),
    ],
)
def test_rules_of_3_0_that_need_no_operator(rule: dict[str, Any], said: str) -> None:
    assert [problem.message for problem in judged_by_3_0(rule).problems] == [said]


@pytest.mark.parametrize(
    ("rule", "at_object"),
    [({"rule": "minCheck", "mustBe": 0}, False), ({"rule": "countCheck"}, True)],
)
def test_a_rule_of_3_0_that_says_too_little_is_said_to_be_unchecked(
    rule: dict[str, Any], at_object: bool
) -> None:
    report = judged_by_3_0(rule, at_object=at_object)

    assert report.verdict == "accepted"
    assert "was not checked." in report.warnings[0].message
    assert "library quality rule" in report.warnings[0].message
