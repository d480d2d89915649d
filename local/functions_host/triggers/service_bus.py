"""Service Bus functions: receivers of queues and subscriptions, with and without sessions.

A function that takes one message at a time has receivers of one message each ("slots"): a few
while it is idle, more when all are busy, up to the concurrency of `host.json`. A slot is one task
with a connection of its own, because the SDK's asynchronous receivers take one lock for reading
and writing: what a second task does there waits up to a whole socket timeout.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from azure.functions.meta import Datum
from azure.servicebus import NEXT_AVAILABLE_SESSION
from azure.servicebus.aio import ServiceBusReceiver
from azure.servicebus.exceptions import (
    MessagingEntityNotFoundError,
    OperationTimeoutError,
    ServiceBusError,
    SessionLockLostError,
)

from local.functions_host.clients import Clients
from local.functions_host.host_json import ServiceBusOptions
from local.functions_host.indexing import IndexedFunction
from local.functions_host.invocation import Call, Invoker
from local.functions_host.service_bus_processing import Entity, Processor

_log = logging.getLogger("Host.Triggers.ServiceBus")
_READY = 4
_GROW_AFTER = 0.1
_GROWTH = 3
_IDLE = 30.0
_SOCKET_TIMEOUT = 10.0
_SESSION_SOCKET_TIMEOUT = 1.0
_BATCH_SOCKET_TIMEOUT = 0.05
_CLOSING_SOCKET_TIMEOUT = 0.05
_BATCH_LINGER = 0.02
_BACKOFF = (0.2, 0.5, 1.0, 2.0, 5.0)


class ServiceBusListener:
    """Feeds one function with messages."""

    def __init__(
        self,
        function: IndexedFunction,
        invoker: Invoker,
        clients: Clients,
        options: ServiceBusOptions,
    ) -> None:
        trigger = function.trigger
        self._function = function
        self._options = options
        self._entity = Entity(
            queue=trigger.text("queueName"),
            topic=trigger.text("topicName"),
            subscription=trigger.text("subscriptionName"),
        )
        self._processor = Processor(function, self._entity, invoker, options)
        self._has_sessions = trigger.flag("isSessionsEnabled")
        self._client = clients.service_bus(
            trigger.connection, f"Function '{function.name}'", retry_total=0
        )
        self._slots: set[asyncio.Task[None]] = set()
        self._waiting: set[asyncio.Task[Any]] = set()
        self._opening = 0
        self._running = 0
        self._growing: asyncio.TimerHandle | None = None
        self._stopping = False
        self._troubled = False

    @property
    def _most(self) -> int:
        """The most slots that may be."""
        if self._has_sessions:
            return self._options.max_concurrent_sessions
        return 1 if self._processor.takes_many else self._options.max_concurrent_calls

    @property
    def _least(self) -> int:
        """The slots that wait while nothing comes. With sessions one is enough to accept."""
        return 1 if self._has_sessions else min(_READY, self._most)

    async def run(self, stop: asyncio.Event) -> None:
        """Receive until `stop` is set, then wait for what is running."""
        self._spawn(self._least)
        try:
            await stop.wait()
        finally:
            self._stopping = True
            self._do_not_grow()
            for task in list(self._waiting):
                task.cancel()
        while self._slots:
            await asyncio.wait(self._slots)

    async def close(self) -> None:
        """Abandon what still runs and close the connections."""
        self._stopping = True
        for task in list(self._slots):
            task.cancel()
        while self._slots:
            await asyncio.wait(self._slots)
        await self._client.close()

    async def trigger_once(self, text: str, reason: str) -> None:
        """Run the function as if a message with this body had come."""
        empty = Datum("{}", "json")
        if self._processor.takes_many:
            data = Datum(SimpleNamespace(string=[text]), "collection_string")
            metadata = {"UserPropertiesArray": Datum("[{}]", "json")}
        else:
            data, metadata = Datum(text, "string"), {"UserProperties": empty}
        metadata["ApplicationProperties"] = empty
        await self._processor.invoke(Call(data=data, metadata=metadata, reason=reason))

    # One slot ---------------------------------------------------------------------------------

    async def _slot(self) -> None:
        failures = 0
        while not self._stopping:
            try:
                await self._receive_until_surplus()
                failures = 0
                if self._is_surplus():
                    return
            except asyncio.CancelledError:
                return
            except OperationTimeoutError:
                continue  # no session was free
            except SessionLockLostError:
                _log.info("Function '%s': a session's lock expired", self._function.name)
            except (ServiceBusError, OSError, ValueError) as error:
                self._complain(error)
                with contextlib.suppress(asyncio.CancelledError), self._as_waiting():
                    await asyncio.sleep(_BACKOFF[min(failures, len(_BACKOFF) - 1)])
                failures += 1

    async def _receive_until_surplus(self) -> None:
        receiver = self._receiver()
        try:
            self._opening += 1
            try:
                with self._as_waiting():
                    await receiver.__aenter__()
            finally:
                self._opening -= 1
            self._recovered()
            if self._has_sessions and len(self._slots) < self._most and not self._stopping:
                self._spawn(1)  # to accept the next session
            await self._receive(receiver)
        finally:
            await _close(receiver)

    async def _receive(self, receiver: ServiceBusReceiver) -> None:
        most = self._options.max_message_batch_size if self._processor.takes_many else 1
        idle = self._options.session_idle_timeout.total_seconds() if self._has_sessions else _IDLE
        while not self._stopping:
            with self._as_waiting():
                messages = await receiver.receive_messages(
                    max_message_count=most, max_wait_time=idle
                )
            if messages:
                with self._as_running():
                    await self._processor.process(receiver, messages)
            elif self._has_sessions or self._is_surplus():
                return

    def _receiver(self) -> ServiceBusReceiver:
        options: dict[str, Any] = {
            "prefetch_count": self._options.prefetch_count // self._most,
            "socket_timeout": _SOCKET_TIMEOUT,
        }
        if self._has_sessions:
            options |= {
                "session_id": NEXT_AVAILABLE_SESSION,
                "max_wait_time": _IDLE,
                "socket_timeout": _SESSION_SOCKET_TIMEOUT,
            }
        if self._processor.takes_many:
            options["socket_timeout"] = _BATCH_SOCKET_TIMEOUT
        if self._entity.queue:
            receiver = self._client.get_queue_receiver(self._entity.queue, **options)
        else:
            receiver = self._client.get_subscription_receiver(
                self._entity.topic, self._entity.subscription, **options
            )
        _tune(receiver)
        return receiver

    # How many slots ---------------------------------------------------------------------------

    def _spawn(self, count: int) -> None:
        for _ in range(count):
            slot = asyncio.create_task(self._slot(), name=f"{self._function.name}-receiver")
            self._slots.add(slot)
            slot.add_done_callback(self._slots.discard)

    def _is_surplus(self) -> bool:
        """Tell whether enough others wait for messages, or one for the next session."""
        if self._has_sessions:
            return self._opening > 0
        return len(self._waiting) >= self._least

    @contextlib.contextmanager
    def _as_waiting(self) -> Iterator[None]:
        """Count the current slot as waiting: a stop may cancel it."""
        task = asyncio.current_task()
        assert task is not None
        self._waiting.add(task)
        try:
            yield
        finally:
            self._waiting.discard(task)

    @contextlib.contextmanager
    def _as_running(self) -> Iterator[None]:
        """Count the current slot as running a function; grow if all do so for a while."""
        self._running += 1
        if self._running == len(self._slots) < self._most and not self._has_sessions:
            loop = asyncio.get_running_loop()
            self._growing = loop.call_later(_GROW_AFTER, self._grow)
        try:
            yield
        finally:
            self._running -= 1
            self._do_not_grow()

    def _do_not_grow(self) -> None:
        if self._growing is not None:
            self._growing.cancel()
            self._growing = None

    def _grow(self) -> None:
        self._growing = None
        self._spawn(min(len(self._slots) * _GROWTH, self._most - len(self._slots)))

    # Trouble ----------------------------------------------------------------------------------

    def _complain(self, error: Exception) -> None:
        """Say once what is wrong with the connection; the slots try again by themselves."""
        if self._troubled:
            return
        self._troubled = True
        if isinstance(error, MessagingEntityNotFoundError):
            _log.error(
                "Function '%s': '%s' does not exist. Create it (in the local Azure: declare it in "
                "the file of entities); this function waits for it.",
                self._function.name,
                self._entity,
            )
        else:
            _log.warning(
                "Function '%s': no connection to '%s', trying again: %s",
                self._function.name,
                self._entity,
                error,
            )

    def _recovered(self) -> None:
        if self._troubled:
            self._troubled = False
            _log.info("Function '%s': connected to '%s'", self._function.name, self._entity)


def _tune(receiver: ServiceBusReceiver) -> None:
    """Switch off two delays of the SDK's receivers that no option reaches.

    Its keep-alive task reads from the connection beside our slot: a message or an answer that it
    catches reaches the slot only after a socket timeout. A slot always reads by itself. And a
    receiver of many waits 200 ms for more after the first message.
    """
    create_handler = receiver._create_handler  # noqa: SLF001 (no option reaches it)

    def _without_keep_alive(auth: Any) -> None:
        create_handler(auth)
        receiver._handler._keep_alive_interval = 0  # noqa: SLF001 (as above)

    receiver._create_handler = _without_keep_alive  # type: ignore[method-assign] # noqa: SLF001 (as above)
    receiver._further_pull_receive_timeout = _BATCH_LINGER  # noqa: SLF001 (as above)


async def _close(receiver: ServiceBusReceiver) -> None:
    """Close; what was on its way goes back to the broker, waiting no longer than that needs."""
    handler = receiver._handler  # noqa: SLF001 (it waits two socket timeouts for stragglers)
    if handler is not None:
        handler._socket_timeout = _CLOSING_SOCKET_TIMEOUT  # noqa: SLF001 (as above)
    await receiver.close()
