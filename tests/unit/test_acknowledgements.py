"""A pull subscriber acknowledges, and it shows where the file is looked for."""

from __future__ import annotations

import pytest

from mesh import acknowledgements, subscriptions, tracking
from mesh.errors import NotFound, Rejected
from mesh.model.events import FILE_QUARANTINED, PRODUCT_UPDATED
from mesh.model.names import ProductId
from mesh.model.subscription import PULL, Filter, webhook

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
    assert after.told[0].delivery == done == again
    [attempt] = done.attempts
    assert (attempt.outcome, attempt.at, attempt.channel) == ("acknowledged", at, "pull")


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
