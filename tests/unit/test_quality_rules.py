"""SQL rules from the contract to the receipt: onboarding, landing, lint."""

from __future__ import annotations

import json

import pytest
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from cli.main import app
from mesh.model.names import ProductId
from mesh.model.record import Verdict
from mesh.schemas import load

COUNTRIES = ProductId(domain="geography", product="countries")
PLACE = "geography/countries/v1/countries"
SMALL = b"code,name,area\nCH,Switzerland,41285\n"
LARGE = b"code,name,area\nCH,Switzerland,41285\nNA,Namibia,825615\n"
RULE = {
    "type": "sql",
    "name": "not-too-large",
    "query": "SELECT sum(area) FROM {object}",
    "mustBeLessThan": 500000,
    "unit": "square kilometres",
}


@pytest.fixture
def ruled(world, declare, contract_of):
    """Onboard countries with this rule."""

    def onboard(**more):
        document = contract_of()
        document["schema"][0]["quality"] = [RULE | more]
        return world.onboard(declare(COUNTRIES, document)), document

    return onboard


def test_a_broken_rule_rejects_the_file_and_the_last_good_version_stays(world, ruled):
    saga, _ = ruled()
    assert saga.status == "registered", saga.findings
    good = world.land(f"{PLACE}/a.csv", SMALL)
    bad = world.land(f"{PLACE}/b.csv", LARGE)

    assert (good.verdict, bad.verdict) == (Verdict.ACCEPTED, Verdict.REJECTED)
    told = json.loads(world.storage.blobs[bad.receipt].data)
    Draft202012Validator(load("receipts/v1")).validate(told)
    [problem] = told["problems"]
    assert problem["rule"] == "quality"
    assert problem["message"] == (
        "not-too-large: the answer to the query must be less than 500000 square kilometres; "
        "it is 866900 square kilometres."
    )
    assert (told["counts"]["rejected"], told["locations"]) == (0, {})
    assert world.events()[-1]["data"]["rules"] == {"quality": 1}
    [snapshot] = world.backbone.registry.snapshots(COUNTRIES)
    assert snapshot.drop == good.drop


def test_a_rule_that_warns_is_told_of_and_lets_the_file_pass(world, ruled):
    ruled(severity="warning")

    entry = world.land(f"{PLACE}/b.csv", LARGE)

    assert entry.verdict is Verdict.ACCEPTED
    told = json.loads(world.storage.blobs[entry.receipt].data)
    assert [warning["rule"] for warning in told["warnings"]] == ["quality"]
    assert "manifest" in told


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("SELECT sum(size) FROM {object}", "Binder Error: Referenced column"),
        ("SELECT sum(area FROM {object}", "Parser Error: "),
        ("COPY {object} TO 'a'", "it is not one SELECT statement"),
    ],
)
def test_a_query_that_cannot_be_asked_is_found_before_any_file(ruled, tmp_path, query, why):
    saga, document = ruled(query=query)
    file = tmp_path / "countries.odcs.json"
    file.write_text(json.dumps(document))
    linted = CliRunner().invoke(app, ["contract", "lint", str(file), "--json"])

    assert saga.status == "refused"
    [finding] = saga.findings
    assert (finding.rule, finding.path) == ("contract.query", "/schema/0/quality/0/query")
    assert finding.message.startswith("The query cannot be asked: ")
    assert linted.exit_code == 1
    [same] = json.loads(linted.stdout)["findings"]
    assert (same["rule"], same["message"]) == (finding.rule, finding.message)
    assert why in finding.message


def test_a_check_offline_asks_them_too(ruled, tmp_path):
    _, document = ruled()
    (tmp_path / "countries.odcs.json").write_text(json.dumps(document))
    (tmp_path / "b.csv").write_bytes(LARGE)
    words = ["check", "b.csv", "--contract", "countries.odcs.json", "--json"]
    words = [str(tmp_path / word) if "." in word else word for word in words]

    done = CliRunner().invoke(app, words)

    assert done.exit_code == 1
    assert [problem["rule"] for problem in json.loads(done.stdout)["problems"]] == ["quality"]
