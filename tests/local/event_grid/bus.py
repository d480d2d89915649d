"""A real local Service Bus for tests: its entities, and reading from them with the SDK."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from azure.servicebus import ServiceBusReceivedMessage
from azure.servicebus.aio import ServiceBusClient

from tests.local.azurite.running import Part, running


def entities(*, queues: dict[str, Any] | None = None, topics: tuple[str, ...] = ()) -> str:
    """An entities file: queues with their properties, topics with one subscription, `all`."""
    namespace = {
        "Name": "n",
        "Queues": [
            {"Name": name, "Properties": properties} for name, properties in (queues or {}).items()
        ],
        "Topics": [
            {"Name": name, "Properties": {}, "Subscriptions": [{"Name": "all", "Properties": {}}]}
            for name in topics
        ],
    }
    return json.dumps({"UserConfig": {"Namespaces": [namespace]}})


@contextmanager
def service_bus(folder: Path, declared: str, *options: str) -> Iterator[Part]:
    """A running Service Bus with these entities."""
    file = folder / "entities.json"
    file.write_text(declared)
    ports = ("--port=0", "--admin-port=0")
    with running("local.service_bus", "--entities", file, *ports, *options) as part:
        yield part


async def receive(
    connection: str, name: str, count: int, *, subscription: str | None = None
) -> list[ServiceBusReceivedMessage]:
    """Take this many messages from a queue, or from a subscription of a topic."""
    found: list[ServiceBusReceivedMessage] = []
    async with ServiceBusClient.from_connection_string(connection) as client:
        if subscription is None:
            receiver = client.get_queue_receiver(name)
        else:
            receiver = client.get_subscription_receiver(name, subscription)
        async with receiver:
            while len(found) < count:
                messages = await receiver.receive_messages(count - len(found), max_wait_time=20)
                assert messages, f"only {len(found)} of {count} messages came"
                for message in messages:
                    await receiver.complete_message(message)
                found += messages
    return found


def body(message: ServiceBusReceivedMessage) -> Any:
    return json.loads(b"".join(message.body))  # type: ignore[arg-type]
