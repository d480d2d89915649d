"""A consumer's own Service Bus queue and Event Grid topic, which nobody kills, and its inbox."""

from __future__ import annotations

import json
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from azure.servicebus import ServiceBusClient
from azure.storage.blob import BlobServiceClient

from mesh.model.subscription_events import SUBSCRIPTION_TESTED
from tests.chaos.consumers import Told
from tests.ports.starting import part

QUEUE, BEHIND, TOPIC, INBOX = "events", "behind-the-topic", "events", "press-inbox"


class Theirs:
    """Started at once; the topic hands what it gets on to a queue, from which it is read.

    The inbox is in the account of the mesh, which is away now and then.

    Attributes:
        tokens: what came to prove that a destination is its subscriber's, by target.
    """

    def __init__(self, state: Path, *, storage: str, seen: str) -> None:
        """Args are connection strings of the account: its own, and as the app knows it."""
        self.tokens: dict[str, str] = {}
        self._storage = storage
        with BlobServiceClient.from_connection_string(storage) as blobs:
            blobs.create_container(INBOX)
        with BlobServiceClient.from_connection_string(seen) as blobs:
            self.inbox = blobs.get_container_client(INBOX).url
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
                            found += self._told(target, b"".join(message.body), named)
        with BlobServiceClient.from_connection_string(self._storage) as blobs:
            container = blobs.get_container_client(INBOX)
            for name in list(container.list_blob_names()):
                body = container.download_blob(name).readall()
                found += self._told(self.inbox, body, None)
                container.delete_blob(name)
        return found

    def _told(self, target: str, body: bytes, named: str | None) -> list[Told]:
        event = json.loads(body)
        if event["type"] != SUBSCRIPTION_TESTED:
            return [_as_told(target, body, event, named)]
        if "token" in event["data"]:
            self.tokens[target] = event["data"]["token"]
        return []


def _as_told(target: str, body: bytes, event: dict[str, Any], named: str | None) -> Told:
    return Told(
        url=f"{target}#{event['partitionkey']}",
        headers={"webhook-id": named or event["id"]},
        body=body,
        at=datetime.now(UTC),
        taken=True,
    )
