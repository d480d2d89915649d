"""The SDK's clients on one broker. Opening one costs half a second: they are opened at once."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable
from typing import Any

from azure.servicebus import ServiceBusMessage, ServiceBusReceivedMessage
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver, ServiceBusSender

from local.service_bus import ServiceBusEmulator

WAIT = 5.0
"""Seconds within which a message that is there must come."""

NOTHING = 0.3
"""Seconds after which a message that should not come is taken not to come."""


def entities(
    queues: dict[str, dict[str, Any]], topics: dict[str, dict[str, Any]] | None = None
) -> dict[str, Any]:
    """Give an entities document; topics map subscriptions to {"Properties": …, "Rules": …}."""
    namespace = {
        "Name": "test",
        "Queues": [{"Name": name, "Properties": given} for name, given in queues.items()],
        "Topics": [
            {"Name": name, "Subscriptions": [{"Name": sub, **given} for sub, given in subs.items()]}
            for name, subs in (topics or {}).items()
        ],
    }
    return {"UserConfig": {"Namespaces": [namespace], "Logging": {"Type": "Console"}}}


class Lab:
    """A client with open senders and receivers, by entity."""

    def __init__(self, bus: ServiceBusEmulator, client: ServiceBusClient) -> None:
        self.bus, self.client = bus, client
        self.senders: dict[str, ServiceBusSender] = {}
        self.receivers: dict[str, ServiceBusReceiver] = {}

    async def open(
        self,
        queues: Iterable[str],
        topics: dict[str, Iterable[str]],
        *,
        only_send: Iterable[str] = (),
        dead_letters: Iterable[str] = (),
    ) -> None:
        """Open a sender for each entity, and receivers for queues, subscriptions, dead letters."""
        for queue in queues:
            self.senders[queue] = self.client.get_queue_sender(queue)
            if queue not in only_send:
                receiver = self.client.get_queue_receiver(queue, max_wait_time=WAIT)
                self.receivers[queue] = receiver
        for queue in dead_letters:
            self.receivers[f"{queue}/dead"] = self.client.get_queue_receiver(
                queue, sub_queue="deadletter", max_wait_time=WAIT
            )
        for topic, subscriptions in topics.items():
            self.senders[topic] = self.client.get_topic_sender(topic)
            for name in subscriptions:
                receiver = self.client.get_subscription_receiver(topic, name, max_wait_time=WAIT)
                self.receivers[f"{topic}/{name}"] = receiver
        handlers = [*self.senders.values(), *self.receivers.values()]
        await asyncio.gather(*(handler.__aenter__() for handler in handlers))

    async def close(self) -> None:
        """Close all of them at once."""
        handlers = [*self.senders.values(), *self.receivers.values()]
        await asyncio.gather(*(handler.close() for handler in handlers))

    async def send(self, entity: str, *bodies: Any, **fields: Any) -> None:
        """Send messages one by one."""
        for body in bodies:
            await self.senders[entity].send_messages(ServiceBusMessage(body, **fields))

    async def receive(self, entity: str) -> ServiceBusReceivedMessage:
        """Receive the one message that must be there."""
        found = await self.receivers[entity].receive_messages()
        assert found, f"nothing came from {entity}"
        return found[0]

    async def is_empty(self, entity: str) -> bool:
        """Say whether nothing can be received."""
        return not await self.receivers[entity].receive_messages(max_wait_time=NOTHING)


def name() -> str:
    """Give a name that nobody has used."""
    return uuid.uuid4().hex
