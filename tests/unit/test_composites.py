"""A composite becomes ready when all its inputs have published, once for each time."""

from __future__ import annotations

import pytest

from mesh import composites, outbox
from mesh.model.events import INPUTS_READY, PRODUCT_UPDATED, ReceivedEvent
from mesh.model.names import ProductId
from tests.unit.conftest import contract, declaration

COUNTRIES = ProductId(domain="geography", product="countries")
REGIONS = ProductId(domain="geography", product="regions")
COVERAGE = ProductId(domain="aviation", product="coverage")
INPUTS = tuple(
    (p.product, f"urn:mesh:{p.domain}:{p.product}:{p.product}") for p in (COUNTRIES, REGIONS)
)
GOOD = b"code,name,area\nCH,Switzerland,41285\n"


def onboard(world, product, **about):
    name = product.product
    document = contract(product, object_name=name)
    saga = world.onboard(declaration(product, document, ports=((name, "1.0.0"),), **about))
    assert saga.status == "registered", saga.findings


@pytest.fixture
def inputs(world):
    onboard(world, COUNTRIES)
    onboard(world, REGIONS)
    return world


@pytest.fixture
def composite(inputs):
    onboard(inputs, COVERAGE, inputs=INPUTS)
    return inputs


def publish(world, product, *, file="all.csv", period=None):
    folder = f"rundate={period}/" if period else ""
    world.land(f"{product}/v1/{product.product}/{folder}{file}", GOOD)
    world.deliver()


def ready(world):
    return [event for event in world.events(COVERAGE) if event["type"] == INPUTS_READY]


def test_it_is_ready_when_the_last_input_has_published(composite):
    publish(composite, COUNTRIES)
    assert ready(composite) == []

    publish(composite, REGIONS)

    [event] = ready(composite)
    told = {(i["product"], i["sequence"]) for i in event["data"]["inputs"]}
    assert told == {("countries", 3), ("regions", 3)}
    assert all(i["dataref"].startswith("https://") for i in event["data"]["inputs"])


def test_it_is_ready_again_only_when_all_inputs_have_published_again(composite):
    publish(composite, COUNTRIES)
    publish(composite, REGIONS)
    publish(composite, COUNTRIES, file="more.csv")
    publish(composite, COUNTRIES, file="evenmore.csv")
    assert len(ready(composite)) == 1

    publish(composite, REGIONS, file="more.csv")

    assert len(ready(composite)) == 2


def test_inputs_of_one_period_belong_together(composite):
    publish(composite, COUNTRIES, period="2026-11-01")
    publish(composite, REGIONS, period="2026-11-02")
    assert ready(composite) == []

    publish(composite, REGIONS, period="2026-11-01")

    [event] = ready(composite)
    assert event["data"]["period"] == "2026-11-01"


def test_what_inputs_published_before_the_composite_was_there_counts(inputs):
    publish(inputs, COUNTRIES)
    publish(inputs, REGIONS)

    onboard(inputs, COVERAGE, inputs=INPUTS)
    inputs.deliver()

    assert len(ready(inputs)) == 1


def test_an_update_that_comes_twice_or_late_changes_nothing(composite):
    publish(composite, COUNTRIES)
    publish(composite, COUNTRIES, file="more.csv")
    publish(composite, REGIONS)
    [subscription] = composite.backbone.subscriptions.of_product(COUNTRIES)
    updates = [e for e in composite.events(COUNTRIES) if e["type"] == PRODUCT_UPDATED]
    for envelope in [*updates, *reversed(updates)]:
        event = ReceivedEvent.from_cloudevent(envelope)
        told = composites.input_updated(composite.backbone, subscription, event)
        assert told.outcome == "delivered"

    assert len(ready(composite)) == 1
    [state, _] = composite.backbone.registry.inputs(COVERAGE, "")
    assert state.sequence == state.used == 4


def test_readiness_that_a_crash_left_unpublished_leaves_with_the_repeated_message(composite):
    publish(composite, COUNTRIES)
    composite.land(f"{REGIONS}/v1/regions/all.csv", GOOD)
    composite.topic.failure = ConnectionError("killed before publishing")
    with pytest.raises(ConnectionError):
        composite.deliver()
    composite.topic.failure = None
    [subscription] = composite.backbone.subscriptions.of_product(REGIONS)
    event = ReceivedEvent.from_cloudevent(composite.events(REGIONS)[-1])

    composites.input_updated(composite.backbone, subscription, event)

    published = [e for e in composite.topic.published if e["type"] == INPUTS_READY]
    assert len(published) == 1
    assert outbox.relay(composite.backbone, COVERAGE) == 0


def test_an_input_that_is_no_longer_declared_is_forgotten(composite):
    document = contract(COVERAGE, object_name="coverage", version="1.1.0")
    saga = composite.onboard(
        declaration(COVERAGE, document, ports=(("coverage", "1.1.0"),), inputs=INPUTS[:1])
    )
    assert saga.status == "registered"

    publish(composite, COUNTRIES)

    assert len(ready(composite)) == 1
    assert composite.backbone.subscriptions.of_product(REGIONS) == []
