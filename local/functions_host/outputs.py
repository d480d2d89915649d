"""Input and output bindings: what they read, and where they write what a function gave.

Clients are opened on first use and shared by all functions.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from azure.functions.meta import Datum

from local.functions_host.bindings import Binding
from local.functions_host.clients import Clients
from local.functions_host.expressions import expand
from local.functions_host.signatures import Parameter

if TYPE_CHECKING:
    from azure.eventgrid.aio import EventGridPublisherClient
    from azure.servicebus.aio import ServiceBusClient, ServiceBusSender

    from local.functions_host.storage_bindings import StorageBindings


class Outputs:
    """Reads and writes every binding that is not a trigger."""

    def __init__(self, clients: Clients, *, message_encoding: str) -> None:
        self._clients = clients
        self._message_encoding = message_encoding
        self._service_bus = ServiceBusOutput(clients)
        self._event_grid = EventGridOutput(clients)
        self._opened: StorageBindings | None = None

    async def read(self, parameter: Parameter, properties: Mapping[str, Any]) -> Datum | None:
        """Read an input binding; None where there is nothing."""
        return await self._storage.read(parameter, properties)

    async def write(
        self, parameter: Parameter, datum: Datum, properties: Mapping[str, Any]
    ) -> None:
        """Write one value; returns when the service has accepted it."""
        binding = parameter.binding
        if binding.type == "serviceBus":
            await self._service_bus.write(binding, datum, properties)
        elif binding.type == "eventGrid":
            await self._event_grid.write(binding, datum)
        else:
            await self._storage.write(binding, datum, properties)

    @property
    def _storage(self) -> StorageBindings:
        if self._opened is None:
            from local.functions_host.storage_bindings import StorageBindings

            self._opened = StorageBindings(self._clients, self._message_encoding)
        return self._opened

    async def close(self) -> None:
        await self._service_bus.close()
        await self._event_grid.close()
        if self._opened is not None:
            await self._opened.close()


class ServiceBusOutput:
    """The `serviceBus` binding: one message, or one for each element of a list."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._open: dict[str, ServiceBusClient] = {}
        self._senders: dict[tuple[str, str], tuple[ServiceBusSender, asyncio.Lock]] = {}

    async def write(self, binding: Binding, datum: Datum, properties: Mapping[str, Any]) -> None:
        """Send, in order. One coroutine uses a sender at a time: the SDK's is not shareable."""
        from azure.servicebus import ServiceBusMessage

        template = binding.text("queueName") or binding.text("topicName")
        entity = expand(template, properties, f"binding '{binding.name}'")
        sender, lock = self._sender(binding.connection, entity)
        async with lock:
            for body in bodies_of(datum):
                await sender.send_messages(ServiceBusMessage(body))

    def _sender(self, connection: str, entity: str) -> tuple[ServiceBusSender, asyncio.Lock]:
        known = self._senders.get((connection, entity))
        if known is None:
            client = self._open.get(connection)
            if client is None:
                client = self._clients.service_bus(connection, f"output to '{entity}'")
                self._open[connection] = client
            # A queue and a topic of one namespace share their names; the sender is the same.
            known = (client.get_queue_sender(entity), asyncio.Lock())
            self._senders[connection, entity] = known
        return known

    async def close(self) -> None:
        for client in self._open.values():
            with contextlib.suppress(Exception):
                await client.close()


class EventGridOutput:
    """The `eventGrid` binding: events in either schema, as JSON."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._publishers: dict[tuple[str, str], EventGridPublisherClient] = {}

    async def write(self, binding: Binding, datum: Datum) -> None:
        text = datum.value.decode() if isinstance(datum.value, bytes) else datum.value
        document = json.loads(text)
        events = document if isinstance(document, list) else [document]
        loaded = [json.loads(event) if isinstance(event, str) else event for event in events]
        await self._publisher(binding).send(loaded)

    def _publisher(self, binding: Binding) -> EventGridPublisherClient:
        connection = binding.text("connection")
        endpoint = binding.text("topicEndpointUri")
        known = self._publishers.get((connection, endpoint))
        if known is None:
            known = self._clients.event_grid(
                connection=connection,
                endpoint_setting=endpoint,
                key_setting=binding.text("topicKeySetting"),
                where=f"binding '{binding.name}'",
            )
            self._publishers[connection, endpoint] = known
        return known

    async def close(self) -> None:
        for publisher in self._publishers.values():
            await publisher.close()


def bodies_of(datum: Datum) -> list[bytes | str]:
    """Split a value into messages: one for each element of a JSON array, else one."""
    if datum.type == "json":
        value = json.loads(datum.value)
        if isinstance(value, list):
            return [item if isinstance(item, str) else json.dumps(item) for item in value]
        return [str(datum.value)]
    return [datum.value if isinstance(datum.value, (str, bytes)) else str(datum.value)]
