"""Deliver to a queue or topic of Service Bus with Microsoft's SDK.

One message per event: its JSON is the body; the message id is Event Grid's internal id, which stays
the same over redelivery, so that duplicate detection can work. Events that wait together travel as
one AMQP batch, which is quicker and changes nothing for the receiver.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Any

from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient, ServiceBusSender
from azure.servicebus.exceptions import (
    MessageSizeExceededError,
    MessagingEntityDisabledError,
    MessagingEntityNotFoundError,
    OperationTimeoutError,
    ServiceBusAuthenticationError,
    ServiceBusAuthorizationError,
    ServiceBusError,
    ServiceBusQuotaExceededError,
    ServiceBusServerBusyError,
)

from local.event_grid.destinations.outgoing import Outgoing
from local.event_grid.destinations.settings import ServiceBusEntity
from local.event_grid.retry import DELIVERED, MINUTE, RESPONSE_SECONDS, Outcome, outcome_of_status

_OUTCOMES: tuple[tuple[type[ServiceBusError], Callable[[str], Outcome]], ...] = (
    (MessagingEntityNotFoundError, lambda text: outcome_of_status(404, webhook=False, detail=text)),
    (MessageSizeExceededError, lambda text: outcome_of_status(413, webhook=False, detail=text)),
    (
        ServiceBusAuthenticationError,
        lambda text: outcome_of_status(401, webhook=False, detail=text),
    ),
    (ServiceBusAuthorizationError, lambda text: outcome_of_status(401, webhook=False, detail=text)),
    (
        MessagingEntityDisabledError,
        lambda text: Outcome(name="Disabled", detail=text, minimum_wait=5 * MINUTE),
    ),
    (
        ServiceBusQuotaExceededError,
        lambda text: Outcome(name="Full", detail=text, minimum_wait=5 * MINUTE),
    ),
    (ServiceBusServerBusyError, lambda text: Outcome(name="Busy", detail=text)),
    (OperationTimeoutError, lambda text: Outcome(name="TimedOut", detail=text)),
)

_MESSAGE_PROPERTIES = {
    "messageid": "message_id",
    "partitionkey": "partition_key",
    "sessionid": "session_id",
    "correlationid": "correlation_id",
    "label": "subject",
    "replyto": "reply_to",
    "replytosessionid": "reply_to_session_id",
    "to": "to",
}
"""Delivery properties that set a property of the message; any other is an application property."""


class Link:
    """The sender of one entity. It is not safe for two coroutines: hold `lock` to use it."""

    def __init__(self, client: ServiceBusClient, entity: ServiceBusEntity) -> None:
        self._client, self._entity = client, entity
        self.lock = asyncio.Lock()
        self.sender = self._made()

    async def renew(self) -> None:
        """Replace a sender that does not answer any more."""
        abandoned, self.sender = self.sender, self._made()
        with contextlib.suppress(TimeoutError, ServiceBusError, OSError):
            async with asyncio.timeout(1.0):
                await abandoned.close()

    def _made(self) -> ServiceBusSender:
        if self._entity.is_topic:
            return self._client.get_topic_sender(self._entity.name)
        return self._client.get_queue_sender(self._entity.name)


class ServiceBusConnection:
    """The one connection to the namespace, shared by all links."""

    def __init__(self, connection_string: str) -> None:
        # One quick retry renews a link that the broker closed; the rest is Event Grid's schedule.
        self._client = ServiceBusClient.from_connection_string(
            connection_string, retry_total=1, retry_backoff_factor=0.05
        )
        self._links: dict[tuple[str, bool], Link] = {}

    def link(self, entity: ServiceBusEntity) -> Link:
        """The link to an entity, the same for all event subscriptions that deliver to it."""
        place = (entity.name, entity.is_topic)
        if place not in self._links:
            self._links[place] = Link(self._client, entity)
        return self._links[place]

    async def close(self) -> None:
        await asyncio.gather(*(link.sender.close() for link in self._links.values()))
        await self._client.close()


class ServiceBusDeliverer:
    """Delivers to one queue or topic."""

    max_concurrent = 1
    max_batch = 100

    def __init__(
        self,
        entity: ServiceBusEntity,
        connection: ServiceBusConnection,
        *,
        response_seconds: float = RESPONSE_SECONDS,
    ) -> None:
        self._entity = entity
        self._link = connection.link(entity)
        self._response_seconds = response_seconds

    async def open(self) -> None:
        """Open the link before the first event needs it, which takes half a second."""
        async with self._link.lock:
            with contextlib.suppress(ServiceBusError, ValueError, OSError, TimeoutError):
                async with asyncio.timeout(self._response_seconds):
                    await self._link.sender.create_message_batch()

    async def deliver(self, outgoing: Sequence[Outgoing]) -> list[Outcome]:
        messages = [self._message(each) for each in outgoing]
        async with self._link.lock:
            if len(messages) > 1 and (await self._send(messages)).delivered:
                return [DELIVERED] * len(messages)
            return [await self._send(message) for message in messages]

    async def close(self) -> None:
        """Nothing: the connection closes its links."""

    async def _send(self, message: ServiceBusMessage | list[ServiceBusMessage]) -> Outcome:
        try:
            async with asyncio.timeout(self._response_seconds):
                await self._link.sender.send_messages(message)
        except TimeoutError:
            await self._link.renew()
            return Outcome(name="TimedOut", detail=f"no answer in {self._response_seconds:g} s")
        except (ServiceBusError, ValueError, OSError) as problem:
            return _outcome_of(problem)
        return DELIVERED

    def _message(self, outgoing: Outgoing) -> ServiceBusMessage:
        properties: dict[Any, Any] = dict(outgoing.headers())
        own: dict[str, Any] = {"message_id": outgoing.event.internal_id}
        for name, value in outgoing.custom(self._entity.attributes).items():
            if known := _MESSAGE_PROPERTIES.get(name.casefold()):
                own[known] = value
            else:
                properties[name] = value
        return ServiceBusMessage(
            outgoing.payload,
            content_type=outgoing.content_type,
            application_properties=properties,
            **own,
        )


def _outcome_of(problem: Exception) -> Outcome:
    text = str(problem)
    if "SessionId was not set" in text:
        return Outcome(name="SessionQueueNotSupported", detail=text)
    for kind, outcome in _OUTCOMES:
        if isinstance(problem, kind):
            return outcome(text)
    return Outcome(name="SocketError", detail=text)
