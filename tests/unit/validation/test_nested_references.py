"""Foreign keys that start, or end, within objects, lists and maps: in every format of records."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import date
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from mesh.model.contract_check import check_contract
from mesh.validation import Plan, Reference
from tests.unit.validation.files import Outcome, contract, judge, plan_of
from tests.unit.validation.test_nested_rules import FORMATS, written

TEXT = {"logicalType": "string"}
ITEMS = "../items/items.odcs.yaml#/schema/items/properties"


def pointing(to: str, **check: Any) -> dict[str, Any]:
    about = [{"property": "referenceCheck", "value": check}] if check else []
    return {"relationships": [{"to": to, "customProperties": about}]}


def properties(**check: Any) -> list[dict[str, Any]]:
    """Like those of `test_nested_rules`, pointing where those must be unique."""
    code = {"name": "code", "physicalName": "CODE", **TEXT}
    sku = {"name": "sku", **TEXT}
    return [
        {"name": "id", "logicalType": "integer", "primaryKey": True},
        {
            "name": "address",
            "logicalType": "object",
            "properties": [code | pointing(f"{ITEMS}/code", **check)],
        },
        {
            "name": "lines",
            "logicalType": "array",
            "items": {
                "logicalType": "object",
                "properties": [
                    sku | pointing(f"{ITEMS}/code", **check),
                    {"name": "n", "logicalType": "integer"},
                ],
            },
        },
    ]


ROWS: list[dict[str, Any]] = [
    {"id": 1, "address": {"CODE": "a"}, "lines": [{"sku": "a", "n": 1}, {"sku": "b", "n": None}]},
    {"id": 2, "address": {"CODE": "x"}, "lines": []},
    {"id": 3, "address": None, "lines": None},
    {"id": 4, "address": {"CODE": None}, "lines": [{"sku": None, "n": 1}]},
    {"id": 5, "address": {"CODE": "b"}, "lines": [{"sku": "y", "n": 2}, {"sku": "y", "n": 3}]},
    {"id": 5, "address": {"CODE": "b"}, "lines": [{"sku": "a", "n": 4}]},
]
CODE, SKU = (
    f"/schema/0/properties/{place}/relationships/0"
    for place in ("1/properties/0", "2/items/properties/0")
)


def published(table: pa.Table) -> bytes:
    file = io.BytesIO()
    parquet.write_table(table, file)
    return file.getvalue()


def with_references(plan: Plan, table: pa.Table, *ways: tuple[str, ...]) -> Plan:
    """The plan, whose relationships point at these columns, those of the first unless told."""
    found = {}
    for one in plan.relationships:
        columns = ways or ((table.column_names[0],),)
        found[one.pointer] = Reference(plan, one, label="items (code)", columns=columns)
        found[one.pointer].fill([published(table)])
    return replace(plan, references=found)


def outcome_of(plan: Plan, kind: str = "jsonl", rows: Any = ROWS) -> Outcome:
    return judge(plan, written(kind, rows), f"rows.{kind}", chunk=50)


@pytest.mark.parametrize("kind", FORMATS)
def test_each_value_that_points_at_nothing_is_told_with_its_place(kind: str) -> None:
    plan = with_references(plan_of(contract(properties())), pa.table({"code": ["a", "b"]}))

    outcome = outcome_of(plan, kind)

    assert [(v["row"], v["field"], v["rule"], v["path"]) for v in outcome.violations] == [
        (2, "address.CODE", "relationship", CODE),
        (5, "lines[0].sku", "relationship", SKU),
        (5, "lines[1].sku", "relationship", SKU),
        (6, "id", "primaryKey", "/schema/0/properties/0/primaryKey"),
    ]
    assert [v["message"] for v in outcome.violations][1] == (
        "lines[0].sku must point at a record of items (code); 'y' is not there."
    )
    assert outcome.report.warnings == ()


def test_a_relationship_that_only_warns_counts_records() -> None:
    plan = plan_of(contract(properties(severity="warning")))
    plan = with_references(plan, pa.table({"code": ["a", "b"]}))

    outcome = judge(plan, written("parquet", ROWS[:5]), "rows.parquet", chunk=1 << 20)

    assert outcome.violations == []
    told = [warning.message for warning in outcome.report.warnings]
    assert len(told) == 2
    assert "lines[].sku: " in told[1]
    assert "the first is row 5." in told[1]


def test_a_relationship_that_nothing_is_given_for_leaves_a_warning() -> None:
    plan = plan_of(contract(properties()))

    outcome = outcome_of(plan, rows=ROWS[:5])

    assert outcome.violations == []
    assert [warning.message for warning in outcome.report.warnings] == [
        f"The relationship of {field} to items items (code) was not checked: there was "
        "nothing to check it against."
        for field in ("address.CODE", "lines[].sku")
    ]


def test_values_of_what_is_classified_are_masked() -> None:
    listed = properties()
    listed[1]["properties"][0]["classification"] = "restricted"
    plan = with_references(plan_of(contract(listed)), pa.table({"code": ["a", "b", "y"]}))

    [found] = outcome_of(plan, rows=ROWS[:4]).violations

    assert found["value"] == "***"
    assert found["message"] == (
        "address.CODE must point at a record of items (code); the value is not there."
    )


def composite(*names: str) -> dict[str, Any]:
    shop = [{"name": "id", **TEXT}, {"name": "floor", "logicalType": "integer"}]
    return contract(
        [{"name": "no", **TEXT}, {"name": "shop", "logicalType": "object", "properties": shop}],
        relationships=[{"from": list(names), "to": [f"{ITEMS}/{name}" for name in "cf"]}],
    )


def test_several_fields_within_objects_point_together() -> None:
    plan = plan_of(composite("rows.shop.id", "rows.shop.floor"))
    table = pa.table({"c": ["A", "B"], "f": [1.0, 2.0]})
    rows = [
        {"no": "1", "shop": {"id": "A", "floor": 1}},
        {"no": "2", "shop": {"id": "A", "floor": 2}},
        {"no": "3", "shop": {"id": "A", "floor": None}},
        {"no": "4", "shop": None},
    ]

    outcome = outcome_of(with_references(plan, table, ("c",), ("f",)), rows=rows)

    [found] = outcome.violations
    assert (found["row"], found["field"], found["value"]) == (2, "shop.id, shop.floor", "A, 2")


@pytest.mark.parametrize("as_json", [False, True])
def test_what_is_pointed_at_may_be_within_objects(as_json: bool) -> None:
    """Published as a struct; or as JSON, where a value of the object fits no column."""
    document = contract([{"name": "code", **TEXT, **pointing(f"{ITEMS}/about/properties/code")}])
    held: Any = [{"code": "a"}, {"code": None}, None]
    texts = ['{"code": "a"}', '{"code": null}', None]
    table = pa.table({"about": texts if as_json else held})
    plan = with_references(plan_of(document), table, ("about", "code"))

    outcome = outcome_of(plan, rows=[{"code": "a"}, {"code": "z"}, {"code": None}])

    assert outcome.named == [(2, "code", "relationship")]


def test_a_field_that_is_not_in_the_object_is_not_published() -> None:
    plan = plan_of(contract([{"name": "code", **TEXT, **pointing(f"{ITEMS}/code")}]))

    with pytest.raises(KeyError):
        with_references(plan, pa.table({"about": [{"kode": "a"}]}), ("about", "code"))


@pytest.mark.parametrize(
    ("kind", "there", "value"),
    [
        ("number", 2.5, "x"),
        ("number", 2.5, True),
        ("number", 2.5, [1]),
        ("date", date(2026, 1, 31), 120260131),
        ("date", date(2026, 1, 31), False),
    ],
)
def test_values_of_another_type_are_refused_for_that_alone(
    kind: str, there: Any, value: Any
) -> None:
    options = {"logicalTypeOptions": {"format": "yyyyMMdd"}} if kind == "date" else {}
    document = contract([{"name": "n", "logicalType": kind, **options, **pointing(f"{ITEMS}/n")}])
    plan = with_references(plan_of(document), pa.table({"n": [there]}))

    outcome = outcome_of(plan, rows=[{"n": "20260131" if options else there}, {"n": value}])

    assert outcome.named == [(2, "n", "type")]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (composite("rows.shop.id", "rows.shop.level"), "it starts from no field of the object"),
        (
            contract(
                [
                    {
                        "name": "prices",
                        "logicalType": "map",
                        "map": {
                            "key": TEXT | pointing(f"{ITEMS}/code"),
                            "value": {"logicalType": "number"},
                        },
                    }
                ]
            ),
            "the keys of a map are no field",
        ),
    ],
)
def test_what_has_no_field_to_start_from_is_refused(document: dict[str, Any], said: str) -> None:
    [finding] = check_contract(document, file="contract")

    assert finding.message == f"The relationship cannot be followed: {said}."
    assert "A property within a list or a map has its relationships itself." in finding.remedy
