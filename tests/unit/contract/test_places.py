"""Settings of this project where nothing reads them, and references of a JSON Schema to nothing."""

from __future__ import annotations

from typing import Any

import pytest

from mesh.model.contract_check import check_contract
from mesh.model.schema_references import resolve
from tests.unit.validation.files import contract

DIALECT = {"separator": ";"}


def custom(name: str, value: Any = None, **more: Any) -> dict[str, Any]:
    return {"property": name, "value": value or DIALECT} | more


def field(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"name": "a", "logicalType": "string", "customProperties": list(entries)}


@pytest.mark.parametrize(
    ("document", "path", "said"),
    [
        (
            contract([field(custom("fileDialect"))]),
            "/schema/0/properties/0/customProperties/0/property",
            "fileDialect is read in customProperties of the contract and its objects only",
        ),
        (
            contract([field()], customProperties=[custom("arrivalCalendar", {"timeZone": "UTC"})]),
            "/schema/0/customProperties/0/property",
            "arrivalCalendar is read in customProperties of the contract only",
        ),
        (
            contract([field()], customProperties=[custom("referenceCheck", {"major": 1})]),
            "/schema/0/customProperties/0/property",
            "referenceCheck is read in customProperties of relationships only",
        ),
        (
            contract([field()], customProperties=[custom("filedialect")]),
            "/schema/0/customProperties/0/property",
            "filedialect is written fileDialect",
        ),
        (
            contract([field()], customProperties=[custom("fileDialect"), custom("fileDialect")]),
            "/schema/0/customProperties/1/property",
            "fileDialect stands there twice, and the first counts",
        ),
    ],
)
def test_a_setting_that_nothing_reads_is_told(
    document: dict[str, Any], path: str, said: str
) -> None:
    [finding] = check_contract(document, file="c")

    assert (finding.path, finding.rule) == (path, "profile.place")
    assert finding.message == f"{said}: nothing would be read of this one."
    assert finding.remedy


def test_what_another_vendor_calls_so_is_left_alone() -> None:
    document = contract([field(custom("fileDialect", vendor="acme"), custom("owner", "me"))])

    assert check_contract(document, file="c") == []


SCHEMA = "https://json-schema.org/draft/2020-12/schema"
ROOT: dict[str, Any] = {
    "$schema": SCHEMA,
    "$id": "https://example.com/records/r.json",
    "type": "object",
    "properties": {
        "a": {"$ref": "#/$defs/a%20b"},
        "b": {"$ref": "#named"},
        "c": {"$ref": "r.json#/$defs/list/prefixItems/0"},
        "d": {"$ref": "other.json"},
        "e": {"$ref": SCHEMA},
    },
    "$defs": {
        "a b": {"type": "string"},
        "n": {"$anchor": "named", "type": "integer"},
        "list": {"prefixItems": [{"type": "boolean"}]},
        "other": {"$id": "other.json", "type": "number"},
    },
}


@pytest.mark.parametrize(
    ("reference", "kind"),
    [
        ("#", "object"),
        ("#/$defs/a%20b", "string"),
        ("#named", "integer"),
        ("r.json#/$defs/list/prefixItems/0", "boolean"),
        ("https://example.com/records/other.json", "number"),
    ],
)
def test_references_lead_to_what_is_in_the_document(reference: str, kind: str) -> None:
    assert resolve(reference, ROOT)["type"] == kind
    assert check_contract(ROOT, file="c") == []


def test_an_anchor_of_draft_7_is_an_id() -> None:
    old = {"definitions": {"x": {"$id": "#x", "type": "string"}}}

    assert resolve("#x", old) == {"$id": "#x", "type": "string"}


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("#/$defs/none", "The reference '#/$defs/none' leads to nothing in the document."),
        ("#/$defs/list/prefixItems/7", "leads to nothing in the document."),
        ("#/$defs/list/prefixItems/0/type/x", "leads to nothing in the document."),
        ("#none", "leads to nothing in the document."),
        ("https://example.com/x.json", "leads to nothing in the document."),
        ("#/properties/a", "The reference '#/properties/a' leads back to itself."),
    ],
)
def test_a_reference_that_cannot_be_followed_is_told(reference: str, said: str) -> None:
    schema = {**ROOT, "properties": {"a": {"$ref": reference}}}

    [finding] = check_contract(schema, file="c")

    assert (finding.path, finding.rule) == ("/properties/a/$ref", "jsonschema.ref")
    assert said in finding.message
    assert finding.remedy


def test_a_reference_beneath_an_id_of_its_own_names_all_of_its_address() -> None:
    part = {"$id": "part.json", "$defs": {"x": {"type": "string"}}}
    near = {**part, "$ref": "#/$defs/x"}
    far = {**part, "items": {"$ref": "https://example.com/records/part.json#/$defs/x"}}
    schema = {**ROOT, "properties": {"a": near}}

    [finding] = check_contract(schema, file="c")

    assert (finding.path, finding.rule) == ("/properties/a/$ref", "jsonschema.ref")
    assert finding.message == (
        "The reference '#/$defs/x' stands within a schema with an $id of its own, and would lead "
        "from there."
    )
    assert finding.remedy == (
        "Take that $id away, or write the whole address that the reference leads to."
    )
    assert check_contract({**ROOT, "properties": {"a": far}}, file="c") == []


def test_a_record_is_an_object() -> None:
    [finding] = check_contract({"$schema": SCHEMA, "type": "array"}, file="c")

    assert (finding.path, finding.rule) == ("/type", "jsonschema.record")
    assert finding.message == "A record is an object, and the schema is of type array."
    assert check_contract({"$schema": SCHEMA, "type": ["object", "null"]}, file="c") == []


def test_patterns_of_names_are_read_too() -> None:
    [finding] = check_contract({"$schema": SCHEMA, "patternProperties": {"(a)\\1": {}}}, file="c")

    assert (finding.path, finding.rule) == ("/patternProperties/(a)\\1", "contract.pattern")
