"""What is published to Event Grid, and what of it comes out of Service Bus."""

from __future__ import annotations

import json
import socket
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as rules
from hypothesis import strategies as st

from mesh import memory
from mesh.azure import event_grid as module
from mesh.azure.clients import Clients
from mesh.azure.event_grid import EventGridTopic
from mesh.azure.topic_subscriptions import TOPIC, TopicSubscriptions
from mesh.backbone import in_memory
from mesh.errors import Rejected, Unavailable
from mesh.model.events import ReceivedEvent
from mesh.model.names import ProductId
from mesh.model.record import Head, number
from mesh.model.subscription import Filter
from tests.ports import nouns
from tests.ports.conftest import settings
from tests.thorough import examples


@pytest.fixture(scope="session")
def publishing(event_grid: dict[str, str]) -> Iterator[Clients]:
    topic = f"{event_grid['url']}/mesh-events/api/events"
    made = Clients(settings(event_grid_topic=topic, event_grid_key=event_grid["key"]))
    yield made
    made.close()


@dataclass(kw_only=True)
class Subscriber:
    """A pull subscriber of one product."""

    receiver: Any
    product: ProductId

    def receive(self, count: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while len(found) < count:
            got = self.receiver.receive_messages(max_message_count=count, max_wait_time=20)
            assert got, f"only {len(found)} of {count} events came"
            found += [json.loads(b"".join(message.body)) for message in got]
        return found


@pytest.fixture(scope="module")
def subscriber(messaging: Clients) -> Iterator[Subscriber]:
    product, name = nouns.new_product(), f"pull-{uuid.uuid4().hex[:12]}"
    pull = TopicSubscriptions(messaging)
    pull.create(name, product=product, wanted=Filter())
    with messaging._service_bus().get_subscription_receiver(
        TOPIC, name, receive_mode="receiveanddelete"
    ) as receiver:
        yield Subscriber(receiver=receiver, product=product)
    pull.delete(name)


def envelopes(product: ProductId, *announcements: Any) -> list[dict[str, Any]]:
    _, events = number(Head.new(product), announcements)
    return [event.to_cloudevent() for event in events]


def test_an_event_arrives_with_all_its_attributes(
    publishing: Clients, subscriber: Subscriber
) -> None:
    told = nouns.announcement(
        data={"object": "runways", "list": [1, None, True, 0.5], "text": "ü€🛬"},
        dataref="https://storage.invalid/published/x.csv",
    )
    (sent,) = envelopes(subscriber.product, told)

    EventGridTopic(publishing).publish([sent])

    (event,) = subscriber.receive(1)
    assert event == sent
    assert ReceivedEvent.from_cloudevent(event).sequence == 1
    extensions = {"sequence", "partitionkey", "traceparent", "dataref", "dataschema"}
    assert extensions <= event.keys()


@rules(
    max_examples=examples(25),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(told=st.lists(nouns.announcements, min_size=1, max_size=4))
def test_any_event_arrives_as_it_was_announced(
    publishing: Clients, subscriber: Subscriber, told: list[Any]
) -> None:
    sent = envelopes(subscriber.product, *told)

    EventGridTopic(publishing).publish(sent)

    came = sorted(subscriber.receive(len(sent)), key=lambda event: event["sequence"])
    assert came == sent


def test_more_events_than_one_batch_takes_are_published(
    publishing: Clients, subscriber: Subscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST", 3)
    sent = envelopes(subscriber.product, *(nouns.announcement(f"{at}") for at in range(7)))
    large = envelopes(
        subscriber.product,
        *(nouns.announcement(f"large {at}", data={"x": "x" * 200_000}) for at in range(6)),
    )

    EventGridTopic(publishing).publish(sent + large)
    EventGridTopic(publishing).publish([])

    came = subscriber.receive(13)
    assert {event["id"] for event in came} == {event["id"] for event in sent + large}


def test_an_event_that_is_too_large_is_refused(publishing: Clients, product: ProductId) -> None:
    sent = envelopes(product, nouns.announcement("a"), nouns.announcement(data={"x": "x" * 10**6}))

    with pytest.raises(
        Rejected, match=rf"event {sent[1]['id']} of {product.source} has \d+ bytes, and 1000000"
    ) as refused:
        EventGridTopic(publishing).publish(sent)
    assert refused.value.status == 413


def test_a_wrong_key_is_named_and_not_shown(event_grid: dict[str, str]) -> None:
    topic = f"{event_grid['url']}/mesh-events/api/events"
    clients = Clients(settings(event_grid_topic=topic, event_grid_key="d3JvbmcgMTIz"))

    with pytest.raises(Unavailable, match="Publishing 1 events to the topic failed: 401") as failed:
        EventGridTopic(clients).publish(envelopes(nouns.new_product(), nouns.announcement()))

    assert "d3JvbmcgMTIz" not in str(failed.value)
    clients.close()


def test_a_topic_that_does_not_answer_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("mesh.azure.clients.TIMEOUTS", {"read_timeout": 0.1})
    with socket.create_server(("127.0.0.1", 0)) as silent:
        topic = f"http://127.0.0.1:{silent.getsockname()[1]}/api/events"
        clients = Clients(settings(event_grid_topic=topic))

        with pytest.raises(Unavailable, match=r"to the topic failed: .*Read timed out"):
            EventGridTopic(clients).publish(envelopes(nouns.new_product(), nouns.announcement()))
        clients.close()

    assert caplog.records == []


def test_a_topic_that_is_away_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mesh.azure.clients.RETRIES", {"retry_total": 0})
    clients = Clients(settings(event_grid_topic="http://127.0.0.1:1/api/events"))

    with pytest.raises(Unavailable, match="Publishing 1 events to the topic failed: "):
        EventGridTopic(clients).publish(envelopes(nouns.new_product(), nouns.announcement()))
    clients.close()


def test_the_memory_s_topic_keeps_what_it_is_given(product: ProductId) -> None:
    topic = in_memory().topic
    assert isinstance(topic, memory.Topic)
    sent = envelopes(product, nouns.announcement("a"), nouns.announcement("b"))

    topic.publish(sent)
    topic.failure = Unavailable("away")
    with pytest.raises(Unavailable, match="away"):
        topic.publish(sent)

    assert topic.published == sent
