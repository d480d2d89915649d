"""The connections that destinations share: one to Service Bus, one HTTP session, one account."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp

from local.event_grid.destinations.outgoing import Deliverer
from local.event_grid.destinations.settings import Destination, ServiceBusEntity, StorageQueue
from local.event_grid.destinations.storage import DeadLetterWriter, StorageQueueDeliverer
from local.event_grid.destinations.webhook import WebHookDeliverer
from local.event_grid.topology import EventSubscription
from local.process import LocalError

if TYPE_CHECKING:
    from local.event_grid.destinations.service_bus import ServiceBusConnection, ServiceBusDeliverer


class Connections:
    """Makes what takes events to a destination."""

    def __init__(self, *, service_bus: str | None, storage: str | None) -> None:
        self._service_bus_string, self._storage_string = service_bus, storage
        self._service_bus: ServiceBusConnection | None = None
        self._http: aiohttp.ClientSession | None = None
        self._to_open: list[ServiceBusDeliverer] = []
        self._opening: list[asyncio.Task[None]] = []
        self.dead_letter_writer = DeadLetterWriter(storage) if storage else None

    def check(self, subscription: EventSubscription) -> None:
        """Refuse a subscription whose destination cannot be reached without more configuration.

        Raises:
            LocalError: the message names the option that is missing.
        """
        destination = subscription.destination
        missing = None
        if isinstance(destination, ServiceBusEntity) and self._service_bus_string is None:
            missing = "delivers to Service Bus: give its connection string with --service-bus"
        elif isinstance(destination, StorageQueue) and self._storage_string is None:
            missing = "delivers to a storage queue: give a connection string with --storage"
        elif subscription.dead_letters is not None and self._storage_string is None:
            missing = "has dead letters: give a storage connection string with --storage"
        if missing:
            message = f"The event subscription '{subscription.name}' {missing}."
            raise LocalError(message)

    def open(self, http: aiohttp.ClientSession) -> None:
        self._http = http

    def deliverer(self, destination: Destination) -> Deliverer:
        if isinstance(destination, ServiceBusEntity):
            return self._service_bus_deliverer(destination)
        if isinstance(destination, StorageQueue):
            assert self._storage_string is not None, "check() first"
            return StorageQueueDeliverer(destination, self._storage_string)
        assert self._http is not None, "open() first"
        return WebHookDeliverer(destination, self._http)

    async def warm(self) -> None:
        """Begin to open the links to Service Bus, so that the first event need not wait for it."""
        self._opening += [asyncio.create_task(each.open()) for each in self._to_open]
        self._to_open.clear()
        if self._opening:
            await asyncio.wait(self._opening, timeout=2.0)

    async def close(self) -> None:
        for task in self._opening:
            task.cancel()
        await asyncio.gather(*self._opening, return_exceptions=True)
        if self._service_bus is not None:
            await self._service_bus.close()
        if self.dead_letter_writer is not None:
            await self.dead_letter_writer.close()

    def _service_bus_deliverer(self, entity: ServiceBusEntity) -> ServiceBusDeliverer:
        from local.event_grid.destinations.service_bus import (
            ServiceBusConnection,
            ServiceBusDeliverer,
        )

        if self._service_bus is None:
            assert self._service_bus_string is not None, "check() first"
            self._service_bus = ServiceBusConnection(self._service_bus_string)
        deliverer = ServiceBusDeliverer(entity, self._service_bus)
        self._to_open.append(deliverer)
        return deliverer
