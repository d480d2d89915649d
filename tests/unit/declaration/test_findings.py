"""What is wrong with a declaration: each rule, and everything at once."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mesh.documents import read_declaration
from mesh.documents.refusals import RULES as DOCUMENT_RULES
from mesh.model.declaration import Declaration
from mesh.model.declaration_rules import RULES
from mesh.model.findings import Finding
from tests.unit.declaration.building import (
    CONTRACT,
    PRODUCT,
    Files,
    contract,
    findings,
    only,
    product,
    texts,
)

Adding = Callable[..., dict[str, Any]]
PROFILE = Path(__file__).parents[3] / "docs" / "declaration-profile.md"


def test_everything_is_said_at_once(files: Files) -> None:
    del files[PRODUCT]["support"]
    files[PRODUCT]["version"] = "v1"
    files[PRODUCT]["colour"] = "red"
    files[CONTRACT]["domain"] = "aerodromes"
    files[CONTRACT]["schema"][0]["name"] = "two words"
    written = {**texts(files), "other.odcs.yaml": "a: 'x"}

    found = read_declaration(written)

    assert isinstance(found, tuple)
    assert {(item.file, item.rule) for item in found} >= {
        ("other.odcs.yaml", "document.syntax"),
        (PRODUCT, "declaration.support"),
        (PRODUCT, "declaration.version"),
        (PRODUCT, "odps.unknown-key"),
        (CONTRACT, "declaration.domain"),
        (CONTRACT, "declaration.object-name"),
    }
    assert [item.file for item in found] == sorted(item.file for item in found)


class TestFiles:
    def test_names(self, files: Files) -> None:
        written = {**texts(files), "../x.odcs.json": "{}", "README.md": "# Countries"}

        found = read_declaration(written)

        assert isinstance(found, tuple)
        assert [(item.file, item.rule) for item in found] == [
            ("../x.odcs.json", "declaration.file-name"),
            ("README.md", "declaration.file-name"),
        ]
        assert found[1].message == "'README.md' is not the name of a file of a declaration."

    def test_number(self) -> None:
        found = read_declaration({f"a{n}.odcs.json": "{}" for n in range(101)})

        assert isinstance(found, tuple)
        [finding] = found
        assert finding.rule == "declaration.too-many-files"
        assert finding.message == "There are 101 files; a declaration has at most 100."

    def test_none(self) -> None:
        found = read_declaration({})

        assert isinstance(found, tuple)
        assert [item.rule for item in found] == ["declaration.product-file"]
        assert found[0].message == "No file describes the product."

    def test_two_products(self, files: Files) -> None:
        files["second.odps.json"] = files[PRODUCT]

        found = only(files)

        assert (found.file, found.rule) == ("second.odps.json", "declaration.product-file")
        assert found.message == f"A second file describes a product; {PRODUCT} is the first."

    def test_a_product_that_cannot_be_read(self, files: Files) -> None:
        found = read_declaration({**texts(files), PRODUCT: "{"})

        assert isinstance(found, tuple)
        assert [(item.file, item.rule) for item in found] == [(PRODUCT, "document.syntax")]

    def test_a_contract_that_cannot_be_read_is_not_missed_as_well(self, files: Files) -> None:
        found = read_declaration({**texts(files), CONTRACT: "{"})

        assert isinstance(found, tuple)
        assert [(item.file, item.rule) for item in found] == [(CONTRACT, "document.syntax")]


PRODUCT_FAULTS: list[tuple[dict[str, Any], str, str, str]] = [
    ({"apiVersion": "v0.9.0"}, "odps.version", "/apiVersion", "'v0.9.0' is not supported"),
    ({"apiVersion": None}, "odps.version", "/apiVersion", "There is no apiVersion"),
    ({"apiVersion": 1.1}, "odps.version", "/apiVersion", "The apiVersion 1.1 is not supported"),
    ({"kind": "DataContract"}, "odps.value", "/kind", '"DataContract" is not allowed here.'),
    ({"status": "alive"}, "odps.value", "/status", '"alive" is not allowed here.'),
    ({"status": None}, "odps.value", "/status", "null is not allowed here."),
    ({"version": 1.0}, "odps.type", "/version", "1.0 is not a text."),
    ({"tags": "geography"}, "odps.type", "/tags", '"geography" is not a list.'),
    ({"deprecated": "no"}, "odps.type", "/deprecated", '"no" is not true or false.'),
    ({"team": 1}, "odps.type", "/team", "1 is not an object with keys."),
    ({"outputPorts": []}, "odps.value", "/outputPorts", "The list is empty."),
    (
        {"support": [{"channel": "mail", "url": "geography at example"}]},
        "odps.format",
        "/support/0/url",
        '"geography at example" is not a valid uri.',
    ),
    (
        {"team": {"name": "x", "members": [{"username": "a", "dateIn": "May"}]}},
        "odps.format",
        "/team/members/0/dateIn",
        '"May" is not a valid date.',
    ),
    (
        {"productCreatedTs": "2026-01-31"},
        "odps.format",
        "/productCreatedTs",
        '"2026-01-31" is not a valid date-time.',
    ),
    ({"id": "countries"}, "declaration.address", "/id", "'countries' is not the address of a"),
    (
        {"id": "urn:mesh:Geo:countries"},
        "declaration.address",
        "/id",
        "'Geo' cannot name a domain.",
    ),
    ({"domain": "aerodromes"}, "declaration.domain", "/domain", "The domain is 'aerodromes', but"),
    ({"version": "v1.0.0"}, "declaration.version", "/version", "'v1.0.0' is not a semantic"),
    ({"version": " "}, "declaration.missing", "/version", "The mesh needs 'version' here."),
    (
        {"name": "${TITLE:-Countries}"},
        "declaration.variable",
        "/name",
        "'${TITLE:-Countries}' holds a variable",
    ),
    (
        {"description": {"purpose": "Orders of ${STAGE}."}},
        "declaration.variable",
        "/description/purpose",
        "'Orders of ${STAGE}.' holds a variable",
    ),
    ({"team": {}}, "declaration.owner", "/team", "Nobody is named who owns the product."),
    (
        {"team": {"members": [{"username": "a", "role": "owner", "dateOut": "2026-01-31"}]}},
        "declaration.owner",
        "/team",
        "Nobody is named who owns the product.",
    ),
    ({"support": []}, "declaration.support", "/support", "There is no way to reach those who"),
]


@pytest.mark.parametrize(("change", "rule", "path", "message"), PRODUCT_FAULTS)
def test_a_product_that_is_refused(
    files: Files, change: dict[str, Any], rule: str, path: str, message: str
) -> None:
    files[PRODUCT] |= change

    found = only(files)

    assert (found.file, found.rule, found.path) == (PRODUCT, rule, path)
    assert message in found.message


@pytest.mark.parametrize("key", ["domain", "version", "status"])
def test_what_the_mesh_needs_although_the_standard_does_not(files: Files, key: str) -> None:
    del files[PRODUCT][key]

    found = only(files)

    assert (found.rule, found.path) == ("declaration.missing", f"/{key}")
    assert found.remedy.startswith(f"Add {key}: ")


@pytest.mark.parametrize("key", ["id", "kind", "outputPorts"])
def test_what_the_standard_requires(files: Files, key: str) -> None:
    del files[PRODUCT][key]

    found = {(item.rule, item.path): item for item in findings(files)}

    assert found["odps.missing", f"/{key}"].message == f"The key {key!r} is missing."


def test_version_1_0_of_the_standard_requires_more(files: Files) -> None:
    files[PRODUCT] |= {"apiVersion": "v1.0.0", "type": "aggregate"}

    found = {(item.rule, item.path) for item in findings(files)}

    assert found == {("odps.unknown-key", "/type"), ("odps.missing", "/inputPorts/0/version")}


def test_a_list_of_members_is_no_team_any_more(files: Files) -> None:
    files[PRODUCT]["team"] = [{"username": "a", "role": "owner"}]

    found = only(files)

    assert (found.rule, found.path) == ("odps.type", "/team")


def test_version_1_0_of_the_standard_takes_either_form_of_a_team(files: Files) -> None:
    files[PRODUCT] |= {"apiVersion": "v1.0.0", "inputPorts": [], "team": 1}

    assert only(files).message == "1 is not an object with keys or a list."


def test_a_misspelt_key_is_told_the_right_one(files: Files) -> None:
    files[PRODUCT]["outputPort"] = []

    found = only(files)

    assert found.path == "/outputPort"
    assert found.remedy == "Write 'outputPorts', if that was meant."


def test_an_unknown_key_is_told_where_to_go(files: Files) -> None:
    files[PRODUCT]["x/y"] = 1

    found = only(files)

    assert found.path == "/x~1y"
    assert found.remedy == "Remove it, or move it to customProperties."


def test_a_long_value_is_not_repeated_in_full(files: Files) -> None:
    files[PRODUCT]["tags"] = "x" * 1000

    assert len(only(files).message) < 100


class TestOutputPorts:
    def test_name(self, files: Files) -> None:
        files[PRODUCT]["outputPorts"][0]["name"] = "All Countries"

        found = only(files)

        assert (found.rule, found.path) == ("declaration.port-name", "/outputPorts/0/name")
        assert found.message == "'All Countries' cannot name a port."

    def test_contract_of_another_port(self, files: Files) -> None:
        files[PRODUCT]["outputPorts"][0]["contractId"] = "urn:mesh:geography:regions:countries"

        found = only(files)

        assert found.rule == "declaration.contract-id"
        assert found.path == "/outputPorts/0/contractId"
        assert "not 'urn:mesh:geography:countries:countries'" in found.message

    @pytest.mark.parametrize("key", ["contractId", "version"])
    def test_contract_not_named(self, files: Files, key: str) -> None:
        del files[PRODUCT]["outputPorts"][0][key]

        found = only(files)

        assert (found.rule, found.path) == ("declaration.missing", f"/outputPorts/0/{key}")

    def test_twice_in_one_major(self, files: Files, add_port: Adding) -> None:
        add_port("countries", "1.1.0")["name"] = "countries"

        found = {item.rule: item for item in findings(files)}

        assert found["declaration.port-twice"].path == "/outputPorts/1"
        assert "has version 1 a second time" in found["declaration.port-twice"].message

    def test_an_end_that_is_no_time(self, files: Files) -> None:
        said = {"property": "deprecationSunset", "value": "soon"}
        files[PRODUCT]["outputPorts"][0]["customProperties"] = [said]

        found = only(files)

        assert found.rule == "declaration.deprecation"
        assert found.path == "/outputPorts/0/customProperties/0/value"
        assert found.remedy == "Write it as '2027-03-01T00:00:00Z'."

    def test_no_contract(self, files: Files) -> None:
        del files[CONTRACT]

        found = only(files)

        assert found.rule == "declaration.contract-missing"
        assert found.path == "/outputPorts/0/contractId"
        assert "urn:mesh:geography:countries:countries, version 1.0.0" in found.message

    def test_another_version_of_the_contract(self, files: Files) -> None:
        files[CONTRACT]["version"] = "1.1.0"

        found = only(files)

        assert found.rule == "declaration.contract-missing"
        assert found.path == "/outputPorts/0/version"
        assert found.message == "The folder has the contract in version 1.1.0, not 1.0.0."


class TestContracts:
    def test_orphaned(self, files: Files) -> None:
        files["spare.odcs.json"] = contract(port="spare")

        found = only(files)

        assert (found.file, found.rule) == ("spare.odcs.json", "declaration.contract-orphaned")

    def test_a_json_schema_is_no_contract_here(self, files: Files) -> None:
        files["schema.odcs.json"] = {"type": "object", "properties": {}}

        found = only(files)

        assert (found.file, found.rule) == ("schema.odcs.json", "declaration.contract-standard")
        assert "JSON Schema of a record" in found.message

    def test_twice(self, files: Files) -> None:
        files["copy.odcs.json"] = contract()

        found = only(files)

        assert (found.file, found.rule) == ("copy.odcs.json", "declaration.contract-twice")
        assert found.message == f"{CONTRACT} is version 1.0.0 of this contract already."

    @pytest.mark.parametrize(
        ("key", "rule"),
        [("domain", "declaration.domain"), ("dataProduct", "declaration.data-product")],
    )
    def test_of_somebody_else(self, files: Files, key: str, rule: str) -> None:
        files[CONTRACT][key] = "other"

        found = only(files)

        assert (found.file, found.rule, found.path) == (CONTRACT, rule, f"/{key}")
        assert found.message == (
            f"The contract says {key}: 'other'; the product is geography/countries."
        )

    def test_their_own_findings_are_all_told(self, files: Files) -> None:
        files[CONTRACT]["schema"][0]["properties"][0]["logicalType"] = "text"
        files[CONTRACT]["schema"][0]["properties"].append({})

        assert {item.file for item in findings(files)} == {CONTRACT}
        assert len(findings(files)) >= 2

    def test_object_name(self, files: Files) -> None:
        files[CONTRACT]["schema"][0]["name"] = "1-countries"

        found = only(files)

        assert (found.rule, found.path) == ("declaration.object-name", "/schema/0/name")

    def test_objects_of_two_ports_of_one_major(self, files: Files, add_port: Adding) -> None:
        add_port("borders")
        files["borders-1.0.0.odcs.json"]["schema"][0]["name"] = "Countries"

        found = only(files)

        assert found.file == "borders-1.0.0.odcs.json"
        assert (found.rule, found.path) == ("declaration.object-twice", "/schema/0/name")
        assert "is in version 1 of the product already: countries.odcs.json." in found.message


class TestInputPorts:
    @pytest.mark.parametrize(
        ("contract_id", "message"),
        [
            ("urn:mesh:geography:regions", "is not the address of a port."),
            ("urn:mesh:geography:Regions:all", "'Regions' cannot name a product."),
            ("urn:mesh:geography:regions:ALL", "'ALL' cannot name a port."),
            ("urn:mesh:geography:countries:countries", "reads its own port 'countries'."),
        ],
    )
    def test_that_are_no_ports_of_others(
        self, files: Files, contract_id: str, message: str
    ) -> None:
        files[PRODUCT]["inputPorts"][0]["contractId"] = contract_id

        found = only(files)

        assert (found.rule, found.path) == ("declaration.input", "/inputPorts/0/contractId")
        assert message in found.message

    def test_of_the_same_name(self, files: Files) -> None:
        port = {"name": "regions", "contractId": "urn:mesh:geography:regions:all"}
        files[PRODUCT]["inputPorts"] = [port, port]

        found = only(files)

        assert (found.rule, found.path) == ("declaration.input-twice", "/inputPorts/1/name")

    @pytest.mark.parametrize(
        ("change", "rule", "key"),
        [
            ({"name": "All Regions"}, "declaration.port-name", "name"),
            ({"version": "1"}, "declaration.version", "version"),
        ],
    )
    def test_that_cannot_be_named(
        self, files: Files, change: dict[str, Any], rule: str, key: str
    ) -> None:
        port = {"name": "regions", "contractId": "urn:mesh:geography:regions:all"}
        files[PRODUCT]["inputPorts"] = [port | change]

        found = only(files)

        assert (found.rule, found.path) == (rule, f"/inputPorts/0/{key}")


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The path to every value in plain data."""
    if path:
        yield path
    members = value.items() if isinstance(value, dict) else ()
    items = enumerate(value) if isinstance(value, list) else ()
    for step, member in (*members, *items):
        yield from places(member, (*path, step))


WHOLE: Files = {
    PRODUCT: product()
    | {
        "inputPorts": [{"name": "regions", "contractId": "urn:mesh:geography:regions:all"}],
        "team": {"members": [{"username": "a", "role": "owner"}]},
    },
    CONTRACT: contract(),
}
JUNK = st.sampled_from([1, 1.5, "x", "", None, True, [], {}, [1], [[]], [{}], {"a": 1}, "${A}"])


@example(place=(CONTRACT, "schema", 0, "properties", 0, "name"), junk=[])
@given(place=st.sampled_from(list(places(WHOLE))), junk=JUNK)
def test_a_declaration_of_any_shape_gives_findings_and_no_error(
    place: tuple[str | int, ...], junk: Any
) -> None:
    files = copy.deepcopy(WHOLE)
    holder: Any = files
    for step in place[:-1]:
        holder = holder[step]
    holder[place[-1]] = junk

    found = read_declaration(texts(files))

    assert isinstance(found, Declaration) or all(isinstance(item, Finding) for item in found)


def test_each_rule_is_in_the_profile() -> None:
    text = PROFILE.read_text(encoding="utf-8")

    for rule, asks in {**DOCUMENT_RULES, **RULES}.items():
        assert f"| `{rule}` | {asks} |" in text


def test_each_rule_is_held_to_a_test() -> None:
    here = Path(__file__).read_text(encoding="utf-8")

    assert [rule for rule in RULES if f'"{rule}"' not in here] == []
