"""Relationships from and to what is within objects, from the declaration to the receipt."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.main import app
from mesh.model.names import ProductId
from mesh.model.record import Verdict
from tests.unit.conftest import World, declaration
from tests.unit.test_relationships import land

SHEETS = ProductId(domain="geography", product="sheets")
PORTS = ProductId(domain="shipping", product="ports")
TEXT = {"logicalType": "string"}
KEY = "../../geography/sheets/s.odcs.yaml#/schema/sheets/properties/about/properties/key"
LISTED = b'{"n": 1, "about": {"key": "CH"}}\n{"n": 2, "about": {"key": "NA"}}\n'


def contract(product: ProductId, *properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": f"urn:mesh:{product.domain}:{product.product}:{product.product}",
        "version": "1.0.0",
        "status": "active",
        "domain": product.domain,
        "dataProduct": product.product,
        "schema": [{"name": product.product, "properties": list(properties)}],
    }


def sheets(**key: Any) -> dict[str, Any]:
    held = [{"name": "key", **TEXT, **key}]
    number = {"name": "n", "logicalType": "integer", "primaryKey": True}
    return contract(SHEETS, number, {"name": "about", "logicalType": "object", "properties": held})


def ports(kind: str = "string") -> dict[str, Any]:
    land = {"name": "land", "logicalType": kind, "relationships": [{"to": KEY}]}
    held = {"logicalType": "object", "properties": [land]}
    return contract(PORTS, {"name": "calls", "logicalType": "array", "items": held})


def onboard(world: World, product: ProductId, document: dict[str, Any]) -> Any:
    return world.onboard(declaration(product, document, ports=((product.product, "1.0.0"),)))


def calls(*lands: str | None) -> bytes:
    return json.dumps({"calls": [{"land": land} for land in lands]}).encode() + b"\n"


def test_each_entry_of_a_list_must_point_at_what_is_published_within_an_object(world):
    assert onboard(world, SHEETS, sheets(unique=True)).status == "registered"
    assert onboard(world, PORTS, ports()).status == "registered"
    listed = world.land("geography/sheets/v1/sheets/all.jsonl", LISTED)
    place = "shipping/ports/v1/ports"

    entry, told = land(world, calls("CH") + calls("NA", "FR", None), place, "a.jsonl")

    [found] = told["violations"]
    assert (found["row"], found["field"], found["value"]) == (2, "calls[1].land", "FR")
    assert found["message"] == (
        f"calls[1].land must point at a record of geography/sheets sheets (about.key), sequence "
        f"{listed.sequence}; 'FR' is not there."
    )
    assert (told["references"][0]["fields"], told["references"][0]["properties"]) == (
        ["calls[].land"],
        ["about.key"],
    )
    where = told["correction"]["place"].removeprefix("landing/")
    mended = world.land(where, calls("NA"))
    assert (entry.verdict, mended.verdict, mended.kept) == (
        Verdict.REJECTED,
        Verdict.ACCEPTED,
        1,
    )


@pytest.mark.parametrize(
    ("key", "kind", "message"),
    [
        (
            {},
            "string",
            "about.key of sheets is neither its primary key nor unique: it identifies no record.",
        ),
        (
            {"unique": True},
            "integer",
            (
                "calls[].land is of type integer, about.key of sheets of type string: "
                "no values are equal."
            ),
        ),
    ],
)
def test_what_is_pointed_at_must_identify_a_record_and_be_of_the_type(world, key, kind, message):
    assert onboard(world, SHEETS, sheets(**key)).status == "registered"

    saga = onboard(world, PORTS, ports(kind))

    assert [finding.message for finding in saga.findings] == [message]


def test_a_check_is_given_what_is_pointed_at_from_within(tmp_path):
    (tmp_path / "c.odcs.json").write_text(json.dumps(ports()))
    (tmp_path / "sheets.jsonl").write_text('{"about.key": "CH"}\n')
    (tmp_path / "ports.jsonl").write_bytes(calls("CH", "NA"))

    done = CliRunner().invoke(
        app,
        [
            *("check", str(tmp_path / "ports.jsonl"), "--contract", str(tmp_path / "c.odcs.json")),
            *("--with", f"geography/sheets={tmp_path / 'sheets.jsonl'}", "--json"),
        ],
    )

    assert [v["value"] for v in json.loads(done.stdout)["violations"]] == ["NA"]
