"""The mesh's queues, on Service Bus."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from mesh.azure.clients import Clients
from mesh.azure.failures import unavailable
from mesh.azure.topic_subscriptions import TOPIC
from mesh.errors import Rejected
from mesh.ports import Message

if TYPE_CHECKING:
    from azure.servicebus import ServiceBusMessage, ServiceBusMessageBatch, ServiceBusSender

SEND_SECONDS = 30
"""How long sending may take, reconnecting included."""

QUEUES = ("landed-files", "onboarding", "notifications", "notifications-slow")
"""The mesh's own queues; a namespace that is shared may hold others, which are not ours to see."""

FAN_OUT = "fan-out"
"""The mesh's own subscription of the topic; the others are those of pull subscribers."""

PULL = f"{TOPIC}/pull"
"""They are counted together: there may be thousands."""


class ServiceBusQueues:
    """`mesh.ports.Queues` on Service Bus.

    All messages of a call, scheduled ones too, travel in one AMQP transfer, or in a few when they
    are too many. When one of several fails, the others were sent: the queue drops the repeated ids.
    """

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def send(self, queue: str, messages: Iterable[Message]) -> None:
        """See `mesh.ports.Queues.send`.

        Raises:
            Rejected: a message is larger than the queue takes.
        """
        made = [_message(message) for message in messages]
        if not made:
            return
        with unavailable(f"Sending to the queue {queue}"), self._clients.sender(queue) as sender:
            _send(sender, made, queue)

    def dead_letters(self) -> Mapping[str, int]:
        """See `mesh.ports.Queues.dead_letters`; a request per queue and per 100 subscriptions."""
        counts = {PULL: 0}
        with unavailable("Counting dead letters"):
            admin = self._clients.administration()
            for queue in QUEUES:
                found = admin.get_queue_runtime_properties(queue)
                counts[queue] = found.dead_letter_message_count or 0
            for told in admin.list_subscriptions_runtime_properties(TOPIC):
                name = f"{TOPIC}/{FAN_OUT}" if told.name == FAN_OUT else PULL
                counts[name] = counts.get(name, 0) + (told.dead_letter_message_count or 0)
        return counts


def _send(sender: ServiceBusSender, messages: list[ServiceBusMessage], queue: str) -> None:
    batch = sender.create_message_batch()
    for message in messages:
        if _fits(message, batch):
            continue
        if len(batch) > 0:
            sender.send_messages(batch, timeout=SEND_SECONDS)
            batch = sender.create_message_batch()
            if _fits(message, batch):
                continue
        text = (
            f"The message {message.message_id} is too large for the queue {queue}: "
            f"{batch.max_size_in_bytes} bytes are allowed. Messages carry references, not data."
        )
        raise Rejected(text, problem="too-large", status=413)
    sender.send_messages(batch, timeout=SEND_SECONDS)


def _fits(message: ServiceBusMessage, batch: ServiceBusMessageBatch) -> bool:
    from azure.servicebus.exceptions import MessageSizeExceededError

    try:
        batch.add_message(message)
    except MessageSizeExceededError:
        return False
    return True


def _message(message: Message) -> ServiceBusMessage:
    from azure.servicebus import ServiceBusMessage

    properties: dict[str | bytes, Any] = {}
    if message.traceparent is not None:
        properties["traceparent"] = message.traceparent
    return ServiceBusMessage(
        json.dumps(message.body, separators=(",", ":"), ensure_ascii=False).encode(),
        content_type="application/json",
        message_id=message.id,
        application_properties=properties,
        scheduled_enqueue_time_utc=message.due,
    )
