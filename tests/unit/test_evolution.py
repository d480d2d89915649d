"""A new version of a contract takes nothing away under the same major version."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path

import pytest

from mesh import onboarding
from mesh.model.names import ProductId
from mesh.model.onboarding import Status
from mesh.model.policy import Policy

ROOT = Path(__file__).parents[2]
COUNTRIES = ProductId(domain="geography", product="countries")


@pytest.fixture
def publish(countries, declare, contract_of):
    """Onboard `geography/countries` with its contract in another version, changed by `edit`."""

    def run(version, edit=None):
        document = contract_of(version=version)
        if edit is not None:
            edit(document["schema"][0]["properties"])
        return countries.onboard(declare(COUNTRIES, document, ports=(("countries", version),)))

    return run


def wider(fields):
    fields[0]["logicalTypeOptions"] = {"pattern": "^[A-Z]{2,3}$"}
    del fields[2]


def more(fields):
    fields.append({"name": "capital", "logicalType": "string", "description": "Its capital."})


def stricter(fields):
    fields[2]["required"] = True


def test_a_breaking_change_is_refused_with_all_that_breaks(publish, countries):
    before = len(countries.events())

    saga = publish("1.1.0", wider)

    assert saga.status is Status.REFUSED
    assert [(found.rule, found.path, found.file) for found in saga.findings] == [
        ("contract.breaking", "/schema/0/properties/0", "contract0.odcs.json"),
        ("contract.breaking", "/schema/0", "contract0.odcs.json"),
    ]
    assert saga.findings[0].message == (
        "code has another pattern: ^[A-Z]{2,3}$ instead of ^[A-Z]{2}$. That breaks producers and "
        "consumers of version 1 of 'countries' (FORWARD_TRANSITIVE)."
    )
    assert saga.findings[1].message.startswith("area is removed.")
    assert "Publish it as 2.0.0 in an output port of its own" in saga.findings[0].remedy
    assert len(countries.events()) == before


@pytest.mark.parametrize("edit", [more, stricter], ids=["an optional field", "a promise more"])
def test_what_breaks_no_consumer_is_published(publish, edit):
    assert publish("1.1.0", edit).status is Status.REGISTERED


def test_a_new_major_lives_beside_the_old(countries, contract_of, declare):
    old, new = contract_of(), contract_of(version="2.0.0")
    wider(new["schema"][0]["properties"])

    ports = (("countries", "1.0.0"), ("countries", "2.0.0"))
    saga = countries.onboard(declare(COUNTRIES, old, new, ports=ports))

    assert saga.status is Status.REGISTERED, saga.findings
    product = countries.backbone.registry.head(COUNTRIES).product
    assert [port.version for port in product.output_ports] == ["1.0.0", "2.0.0"]


def test_every_version_counts_not_only_the_last(publish):
    """A field that comes back as something else is caught by the versions that knew it."""
    assert publish("1.1.0", more).status is Status.REGISTERED

    def otherwise(fields):
        more(fields)
        fields[-1]["logicalType"] = "integer"

    assert publish("1.0.1").findings[0].message.startswith("capital is removed.")
    found = publish("1.2.0", otherwise).findings
    assert [finding.path for finding in found] == ["/schema/0/properties/3"]
    assert "integer instead of string" in found[0].message


@pytest.mark.parametrize(
    ("mode", "edit", "status"),
    [
        ("none", wider, Status.REGISTERED),
        ("backward", stricter, Status.REFUSED),
        ("forward", stricter, Status.REGISTERED),
        ("full_transitive", stricter, Status.REFUSED),
    ],
)
def test_the_policy_names_the_mode(publish, countries, mode, edit, status):
    policy = replace(countries.backbone.policy, compatibility=mode)
    countries.backbone = replace(countries.backbone, policy=policy)

    assert publish("1.1.0", edit).status is status


def test_a_version_that_is_published_is_not_judged_again(publish):
    assert publish("1.1.0", more).status is Status.REGISTERED

    assert publish("1.0.0").status is Status.REGISTERED


def test_of_two_versions_at_the_same_time_only_compatible_ones_get_in(
    countries, declare, contract_of
):
    """Both are checked before one is registered: the other is judged by it then."""

    def asked(version, kind):
        document = contract_of(version=version)
        more(document["schema"][0]["properties"])
        document["schema"][0]["properties"][-1]["logicalType"] = kind
        files = declare(COUNTRIES, document, ports=(("countries", version),))
        return onboarding.request(countries.backbone, files, requested_by="test").id

    sagas = [asked("1.1.0", "string"), asked("1.2.0", "integer")]
    for _ in range(3):
        for identity in sagas:
            onboarding.advance(countries.backbone, identity)

    first, second = (onboarding.advance(countries.backbone, identity) for identity in sagas)

    assert first.status is Status.REGISTERED
    assert second.status is Status.REFUSED
    assert [finding.rule for finding in second.findings] == ["contract.breaking"]
    assert countries.backbone.registry.contract(COUNTRIES, "countries:1.2.0") is None


def test_the_policy_of_the_mesh_protects_consumers_of_all_versions():
    data = json.loads((ROOT / "policy.json").read_text(encoding="utf-8"))

    assert Policy.from_data(data).compatibility == "forward_transitive"


def test_a_mode_that_is_none_is_named():
    data = json.loads((ROOT / "policy.json").read_text(encoding="utf-8"))
    wrong = copy.deepcopy(data)
    wrong["contracts"]["compatibility"] = "SIDEWAYS"

    with pytest.raises(ValueError, match="is 'SIDEWAYS', not one of NONE, BACKWARD, FORWARD, FUL"):
        Policy.from_data(wrong)
