"""Input and output bindings: what they read, and where they write what a function gave."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from azure.functions.meta import Datum

from local.functions_host.clients import Clients
from local.functions_host.expressions import expand
from local.functions_host.indexing import Parameter

if TYPE_CHECKING:
    from azure.servicebus.aio import ServiceBusClient, ServiceBusSender


class Outputs:
    """Writes output bindings. Clients are opened on first use and shared."""

    def __init__(self, clients: Clients) -> None:
        self._service_bus = ServiceBusOutput(clients)

    async def read(self, parameter: Parameter, properties: Mapping[str, Any]) -> Datum | None:
        """Read an input binding; None where there is nothing."""
        raise NotImplementedError

    async def write(
        self, parameter: Parameter, datum: Datum, properties: Mapping[str, Any]
    ) -> None:
        """Write one value; returns when the service has accepted it."""
        await self._service_bus.write(parameter, datum, properties)

    async def close(self) -> None:
        await self._service_bus.close()


class ServiceBusOutput:
    """The `serviceBus` binding: one message, or one for each element of a list."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._open: dict[str, ServiceBusClient] = {}
        self._senders: dict[tuple[str, str], tuple[ServiceBusSender, asyncio.Lock]] = {}

    async def write(
        self, parameter: Parameter, datum: Datum, properties: Mapping[str, Any]
    ) -> None:
        """Send, in order. One sender serves one coroutine at a time: the SDK's is not shareable."""
        from azure.servicebus import ServiceBusMessage

        binding = parameter.binding
        template = binding.text("queueName") or binding.text("topicName")
        entity = expand(template, properties, f"binding '{binding.name}'")
        sender, lock = self._sender(binding.connection, entity)
        async with lock:
            for body in _bodies(datum):
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
            await client.close()


def _bodies(datum: Datum) -> list[bytes | str]:
    if datum.type == "json":
        value = json.loads(datum.value)
        if isinstance(value, list):
            return [item if isinstance(item, str) else json.dumps(item) for item in value]
        return [datum.value]
    return [datum.value if isinstance(datum.value, (str, bytes)) else str(datum.value)]
