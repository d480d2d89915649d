"""What was given up is counted where it lies: in each queue, in fan-out, in all of pull."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from azure.servicebus import ServiceBusMessage

from mesh.azure.clients import Clients
from mesh.azure.service_bus import FAN_OUT, PULL, ServiceBusQueues
from mesh.azure.topic_subscriptions import TOPIC


@pytest.fixture
def pull(messaging: Clients) -> Iterator[str]:
    """A pull subscriber's subscription of the topic."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    messaging.administration().create_subscription(TOPIC, name)
    yield name
    messaging.administration().delete_subscription(TOPIC, name)


def test_dead_letters_are_counted_by_where_they_lie(messaging: Clients, pull: str) -> None:
    queues = ServiceBusQueues(messaging)
    before = queues.dead_letters()
    bus = messaging._service_bus()
    with bus.get_topic_sender(TOPIC) as sender:
        sender.send_messages(ServiceBusMessage(b"{}", message_id=uuid.uuid4().hex))
    for subscription in (pull, FAN_OUT):
        with bus.get_subscription_receiver(TOPIC, subscription) as receiver:
            [message] = receiver.receive_messages(max_message_count=1, max_wait_time=20)
            receiver.dead_letter_message(message, reason="no use")
    with bus.get_queue_sender("onboarding") as sender:
        sender.send_messages(ServiceBusMessage(b"{}", message_id=uuid.uuid4().hex))
    with bus.get_queue_receiver("onboarding") as receiver:
        [message] = receiver.receive_messages(max_message_count=1, max_wait_time=20)
        receiver.dead_letter_message(message, reason="no use")

    after = queues.dead_letters()
    grown = {name: count - before.get(name, 0) for name, count in after.items()}
    assert {name for name, by in grown.items() if by} == {"onboarding", f"{TOPIC}/fan-out", PULL}
    assert set(grown.values()) == {0, 1}
    assert {"landed-files", "notifications"} <= set(after)
