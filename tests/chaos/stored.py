"""The evidence of a mesh on the local Azure: raw rows, blobs and messages, by Microsoft's SDKs."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from azure.core.exceptions import ResourceNotFoundError
from azure.data.tables import TableServiceClient
from azure.servicebus import ServiceBusClient, ServiceBusSubQueue
from azure.servicebus.management import ServiceBusAdministrationClient
from azure.storage.blob import BlobServiceClient

from tests.chaos.consumers import Told
from tests.chaos.evidence import Evidence

QUEUES = ("landed-files", "onboarding", "notifications", "notifications-slow")
TOPIC = "product-events"
TAP = "tap"
"""A subscription of the topic without a filter: everything that was published."""


def evidence_in(
    storage: str,
    *,
    published: Sequence[Mapping[str, Any]],
    told: Sequence[Told],
    pulled: Mapping[str, Sequence[Mapping[str, Any]]],
    dead: Sequence[str],
) -> Evidence:
    """Read all tables of an account, and whatever blob is asked for."""
    with TableServiceClient.from_connection_string(storage) as tables:
        record = list(tables.get_table_client("record").list_entities())
        subscriptions = [
            entity
            for entity in tables.get_table_client("subscriptions").list_entities()
            if not entity["RowKey"].startswith("~~~~")  # that it ended is there; it is not
        ]
    rows: defaultdict[str, defaultdict[str, list[tuple[str, Any]]]]
    rows = defaultdict(lambda: defaultdict(list))
    for entity in record:
        kind, _, key = entity["RowKey"].partition(":")
        rows[kind][entity["PartitionKey"]].append((key, _content(entity)))
    partitions = sorted({entity["PartitionKey"] for entity in record})
    blobs = BlobServiceClient.from_connection_string(storage)

    def blob(location: str) -> bytes | None:
        container, _, name = location.partition("/")
        try:
            return blobs.get_blob_client(container, name).download_blob().readall()
        except ResourceNotFoundError:
            return None

    return Evidence(
        heads={key: rows["head"][key][0][1]["sequence"] for key in partitions},
        ledger={key: [content for _, content in rows["drop"][key]] for key in partitions},
        log={
            key: [(int(at), content) for at, content in sorted(rows["event"][key])]
            for key in partitions
        },
        outbox={key: [int(at) for at, _ in rows["outbox"][key]] for key in partitions},
        snapshots={key: [content for _, content in rows["snapshot"][key]] for key in partitions},
        subscriptions={content["id"]: content["state"] for content in map(_content, subscriptions)},
        blob=blob,
        published=published,
        told=told,
        pulled=pulled,
        dead=dead,
    )


def _content(entity: Mapping[str, Any]) -> Any:
    names = sorted(name for name in entity if name.startswith("json"))
    return json.loads("".join(entity[name] for name in names))


def drain(
    client: ServiceBusClient, admin: ServiceBusAdministrationClient, subscription: str
) -> list[dict[str, Any]]:
    """Receive and complete all that a topic subscription holds."""
    counted = admin.get_subscription_runtime_properties(TOPIC, subscription)
    found: list[dict[str, Any]] = []
    with client.get_subscription_receiver(TOPIC, subscription) as receiver:
        while len(found) < (counted.active_message_count or 0):
            for message in receiver.receive_messages(max_message_count=100, max_wait_time=10):
                found.append(json.loads(str(message)))
                receiver.complete_message(message)
    return found


def resubmit_dead_letters(client: ServiceBusClient) -> list[str]:
    """Put dead letters back where they came from, as an operator does; returns what they were."""
    found = []
    for queue in QUEUES:
        with (
            client.get_queue_receiver(queue, sub_queue=ServiceBusSubQueue.DEAD_LETTER) as receiver,
            client.get_queue_sender(queue) as sender,
        ):
            while messages := receiver.receive_messages(max_message_count=50, max_wait_time=1):
                for message in messages:
                    found.append(f"{queue}: {message.dead_letter_reason}: {str(message)[:300]}")
                    sender.send_messages(_again(message))
                    receiver.complete_message(message)
    return found


def _again(message: Any) -> Any:
    from azure.servicebus import ServiceBusMessage

    return ServiceBusMessage(str(message), content_type=message.content_type)
