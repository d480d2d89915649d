"""A declaration becomes a product."""

from __future__ import annotations

import json

import pytest

from mesh import approvals, catalogue, onboarding
from mesh.errors import Conflict, NotFound, Rejected
from mesh.model.names import ProductId
from mesh.model.onboarding import Status, Step
from tests.unit.conftest import OPS

COUNTRIES = ProductId(domain="geography", product="countries")


def test_the_saga_does_each_step_and_says_when(world, declare):
    saga = world.onboard(declare())

    assert saga.findings == ()
    assert saga.status is Status.REGISTERED
    assert [done.step for done in saga.steps] == list(Step)
    assert all(done.at == world.clock() for done in saga.steps)


def test_a_registered_product_is_announced_with_its_contract(countries):
    published, onboarded = countries.topic.published

    assert published["type"] == "mesh.contract.published.v1"
    assert published["data"]["contract"] == {
        "id": "urn:mesh:geography:countries:countries",
        "version": "1.0.0",
    }
    assert onboarded["type"] == "mesh.product.onboarded.v1"
    assert onboarded["source"] == "urn:mesh:geography:countries"
    assert [event["sequence"][-3:] for event in (published, onboarded)] == ["001", "002"]
    assert countries.backbone.registry.outbox(COUNTRIES, limit=10) == []


def test_the_contract_is_published_with_the_schema_of_a_record(countries):
    blobs = countries.storage.blobs
    folder = "contracts/geography/countries/countries/1.0.0"

    contract = json.loads(blobs[f"{folder}/contract.json"].data)
    schema = json.loads(blobs[f"{folder}/countries.schema.json"].data)

    assert contract["id"] == "urn:mesh:geography:countries:countries"
    assert set(schema["properties"]) == {"code", "name", "area"}


def test_the_product_stands_in_the_catalogue(countries):
    [summary] = catalogue.search(countries.backbone, words="COUNTRIES try", limit=10)
    page = catalogue.page(countries.backbone, COUNTRIES)

    assert summary.id == COUNTRIES
    assert summary.objects == ("v1/countries",)
    assert page.product.output_ports[0].objects == ("countries",)
    assert catalogue.search(countries.backbone, words="nowhere", limit=10) == []


def test_replaying_a_declaration_changes_nothing(countries, declare):
    before = countries.events()

    again = countries.onboard(declare())

    assert again.run == 1
    assert again.status is Status.REGISTERED
    assert countries.events() == before


def test_the_same_declaration_in_another_layout_changes_nothing(countries, declare):
    before = countries.events()
    files = {name: json.dumps(json.loads(text), indent=4) for name, text in declare().items()}

    again = countries.onboard(files)

    assert again.steps[-1].detail == "nothing had changed"
    assert countries.events() == before


def test_each_step_can_be_done_twice(world, declare):
    onboarding.request(world.backbone, declare(), requested_by="test")
    while messages := world.queues.take(onboarding.QUEUE):
        for message in [*messages, *messages]:
            onboarding.handle(world.backbone, message.body)

    assert [event["type"] for event in world.events()] == [
        "mesh.contract.published.v1",
        "mesh.product.onboarded.v1",
    ]


def test_a_declaration_comes_by_the_queue_too(world, declare):
    saga = onboarding.handle(world.backbone, {"files": declare(), "requested_by": "pipeline"})

    assert saga.requested_by == "pipeline"
    assert [message.body for message in world.queues.waiting(onboarding.QUEUE)] == [
        {"onboarding": saga.id}
    ]


@pytest.mark.parametrize(
    "message", [{"something": "else"}, {"files": ["a"]}, {"files": {"p": 5}}, "x", None, {}]
)
def test_a_message_that_is_no_declaration_is_refused_with_findings(world, message):
    saga = onboarding.handle(world.backbone, message)
    again = onboarding.handle(world.backbone, message)

    assert saga.status is Status.REFUSED
    assert saga.findings
    assert all(found.rule.startswith("body.") for found in saga.findings)
    assert again.id == saga.id
    assert onboarding.find(world.backbone, saga.id).findings == saga.findings


def test_a_message_about_an_onboarding_that_is_not_there_is_a_failure(world):
    with pytest.raises(NotFound, match="There is no onboarding 'gone'"):
        onboarding.handle(world.backbone, {"onboarding": "gone"})


def test_a_refusal_names_everything_at_once(world, declare, contract_of):
    bad = contract_of(version="1.0.0")
    bad["schema"][0]["properties"][0]["logicalType"] = "text"
    del bad["status"]
    saga = world.onboard(declare(COUNTRIES, bad))

    assert saga.status is Status.REFUSED
    assert len(saga.findings) >= 2
    assert {finding.file for finding in saga.findings} == {"contract0.odcs.json"}
    assert all(finding.rule and finding.message and finding.remedy for finding in saga.findings)
    assert world.topic.published == []


@pytest.mark.parametrize(
    ("document", "rule"),
    [
        ({"$schema": "https://json-schema.org/draft/2020-12/schema"}, "contract-standard"),
        ({"type": "object", "properties": {}, "id": "x", "version": "1.0.0"}, "contract-standard"),
        ({"hello": "world"}, "contract."),
        ({"apiVersion": "v9.9.9", "kind": "DataContract"}, "odcs.apiVersion"),
    ],
)
def test_a_contract_that_is_not_odcs_is_refused(world, declare, document, rule):
    saga = world.onboard(declare(COUNTRIES, document))

    assert saga.status is Status.REFUSED
    about = [found for found in saga.findings if found.file == "contract0.odcs.json"]
    assert about
    assert any(rule in found.rule for found in about), about


def test_the_meshs_own_domain_is_nobodys(world, declare, contract_of):
    product = ProductId(domain="unplaced", product="files")

    saga = world.onboard(declare(product, contract_of(product)))

    assert saga.status is Status.REFUSED
    assert [found.rule for found in saga.findings] == ["product.reserved"]
    assert "the mesh's own" in saga.findings[0].message


def test_a_refused_declaration_can_be_sent_again(world, declare):
    composite = ProductId(domain="aviation", product="coverage")
    files = declare(
        composite,
        contract_of_composite(composite),
        ports=(("coverage", "1.0.0"),),
        inputs=(("countries", "urn:mesh:geography:countries:countries"),),
    )
    refused = world.onboard(files)
    world.onboard(declare())

    again = world.onboard(files)

    assert [finding.rule for finding in refused.findings] == ["product.unknown-input"]
    assert "is not onboarded" in refused.findings[0].message
    assert again.status is Status.REGISTERED
    assert again.run == 2


def contract_of_composite(product: ProductId) -> dict[str, object]:
    return {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": f"urn:mesh:{product.domain}:{product.product}:coverage",
        "name": "coverage",
        "version": "1.0.0",
        "status": "active",
        "domain": product.domain,
        "dataProduct": product.product,
        "schema": [
            {
                "name": "coverage",
                "logicalType": "object",
                "properties": [
                    {"name": "code", "logicalType": "string", "description": "Country code."}
                ],
            }
        ],
    }


def test_a_published_contract_never_changes(countries, declare, contract_of):
    changed = contract_of(more={"description": {"purpose": "Something else."}})

    saga = countries.onboard(declare(COUNTRIES, changed))

    assert saga.status is Status.REFUSED
    assert [finding.rule for finding in saga.findings] == ["contract.immutable"]
    assert "raise its version" in saga.findings[0].remedy


def test_a_new_version_is_announced_as_a_change(countries, declare, contract_of):
    saga = countries.onboard(
        declare(COUNTRIES, contract_of(version="1.1.0"), ports=(("countries", "1.1.0"),))
    )

    assert saga.status is Status.REGISTERED
    assert [event["type"] for event in countries.events()[2:]] == [
        "mesh.contract.published.v1",
        "mesh.product.changed.v1",
    ]
    assert countries.backbone.registry.contract(COUNTRIES, "countries:1.0.0") is not None


def test_going_back_to_an_earlier_declaration_is_a_change(countries, declare, contract_of):
    countries.onboard(
        declare(COUNTRIES, contract_of(version="1.1.0"), ports=(("countries", "1.1.0"),))
    )

    saga = countries.onboard(declare())

    assert saga.run == 2
    product = countries.backbone.registry.head(COUNTRIES).product
    assert product is not None
    assert product.output_ports[0].version == "1.0.0"


def test_a_restricted_field_waits_for_approval(world, declare, contract_of):
    saga = world.onboard(declare(COUNTRIES, contract_of(classification="restricted")))
    assert saga.status is Status.WAITING

    approvals.approve(world.backbone, saga.id, approver="steward", reason="agreed", caller=OPS)
    while messages := world.queues.take(onboarding.QUEUE):
        for message in messages:
            saga = onboarding.handle(world.backbone, message.body)

    assert saga.status is Status.REGISTERED
    assert "approved by steward: agreed" in [done.detail for done in saga.steps]


def test_a_refused_approval_ends_the_saga(world, declare, contract_of):
    saga = world.onboard(declare(COUNTRIES, contract_of(classification="restricted")))

    ended = approvals.refuse(world.backbone, saga.id, approver="steward", reason="no purpose")

    assert ended.status is Status.REFUSED
    assert ended.findings[0].message == "steward refused the declaration: no purpose"
    with pytest.raises(Rejected, match="is refused; it does not wait for an approval"):
        approvals.approve(
            world.backbone, saga.id, approver="steward", reason="after all", caller=OPS
        )


def test_two_workers_on_one_step_end_in_one_product(world, declare):
    saga = onboarding.request(world.backbone, declare(), requested_by="test")
    stale = onboarding.find(world.backbone, saga.id)
    onboarding.advance(world.backbone, saga.id)

    with pytest.raises(Conflict):
        world.backbone.onboardings.put(stale.done(Step.CHECKED, world.clock()))
