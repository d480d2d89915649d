from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.backbone import Backbone
from mesh.errors import Conflict
from mesh.model.claim import Claim
from mesh.model.names import ProductId
from mesh.model.onboarding import Step
from mesh.model.subscription import Channel, Subscription
from mesh.model.template import TemplateName
from tests.ports import nouns
from tests.ports.test_registry import SHARED


def test_the_catalogue_lists_products_in_the_order_of_their_keys(ports: Backbone) -> None:
    mine = [nouns.new_product() for _ in range(3)]
    for product in mine:
        ports.catalogue.put(nouns.summary(product))
    ports.catalogue.put(nouns.summary(mine[0], name="Renamed"))

    listed = list(ports.catalogue.products())

    assert [told.id.key for told in listed] == sorted(told.id.key for told in listed)
    found = {told.id: told for told in listed if told.id in mine}
    assert set(found) == set(mine)
    assert found[mine[0]].name == "Renamed"


def test_a_saga_is_written_by_one_writer_at_a_time(ports: Backbone) -> None:
    saga = nouns.saga()
    assert ports.onboardings.get(saga.id) is None
    ports.onboardings.put(saga)

    with pytest.raises(Conflict, match=f"{saga.id} was changed by another writer"):
        ports.onboardings.put(saga)

    read = ports.onboardings.get(saga.id)
    assert read is not None
    assert replace(read, etag=None) == saga
    ports.onboardings.put(read.done(Step.CHECKED, nouns.AT))
    with pytest.raises(Conflict):
        ports.onboardings.put(read.done(Step.APPROVED, nouns.AT))
    again = ports.onboardings.get(saga.id)
    assert again is not None
    assert [done.step for done in again.steps] == [Step.RECEIVED, Step.CHECKED]


def test_a_saga_nobody_wrote_cannot_be_changed(ports: Backbone) -> None:
    ghost = nouns.saga(etag="W/\"datetime'2026-11-22T00%3A00%3A00.0000000Z'\"")

    with pytest.raises(Conflict):
        ports.onboardings.put(ghost)


def test_sagas_are_found_by_product(ports: Backbone, product: ProductId) -> None:
    of_product = [nouns.saga(product=product) for _ in range(2)]
    for saga in [*of_product, nouns.saga(), nouns.saga(product=nouns.new_product())]:
        ports.onboardings.put(saga)

    found = ports.onboardings.of_product(product)

    assert sorted(saga.id for saga in found) == sorted(saga.id for saga in of_product)
    assert all(saga.etag for saga in found)


def test_a_template_stays_as_it_was_registered_first(ports: Backbone) -> None:
    first, other = nouns.template(), nouns.template()
    assert ports.templates.get(first.id) is None

    assert ports.templates.add(first) == first
    assert ports.templates.add(replace(first, source="elsewhere")) == first
    ports.templates.add(other)

    assert ports.templates.get(first.id) == first
    found = {found.id: found for found in ports.templates.all()}
    assert (found[first.id], found[other.id]) == (first, other)


def test_subscriptions_are_added_changed_and_removed(ports: Backbone, product: ProductId) -> None:
    first, second = nouns.subscription(product, id="a"), nouns.subscription(product, id="b")
    ports.subscriptions.add(first)
    ports.subscriptions.add(second)
    ports.subscriptions.add(replace(second, generation=2))

    assert ports.subscriptions.get(product, "a") == first
    assert list(ports.subscriptions.of_product(product)) == [first, replace(second, generation=2)]
    assert ports.subscriptions.ended(product, "a") is None
    ports.subscriptions.remove(product, "a")
    ports.subscriptions.remove(product, "a")
    left = ports.subscriptions.ended(product, "a")
    assert left is not None
    assert (left.id, left.product, left.generation) == ("a", product, 1)
    assert ports.subscriptions.get(product, "a") is None
    assert ports.subscriptions.get(product, "../b#?") is None
    assert [one.id for one in ports.subscriptions.of_product(product)] == ["b"]
    assert list(ports.subscriptions.of_product(nouns.new_product())) == []


def test_attempts_add_up_to_a_delivery(ports: Backbone, product: ProductId) -> None:
    first = nouns.attempt(product)
    second = nouns.attempt(product, number=2, outcome="delivered", status=200, next_at=None)
    for told in (second, first, second):
        ports.deliveries.record(told)

    delivery = ports.deliveries.get(product, 1, "s1")

    assert delivery is not None
    assert delivery.attempts == (first, second)
    assert (delivery.subscription, delivery.subscriber, delivery.channel) == (
        "s1",
        "planning",
        "push",
    )
    assert ports.deliveries.get(product, 2, "s1") is None
    assert ports.deliveries.get(product, 1, "s2") is None


def test_deliveries_are_found_by_event(ports: Backbone, product: ProductId) -> None:
    for sequence, name in [(1, "a"), (11, "b"), (1, "c"), (2, "d")]:
        ports.deliveries.record(nouns.attempt(product, sequence=sequence, subscription=name))

    assert [one.subscription for one in ports.deliveries.of_event(product, 1)] == ["a", "c"]
    assert [one.subscription for one in ports.deliveries.of_event(product, 11)] == ["b"]
    assert list(ports.deliveries.of_event(product, 3)) == []


def test_attempts_recorded_at_the_same_time_are_all_kept(
    ports: Backbone, product: ProductId
) -> None:
    told = [
        nouns.attempt(product, number=number, at=nouns.AT + timedelta(seconds=number))
        for number in range(1, 25)
    ]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ports.deliveries.record, told))

    delivery = ports.deliveries.get(product, 1, "s1")
    assert delivery is not None
    assert delivery.attempts == tuple(told)


@SHARED
@given(
    summary=nouns.summaries,
    saga=nouns.sagas,
    template=nouns.templates,
    subscription=nouns.subscriptions,
    attempt=nouns.attempts,
    product=st.builds(nouns.new_product),
)
def test_whatever_is_written_is_read_again(
    ports: Backbone, summary, saga, template, subscription, attempt, product: ProductId
) -> None:
    saga = replace(saga, id=uuid.uuid4().hex)
    template = replace(template, id=TemplateName(name=product.product, version="1.0.0"))
    subscription = replace(subscription, product=product)
    attempt = replace(attempt, product=product)

    ports.catalogue.put(summary)
    ports.onboardings.put(saga)
    assert ports.templates.add(template) == template
    ports.subscriptions.add(subscription)
    ports.deliveries.record(attempt)

    assert summary in list(ports.catalogue.products())
    read = ports.onboardings.get(saga.id)
    assert read is not None
    assert replace(read, etag=None) == saga
    assert ports.templates.get(template.id) == template
    assert ports.subscriptions.get(product, subscription.id) == subscription
    assert list(ports.subscriptions.of_product(product)) == [subscription]
    delivery = ports.deliveries.get(product, attempt.sequence, attempt.subscription)
    assert delivery is not None
    assert delivery.attempts == (attempt,)
    assert list(ports.deliveries.of_event(product, attempt.sequence)) == [delivery]


def test_a_subscription_is_changed_by_many_at_once(ports: Backbone, product: ProductId) -> None:
    ports.subscriptions.add(nouns.subscription(product, id="a"))

    def count(found: Subscription) -> Subscription:
        return replace(found, round=found.round + 1)

    with ThreadPoolExecutor(4) as workers:
        list(workers.map(lambda _: ports.subscriptions.change(product, "a", count), range(8)))

    changed = ports.subscriptions.get(product, "a")
    assert changed is not None
    assert changed.round == 8
    assert ports.subscriptions.change(product, "a", lambda found: found) == changed
    assert ports.subscriptions.change(product, "b", count) is None
    assert ports.subscriptions.get(product, "b") is None


def test_a_replay_s_attempts_follow_those_of_the_first_telling(
    ports: Backbone, product: ProductId
) -> None:
    made = [
        nouns.attempt(product, number=number, round=told)
        for told, number in [(0, 1), (0, 2), (1, 1), (2, 1), (2, 2)]
    ]
    for attempt in reversed(made):
        ports.deliveries.record(attempt)

    delivery = ports.deliveries.get(product, 1, "s1")

    assert delivery is not None
    assert list(delivery.attempts) == made
    assert delivery.of_round(2) == tuple(made[3:])


def test_a_claim_is_changed_by_many_at_once(ports: Backbone) -> None:
    domain, target = f"d{uuid.uuid4().hex}", "http://127.0.0.1:1/devstoreaccount1/in/ü?#box"
    of = (domain, Channel.INBOX, target)
    assert ports.claims.get(*of) is None
    assert ports.claims.change(*of, lambda found: found).tokens == 0
    assert ports.claims.get(*of) is None

    def count(found: Claim) -> Claim:
        return replace(found, tokens=found.tokens + 1, sent_at=nouns.AT)

    with ThreadPoolExecutor(4) as workers:
        list(workers.map(lambda _: ports.claims.change(*of, count), range(8)))

    whole = Claim(domain=domain, channel=Channel.INBOX, resource=target, tokens=8, sent_at=nouns.AT)
    assert ports.claims.get(*of) == whole
    assert ports.claims.get(domain, Channel.EVENT_GRID, target) is None
    assert ports.claims.get("other", Channel.INBOX, target) is None
