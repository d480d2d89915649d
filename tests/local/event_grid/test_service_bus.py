"""Deliveries to the local Service Bus, read with Microsoft's SDK."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from typing import Any

import pytest
from azure.core.credentials import AzureKeyCredential
from azure.core.messaging import CloudEvent
from azure.eventgrid.aio import EventGridPublisherClient

from local.event_grid import EventGrid, ManualClock, Topology
from local.event_grid.destinations.outgoing import Outgoing
from local.event_grid.destinations.service_bus import ServiceBusConnection, ServiceBusDeliverer
from local.event_grid.destinations.settings import ServiceBusEntity
from local.event_grid.schemas import Event
from tests.local.azurite.running import Part
from tests.local.event_grid.building import (
    CLOUD,
    OWN,
    cloud_event,
    own_event,
    subscription,
    topology,
)
from tests.local.event_grid.bus import body, entities, receive, service_bus

pytestmark = pytest.mark.asyncio


@pytest.fixture(scope="module")
def bus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Part]:
    declared = entities(
        queues={"plain": {}, "many": {}, "sessions": {"RequiresSession": True}}, topics=("events",)
    )
    with service_bus(tmp_path_factory.mktemp("bus"), declared) as part:
        yield part


def queue(name: str, **properties: Any) -> dict[str, Any]:
    return {"endpointType": "ServiceBusQueue", "properties": {"queueName": name, **properties}}


def to(destination: dict[str, Any], schema: str = CLOUD, **members: Any) -> Topology:
    return topology(
        subscription(destination, "My-Sub", eventDeliverySchema=schema, **members), schema=schema
    )


async def test_a_published_event_reaches_a_topic(bus: Part) -> None:
    destination = {"endpointType": "ServiceBusTopic", "properties": {"topicName": "events"}}
    connection = bus.ready["connection_string"]
    event = CloudEvent(
        source="/shop", type="t", subject="s", data={"n": 1}, extensions={"traceparent": "00-1"}
    )
    async with EventGrid(topology=to(destination), service_bus=connection) as grid:
        key = AzureKeyCredential(grid.key)
        async with EventGridPublisherClient(grid.endpoint("orders"), key) as client:
            await client.send(event)
        (message,) = await receive(connection, "events", 1, subscription="all")
    assert body(message) == {
        "id": event.id,
        "source": "/shop",
        "specversion": "1.0",
        "type": "t",
        "subject": "s",
        "time": body(message)["time"],
        "data": {"n": 1},
        "traceparent": "00-1",
    }
    assert message.content_type == "application/cloudevents+json; charset=utf-8"
    assert message.message_id not in (None, event.id)
    assert message.application_properties == {
        b"aeg-event-type": b"Notification",
        b"aeg-subscription-name": b"MY-SUB",
        b"aeg-delivery-count": b"0",
        b"aeg-metadata-version": b"1.0",
        b"aeg-output-event-id": event.id.encode(),
    }


async def test_delivery_properties_set_properties_of_the_message(bus: Part) -> None:
    mappings = [
        {"name": "Label", "type": "Dynamic", "properties": {"sourceField": "eventType"}},
        {"name": "CorrelationId", "type": "Dynamic", "properties": {"sourceField": "data.order"}},
        {"name": "MessageId", "type": "Dynamic", "properties": {"sourceField": "id"}},
        {"name": "domain", "type": "Dynamic", "properties": {"sourceField": "data.domain"}},
        {"name": "missing", "type": "Dynamic", "properties": {"sourceField": "data.none.x"}},
        {"name": "env", "type": "Static", "properties": {"value": "local"}},
    ]
    connection = bus.ready["connection_string"]
    definition = to(queue("plain", deliveryAttributeMappings=mappings), OWN)
    event = own_event(data={"order": "o-1", "domain": "sales"})
    async with EventGrid(topology=definition, service_bus=connection) as grid:
        grid.publish("orders", [event])
        (message,) = await receive(connection, "plain", 1)
    assert (message.subject, message.correlation_id) == ("order.placed", "o-1")
    assert message.message_id == event["id"]
    assert message.content_type == "application/json; charset=utf-8"
    found = message.application_properties
    assert found is not None
    assert (found[b"domain"], found[b"env"]) == (b"sales", b"local")
    assert (found[b"aeg-data-version"], found[b"aeg-metadata-version"]) == (b"1.0", b"1")
    assert b"missing" not in found


async def test_a_thousand_events_all_arrive(bus: Part) -> None:
    connection = bus.ready["connection_string"]
    events = [cloud_event() for _ in range(1000)]
    async with EventGrid(topology=to(queue("many")), service_bus=connection) as grid:
        for start in range(0, 1000, 50):
            grid.publish("orders", events[start : start + 50])
        messages = await receive(connection, "many", 1000)
    assert {body(message)["id"] for message in messages} == {event["id"] for event in events}
    assert len({message.message_id for message in messages}) == 1000


@pytest.mark.parametrize(
    ("name", "outcome"),
    [("nowhere", "NotFound"), ("sessions", "SessionQueueNotSupported")],
)
async def test_a_queue_that_takes_no_events_is_told_apart(
    bus: Part, name: str, outcome: str
) -> None:
    clock = ManualClock()
    async with EventGrid(
        topology=to(queue(name), retryPolicy={"maxDeliveryAttempts": 2}),
        service_bus=bus.ready["connection_string"],
        clock=clock,
    ) as grid:
        grid.publish("orders", [cloud_event(), cloud_event()])
        await clock.settled()
        counts = grid.pumps("orders")["my-sub"].counts
        assert counts.failed_attempts == 2
        assert counts.last_error is not None
        assert counts.last_error.startswith(f"{outcome}: ")


async def test_a_broker_that_is_down_gets_the_events_later(
    bus: Part, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder, clock = tmp_path_factory.mktemp("bus"), ManualClock()
    declared = entities(queues={"q": {}})
    with service_bus(folder, declared) as part:
        connection = part.ready["connection_string"]
    async with EventGrid(topology=to(queue("q")), service_bus=connection, clock=clock) as grid:
        grid.publish("orders", [cloud_event(id="patient")])
        await clock.settled()
        counts = grid.pumps("orders")["my-sub"].counts
        assert (counts.failed_attempts, counts.delivered) == (1, 0)
        assert counts.last_error is not None
        assert counts.last_error.startswith("SocketError: ")
        with service_bus(folder, declared, f"--port={part.ready['port']}"):
            await clock.advance(11)
            (message,) = await receive(connection, "q", 1)
    assert body(message)["id"] == "patient"
    found = message.application_properties
    assert found is not None
    assert found[b"aeg-delivery-count"] == b"1"
    assert bus.process.poll() is None


@pytest.mark.filterwarnings("ignore:unclosed <StreamWriter:ResourceWarning")
async def test_a_broker_that_never_answers_times_out() -> None:
    released = asyncio.Event()

    async def swallow(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await released.wait()
        writer.close()

    silent = await asyncio.start_server(swallow, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    connection = ServiceBusConnection(
        f"Endpoint=sb://127.0.0.1:{port};SharedAccessKeyName=n;SharedAccessKey=aw==;"
        "UseDevelopmentEmulator=true;"
    )
    entity = ServiceBusEntity(name="q", is_topic=False)
    deliverer = ServiceBusDeliverer(entity, connection, response_seconds=0.1)
    event = Event(attributes=cloud_event(), input_schema=CLOUD, internal_id="i", published=0.0)
    for _ in range(2):
        (outcome,) = await deliverer.deliver([Outgoing.render(event, CLOUD, "sub", 0)])
        assert (outcome.name, outcome.detail) == ("TimedOut", "no answer in 0.1 s")
    released.set()
    silent.close()
    await connection.close()
    del deliverer, connection
    gc.collect()  # the SDK leaves the socket of a cancelled attempt to the collector
