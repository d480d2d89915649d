"""Dead letters in blobs of a real Azurite, and events in its storage queues."""

from __future__ import annotations

import base64
import json
import re
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from azure.storage.blob.aio import BlobServiceClient, ContainerClient
from azure.storage.queue.aio import QueueServiceClient

from local.azurite import Endpoints
from local.event_grid import EventGrid, ManualClock, Topology
from tests.local.azurite.running import eventually
from tests.local.event_grid.building import (
    CLOUD,
    CUSTOM,
    OWN,
    cloud_event,
    own_event,
    subscription,
    topology,
    webhook,
)
from tests.local.event_grid.receivers import Webhook

pytestmark = pytest.mark.asyncio

MINUTE, HOUR = 60.0, 3600.0


@pytest.fixture
def hook(hook: Webhook) -> Webhook:
    """It agrees to be told, and then fails."""
    hook.answer = lambda received: (
        None if received.kind == "SubscriptionValidation" else web.Response(status=500)
    )
    return hook


@pytest_asyncio.fixture
async def container(azurite: Endpoints) -> AsyncIterator[ContainerClient]:
    name = f"dead-{uuid.uuid4()}"
    async with (
        BlobServiceClient.from_connection_string(azurite.connection_string) as service,
        await service.create_container(name) as container,
    ):
        yield container


def dead(hook: Webhook, container: str, schema: str, **members: Any) -> dict[str, Any]:
    blob = {"endpointType": "StorageBlob", "properties": {"blobContainerName": container}}
    members = {"retryPolicy": {"maxDeliveryAttempts": 1}, **members}
    return subscription(
        webhook(hook.url),
        "My-Sub",
        eventDeliverySchema=schema,
        deadLetterDestination=blob,
        **members,
    )


async def letters(container: ContainerClient) -> list[tuple[str, list[dict[str, Any]]]]:
    found = []
    async for blob in container.list_blobs():
        download = await container.download_blob(blob.name)
        found.append((blob.name, json.loads(await download.readall())))
    return found


def grid_of(
    definition: Topology, clock: ManualClock, azurite: Endpoints, state: Path | None = None
) -> EventGrid:
    return EventGrid(
        topology=definition,
        clock=clock,
        spread=lambda delay: delay,
        storage=azurite.connection_string,
        state=state,
    )


async def test_five_minutes_after_the_last_attempt_the_events_are_in_a_blob(
    hook: Webhook, container: ContainerClient, azurite: Endpoints
) -> None:
    clock = ManualClock()
    definition = topology(dead(hook, container.container_name, OWN), schema=OWN)
    events = [own_event(), own_event()]
    async with grid_of(definition, clock, azurite) as grid:
        await clock.settled()
        grid.publish("orders", events)
        await clock.advance(5 * MINUTE - 1)
        assert await letters(container) == []
        await clock.advance(1)
        ((name, found),) = await letters(container)
        counts = grid.pumps("orders")["my-sub"].counts
        assert (counts.dead_lettered, counts.dropped) == (2, 0)
        assert grid.pumps("orders")["my-sub"].pending == 0
    assert re.fullmatch(r"MY-SUB/2026/1/1/0/[0-9a-f-]{36}\.json", name)
    assert sorted(letter["id"] for letter in found) == sorted(event["id"] for event in events)
    letter = next(letter for letter in found if letter["id"] == events[0]["id"])
    assert letter == {
        **events[0],
        "topic": letter["topic"],
        "metadataVersion": "1",
        "deadLetterReason": "MaxDeliveryAttemptsExceeded",
        "deliveryAttempts": 1,
        "lastDeliveryOutcome": "InternalServerError",
        "lastHttpStatusCode": 500,
        "publishTime": "2026-01-01T00:00:00.000000Z",
        "lastDeliveryAttemptTime": "2026-01-01T00:00:00.000000Z",
    }


async def test_names_are_lower_case_in_cloud_events(
    hook: Webhook, container: ContainerClient, azurite: Endpoints
) -> None:
    clock = ManualClock()
    retry = {"maxDeliveryAttempts": 30, "eventTimeToLiveInMinutes": 1}
    definition = topology(dead(hook, container.container_name, CLOUD, retryPolicy=retry))
    async with grid_of(definition, clock, azurite) as grid:
        await clock.settled()
        grid.publish("orders", [cloud_event(id="late")])
        await clock.advance(HOUR)
        ((_, (letter,)),) = await letters(container)
    assert letter["deadletterreason"] == "TimeToLiveExceeded"
    assert letter["deliveryattempts"] == 3
    assert letter["lastdeliveryattempttime"] == "2026-01-01T00:00:40.000000Z"
    assert letter["id"] == "late"


async def test_a_custom_schema_is_wrapped(
    hook: Webhook, container: ContainerClient, azurite: Endpoints
) -> None:
    clock = ManualClock()
    hook.answer = lambda received: (
        None if received.kind == "SubscriptionValidation" else web.Response(status=400)
    )
    mapping = {
        "inputSchemaMappingType": "Json",
        "properties": {"eventType": {"sourceField": "kind"}},
    }
    definition = topology(
        dead(hook, container.container_name, "CustomInputSchema"),
        schema=CUSTOM,
        inputSchemaMapping=mapping,
    )
    async with grid_of(definition, clock, azurite) as grid:
        await clock.settled()
        grid.publish("orders", [{"kind": "k", "n": 1}])
        await clock.advance(HOUR)
        ((_, (letter,)),) = await letters(container)
    assert letter["data"] == {"kind": "k", "n": 1}
    assert letter["eventType"] == "k"
    assert letter["deadLetterReason"] == "UndeliverableDueToHttpBadRequest"


async def test_a_container_that_is_not_there_takes_nothing(
    hook: Webhook, azurite: Endpoints
) -> None:
    clock = ManualClock()
    definition = topology(dead(hook, "nowhere", CLOUD))
    async with grid_of(definition, clock, azurite) as grid:
        await clock.settled()
        grid.publish("orders", [cloud_event()])
        await clock.advance(10 * MINUTE)
        counts = grid.pumps("orders")["my-sub"].counts
        assert (counts.dead_lettered, counts.dropped) == (0, 1)


async def test_an_account_that_does_not_answer_is_tried_for_four_hours(
    hook: Webhook, azurite: Endpoints
) -> None:
    clock = ManualClock()
    definition = topology(dead(hook, "nowhere", CLOUD))
    nowhere = Endpoints(
        blob="http://127.0.0.1:9/devstoreaccount1",
        queue=azurite.queue,
        table=azurite.table,
        journal=azurite.journal,
    )
    async with grid_of(definition, clock, nowhere) as grid:
        await clock.settled()
        grid.publish("orders", [cloud_event()])
        await clock.advance(4 * HOUR)
        assert grid.pumps("orders")["my-sub"].pending == 1
        await clock.advance(6 * MINUTE)
        assert grid.pumps("orders")["my-sub"].counts.dropped == 1


async def test_waiting_dead_letters_survive_a_restart(
    hook: Webhook, container: ContainerClient, azurite: Endpoints, tmp_path: Path
) -> None:
    clock = ManualClock()
    definition = topology(dead(hook, container.container_name, CLOUD))
    async with grid_of(definition, clock, azurite, tmp_path) as grid:
        await clock.settled()
        grid.publish("orders", [cloud_event(id="kept")])
        await clock.advance(MINUTE)
    async with grid_of(definition, clock, azurite, tmp_path):
        await clock.advance(5 * MINUTE)
    ((_, (letter,)),) = await letters(container)
    assert (letter["id"], letter["deliveryattempts"]) == ("kept", 1)


async def test_a_storage_queue_gets_the_event_in_base64(azurite: Endpoints) -> None:
    name = f"q-{uuid.uuid4()}"
    destination = {"endpointType": "StorageQueue", "properties": {"queueName": name}}
    definition = topology(subscription(destination, eventDeliverySchema=CLOUD))
    event = cloud_event()
    async with (
        QueueServiceClient.from_connection_string(azurite.connection_string) as service,
        await service.create_queue(name) as queue,
        EventGrid(topology=definition, storage=azurite.connection_string) as grid,
    ):
        grid.publish("orders", [event])
        pump = grid.pumps("orders")["sub"]
        await eventually(lambda: pump.counts.delivered)
        (message,) = await queue.peek_messages()
    assert json.loads(base64.b64decode(message.content)) == event


async def test_a_storage_queue_that_is_not_there_is_a_failure(azurite: Endpoints) -> None:
    destination = {"endpointType": "StorageQueue", "properties": {"queueName": "nowhere"}}
    clock = ManualClock()
    definition = topology(subscription(destination, eventDeliverySchema=CLOUD))
    async with grid_of(definition, clock, azurite) as grid:
        grid.publish("orders", [cloud_event()])
        await clock.settled()
        counts = grid.pumps("orders")["sub"].counts
        assert counts.last_error is not None
        assert counts.last_error.startswith("NotFound: ")
