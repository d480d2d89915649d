"""Findings about contract documents: all at once, each with where, what and what to do."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from mesh.model.contract import DataContract, major_version, record_schema
from mesh.model.contract_check import check_contract
from tests.unit.validation.files import contract


def prop(**values: Any) -> dict[str, Any]:
    return contract([{"name": "a", "logicalType": "string", **values}])


def changed(**values: Any) -> dict[str, Any]:
    return {**contract([{"name": "a", "logicalType": "string"}]), **values}


def whole(**values: Any) -> dict[str, Any]:
    document = changed()
    document["schema"] = [{**document["schema"][0], **values}]
    return document


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in changed().items() if key != name}


OPTIONS = "/schema/0/properties/0/logicalTypeOptions"
AT = "/schema/0/properties/0"
TEXT = {"logicalType": "string"}
PART = {"name": "x", **TEXT, "primaryKey": True}
CASES: list[tuple[str, object, str, str, str]] = [
    ("a list", [], "", "contract.object", "is a list, not a mapping"),
    ("something else", {"a": 1}, "", "contract.unknown", "neither an ODCS data contract"),
    ("an old version", changed(apiVersion="v2.2.0"), "/apiVersion", "odcs.apiVersion", "'v2.2.0'"),
    ("no version of ODCS", without("apiVersion"), "", "odcs.apiVersion", "None is not a version"),
    ("no id", without("id"), "", "odcs.schema.required", "'id' is required here and missing."),
    ("no schema", without("schema"), "", "odcs.schema", "describes no data"),
    ("an empty schema", changed(schema=[]), "/schema", "odcs.schema", "describes no data"),
    ("a wrong type", changed(id=3), "/id", "odcs.schema.type", "is an integer; it must be string."),
    ("a wrong kind", changed(kind="X"), "/kind", "odcs.schema.enum", "'X' is not one of"),
    ("unknown", changed(foo=1), "", "odcs.schema.additionalProperties", "knows no foo."),
    ("no major", changed(version="next"), "/version", "contract.version", "major number"),
    (
        "a name for no path",
        changed(schema=[{"name": "../a", "properties": [{"name": "a", "logicalType": "string"}]}]),
        "/schema/0/name",
        "contract.object.name",
        "cannot stand in the path",
    ),
    ("no properties", changed(schema=[{"name": "a"}]), "/schema/0", "odcs.properties", "no record"),
    (
        "objects of one name",
        changed(schema=contract([{"name": "a", "logicalType": "string"}])["schema"] * 2),
        "/schema/1/name",
        "odcs.object.duplicate",
        "Two objects are called 'rows'",
    ),
    (
        "properties of one name",
        contract([{"name": n, "physicalName": "x", "logicalType": "string"} for n in "ab"]),
        "/schema/0/properties/1/name",
        "odcs.property.duplicate",
        "Two properties are called 'x'",
    ),
    (
        "key positions",
        contract(
            [
                {"name": n, "logicalType": "string", "primaryKey": True, "primaryKeyPosition": 1}
                for n in "ab"
            ]
        ),
        "/schema/0/properties/1/primaryKeyPosition",
        "odcs.primaryKey.position",
        "'a' already has position 1",
    ),
    (
        "a primary key within an object",
        prop(logicalType="object", properties=[PART]),
        f"{AT}/properties/0/primaryKey",
        "odcs.primaryKey.nested",
        "'a.x' is within a field",
    ),
    (
        "a primary key within a list",
        prop(
            logicalType="array",
            items={"logicalType": "object", "properties": [PART]},
        ),
        f"{AT}/items/properties/0/primaryKey",
        "odcs.primaryKey.nested",
        "'a[].x' is within a field",
    ),
    (
        "unique keys of a map",
        prop(logicalType="map", map={"key": {**TEXT, "unique": True}, "value": TEXT}),
        f"{AT}/map/key/unique",
        "odcs.unique.map",
        "The keys of 'a' never repeat within a map",
    ),
    (
        "a quality rule on keys of a map",
        prop(
            logicalType="map",
            map={
                "key": {**TEXT, "quality": [{"metric": "nullValues", "mustBe": 0}]},
                "value": TEXT,
            },
        ),
        f"{AT}/map/key/quality",
        "odcs.quality.map",
        "The keys of 'a' are not counted",
    ),
    (
        "properties of a property's rule",
        prop(
            quality=[
                {
                    "metric": "duplicateValues",
                    "mustBe": 0,
                    "arguments": {"properties": ["a"]},
                }
            ]
        ),
        f"{AT}/quality/0/arguments",
        "odcs.quality.arguments",
        "counts the values of that property alone",
    ),
    (
        "valid values of 3.0 that are none",
        {
            **prop(quality=[{"rule": "validValues", "validValues": "x"}]),
            "apiVersion": "v3.0.2",
        },
        f"{AT}/quality/0",
        "odcs.quality.arguments",
        "invalidValues has neither valid values nor a pattern",
    ),
    (
        "two operators",
        prop(quality=[{"metric": "nullValues", "mustBe": 0, "mustNotBe": 1}]),
        f"{AT}/quality/0",
        "odcs.quality.operator",
        "exactly one operator; this one has mustBe and mustNotBe.",
    ),
    (
        "no operator",
        prop(quality=[{"metric": "nullValues"}]),
        f"{AT}/quality/0",
        "odcs.quality.operator",
        "this one has none.",
    ),
    (
        "an operator's limit",
        prop(quality=[{"metric": "nullValues", "mustBeLessThan": "x"}]),
        f"{AT}/quality/0",
        "odcs.quality.operator",
        "The limit of mustBeLessThan is 'x'",
    ),
    (
        "a type's options",
        prop(logicalTypeOptions={"minimum": 1}),
        OPTIONS,
        "odcs.schema.additionalProperties",
        "knows no minimum.",
    ),
    (
        "bounds",
        prop(logicalTypeOptions={"minLength": 3, "maxLength": 2}),
        f"{OPTIONS}/minLength",
        "odcs.bounds",
        "minLength 3 is above maxLength 2: no value could pass.",
    ),
    (
        "a pattern",
        prop(logicalTypeOptions={"pattern": "(?i)a"}),
        f"{OPTIONS}/pattern",
        "contract.pattern",
        "(?i is not ECMA-262",
    ),
    (
        "a layout",
        prop(logicalType="date", logicalTypeOptions={"format": "YYYY-ww"}),
        f"{OPTIONS}/format",
        "contract.layout",
        "'YYYY' is not a field this reader knows",
    ),
    (
        "a bound in another layout",
        prop(logicalType="date", logicalTypeOptions={"format": "dd.MM.yyyy", "minimum": "2020"}),
        f"{OPTIONS}/minimum",
        "odcs.bounds",
        "minimum '2020' is not written in the field's own layout",
    ),
    (
        "an enum of another type",
        prop(logicalType="integer", enum=[{"value": "1"}]),
        f"{AT}/enum/0/value",
        "odcs.enum.type",
        "The enum value '1' is no integer",
    ),
    (
        "no logical type in 3.2",
        contract([{"name": "a"}]),
        AT,
        "odcs.logicalType",
        "has no logicalType",
    ),
    (
        "an unknown setting",
        changed(customProperties=[{"property": "fileDialect", "value": {"separatr": ";"}}]),
        "/customProperties/0/value",
        "profile.fileDialect",
        "'separatr' was unexpected",
    ),
    (
        "a separator of two characters",
        changed(customProperties=[{"property": "fileDialect", "value": {"separator": "::"}}]),
        "/customProperties/0/value/separator",
        "profile.fileDialect",
        "does not match",
    ),
    (
        "one mark for two things",
        changed(customProperties=[{"property": "fileDialect", "value": {"separator": '"'}}]),
        "/customProperties/0/value",
        "profile.fileDialect",
        "must differ",
    ),
    (
        "an unknown encoding",
        changed(customProperties=[{"property": "fileDialect", "value": {"encoding": "klingon"}}]),
        "/customProperties/0/value/encoding",
        "profile.encoding",
        "Files in encoding 'klingon' cannot be read.",
    ),
    (
        "an encoding without ASCII",
        changed(customProperties=[{"property": "fileDialect", "value": {"encoding": "cp037"}}]),
        "/customProperties/0/value/encoding",
        "profile.encoding",
        "'cp037' cannot be read",
    ),
    (
        "a split without a share",
        changed(customProperties=[{"property": "fileAcceptance", "value": {"mode": "split"}}]),
        "/customProperties/0/value",
        "profile.fileAcceptance",
        "'maxRejectedShare' is a required property",
    ),
    (
        "a between that is upside down",
        prop(quality=[{"metric": "nullValues", "mustBeBetween": [5, 1]}]),
        f"{AT}/quality/0/mustBeBetween",
        "odcs.quality.between",
        "mustBeBetween [5, 1] has the greater number first",
    ),
    (
        "a limit that no count can be",
        prop(quality=[{"metric": "nullValues", "mustBe": "none"}]),
        f"{AT}/quality/0/mustBe",
        "odcs.quality.limit",
        "mustBe 'none' cannot be compared",
    ),
    (
        "a text for the answer of a query",
        prop(quality=[{"type": "sql", "query": "SELECT 1", "mustNotBe": "x"}]),
        f"{AT}/quality/0/mustNotBe",
        "odcs.quality.limit",
        "mustNotBe 'x' cannot be compared",
    ),
    (
        "a place for a property at an object",
        whole(quality=[{"type": "sql", "query": "SELECT sum(${property})", "mustBe": 1}]),
        "/schema/0/quality/0/query",
        "odcs.quality.query",
        "The query has a place for a property, ${property}, and stands at an object.",
    ),
    (
        "a metric of objects at a property",
        prop(quality=[{"metric": "rowCount", "mustBe": 1}]),
        f"{AT}/quality/0",
        "odcs.quality.level",
        "rowCount is a metric of an object",
    ),
    (
        "a metric of properties at an object",
        whole(quality=[{"metric": "nullValues", "mustBe": 1}]),
        "/schema/0/quality/0",
        "odcs.quality.level",
        "nullValues is a metric of a property",
    ),
    (
        "an unknown argument",
        prop(quality=[{"metric": "nullValues", "mustBe": 0, "arguments": {"values": [1]}}]),
        f"{AT}/quality/0/arguments",
        "odcs.quality.arguments",
        "nullValues knows no argument values.",
    ),
    (
        "no list of missing values",
        prop(quality=[{"metric": "missingValues", "mustBe": 0}]),
        f"{AT}/quality/0",
        "odcs.quality.arguments",
        "missingValues counts the values of a list that it lacks.",
    ),
    (
        "nothing to be valid by",
        prop(quality=[{"metric": "invalidValues", "mustBe": 0}]),
        f"{AT}/quality/0",
        "odcs.quality.arguments",
        "invalidValues has neither valid values nor a pattern.",
    ),
    (
        "a pattern of a metric",
        prop(quality=[{"metric": "invalidValues", "mustBe": 0, "arguments": {"pattern": "("}}]),
        f"{AT}/quality/0/arguments/pattern",
        "contract.pattern",
        "cannot be checked as ECMA-262 means it",
    ),
    (
        "duplicates of nothing",
        whole(quality=[{"metric": "duplicateValues", "mustBe": 0}]),
        "/schema/0/quality/0",
        "odcs.quality.arguments",
        "duplicateValues of an object lacks the properties.",
    ),
    (
        "duplicates of an unknown property",
        whole(
            quality=[{"metric": "duplicateValues", "mustBe": 0, "arguments": {"properties": ["x"]}}]
        ),
        "/schema/0/quality/0/arguments/properties",
        "odcs.quality.arguments",
        "The object has no property 'x'.",
    ),
    (
        "a share of the rows among the rows",
        whole(quality=[{"metric": "rowCount", "mustBe": 0, "unit": "percent"}]),
        "/schema/0/quality/0/unit",
        "odcs.quality.unit",
        "The number of rows is no share of the rows",
    ),
    (
        "a service level of nothing",
        changed(slaProperties=[{"property": "latency", "value": 1, "element": "rows.b"}]),
        "/slaProperties/0/element",
        "odcs.sla.element",
        "The contract describes no 'rows.b'",
    ),
    (
        "an id twice",
        contract([{"name": n, "id": "x", "logicalType": "string"} for n in "ab"]),
        "/schema/0/properties/1/id",
        "odcs.id.duplicate",
        "Another element of the same list has the id 'x', too.",
    ),
    (
        "a value twice",
        prop(enum=[{"value": "x"}, {"value": "x", "label": "again"}]),
        f"{AT}/enum/1/value",
        "odcs.enum.duplicate",
        'The enum has the value "x" twice.',
    ),
    (
        "an unknown field is required",
        prop(
            logicalType="object",
            properties=[{"name": "b", "logicalType": "string"}],
            logicalTypeOptions={"required": ["c"]},
        ),
        f"{OPTIONS}/required",
        "odcs.required.unknown",
        "'c' is required and no property of the object",
    ),
    (
        "a relationship to nothing",
        prop(relationships=[{"to": "rows.x"}]),
        f"{AT}/relationships/0/to",
        "odcs.relationship",
        "The contract has no rows (x).",
    ),
    (
        "a key of more fields than point at it",
        whole(relationships=[{"from": ["rows.a"], "to": ["rows.a", "rows.a"]}]),
        "/schema/0/relationships/0",
        "odcs.relationship",
        "it has not as many fields on both sides.",
    ),
    (
        "a key in two objects",
        whole(relationships=[{"from": ["rows.a", "rows.a"], "to": ["rows.a", "others.a"]}]),
        "/schema/0/relationships/0",
        "odcs.relationship",
        "it points at several objects.",
    ),
    (
        "a relationship that starts elsewhere",
        whole(relationships=[{"from": "others.a", "to": "rows.a"}]),
        "/schema/0/relationships/0",
        "odcs.relationship",
        "it starts from another object.",
    ),
    (
        "a relationship that starts nowhere",
        whole(relationships=[{"from": "rows.x", "to": "rows.a"}]),
        "/schema/0/relationships/0",
        "odcs.relationship",
        "it starts from no field of the object.",
    ),
    (
        "a relationship to an object",
        prop(relationships=[{"to": "schema/rows"}]),
        f"{AT}/relationships/0",
        "odcs.relationship",
        "it does not name an object and its properties.",
    ),
    (
        "an unknown severity",
        prop(
            relationships=[
                {
                    "to": "rows.a",
                    "customProperties": [
                        {"property": "referenceCheck", "value": {"severity": "info"}}
                    ],
                }
            ]
        ),
        f"{AT}/relationships/0/customProperties/0/value/severity",
        "profile.referenceCheck",
        "'info' is not one of ['error', 'warning']",
    ),
    (
        "a JSON Schema of another draft",
        {"$schema": "http://json-schema.org/draft-04/schema#"},
        "/$schema",
        "jsonschema.dialect",
        "is not a draft that can be checked",
    ),
    (
        "a JSON Schema that is none",
        {"type": "object", "properties": {"a": {"minLength": "x"}}},
        "/properties/a/minLength",
        "jsonschema.type",
        "'x' is not of type",
    ),
    (
        "a JSON Schema with a pattern that cannot be checked",
        {"type": "object", "properties": {"a": {"items": {"pattern": "(a)\\1"}}}},
        "/properties/a/items/pattern",
        "contract.pattern",
        "a back reference",
    ),
]


@pytest.mark.parametrize(
    ("document", "path", "rule", "message"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_the_finding_says_where_and_what(
    document: object, path: str, rule: str, message: str
) -> None:
    findings = check_contract(document, file="a.odcs.yaml")
    assert [(item.file, item.path, item.rule) for item in findings] == [("a.odcs.yaml", path, rule)]
    assert message in findings[0].message
    assert findings[0].remedy.endswith(".")


def test_all_findings_come_at_once() -> None:
    document = changed(id=3, version="x", foo=1)
    document["schema"][0]["properties"].append({"name": "b", "logicalType": "strin"})
    document["schema"][0]["properties"][0]["logicalTypeOptions"] = {"pattern": "("}
    found = check_contract(document, file="x")
    assert [item.path for item in found] == [
        "",
        "/id",
        "/schema/0/properties/0/logicalTypeOptions/pattern",
        "/schema/0/properties/1/logicalType",
        "/version",
    ]


def test_another_vendors_property_is_left_alone() -> None:
    entry = {"property": "fileDialect", "vendor": "else", "value": {"whatever": 1}}
    document = changed(customProperties=[entry])
    assert check_contract(document, file="x") == []
    assert DataContract.from_document(document).dialect.separator is None


@pytest.mark.parametrize("version", ["v3.0.0", "v3.0.2", "v3.1.0", "v3.2.0"])
def test_each_version_of_the_standard_is_read(version: str) -> None:
    document = contract([{"name": "a", "logicalType": "string"}], api_version=version)
    assert check_contract(document, file="x") == []
    assert DataContract.from_document(document).api_version == version


def test_exclusive_bounds_of_3_0_are_flags() -> None:
    options = {"minimum": 1, "exclusiveMinimum": True, "maximum": 9, "exclusiveMaximum": False}
    element = {"name": "a", "logicalType": "integer", "logicalTypeOptions": options}
    document = contract([element], api_version="v3.0.2")
    assert check_contract(document, file="x") == []
    schema = record_schema(DataContract.from_document(document), "rows")
    assert schema["properties"]["a"] == {
        "type": ["integer", "null"],
        "exclusiveMinimum": 1,
        "maximum": 9,
    }


def test_the_record_schema_is_json_schema_2020_12_and_its_own_copy() -> None:
    made = DataContract.from_document(
        contract(
            [
                {"name": "id", "logicalType": "integer", "primaryKey": True, "description": "Key"},
                {"name": "kind", "logicalType": "string", "enum": [{"value": "x"}]},
            ]
        )
    )
    schema = record_schema(made, "rows")
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema == {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:datacontract:test:1.0.0:rows",
        "title": "rows",
        "type": "object",
        "properties": {
            "id": {"description": "Key", "type": "integer"},
            "kind": {"type": ["string", "null"], "enum": ["x", None]},
        },
        "required": ["id"],
        "additionalProperties": False,
    }
    schema["properties"].clear()
    assert record_schema(made, "rows")["properties"]


def test_a_plain_json_schema_is_wrapped() -> None:
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Order line",
        "type": "object",
        "required": ["id"],
        "properties": {"id": {"type": "integer"}},
    }
    assert check_contract(schema, file="x") == []
    made = DataContract.from_document(schema)
    assert list(made.objects) == ["Order-line"]
    assert record_schema(made, "Order-line") == schema
    assert made.objects["Order-line"].fields[0].required


@pytest.mark.parametrize(
    ("version", "major"),
    [("1.2.3", 1), ("v2", 2), ("10.0.0-rc.1", 10), ("1", 1), ("x", None), ("1x", None), ("", None)],
)
def test_the_major_of_a_version(version: str, major: int | None) -> None:
    assert major_version(version) == major
