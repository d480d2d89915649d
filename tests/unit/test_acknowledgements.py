"""Whoever is not told by webhook acknowledges, and it shows where the file is looked for."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mesh import acknowledgements, subscriptions, tracking
from mesh.errors import NotFound, Rejected
from mesh.model.delivery import DeliveryAttempt
from mesh.model.events import FILE_QUARANTINED, PRODUCT_UPDATED
from mesh.model.names import ProductId
from mesh.model.subscription import PULL, Channel, Filter, Route, webhook

COUNTRIES = ProductId(domain="geography", product="countries")
PLACE = "geography/countries/v1/countries"


def subscribe(world, *, route=PULL, wanted=PRODUCT_UPDATED):
    made = subscriptions.subscribe(
        world.backbone,
        COUNTRIES,
        subscriber="fleet",
        route=route,
        wanted=Filter(types=frozenset({wanted})),
    )
    return made.subscription.id


def test_an_acknowledgement_is_on_record_once(countries):
    identity = subscribe(countries)
    entry = countries.land(f"{PLACE}/all.csv", b"code,name,area\nCH,Switzerland,41285\n")
    at = countries.clock()
    [before] = tracking.journey(countries.backbone, COUNTRIES, entry.drop).announced
    assert before.told[0].delivery is None

    done = acknowledgements.acknowledge(countries.backbone, COUNTRIES, identity, entry.sequence)
    countries.clock.advance(countries.backbone.policy.schedule[1])
    again = acknowledgements.acknowledge(countries.backbone, COUNTRIES, identity, entry.sequence)

    [after] = tracking.journey(countries.backbone, COUNTRIES, entry.drop).announced
    assert after.told[0].delivery.attempts == (done,)
    assert done == again
    assert (done.outcome, done.at, done.channel) == ("acknowledged", at, "pull")


@pytest.mark.parametrize("told", ["delivered", "retry"])
def test_who_is_told_in_a_queue_of_its_own_acknowledges_too(api, countries, told):
    """What is acknowledged is not tried again, whatever the mesh knows of it."""
    route = Route(channel=Channel.SERVICE_BUS, target="fleet/mesh-events")
    wanted = Filter(types=frozenset({PRODUCT_UPDATED}))
    identity = countries.subscribe(route=route, wanted=wanted).subscription.id
    countries.destinations.answers.append(
        DeliveryAttempt(outcome=told, status=None, reason="Told.", duration_s=0)
    )
    entry = countries.land(f"{PLACE}/all.csv", b"code,name,area\nCH,Switzerland,41285\n")
    countries.deliver()

    path = f"/products/geography/countries/subscriptions/{identity}/acknowledgements"
    done = api("POST", path, {"sequence": entry.sequence}).json
    countries.clock.advance(timedelta(days=2))
    countries.deliver()

    journey = api("GET", f"/products/geography/countries/drops/{entry.drop}").json
    [subscriber] = journey["events"][0]["subscribers"]
    assert [one["outcome"] for one in subscriber["attempts"]] == [told, "acknowledged"]
    assert subscriber["attempts"][-1] == done


def test_an_acknowledgement_may_come_before_the_mesh_knows_that_it_has_told(countries):
    route = Route(channel=Channel.SERVICE_BUS, target="fleet/mesh-events", ordered=True)
    identity = countries.subscribe(route=route, wanted=Filter()).subscription.id
    entry = countries.land(f"{PLACE}/all.csv", b"code,name,area\nCH,Switzerland,41285\n")
    told = len(countries.destinations.arrived)
    acknowledgements.acknowledge(countries.backbone, COUNTRIES, identity, entry.sequence)

    countries.deliver()

    assert len(countries.destinations.arrived) == told
    [wants] = subscriptions.of_product(countries.backbone, COUNTRIES)
    assert wants.settled == entry.sequence


def test_what_cannot_be_acknowledged(countries):
    identity = subscribe(countries)
    other = subscribe(countries, wanted=FILE_QUARANTINED)
    push = subscribe(countries, route=webhook("https://fleet.example/hook"))
    entry = countries.land(f"{PLACE}/all.csv", b"code,name,area\nCH,Switzerland,41285\n")

    for subscription, sequence in ((identity, 99), (other, entry.sequence)):
        with pytest.raises(NotFound, match=f"no event {sequence} that subscription"):
            acknowledgements.acknowledge(countries.backbone, COUNTRIES, subscription, sequence)
    with pytest.raises(NotFound, match="There is no subscription 'x'"):
        acknowledgements.acknowledge(countries.backbone, COUNTRIES, "x", 1)
    with pytest.raises(Rejected, match="is push; a 2xx is its acknowledgement"):
        acknowledgements.acknowledge(countries.backbone, COUNTRIES, push, entry.sequence)
