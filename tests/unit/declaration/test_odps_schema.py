"""The JSON Schemas of ODPS: sound, closed, and the newer one no narrower than the older."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from mesh.model.declaration_rules import Sheet
from mesh.model.odps import SUPPORTED, check_odps

SCHEMAS = Path(__file__).parents[3] / "schemas" / "odps"
EVERYTHING_IN_1_0: dict[str, Any] = {
    "apiVersion": "v1.0.0",
    "kind": "DataProduct",
    "id": "0d3d0cf6-6c4d-4f5c-a1b3-0b8b3a3f5a10",
    "name": "Orders",
    "version": "v1.2.0",
    "status": "draft",
    "domain": "Sales",
    "tenant": "Example",
    "description": {
        "purpose": "a",
        "limitations": "b",
        "usage": "c",
        "customProperties": [{"property": "p", "value": None, "description": "d"}],
        "authoritativeDefinitions": [{"type": "any", "url": "https://example.com/a"}],
    },
    "tags": ["a"],
    "customProperties": [{"property": "p", "value": {"any": ["thing"]}}],
    "authoritativeDefinitions": [
        {"type": "tutorial", "url": "https://example.com/t", "description": "d"}
    ],
    "inputPorts": [{"name": "a", "version": "1", "contractId": "b", "tags": ["x"]}],
    "outputPorts": [
        {
            "name": "a",
            "version": "v1.0.0",
            "description": "b",
            "type": "tables",
            "contractId": "c",
            "sbom": [{"type": "external", "url": "https://example.com/sbom"}],
            "inputContracts": [{"id": "b", "version": "1"}],
            "customProperties": [],
            "authoritativeDefinitions": [],
        }
    ],
    "managementPorts": [
        {
            "name": "a",
            "content": "dictionary",
            "type": "topic",
            "url": "https://example.com/m",
            "channel": "b",
            "description": "c",
            "tags": [],
            "customProperties": [],
            "authoritativeDefinitions": [],
        }
    ],
    "support": [
        {
            "channel": "a",
            "url": "https://example.com/s",
            "description": "b",
            "tool": "slack",
            "scope": "issues",
            "invitationUrl": "https://example.com/i",
        }
    ],
    "team": {
        "name": "a",
        "description": "b",
        "members": [
            {
                "username": "a",
                "name": "b",
                "description": "c",
                "role": "owner",
                "dateIn": "2026-01-01",
                "dateOut": "2026-02-01",
                "replacedByUsername": "d",
            }
        ],
    },
    "productCreatedTs": "2026-01-31T12:00:00Z",
}
NEW_IN_1_1: dict[str, Any] = {
    "apiVersion": "v1.1.0",
    "type": "aggregate",
    "deprecated": True,
    "synonyms": [{"synonym": "a", "id": "b", "locale": "fr-FR", "source": "c", "status": "d"}],
    "context": {
        "instructions": "a",
        "verifiedStatements": [{"question": "b", "answer": "c", "id": "d", "tags": ["e"]}],
        "constraints": [{"constraint": "f", "customProperties": []}],
    },
    "customProperties": [{"id": "a", "property": "p", "value": 1, "vendor": "mvmesh"}],
    "inputPorts": [{"name": "a", "id": "b", "deprecated": True}],
    "outputPorts": [
        {
            "name": "a",
            "id": "b",
            "deprecated": False,
            "synonyms": [],
            "context": {},
            "sbom": [{"id": "c", "tags": [], "authoritativeDefinitions": []}],
        }
    ],
    "managementPorts": [{"name": "a", "content": "control", "id": "b", "deprecated": True}],
}


def problems(document: Mapping[str, Any]) -> list[str]:
    sheet = Sheet()
    check_odps(document, file="product.odps.yaml", sheet=sheet)
    return [f"{finding.path}: {finding.message}" for finding in sheet.findings]


@pytest.mark.parametrize("version", SUPPORTED)
class TestSchemas:
    def test_are_valid(self, version: str) -> None:
        schema = json.loads((SCHEMAS / f"{version}.json").read_text(encoding="utf-8"))

        Draft202012Validator.check_schema(schema)
        assert schema["properties"]["apiVersion"] == {"const": version}

    def test_are_closed(self, version: str) -> None:
        schema = json.loads((SCHEMAS / f"{version}.json").read_text(encoding="utf-8"))

        with_keys = [part for part in parts(schema) if "properties" in part]
        assert with_keys
        assert all(part["additionalProperties"] is False for part in with_keys)


def parts(schema: Any) -> Iterator[Mapping[str, Any]]:
    """Every schema in a schema."""
    if isinstance(schema, dict):
        if "type" in schema and not isinstance(schema["type"], dict):
            yield schema
        for value in schema.values():
            yield from parts(value)


def test_there_is_a_schema_for_each_supported_version() -> None:
    assert {file.stem for file in SCHEMAS.iterdir()} == set(SUPPORTED)


def test_all_that_1_0_knows() -> None:
    assert problems(EVERYTHING_IN_1_0) == []


def test_what_is_valid_in_1_0_is_valid_in_1_1() -> None:
    assert problems(EVERYTHING_IN_1_0 | {"apiVersion": "v1.1.0"}) == []


def test_all_that_is_new_in_1_1() -> None:
    assert problems(EVERYTHING_IN_1_0 | NEW_IN_1_1) == []


@pytest.mark.parametrize("key", [key for key in NEW_IN_1_1 if key != "apiVersion"])
def test_what_is_new_in_1_1_is_not_in_1_0(key: str) -> None:
    assert problems(EVERYTHING_IN_1_0 | {key: NEW_IN_1_1[key]}) != []
