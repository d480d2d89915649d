"""The documents of a declaration that is right, and what reading them gives."""

from __future__ import annotations

import json
from typing import Any

from mesh.documents import read_declaration
from mesh.model.declaration import Declaration
from mesh.model.findings import Finding

Files = dict[str, dict[str, Any]]
PRODUCT = "product.odps.json"
CONTRACT = "countries.odcs.json"


def product() -> dict[str, Any]:
    return {
        "apiVersion": "v1.1.0",
        "kind": "DataProduct",
        "id": "urn:mesh:geography:countries",
        "name": "Countries of the world",
        "version": "1.0.0",
        "status": "active",
        "domain": "geography",
        "description": {"purpose": "To name every country the same way."},
        "tags": ["reference-data", "countries"],
        "inputPorts": [{"name": "source", "contractId": "https://example.com/countries.csv"}],
        "outputPorts": [
            {
                "name": "countries",
                "version": "1.0.0",
                "contractId": "urn:mesh:geography:countries:countries",
            }
        ],
        "support": [{"channel": "mail", "url": "mailto:geography@example.com"}],
        "team": {"name": "Geography data team"},
    }


def contract(version: str = "1.0.0", port: str = "countries") -> dict[str, Any]:
    return {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": f"urn:mesh:geography:countries:{port}",
        "version": version,
        "status": "active",
        "schema": [{"name": port, "properties": [{"name": "code", "logicalType": "string"}]}],
    }


def texts(files: Files) -> dict[str, str]:
    return {name: json.dumps(document) for name, document in files.items()}


def declared(files: Files) -> Declaration:
    found = read_declaration(texts(files))
    assert isinstance(found, Declaration), found
    return found


def findings(files: Files) -> tuple[Finding, ...]:
    found = read_declaration(texts(files))
    assert isinstance(found, tuple), found
    assert all(item.message.endswith(".") and item.remedy for item in found)
    return found


def only(files: Files) -> Finding:
    """The one finding there is."""
    [found] = findings(files)
    return found
