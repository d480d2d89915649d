from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from azure.servicebus import ServiceBusMessage
from azure.servicebus.management import CorrelationRuleFilter, SqlRuleFilter

from mesh import memory
from mesh.azure.clients import Clients
from mesh.azure.topic_subscriptions import TOPIC, TopicSubscriptions
from mesh.backbone import in_memory
from mesh.model.broker_rules import rules_for
from mesh.model.events import EVENT_TYPES, FILE_QUARANTINED, PRODUCT_UPDATED
from mesh.model.names import ProductId
from mesh.model.subscription import Filter
from tests.ports import nouns

UPDATES = Filter(
    types=frozenset({PRODUCT_UPDATED, FILE_QUARANTINED}), objects=frozenset({"runways", "airports"})
)


@pytest.fixture
def name(messaging: Clients) -> Iterator[str]:
    chosen = f"pull-{uuid.uuid4().hex[:12]}"
    yield chosen
    TopicSubscriptions(messaging).delete(chosen)


def rules_of(clients: Clients, name: str) -> dict[str, dict[str, Any]]:
    return {
        rule.name: dict(rule.filter.properties)
        for rule in clients.administration().list_rules(TOPIC, name)
    }


def subscribed(clients: Clients, name: str) -> list[str]:
    """What has come to a subscription: all of it, for the topic has taken everything in."""
    with clients._service_bus().get_subscription_receiver(TOPIC, name) as receiver:
        peeked = receiver.peek_messages(max_message_count=250)
    return [json.loads(b"".join(message.body))["n"] for message in peeked]


def publish(clients: Clients, *messages: dict[str, str]) -> None:
    with clients._service_bus().get_topic_sender(TOPIC) as sender:
        sender.send_messages(
            [
                ServiceBusMessage(
                    json.dumps({"n": properties.pop("n")}), application_properties={**properties}
                )
                for properties in map(dict, messages)
            ]
        )


def test_the_broker_lets_through_what_is_wanted(
    messaging: Clients, name: str, product: ProductId
) -> None:
    TopicSubscriptions(messaging).create(name, product=product, wanted=UPDATES)
    mine = {
        "domain": product.domain,
        "product": product.product,
        "meshtype": PRODUCT_UPDATED,
        "object": "runways",
    }

    publish(
        messaging,
        {**mine, "n": "wanted"},
        {**mine, "n": "other object", "object": "regions"},
        {**mine, "n": "other wanted object", "object": "airports", "meshtype": FILE_QUARANTINED},
        {**mine, "n": "other product", "product": "other"},
        {**mine, "n": "other domain", "domain": "other"},
        {**mine, "n": "other type", "meshtype": EVENT_TYPES[0]},
        {"n": "nothing"},
    )

    assert subscribed(messaging, name) == ["wanted", "other wanted object"]


def test_without_filter_all_of_the_product_comes(
    messaging: Clients, name: str, product: ProductId
) -> None:
    TopicSubscriptions(messaging).create(name, product=product, wanted=Filter())
    mine = {"domain": product.domain, "product": product.product}

    publish(messaging, {**mine, "n": "a"}, {**mine, "n": "b", "object": "x"}, {"n": "c"})

    assert subscribed(messaging, name) == ["a", "b"]


def test_rules_are_just_those_of_the_filter(
    messaging: Clients, name: str, product: ProductId
) -> None:
    pull, admin = TopicSubscriptions(messaging), messaging.administration()
    for _ in range(2):
        pull.create(name, product=product, wanted=UPDATES)
        assert rules_of(messaging, name) == rules_for(product, UPDATES)
    assert len(rules_for(product, UPDATES)) == 4

    first, second, third, _ = rules_for(product, UPDATES)
    admin.delete_rule(TOPIC, name, first)
    admin.delete_rule(TOPIC, name, second)
    admin.create_rule(TOPIC, name, second, filter=CorrelationRuleFilter(properties={"a": "b"}))
    changed = admin.get_rule(TOPIC, name, third)
    changed.filter = SqlRuleFilter("domain = 'other'")
    admin.update_rule(TOPIC, name, changed)
    admin.create_rule(TOPIC, name, "by-hand", filter=SqlRuleFilter("1 = 1"))
    pull.create(name, product=product, wanted=UPDATES)
    assert rules_of(messaging, name) == rules_for(product, UPDATES)

    narrowed = Filter(types=frozenset({PRODUCT_UPDATED}))
    pull.create(name, product=product, wanted=narrowed)
    assert rules_of(messaging, name) == rules_for(product, narrowed)


def test_a_subscription_is_like_those_declared(
    messaging: Clients, name: str, product: ProductId
) -> None:
    admin = messaging.administration()
    TopicSubscriptions(messaging).create(name, product=product, wanted=Filter())

    made, declared = (admin.get_subscription(TOPIC, one) for one in (name, "fan-out"))

    for setting in (
        "lock_duration",
        "max_delivery_count",
        "default_message_time_to_live",
        "dead_lettering_on_message_expiration",
        "requires_session",
    ):
        assert getattr(made, setting) == getattr(declared, setting), setting


def test_deleting_twice_is_deleting_once(messaging: Clients, name: str, product: ProductId) -> None:
    pull = TopicSubscriptions(messaging)
    pull.create(name, product=product, wanted=Filter())

    pull.delete(name)
    pull.delete(name)

    names = [one.name for one in messaging.administration().list_subscriptions(TOPIC)]
    assert name not in names


def test_names_of_rules_are_short_and_differ(product: ProductId) -> None:
    every = Filter(types=frozenset(EVENT_TYPES), objects=frozenset({"runways", "airports"}))
    rules = rules_for(product, every) | rules_for(nouns.new_product(), every)

    assert len(rules) == 2 * 2 * len(EVENT_TYPES)
    assert all(len(name) <= 50 for name in rules)


def test_memory_keeps_product_and_filter(product: ProductId) -> None:
    pull = in_memory().pull
    assert isinstance(pull, memory.PullSubscriptions)

    pull.create("one", product=product, wanted=Filter())
    pull.create("one", product=product, wanted=UPDATES)
    assert pull.existing == {"one": (product, UPDATES)}
    pull.delete("one")
    pull.delete("one")
    assert pull.existing == {}
