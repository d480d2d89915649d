"""The owner of a subscription is told that it fails, once for each share of its failure budget."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from mesh import notifications, subscriptions, suspensions
from mesh.errors import Rejected
from mesh.model.delivery import DeliveryAttempt
from mesh.model.events import (
    PRODUCT_UPDATED,
    SUBSCRIPTION_FAILING,
    SUBSCRIPTION_SUSPENDED,
    ReceivedEvent,
)
from mesh.model.names import ProductId
from mesh.model.notification import Notification
from mesh.model.subscription import PULL, Filter, webhook

COUNTRIES = ProductId(domain="geography", product="countries")
OWN = ProductId(domain="fleet", product="subscriptions")
PLACE = "geography/countries/v1/countries"
GOOD = b"code,name,area\nCH,Switzerland,41285\n"
UPDATES = Filter(types=frozenset({PRODUCT_UPDATED}))
FAILED = DeliveryAttempt(outcome="retry", status=500, reason="500.", duration_s=0.1)
GONE = DeliveryAttempt(outcome="gone", status=410, reason="410 Gone.", duration_s=0.1)
CONTACT = "https://ops.fleet.example/hook"


def subscribe(world, product=COUNTRIES, url="https://fleet.example/hook", wanted=UPDATES):
    made = subscriptions.subscribe(
        world.backbone, product, subscriber="fleet", route=webhook(url), wanted=wanted
    )
    return made.subscription.id


def fail(world, attempts):
    """So many attempts, which fail."""
    world.webhooks.answers.extend([FAILED] * attempts)
    while world.webhooks.answers:
        world.deliver()
        world.clock.advance(timedelta(hours=29))


def alerts(world):
    return [
        (event["type"], event["data"]["failing"], event["data"]["state"])
        for event in world.events(OWN)
    ]


def told_to(world, url):
    return [json.loads(one.body) for one in world.webhooks.requests if one.url == url]


def test_each_share_is_told_once_and_in_the_end_that_it_is_suspended(countries):
    identity = subscribe(countries)
    countries.land(f"{PLACE}/all.csv", GOOD)

    fail(countries, len(countries.backbone.policy.schedule))

    assert alerts(countries) == [
        (SUBSCRIPTION_FAILING, 50, "active"),
        (SUBSCRIPTION_FAILING, 70, "active"),
        (SUBSCRIPTION_FAILING, 90, "active"),
        (SUBSCRIPTION_SUSPENDED, 100, "suspended"),
    ]
    told = countries.events(OWN)[0]["data"]
    assert (told["subscription"], told["subscribed"]) == (identity, "geography/countries")
    assert countries.backbone.registry.outbox(OWN, limit=10) == []


def test_a_receiver_that_is_gone_is_told_of(countries):
    subscribe(countries)
    countries.webhooks.answers.append(GONE)
    countries.land(f"{PLACE}/all.csv", GOOD)
    countries.deliver()

    assert alerts(countries) == [(SUBSCRIPTION_SUSPENDED, 100, "gone")]


def test_who_is_gone_again_is_told_of_again(countries):
    subscribe(countries)
    for name in ("one", "two"):
        countries.webhooks.answers.append(GONE)
        countries.land(f"{PLACE}/{name}.csv", GOOD)
        countries.deliver()
        subscribe(countries)
        countries.clock.advance(timedelta(minutes=1))

    assert len(alerts(countries)) == len({event["id"] for event in countries.events(OWN)}) == 2


def test_the_owner_is_told_over_another_channel_and_nobody_else_is(countries):
    others = "https://shipping.example/hook"
    subscribe(countries)
    subscribe(countries, OWN, CONTACT, Filter())
    subscriptions.subscribe(
        countries.backbone,
        COUNTRIES,
        subscriber="shipping",
        route=webhook(others),
        wanted=Filter(),
    )
    inner = countries.webhooks.deliver

    def deliver(*, url, **more):
        made = inner(url=url, **more)
        return FAILED if url == "https://fleet.example/hook" else made

    countries.webhooks.deliver = deliver
    countries.land(f"{PLACE}/all.csv", GOOD)
    for _ in range(5):
        countries.deliver()
        countries.clock.advance(timedelta(hours=29))

    assert [one["data"]["failing"] for one in told_to(countries, CONTACT)] == [50]
    assert {one["source"] for one in told_to(countries, others)} == {COUNTRIES.source}


def test_what_fails_again_after_it_was_well_is_told_again(countries):
    subscribe(countries)
    countries.land(f"{PLACE}/one.csv", GOOD)
    fail(countries, 5)
    countries.deliver()
    countries.land(f"{PLACE}/two.csv", GOOD)
    fail(countries, 5)

    assert [level for _, level, _ in alerts(countries)] == [50, 50]
    assert len({event["id"] for event in countries.events(OWN)}) == 2


@pytest.mark.parametrize("port", ["topic", "registry"])
def test_a_worker_that_died_leaves_the_alert_to_the_next(countries, port, monkeypatch):
    identity = subscribe(countries)
    countries.land(f"{PLACE}/all.csv", GOOD)
    fail(countries, 4)
    [message] = countries.queues.take(notifications.QUEUE)
    countries.webhooks.answers.append(FAILED)
    told = Notification.from_data(message.body)
    if port == "topic":
        countries.topic.failure = ConnectionError("killed between commit and publishing")
    else:
        with monkeypatch.context() as patch:
            patch.setattr(countries.backbone.registry, "commit", _killed)
            with pytest.raises(ConnectionError):
                notifications.notify(countries.backbone, told)
    if port == "topic":
        with pytest.raises(ConnectionError):
            notifications.notify(countries.backbone, told)
        countries.topic.failure = None

    notifications.notify(countries.backbone, told)

    assert alerts(countries) == [(SUBSCRIPTION_FAILING, 50, "active")]
    assert [e["type"] for e in countries.topic.published].count(SUBSCRIPTION_FAILING) == 1
    found = subscriptions.find(countries.backbone, COUNTRIES, identity)
    assert found.alert.is_told


def _killed(_):
    raise ConnectionError("killed before the commit")


def test_what_a_dead_worker_left_goes_when_its_subscription_has_ended(countries):
    identity = subscribe(countries)
    countries.land(f"{PLACE}/all.csv", GOOD)
    fail(countries, 4)
    [message] = countries.queues.take(notifications.QUEUE)
    countries.webhooks.answers.append(FAILED)
    countries.topic.failure = ConnectionError("killed")
    with pytest.raises(ConnectionError):
        notifications.notify(countries.backbone, Notification.from_data(message.body))
    countries.topic.failure = None
    subscriptions.unsubscribe(countries.backbone, COUNTRIES, identity)

    notifications.notify(countries.backbone, Notification.from_data(message.body))

    assert countries.backbone.registry.outbox(OWN, limit=10) == []


def test_what_the_owner_does_is_no_alert(countries):
    identity = subscribe(countries)
    suspensions.suspend(countries.backbone, COUNTRIES, identity, reason="It moves.")
    suspensions.resume(countries.backbone, COUNTRIES, identity, held="skip")

    assert alerts(countries) == []


def test_nobody_is_told_that_the_telling_of_it_fails(countries):
    subscribe(countries)
    subscribe(countries, OWN, CONTACT, Filter())
    countries.webhooks.answers.append(GONE)
    countries.land(f"{PLACE}/all.csv", GOOD)
    countries.webhooks.answers.append(GONE)
    countries.deliver()

    assert len(alerts(countries)) == 1
    [contact] = subscriptions.of_product(countries.backbone, OWN)
    assert contact.state == "gone"


def test_a_domain_is_told_of_its_own_subscriptions_only(countries):
    with pytest.raises(Rejected, match="fleet/subscriptions tells fleet of its own subscriptions"):
        subscriptions.subscribe(
            countries.backbone, OWN, subscriber="shipping", route=PULL, wanted=Filter()
        )
    with pytest.raises(Rejected, match="fleet/subscriptions has no object 'x'; it has none"):
        subscribe(countries, OWN, CONTACT, Filter(objects=frozenset({"x"})))


def test_no_product_may_have_its_name(world, declare, contract_of):
    taken = ProductId(domain="geography", product="subscriptions")

    saga = world.onboard(declare(taken, contract_of(taken)))

    assert saga.status == "refused"
    assert "product.reserved" in {finding.rule for finding in saga.findings}


def test_it_is_seen_with_the_file_and_in_the_feed(api, countries):
    subscribe(countries)
    countries.land(f"{PLACE}/all.csv", GOOD)
    fail(countries, 5)
    [drop] = api("GET", "/drops", query={"file": "all.csv"}).json["drops"]

    journey = api("GET", f"/products/geography/countries/drops/{drop['drop']}").json
    page = api("GET", "/products/fleet/subscriptions/events").json

    [told] = journey["events"][0]["subscribers"]
    assert (told["state"], told["failing"], told["reason"]) == ("active", 50, "500.")
    assert [event["type"] for event in page["events"]] == [SUBSCRIPTION_FAILING]
    assert ReceivedEvent.from_cloudevent(page["events"][0]).product == OWN


def test_another_domain_does_not_see_it(api, countries):
    subscribe(countries)
    countries.land(f"{PLACE}/all.csv", GOOD)
    fail(countries, 5)

    own = api("GET", "/products/fleet/subscriptions/events", by="fleet")
    other = api("GET", "/products/fleet/subscriptions/events", by="shipping")

    assert [event["type"] for event in own.json["events"]] == [SUBSCRIPTION_FAILING]
    assert (other.status, other.json["type"].rpartition(":")[2]) == (403, "not-entitled")
