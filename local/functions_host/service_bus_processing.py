"""What happens to received messages: the function runs, locks are renewed, messages are settled."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from azure.servicebus import ServiceBusReceivedMessage
from azure.servicebus.aio import ServiceBusReceiver
from azure.servicebus.exceptions import (
    MessageLockLostError,
    ServiceBusError,
    SessionLockLostError,
)

from local.functions_host.host_json import ServiceBusOptions
from local.functions_host.indexing import IndexedFunction
from local.functions_host.invocation import Call, InvocationFailedError, Invoker
from local.functions_host.service_bus_messages import batch, expressions, single, trace_of

_log = logging.getLogger("Host.Triggers.ServiceBus")
_LEAST_PAUSE = 0.5
_SETTLE_ON_STOP = 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Entity:
    """What a function listens to: a queue, or a subscription of a topic."""

    queue: str = ""
    topic: str = ""
    subscription: str = ""

    def __str__(self) -> str:
        return self.queue or f"{self.topic}/subscriptions/{self.subscription}"


class Processor:
    """Runs a function for messages of one receiver and settles them.

    Success completes them (unless `autoCompleteMessages` is off), failure abandons them all, so
    that the broker counts the delivery and dead-letters after its maximum.
    """

    def __init__(
        self,
        function: IndexedFunction,
        entity: Entity,
        invoker: Invoker,
        options: ServiceBusOptions,
    ) -> None:
        self._function = function
        self._entity = entity
        self._invoker = invoker
        self._options = options
        trigger = function.trigger
        self._many = trigger.text("cardinality", "ONE").upper() == "MANY"
        self._binary = trigger.is_binary
        self._completes = trigger.flag(
            "autoCompleteMessages", default=options.auto_complete_messages
        )
        self._needs_expressions = any(
            "{" in str(value)
            for binding in function.bindings
            if binding is not trigger
            for value in binding.values.values()
        )

    @property
    def takes_many(self) -> bool:
        return self._many

    async def process(
        self, receiver: ServiceBusReceiver, messages: Sequence[ServiceBusReceivedMessage]
    ) -> None:
        """Run the function and settle. Never raises but when cancelled: then it abandons."""
        running = asyncio.create_task(self._run(messages))
        try:
            await self._renew_while(running, receiver, messages)
        except asyncio.CancelledError:
            running.cancel()
            await self._abandon_on_stop(receiver, messages)
            raise
        await self._settle(receiver, messages, succeeded=running.result())

    async def invoke(self, call: Call) -> None:
        """Run the function for a call that came from elsewhere."""
        await self._invoker.invoke(self._function, call)

    async def _run(self, messages: Sequence[ServiceBusReceivedMessage]) -> bool:
        first = messages[0]
        reason = f"New ServiceBus message detected on '{self._entity}'."
        try:
            if self._many:
                data, metadata = batch(messages, binary=self._binary)
                call = Call(data=data, metadata=metadata, reason=reason)
            else:
                data, metadata = single(first, binary=self._binary)
                properties = expressions(first) if self._needs_expressions else {}
                call = Call(
                    data=data,
                    metadata=metadata,
                    reason=reason,
                    trace=trace_of(first),
                    properties=properties,
                )
            await self._invoker.invoke(self._function, call)
        except InvocationFailedError:
            return False  # logged there
        except Exception:  # noqa: BLE001 (a message nobody can decode must not end the receiver)
            _log.exception("Function '%s': a message cannot be decoded", self._function.name)
            return False
        return True

    async def _renew_while(
        self,
        running: asyncio.Task[bool],
        receiver: ServiceBusReceiver,
        messages: Sequence[ServiceBusReceivedMessage],
    ) -> None:
        give_up = time.monotonic() + self._options.max_auto_lock_renewal.total_seconds()
        renewing = True
        while not running.done():
            pause = _until_renewal(receiver, messages) if renewing else None
            await asyncio.wait({running}, timeout=pause)
            if running.done():
                return
            if time.monotonic() >= give_up:
                renewing = False
            elif renewing:
                renewing = await self._renew(receiver, messages)

    async def _renew(
        self, receiver: ServiceBusReceiver, messages: Sequence[ServiceBusReceivedMessage]
    ) -> bool:
        try:
            if receiver.session is not None:
                await receiver.session.renew_lock()
            else:
                for message in messages:
                    await receiver.renew_message_lock(message)
        except (MessageLockLostError, SessionLockLostError):
            self._warn_lock_lost("while the function ran")
            return False
        except (ServiceBusError, ValueError, OSError) as error:
            _log.warning("Function '%s': a lock was not renewed: %s", self._function.name, error)
        return True

    async def _settle(
        self,
        receiver: ServiceBusReceiver,
        messages: Sequence[ServiceBusReceivedMessage],
        *,
        succeeded: bool,
    ) -> None:
        if succeeded and not self._completes:
            return
        for message in messages:
            try:
                if succeeded:
                    await receiver.complete_message(message)
                else:
                    await receiver.abandon_message(message)
            except (MessageLockLostError, SessionLockLostError):
                self._warn_lock_lost("before the message could be settled")
            except (ServiceBusError, ValueError, OSError) as error:
                _log.warning(
                    "Function '%s': message %s was not settled and will come again: %s",
                    self._function.name,
                    message.message_id,
                    error,
                )

    async def _abandon_on_stop(
        self, receiver: ServiceBusReceiver, messages: Sequence[ServiceBusReceivedMessage]
    ) -> None:
        _log.warning(
            "Function '%s': stopped while it ran; %d message(s) go back to '%s'",
            self._function.name,
            len(messages),
            self._entity,
        )
        abandoning = self._settle(receiver, messages, succeeded=False)
        try:
            await asyncio.wait_for(abandoning, _SETTLE_ON_STOP)
        except TimeoutError:
            _log.warning("Function '%s': the broker did not answer in time", self._function.name)

    def _warn_lock_lost(self, when: str) -> None:
        _log.warning(
            "Function '%s': the lock was lost %s; the broker delivers again. If the function needs "
            "longer than the lock, raise maxAutoLockRenewalDuration in host.json.",
            self._function.name,
            when,
        )


def _until_renewal(
    receiver: ServiceBusReceiver, messages: Sequence[ServiceBusReceivedMessage]
) -> float | None:
    """Seconds until half of what is left of the lock has passed; None without a lock."""
    if receiver.session is not None:
        expiry = receiver.session.locked_until_utc
    else:
        expiries = [m.locked_until_utc for m in messages if m.locked_until_utc]
        expiry = min(expiries) if expiries else None
    if expiry is None:
        return None
    return max(_LEAST_PAUSE, (expiry - datetime.now(UTC)).total_seconds() / 2)
