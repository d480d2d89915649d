"""A consumer's own Service Bus queue and Event Grid topic, which nobody kills."""

from __future__ import annotations

import json
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from azure.servicebus import ServiceBusClient

from mesh.model.subscription_events import SUBSCRIPTION_TESTED
from tests.chaos.consumers import Told
from tests.ports.starting import part

QUEUE, BEHIND, TOPIC = "events", "behind-the-topic", "events"


class Theirs:
    """Started at once; the topic hands what it gets on to a queue, from which it is read."""

    def __init__(self, state: Path) -> None:
        state.mkdir(parents=True)
        entities, topology = state / "entities.json", state / "topology.json"
        queues = [{"Name": name, "Properties": {}} for name in (QUEUE, BEHIND)]
        namespace = {"Name": "theirs", "Queues": queues, "Topics": []}
        entities.write_text(json.dumps({"UserConfig": {"Namespaces": [namespace]}}))
        handed_on = {
            "name": "all",
            "destination": {
                "endpointType": "ServiceBusQueue",
                "properties": {"queueName": BEHIND},
            },
            "eventDeliverySchema": "CloudEventSchemaV1_0",
        }
        topic = {
            "name": TOPIC,
            "inputSchema": "CloudEventSchemaV1_0",
            "eventSubscriptions": [handed_on],
        }
        topology.write_text(json.dumps({"topics": [topic]}))
        self._running = ExitStack()
        options = ["--entities", entities, "--port=0", "--admin-port=0"]
        bus = self._running.enter_context(part("local.service_bus", *options))
        options = ["--topology", topology, "--port=0", "--service-bus", bus["connection_string"]]
        grid = self._running.enter_context(part("local.event_grid", *options))
        self._connection = bus["connection_string"]
        self.queue = f"127.0.0.1:{bus['port']}/{QUEUE}"
        self.topic = f"{grid['url']}/{TOPIC}/api/events"

    def stop(self) -> None:
        self._running.close()

    def arrived(self) -> list[Told]:
        """All that has come since the last call, each as if `TARGET#PRODUCT` had been told it."""
        found = []
        with ServiceBusClient.from_connection_string(self._connection) as bus:
            for queue, target in ((QUEUE, self.queue), (BEHIND, self.topic)):
                mode = "receiveanddelete"
                with bus.get_queue_receiver(queue, receive_mode=mode) as receiver:
                    while messages := receiver.receive_messages(100, max_wait_time=3):
                        for message in messages:
                            # The topic gives what it hands on an id of its own.
                            named = message.message_id if queue == QUEUE else None
                            told = _told(target, b"".join(message.body), named)
                            found += [told] if told else []
        return found


def _told(target: str, body: bytes, named: str | None) -> Told | None:
    event = json.loads(body)
    if event["type"] == SUBSCRIPTION_TESTED:
        return None
    return Told(
        url=f"{target}#{event['partitionkey']}",
        headers={"webhook-id": named or event["id"]},
        body=body,
        at=datetime.now(UTC),
        taken=True,
    )
