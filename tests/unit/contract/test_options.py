"""Options, enums and parts of a property, by its logical type: what they say, and cannot say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mesh.model.contract_check import check_contract
from tests.unit.validation.files import contract, judge, plan_of

AT = "/schema/0/properties/0"
OPTIONS = f"{AT}/logicalTypeOptions"


def of(kind: str | None, options: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    given = {"logicalType": kind} if kind else {}
    return {"name": "a", **given} | ({"logicalTypeOptions": options} if options else {}) | more


def keyed(key: dict[str, Any]) -> dict[str, Any]:
    return of("map", map={"key": key, "value": {"logicalType": "integer"}})


def dated(layout: str, **options: Any) -> dict[str, Any]:
    return of("timestamp", {"format": layout, **options})


CASES: list[tuple[dict[str, Any], str, str, str, str]] = [
    (of("boolean", {"minLength": 1}), "3.2", OPTIONS, "odcs.options", "no options of a boolean"),
    (
        of("vector"),
        "3.2",
        AT,
        "odcs.vector",
        "The vector does not say how many numbers it has.",
    ),
    (
        of(None, properties=[{"name": "b", "logicalType": "string"}]),
        "3.1",
        AT,
        "odcs.logicalType",
        "The property has `properties` and is no object: that would not be checked.",
    ),
    (
        of(None, items={"logicalType": "string"}),
        "3.0",
        AT,
        "odcs.logicalType",
        "The property has `items` and is no array: that would not be checked.",
    ),
    (
        of("date", {"minimum": "2026-13-45"}),
        "3.2",
        f"{OPTIONS}/minimum",
        "odcs.bounds",
        "minimum '2026-13-45' is not written as a date.",
    ),
    (
        of("time", {"exclusiveMaximum": "2026-01-01"}),
        "3.1",
        f"{OPTIONS}/exclusiveMaximum",
        "odcs.bounds",
        "exclusiveMaximum '2026-01-01' is not written as a time.",
    ),
    (
        of("date", {"minimum": "2026-01-02", "maximum": "2026-01-01"}),
        "3.2",
        f"{OPTIONS}/minimum",
        "odcs.bounds",
        "minimum 2026-01-02 is above maximum 2026-01-01: no value could pass.",
    ),
    (
        of("date", {"format": "dd.MM.yyyy", "minimum": "02.01.2026", "maximum": "01.02.2025"}),
        "3.2",
        f"{OPTIONS}/minimum",
        "odcs.bounds",
        "minimum 02.01.2026 is above maximum 01.02.2025: no value could pass.",
    ),
    (
        of("integer", {"exclusiveMinimum": 5, "maximum": 5}),
        "3.2",
        f"{OPTIONS}/exclusiveMinimum",
        "odcs.bounds",
        "exclusiveMinimum 5 is not below maximum 5: no value could pass.",
    ),
    (
        of("integer", {"exclusiveMinimum": True}),
        "3.0",
        f"{OPTIONS}/exclusiveMinimum",
        "odcs.bounds",
        "exclusiveMinimum is true, and there is no minimum for it to be about.",
    ),
    (
        dated("yyyy-MM-dd HH:mm", timezone=True),
        "3.2",
        f"{OPTIONS}/timezone",
        "odcs.timezone",
        "timezone is true, and the layout 'yyyy-MM-dd HH:mm' has no offset.",
    ),
    (
        dated("yyyy-MM-dd HH:mmXXX", timezone=False),
        "3.2",
        f"{OPTIONS}/timezone",
        "odcs.timezone",
        "timezone is false, and the layout 'yyyy-MM-dd HH:mmXXX' has an offset.",
    ),
    (
        of("date", enum=[{"value": "2026-02-30"}]),
        "3.2",
        f"{AT}/enum/0/value",
        "odcs.enum.type",
        "The enum value '2026-02-30' is no date: no record could hold it.",
    ),
    (
        of("integer", enum=[{"value": 1.5}]),
        "3.2",
        f"{AT}/enum/0/value",
        "odcs.enum.type",
        "The enum value 1.5 is no integer: no record could hold it.",
    ),
    (
        keyed({"logicalType": "integer", "logicalTypeOptions": {"minimum": 1}}),
        "3.2",
        f"{AT}/map/key",
        "odcs.map.key",
        "Keys of maps are texts in files: they cannot be checked as integer with options.",
    ),
    (
        keyed({"logicalType": "object"}),
        "3.2",
        f"{AT}/map/key",
        "odcs.map.key",
        "Keys of maps are texts in files: they cannot be checked as object.",
    ),
    (
        of("number", semanticType="measure", transformLogic="SUM(x)", required=True),
        "3.2",
        f"{AT}/required",
        "odcs.measure",
        "A measure is computed, and no column of a file: it cannot be `required`.",
    ),
    (
        of("integer", physicalName="a\nb"),
        "3.2",
        f"{AT}/physicalName",
        "contract.property.name",
        "physicalName 'a\\nb' cannot be what a field is called in files.",
    ),
    (
        of("integer") | {"name": " "},
        "3.2",
        f"{AT}/name",
        "contract.property.name",
        "name ' ' cannot be what a field is called in files.",
    ),
    (
        of("object", properties=[of("string", partitioned=True)]),
        "3.2",
        f"{AT}/properties/0/partitioned",
        "odcs.partitioned.nested",
        "'a.a' is within a field: data is parted by fields at the top of records.",
    ),
    (
        of("integer", quality=[{"metric": "nullValues", "mustBe": 0, "unit": "days"}]),
        "3.2",
        f"{AT}/quality/0/unit",
        "odcs.quality.unit",
        "nullValues counts rows, or a share of them; 'days' is neither.",
    ),
    (
        of("integer", primaryKeyPosition=1),
        "3.1",
        f"{AT}/primaryKeyPosition",
        "odcs.primaryKey.position",
        "The property has a primaryKeyPosition and no `primaryKey: true`.",
    ),
    (
        of("integer", partitioned=False, partitionKeyPosition=1),
        "3.1",
        f"{AT}/partitionKeyPosition",
        "odcs.partitioned.position",
        "The property has a partitionKeyPosition and no `partitioned: true`.",
    ),
]


@pytest.mark.parametrize(("field", "version", "path", "rule", "said"), CASES)
def test_what_the_schema_admits_and_cannot_be(
    field: dict[str, Any], version: str, path: str, rule: str, said: str
) -> None:
    [finding] = check_contract(contract([field], api_version=f"v{version}.0"), file="c")

    assert (finding.path, finding.rule) == (path, rule)
    assert said in finding.message
    assert finding.remedy


def verdicts(field: dict[str, Any], *values: Any, version: str = "3.2") -> list[bool]:
    """Which of the values are good."""
    text = "".join(json.dumps({"a": value}) + "\n" for value in values).encode()
    plan = plan_of(contract([field], api_version=f"v{version}.0"))
    bad = {row for row, _, _ in judge(plan, text, "rows.jsonl").named}
    return [row not in bad for row in range(1, len(values) + 1)]


@pytest.mark.parametrize("kind", ["timestamp", "date"])
@pytest.mark.parametrize(
    ("layout", "good", "bad"),
    [
        ("yyyy-MM-ddTHH:mm:ssZ", "2024-03-10T14:22:35+10:00", "2024-03-10T14:22:35"),
        ("YYYY-MM-DDTHH:mm:ss.SSSZ", "2024-03-10T14:22:35.123Z", "2024-03-10"),
        ("yyyy-MM-ddTHH:mm:ss", "2024-03-10T14:22:35", "2024-03-10T14:22:35Z"),
    ],
)
def test_layouts_of_the_standards_own_examples_are_those_of_rfc_3339(
    kind: str, layout: str, good: str, bad: str
) -> None:
    """Java has no letter T; the standard's text has it in each example."""
    version = "3.0" if kind == "date" else "3.2"
    assert verdicts(of(kind, {"format": layout}), good, bad, version=version) == [True, False]


def test_an_offset_that_is_always_the_same_is_one() -> None:
    field = dated("yyyy-MM-dd'T'HH:mm:ss'Z'", timezone=True)

    assert verdicts(field, "2024-03-10T14:22:35Z", "2024-03-10T14:22:35+01:00") == [True, False]


def test_what_an_object_requires_is_called_as_in_files() -> None:
    field = of(
        "object",
        {"required": ["code"]},
        properties=[{"name": "code", "physicalName": "CODE", "logicalType": "string"}],
    )

    assert verdicts(field, {"CODE": "x"}, {}) == [True, False]


@pytest.mark.parametrize(
    ("key", "good", "bad"),
    [
        ({"logicalType": "integer"}, "-12", "1.5"),
        ({"logicalType": "integer", "enum": [{"value": 7}]}, "7", "8"),
        ({"logicalType": "number"}, "1.5e3", "1,5"),
        ({"logicalType": "boolean"}, "true", "yes"),
        ({"logicalType": "date"}, "2026-01-31", "2026-02-31"),
    ],
)
def test_keys_of_maps_are_texts_that_stand_for_values(
    key: dict[str, Any], good: str, bad: str
) -> None:
    assert verdicts(keyed(key), {good: 1}, {bad: 1}) == [True, False]


@pytest.mark.parametrize(
    ("unit", "verdict"),
    [("rows", "accepted"), ("pct", "rejected"), ("Percentage", "rejected"), ("%", "rejected")],
)
def test_a_share_may_be_called_by_other_words(unit: str, verdict: str) -> None:
    rule = {"metric": "nullValues", "mustBeLessThan": 5, "unit": unit}

    report = judge(plan_of(contract([of("integer", quality=[rule])])), b"a\n1\n\n").report

    assert report.verdict == verdict


@pytest.mark.parametrize(
    ("severity", "verdict"),
    [(None, "rejected"), ("Critical", "rejected"), ("blocker", "rejected"), ("info", "accepted")],
)
def test_a_rule_that_is_as_severe_as_an_error_rejects(severity: str | None, verdict: str) -> None:
    rule = {"metric": "nullValues", "mustBe": 0} | ({"severity": severity} if severity else {})

    report = judge(plan_of(contract([of("integer", quality=[rule])])), b"a\n1\n\n").report

    assert report.verdict == verdict
    assert len(report.warnings) == (verdict == "accepted")
