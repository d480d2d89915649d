"""Variables of contracts: declared in the policy, or the contract's own defaults."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from cli.main import app
from mesh import entitlement
from mesh.documents import read_document
from mesh.model.contract_check import check_contract
from mesh.model.names import ProductId
from mesh.model.odcs_variables import resolved
from mesh.model.policy import Policy
from tests.unit.validation.files import contract

COUNTRIES = ProductId(domain="geography", product="countries")
FIELD = {"name": "a", "logicalType": "string"}


def described(text, api="v3.2.0"):
    return {**contract([dict(FIELD)]), "apiVersion": api, "description": {"purpose": text}}


def said(text, **variables):
    """What becomes of a text."""
    return resolved(described(text), variables)["description"]["purpose"]


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("${SET}", "value"),
        ("a ${SET} and ${SET:-other}.", "a value and value."),
        ("${UNSET:-other}", "other"),
        ("${UNSET:-}", ""),
        ("${EMPTY:-other}", "other"),
        ("${EMPTY}", "${EMPTY}"),
        ("${UNSET}", "${UNSET}"),
        ("${UNSET:-a:-b ${c}", "a:-b ${c"),
        ("${NESTED}", "${SET}"),
        ("$SET {SET} ${1} ${a-b} ${SET", "$SET {SET} ${1} ${a-b} ${SET"),
        ("${object}", "${object}"),
    ],
)
def test_a_text_with_variables(text, becomes):
    assert said(text, SET="value", EMPTY="", NESTED="${SET}") == becomes


@given(st.text(), st.dictionaries(st.from_regex(r"[A-Z]{1,3}", fullmatch=True), st.text()))
def test_only_what_is_declared_is_replaced(text, variables):
    made = said(text, **variables)

    assert made == text or "${" in text


@pytest.mark.parametrize("name", ["PATH", "HOME", "MESH_TEST_SECRET"])
def test_the_environment_is_not_asked(monkeypatch, name):
    monkeypatch.setenv(name, "secret")

    assert said(f"${{{name}}}") == f"${{{name}}}"
    assert said(f"${{{name}:-open}}") == "open"


def test_before_3_2_a_text_is_a_text():
    document = described("${SET:-x}", "v3.1.0")

    assert resolved(document, {"SET": "value"}) is document
    assert check_contract(document, file="a") == []


def test_what_has_no_value_is_a_finding():
    document = described("${HOST} and ${PORT:-5432}")
    document["schema"][0]["quality"] = [
        {"type": "sql", "query": "SELECT count(*) FROM ${object} WHERE a < '${DAY}'", "mustBe": 0}
    ]
    document["schema"][0]["properties"][0]["examples"] = ["${object}"]

    found = check_contract(resolved(document, {}), file="a.odcs.yaml")

    assert [(one.path, one.rule) for one in found] == [
        ("/description/purpose", "odcs.variable"),
        ("/schema/0/properties/0/examples/0", "odcs.variable"),
        ("/schema/0/quality/0/query", "odcs.variable"),
    ]
    assert found[0].message == "The variable HOST has neither a value nor a default."
    assert "--var HOST=VALUE" in found[0].remedy


def test_values_are_put_in_before_the_contract_is_checked():
    document = contract([{**FIELD, "logicalTypeOptions": {"pattern": "${PATTERN}"}}])
    text = json.dumps(document).encode()

    for pattern, findings in (("^[A-Z]+$", 0), ("(?i)a", 1)):
        read = read_document("a.odcs.json", text, variables={"PATTERN": pattern})
        assert len(check_contract(read, file="a")) == findings


class TestOnboarding:
    @pytest.fixture
    def document(self, contract_of):
        document = contract_of() | {"apiVersion": "v3.2.0"}
        document["schema"][0]["properties"][2] |= {"description": "In ${UNIT:-km²}."}
        return document

    @pytest.fixture
    def told(self, world):
        """The mesh whose policy declares a variable."""
        policy = replace(world.backbone.policy, variables={"UNIT": "square miles"})
        world.backbone = replace(world.backbone, policy=policy)
        return world

    def published(self, world):
        location = "contracts/geography/countries/countries/1.0.0/contract.json"
        document = json.loads(world.storage.blobs[location].data)
        return document["schema"][0]["properties"][2]["description"]

    def test_a_contract_is_published_with_its_defaults(self, world, declare, document):
        assert world.onboard(declare(COUNTRIES, document)).status == "registered"

        assert self.published(world) == "In km²."

    def test_and_with_the_values_of_the_policy(self, told, declare, document):
        assert told.onboard(declare(COUNTRIES, document)).status == "registered"

        assert self.published(told) == "In square miles."

    def test_another_value_is_another_contract(self, told, declare, document):
        told.onboard(declare(COUNTRIES, document))
        policy = replace(told.backbone.policy, variables={"UNIT": "hectares"})
        told.backbone = replace(told.backbone, policy=policy)

        saga = told.onboard(declare(COUNTRIES, document, version="1.0.1"))

        assert [finding.rule for finding in saga.findings] == ["contract.immutable"]
        assert self.published(told) == "In square miles."

    def test_who_may_send_a_declaration_is_asked_of_what_it_becomes(self, told, declare, document):
        """Or nobody would be asked about one that is right only with its values."""
        document["name"] = "${UNIT}"
        body = json.dumps({"files": declare(COUNTRIES, document)}).encode()
        call = entitlement.Call(operation="onboard", body=body)

        found = entitlement._domain(told.backbone, entitlement.Of.DECLARATION, call)

        assert found == "geography"


@pytest.mark.parametrize("variables", [{"a-b": "x"}, {"A": 1}, {"": "x"}])
def test_a_policy_declares_names_and_texts(variables):
    data = json.loads(open_policy())
    data["contracts"]["variables"] = variables

    with pytest.raises(ValueError, match=r"contracts\.variables\."):
        Policy.from_data(data)


def open_policy():
    from mesh.backbone import POLICY_FILE

    return POLICY_FILE.read_text(encoding="utf-8")


class TestCommand:
    @pytest.fixture
    def file(self, tmp_path):
        file = tmp_path / "rows.odcs.json"
        document = contract([{**FIELD, "logicalTypeOptions": {"pattern": "^${START}"}}])
        file.write_text(json.dumps(document))
        (tmp_path / "rows.csv").write_text("a\nx1\n")
        return file

    def run(self, *words):
        return CliRunner().invoke(app, [*map(str, words), "--json"])

    def test_lint(self, file):
        assert self.run("contract", "lint", file).exit_code == 1
        assert self.run("contract", "lint", file, "--var", "START=x").exit_code == 0

    def test_check(self, file):
        rows = file.parent / "rows.csv"

        for value, code in (("x", 0), ("y", 1)):
            words = ("--contract", file, "--var", f"START={value}")
            assert self.run("check", rows, *words).exit_code == code

    def test_samples(self, file):
        (file.parent / "good").mkdir()
        (file.parent / "rows.csv").rename(file.parent / "good" / "rows.csv")

        for value, code in (("x", 0), ("y", 1)):
            words = ("contract", "test", file.parent, "--var", f"START={value}")
            assert self.run(*words).exit_code == code

    @pytest.mark.parametrize("given_", ["START", "=x", "a-b=x"])
    def test_a_value_needs_a_name(self, file, given_):
        done = self.run("contract", "lint", file, "--var", given_)

        assert done.exit_code == 2
        assert "is not of the form NAME=VALUE" in done.stderr
