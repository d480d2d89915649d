"""What a declaration that is right becomes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from mesh.documents import read_declaration
from mesh.model.declaration import Declaration, is_declaration_file
from mesh.model.names import ProductId
from mesh.model.product import InputPort, OutputPort, Owner
from tests.unit.declaration.building import CONTRACT, PRODUCT, Files, declared, texts

Adding = Callable[..., dict[str, Any]]


def test_the_product(files: Files) -> None:
    product = declared(files).product

    assert product.id == ProductId(domain="geography", product="countries")
    assert product.name == "Countries of the world"
    assert product.version == "1.0.0"
    assert product.status == "active"
    assert product.purpose == "To name every country the same way."
    assert product.tags == ("reference-data", "countries")
    assert product.owner == Owner(
        name="Geography data team", contact="mailto:geography@example.com"
    )
    assert product.output_ports == (
        OutputPort(
            name="countries",
            version="1.0.0",
            contract_id="urn:mesh:geography:countries:countries",
            objects=("countries",),
        ),
    )
    assert product.input_ports == ()


def test_the_contracts_belong_to_the_ports_in_their_order(files: Files, add_port: Adding) -> None:
    add_port("borders")
    files[PRODUCT]["outputPorts"].reverse()

    contracts = declared(files).contracts

    assert [declared.port.name for declared in contracts] == ["borders", "countries"]
    assert [declared.file for declared in contracts] == ["borders-1.0.0.odcs.json", CONTRACT]
    assert contracts[1].document == files[CONTRACT]


def test_a_new_major_stands_beside_the_old_one(files: Files, add_port: Adding) -> None:
    add_port("countries", "2.0.0")

    product = declared(files).product

    assert [port.major for port in product.output_ports] == [1, 2]
    newest = product.port_for(major=2, object_name="countries")
    assert newest is not None
    assert newest.version == "2.0.0"


def test_inputs_from_the_mesh_make_a_composite(files: Files) -> None:
    files[PRODUCT]["inputPorts"] += [
        {"name": "regions", "contractId": "urn:mesh:geography:regions:all", "version": "2.1.0"},
        {"name": "navaids", "contractId": "urn:mesh:aerodromes:navaids:navaids"},
    ]

    ports = declared(files).product.input_ports

    assert ports == (
        InputPort(
            name="regions",
            product=ProductId(domain="geography", product="regions"),
            contract_id="urn:mesh:geography:regions:all",
            version="2.1.0",
        ),
        InputPort(
            name="navaids",
            product=ProductId(domain="aerodromes", product="navaids"),
            contract_id="urn:mesh:aerodromes:navaids:navaids",
        ),
    )
    assert [port.major for port in ports] == [2, None]


def test_without_a_title_a_product_is_called_by_its_slug(files: Files) -> None:
    del files[PRODUCT]["name"], files[PRODUCT]["description"], files[PRODUCT]["tags"]

    product = declared(files).product

    assert (product.name, product.purpose, product.tags) == ("countries", "", ())


@pytest.mark.parametrize(
    ("team", "name"),
    [
        ({"name": "Team", "members": [{"username": "a", "role": "owner"}]}, "Team"),
        ({"members": [{"username": "a"}, {"username": "b", "role": "Owner"}]}, "b"),
        ({"members": [{"username": "a", "name": "A", "role": "owner"}]}, "A"),
        (
            {
                "members": [
                    {"username": "a", "role": "owner", "dateOut": "2026-01-31"},
                    {"username": "b", "role": "owner"},
                ]
            },
            "b",
        ),
    ],
)
def test_the_owner_is_the_team_or_who_has_that_role(files: Files, team: Any, name: str) -> None:
    files[PRODUCT]["team"] = team

    assert declared(files).product.owner.name == name


def test_version_1_0_of_the_standard(files: Files) -> None:
    files[PRODUCT]["apiVersion"] = "v1.0.0"
    files[PRODUCT]["inputPorts"][0]["version"] = "1"
    files[PRODUCT]["team"] = [{"username": "a"}, {"username": "b", "role": "owner"}]

    assert declared(files).product.owner.name == "b"


@pytest.mark.parametrize("said", ["countries", "Countries of the world"])
def test_a_contract_may_name_the_product_by_slug_or_title(files: Files, said: str) -> None:
    files[CONTRACT] |= {"dataProduct": said, "domain": "geography"}

    assert declared(files).contracts[0].document["dataProduct"] == said


def test_variables_in_what_the_mesh_does_not_read_are_kept(files: Files) -> None:
    files[PRODUCT]["tenant"] = "${TENANT:-example}"

    assert declared(files).document["tenant"] == "${TENANT:-example}"


class TestDigest:
    def test_formatting_changes_nothing(self, files: Files) -> None:
        written = texts(files)
        reordered = {
            name: json.dumps(dict(reversed(document.items())), indent=3)
            for name, document in files.items()
        }
        as_yaml = {name.replace(".json", ".yaml"): text for name, text in written.items()}
        digests = {
            found.product.digest
            for found in map(read_declaration, (written, reordered, as_yaml))
            if isinstance(found, Declaration)
        }

        assert len(digests) == 1

    def test_names_of_files_change_nothing(self, files: Files) -> None:
        renamed = {"z.odps.json": files[PRODUCT], "a.odcs.json": files[CONTRACT]}

        assert declared(renamed).product.digest == declared(files).product.digest

    def test_the_last_part_of_a_name_says_what_a_file_is(self, files: Files) -> None:
        named = {"a.odcs.odps.json": files[PRODUCT], "b.odps.odcs.json": files[CONTRACT]}

        assert declared(named).product.digest == declared(files).product.digest

    def test_a_changed_word_changes_it(self, files: Files) -> None:
        before = declared(files)
        files[CONTRACT]["schema"][0]["description"] = "One row per country."
        after = declared(files)

        assert after.product.digest != before.product.digest
        assert after.contracts[0].digest != before.contracts[0].digest

    def test_it_stays_the_same_from_release_to_release(self, files: Files) -> None:
        pinned = "04a970071afd019ce88d98829db3b491ba56852784add3105256f4cd5e811257"

        assert declared(files).product.digest == pinned


@pytest.mark.parametrize(
    ("name", "belongs"),
    [
        ("product.odps.yaml", True),
        ("a.b_c-1.odcs.yml", True),
        ("x.odcs.json", True),
        ("README.md", False),
        ("countries.csv", False),
        ("product.odps.yaml.bak", False),
        (".odps.yaml", False),
        ("../product.odps.yaml", False),
        ("a..b.odps.yaml", False),
        ("good/product.odps.yaml", False),
        ("good\\product.odps.yaml", False),
        ("product.odps.yaml\n", False),
        ("x" * 100 + ".odps.yaml", False),
    ],
)
def test_which_files_of_a_folder_belong_to_a_declaration(name: str, belongs: bool) -> None:
    assert is_declaration_file(name) is belongs
