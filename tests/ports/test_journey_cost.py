"""One accepted file with a subscriber costs at most 12 storage transactions and 6 messages."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from mesh import fan_out, landing, memory, notifications, onboarding, subscriptions
from mesh.azure.clients import Clients
from mesh.backbone import Backbone
from mesh.model.dropped_file import DroppedFile
from mesh.model.events import ReceivedEvent
from mesh.model.names import ProductId
from mesh.model.notification import Notification
from mesh.model.record import LedgerEntry, Verdict
from mesh.model.subscription import Filter, webhook
from tests.ports.conftest import CountingTransport
from tests.ports.nouns import new_product
from tests.unit.conftest import contract, declaration


@pytest.fixture
def backbone(azure: Backbone) -> Backbone:
    """Storage is Azurite's; what else there is, is in memory and counted there."""
    return replace(
        azure,
        topic=memory.Topic(),
        queues=memory.Queues(),
        pull=memory.PullSubscriptions(),
        webhooks=memory.Webhooks(),
    )


def onboarded(backbone: Backbone, product: ProductId, *contracts: dict[str, Any]) -> None:
    onboarding.request(backbone, declaration(product, *contracts), requested_by="test")
    while messages := taken(backbone, onboarding.QUEUE):
        for body in messages:
            saga = onboarding.handle(backbone, body)
    assert saga.status == "registered", saga.findings


def taken(backbone: Backbone, queue: str) -> list[Any]:
    assert isinstance(backbone.queues, memory.Queues)
    return [message.body for message in backbone.queues.take(queue)]


def dropped(clients: Clients, name: str, data: bytes) -> DroppedFile:
    """A file in the landing zone, as its event tells of it."""
    client = clients.blobs().get_blob_client("landing", name)
    etag = client.upload_blob(data, overwrite=True)["etag"].strip('"')
    now = datetime.now(UTC)
    return DroppedFile(url=client.url, etag=etag, size=len(data), sequencer="1", landed_at=now)


def journey(backbone: Backbone, file: DroppedFile) -> tuple[LedgerEntry, int]:
    """Let a file land and tell everybody of it; returns the decision and the messages it took."""
    assert isinstance(backbone.topic, memory.Topic)
    already = len(backbone.topic.published)
    entry = landing.receive(backbone, file)
    events = backbone.topic.published[already:]
    for event in events:
        fan_out.fan_out(backbone, ReceivedEvent.from_cloudevent(event))
    due = taken(backbone, notifications.QUEUE)
    for body in due:
        notifications.notify(backbone, Notification.from_data(body))
    landed_files, product_events_and_fan_out = 1, 2 * len(events)
    return entry, landed_files + product_events_and_fan_out + len(due)


def test_an_accepted_file_with_one_subscriber(
    backbone: Backbone, clients: Clients, counting: CountingTransport
) -> None:
    product = new_product()
    onboarded(backbone, product)
    subscriptions.subscribe(
        backbone,
        product,
        subscriber="aviation",
        route=webhook("https://consumer.example/hook"),
        wanted=Filter(),
    )
    good = b"code,name,area\nCH,Switzerland,41285\n"
    journey(backbone, dropped(clients, f"{product}/v1/countries/first.csv", good))
    file = dropped(clients, f"{product}/v1/countries/second.csv", good)
    counting.requests.clear()

    entry, messages = journey(backbone, file)

    assert entry.verdict is Verdict.ACCEPTED
    assert len(counting.requests) == 12, counting.requests
    assert messages == 4
    assert isinstance(backbone.webhooks, memory.Webhooks)
    assert len(backbone.webhooks.requests) == 2


def test_a_file_that_points_at_another_product(
    backbone: Backbone, clients: Clients, counting: CountingTransport
) -> None:
    """It costs four more: head, snapshots, decision and data of the other product."""
    countries, product = new_product(), new_product()
    onboarded(backbone, countries)
    document = contract(product)
    reference = f"../../{countries}/c.yaml#/schema/countries/properties/code"
    document["schema"][0]["properties"][1]["relationships"] = [{"to": reference}]
    onboarded(backbone, product, document)
    good = b"code,name,area\nCH,Switzerland,41285\n"
    listed, _ = journey(backbone, dropped(clients, f"{countries}/v1/countries/all.csv", good))
    rows = b"code,name,area\nAA,CH,\nBB,Switzerland,\n"

    bad, _ = journey(backbone, dropped(clients, f"{product}/v1/countries/bad.csv", rows))
    told = json.loads(backbone.storage.read(bad.receipt) or b"")

    assert [(one["row"], one["rule"]) for one in told["violations"]] == [(2, "relationship")]
    assert told["references"][0]["sequence"] == listed.sequence
    alone = dropped(clients, f"{countries}/v1/countries/again.csv", good)
    counting.requests.clear()
    journey(backbone, alone)
    alone_cost = len(counting.requests)
    file = dropped(clients, f"{product}/v1/countries/good.csv", b"code,name\nAA,CH\n")
    counting.requests.clear()

    entry, _ = journey(backbone, file)

    assert entry.verdict is Verdict.ACCEPTED
    assert len(counting.requests) == alone_cost + 4, counting.requests
    [snapshot] = backbone.registry.snapshots(product)
    [version] = snapshot.references
    [other] = backbone.registry.snapshots(countries)
    assert (version.product, version.drop) == (str(countries), other.drop)
    assert version.sequence == other.sequence
