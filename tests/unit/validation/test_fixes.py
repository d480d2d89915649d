"""What a bad value was meant to be, and where in the contract the rule stands that it broke."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from jsonschema import Draft202012Validator

from mesh.checking import Check
from mesh.model.contract import DataContract
from mesh.schemas import load
from mesh.validation import NullSink

NAMES = ("id", "n", "b", "d", "t", "l", "c", "e", "secret")
PROPERTIES = [
    {"name": "id", "logicalType": "integer", "logicalTypeOptions": {"maximum": 99}},
    {"name": "n", "logicalType": "number"},
    {"name": "b", "logicalType": "boolean"},
    {"name": "d", "logicalType": "date"},
    {"name": "t", "logicalType": "timestamp"},
    {"name": "l", "logicalType": "timestamp", "logicalTypeOptions": {"timezone": False}},
    {"name": "c", "logicalType": "string", "logicalTypeOptions": {"pattern": "^[A-Z]{2}$"}},
    {"name": "e", "logicalType": "string", "enum": [{"value": "EU"}, {"value": "Asia"}]},
    {"name": "secret", "logicalType": "integer", "classification": "confidential"},
    {
        "name": "address",
        "logicalType": "object",
        "properties": [
            {"name": "zip", "logicalType": "string", "logicalTypeOptions": {"maxLength": 4}},
            {"name": "town", "physicalName": "city", "logicalType": "string", "required": True},
        ],
    },
    {
        "name": "lines",
        "logicalType": "array",
        "items": {
            "logicalType": "object",
            "properties": [{"name": "sku", "logicalType": "integer"}],
        },
    },
    {
        "name": "prices",
        "logicalType": "map",
        "map": {"key": {"logicalType": "string"}, "value": {"logicalType": "number"}},
    },
]


def receipt(data: bytes, *, file="a.csv", dialect=None, properties=PROPERTIES):
    custom = [{"property": "fileDialect", "value": dialect}] if dialect else []
    document = {
        "apiVersion": "v3.2.0",
        "kind": "DataContract",
        "id": "urn:test",
        "version": "1.0.0",
        "status": "active",
        "schema": [
            {
                "name": "rows",
                "logicalType": "object",
                "properties": [{"classification": "public", **one} for one in properties],
            }
        ],
        "customProperties": custom,
    }
    asked = Check(file=file, contract=DataContract.from_document(document), object_name="rows")
    made = asked.run([data], NullSink(), at=datetime(2026, 11, 23, tzinfo=UTC))
    Draft202012Validator(load("receipts/v1")).validate(made)
    return made["violations"]


def fixed(field: str, text: str, **how):
    properties = [one for one in PROPERTIES if one["name"] == field]
    row = '"' + text.replace('"', '""') + '"'
    found = receipt(f"{field}\n{row}\n".encode(), properties=properties, **how)
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize(
    ("field", "text", "fix", "says"),
    [
        ("id", "007", "7", "it is '007'. Write 7."),
        ("id", "+5", "5", "it is '+5'. Write 5."),
        ("id", " 8\u00a0", "8", "Write 8."),
        ("n", "-00.50", "-0.50", "Write -0.50."),
        ("b", "TRUE", "true", "it is 'TRUE'. Write true."),
        ("d", "2026/9/8", "2026-09-08", "Write '2026-09-08'."),
        ("d", "20260908", "2026-09-08", "Write '2026-09-08'."),
        ("d", "2026-09-08 00:00:00", "2026-09-08", "Write '2026-09-08'."),
        ("t", "2026-09-08 12:30z", "2026-09-08T12:30:00Z", "Write '2026-09-08T12:30:00Z'."),
        ("t", "2026-09-08 12:30:01+0200", "2026-09-08T12:30:01+02:00", "+02:00'."),
        ("l", "2026-09-08 12:30", "2026-09-08T12:30:00", "Write '2026-09-08T12:30:00'."),
        ("c", " CH", "CH", "it is ' CH'. Write 'CH'."),
        ("e", " asia ", "Asia", "Write 'Asia'."),
    ],
)
def test_what_was_meant(field, text, fix, says):
    found = fixed(field, text)

    assert found["fix"] == fix
    assert says in found["message"]


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("id", "0100"),  # beyond the maximum
        ("id", "x"),
        ("id", "1,000"),  # a thousand, or one
        ("n", ".5"),
        ("b", "yes"),
        ("d", "08/09/2026"),  # in September, or in August
        ("d", "2026-2-30"),
        ("d", "2026-09-08 12:30:00"),
        ("d", "2026908"),
        ("t", "2026-09-08T12:30:00"),  # where?
        ("l", "2026-09-08T12:30:00Z"),
        ("c", "ch"),
        ("c", "  "),
        ("e", "Europe"),
        ("secret", "007"),
    ],
)
def test_what_is_not_certain_is_not_told(field, text):
    found = fixed(field, text)

    assert "fix" not in found
    assert "Write" not in found["message"]


def test_numbers_and_booleans_are_as_the_dialect_has_them():
    assert "fix" not in fixed("n", "01.5", dialect={"decimalMark": ","})
    assert "fix" not in fixed("b", "TRUE", dialect={"trueTokens": ["J"], "falseTokens": ["N"]})


def test_the_rule_of_what_is_within_a_field_is_pointed_at():
    record = {
        "address": {"zip": "80001", "street": 1},
        "lines": [{"sku": 1}, {"sku": "02", "x": 1}],
        "prices": {"a": "1"},
    }

    found = receipt(json.dumps(record).encode(), file="a.jsonl")

    assert {one["field"]: (one["path"], one["value"], one.get("fix")) for one in found} == {
        "address.zip": (
            "/schema/0/properties/9/properties/0/logicalTypeOptions/maxLength",
            "80001",
            None,
        ),
        "address.city": ("/schema/0/properties/9/properties/1/required", None, None),
        "address.street": ("/schema/0/properties/9", "1", None),
        "lines[1].sku": ("/schema/0/properties/10/items/properties/0/logicalType", "02", "2"),
        "lines[1].x": ("/schema/0/properties/10/items", "1", None),
        "prices.a": ("/schema/0/properties/11/map/value/logicalType", "1", "1"),
    }


def test_a_type_that_is_a_format_is_pointed_at():
    assert fixed("d", "x")["path"] == "/schema/0/properties/0/logicalType"
    assert fixed("c", "x")["path"] == "/schema/0/properties/0/logicalTypeOptions/pattern"
