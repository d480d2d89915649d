"""Dead letters, in memory and on the local Service Bus."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from azure.servicebus import ServiceBusMessage

from mesh import memory
from mesh.azure.clients import Clients
from mesh.azure.dead_letters import ServiceBusDeadLetters
from mesh.azure.topic_subscriptions import TOPIC, TopicSubscriptions
from mesh.backbone import Backbone
from mesh.errors import NotFound
from mesh.model.dead_letter import DeadLetter, SettledLetter, Settlement
from mesh.model.names import ProductId
from mesh.model.subscription import Filter
from mesh.ports import DeadLetters

GiveUp = Callable[..., None]


@pytest.fixture
def queue(messaging: Clients) -> Iterator[str]:
    name = f"dead-{uuid.uuid4().hex[:12]}"
    messaging.administration().create_queue(name)
    yield name
    messaging.administration().delete_queue(name)


@pytest.fixture(params=["memory", "azure"])
def either(request: pytest.FixtureRequest) -> tuple[DeadLetters, str, GiveUp]:
    """Dead letters, a source that has none, and how to give up messages there."""
    if request.param == "memory":
        letters = memory.DeadLetters()

        def kept(*texts: str) -> None:
            for text in texts:
                number = len(letters.letters) + 1
                letters.letters.append(given_up("test", number, text))

        return letters, "test", kept
    clients: Clients = request.getfixturevalue("messaging")
    name: str = request.getfixturevalue("queue")
    return ServiceBusDeadLetters(clients), name, lambda *texts: give_up(clients, name, *texts)


def given_up(source: str, number: int, text: str) -> DeadLetter:
    return DeadLetter(
        source=source,
        number=number,
        message_id=text,
        enqueued_at=None,
        reason="Poison",
        description="Nobody can work on it.",
        deliveries=1,
        body=json.dumps({"n": text}).encode(),
        traceparent="00-trace",
    )


def give_up(clients: Clients, source: str, *texts: str) -> None:
    bus = clients._service_bus()
    topic, _, subscription = source.partition("/")
    messages = [
        ServiceBusMessage(
            json.dumps({"n": text}),
            message_id=text,
            application_properties={"traceparent": "00-trace", "domain": "test", "product": "dead"},
        )
        for text in texts
    ]
    sender = bus.get_topic_sender(topic) if subscription else bus.get_queue_sender(topic)
    receiver = (
        bus.get_subscription_receiver(topic, subscription)
        if subscription
        else bus.get_queue_receiver(topic)
    )
    with sender, receiver:
        sender.send_messages(messages)
        left = len(texts)
        while left:
            for message in receiver.receive_messages(max_message_count=left, max_wait_time=20):
                receiver.dead_letter_message(
                    message, reason="Poison", error_description="Nobody can work on it."
                )
                left -= 1


def texts(letters: DeadLetters, source: str) -> list[str]:
    return [letter.message_id for letter in letters.peek(source, limit=100)]


def test_they_are_seen_in_order_and_stay(either: tuple[DeadLetters, str, GiveUp]) -> None:
    letters, source, give = either
    assert list(letters.peek(source, limit=10)) == []
    give("a", "b", "c")

    assert texts(letters, source) == ["a", "b", "c"]
    assert [letter.message_id for letter in letters.peek(source, limit=2)] == ["a", "b"]
    first = letters.peek(source, limit=1)[0]
    assert (first.reason, first.description) == ("Poison", "Nobody can work on it.")
    assert (first.document, first.traceparent) == ({"n": "a"}, "00-trace")
    assert first.source == source


def test_one_is_taken_and_the_others_stay(either: tuple[DeadLetters, str, GiveUp]) -> None:
    letters, source, give = either
    give("a", "b", "c")
    second = letters.peek(source, limit=10)[1]
    handled: list[DeadLetter] = []

    done = letters.take(source, second.number, handled.append)

    assert [letter.message_id for letter in handled] == ["b"]
    assert done == handled[0]
    assert done.is_same(second)
    assert texts(letters, source) == ["a", "c"]
    assert letters.take(source, second.number, handled.append) is None
    assert len(handled) == 1


def test_one_that_cannot_be_handled_stays(either: tuple[DeadLetters, str, GiveUp]) -> None:
    letters, source, give = either
    give("a")
    [letter] = letters.peek(source, limit=10)

    def fail(_: DeadLetter) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        letters.take(source, letter.number, fail)

    assert texts(letters, source) == ["a"]
    assert letters.take(source, letter.number, lambda _: None) is not None


def test_what_was_decided_is_kept_without_what_it_held(ports: Backbone) -> None:
    letters, source = ports.dead_letters, f"product-events/{uuid.uuid4().hex}"
    assert letters.settled(source, 7) is None
    at = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
    letter = given_up(source, 7, "a")

    for settlement in Settlement:
        letters.settle(SettledLetter(letter=letter, settlement=settlement, at=at))
        kept = SettledLetter(letter=replace(letter, body=b""), settlement=settlement, at=at)
        assert letters.settled(source, 7) == kept

    assert letters.settled(source, 70) is None
    assert letters.settled("product-events/other", 7) is None


def test_those_of_a_subscription(messaging: Clients) -> None:
    name = f"pull-{uuid.uuid4().hex[:12]}"
    pull, letters = TopicSubscriptions(messaging), ServiceBusDeadLetters(messaging)
    pull.create(name, product=ProductId(domain="test", product="dead"), wanted=Filter())
    source = f"{TOPIC}/{name}"
    try:
        give_up(messaging, source, "a")
        [letter] = letters.peek(source, limit=10)
        assert letters.take(source, letter.number, lambda _: None) is not None
        assert list(letters.peek(source, limit=10)) == []
    finally:
        pull.delete(name)


def test_a_source_that_is_not_there(messaging: Clients) -> None:
    letters = ServiceBusDeadLetters(messaging)

    with pytest.raises(NotFound, match="There is no queue or subscription product-events/none"):
        letters.peek(f"{TOPIC}/none", limit=1)
    with pytest.raises(NotFound, match="There is no queue or subscription product-events/none"):
        letters.take(f"{TOPIC}/none", 1, lambda _: None)
