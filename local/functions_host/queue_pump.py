"""Reads a storage queue for functions: batches, back-off, visibility, poison messages."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from azure.core.exceptions import AzureError, ResourceExistsError, ResourceNotFoundError
from azure.storage.queue import QueueMessage
from azure.storage.queue.aio import QueueClient

from local.functions_host.host_json import QueueOptions

_log = logging.getLogger("Host.Triggers.Queue")
_INVISIBLE = 600  # seconds, as the host asks for
_LEAST_INTERVAL = 0.1
_RENEW_EVERY = _INVISIBLE / 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Dequeued:
    """A message taken from a queue, its body decoded."""

    body: bytes
    message: QueueMessage


Handle = Callable[[Dequeued], Awaitable[bool]]


class QueuePump:
    """Gives the messages of one queue to `handle`, which tells whether it succeeded.

    A message that fails comes back after `visibilityTimeout`; at `max_dequeue_count` it is copied
    to the poison queue. One that cannot be decoded goes there at once.
    """

    def __init__(
        self, queue: QueueClient, poison: QueueClient, options: QueueOptions, handle: Handle
    ) -> None:
        self._queue = queue
        self._poison = poison
        self._options = options
        self._handle = handle
        self._running: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._troubled = False

    def wake(self) -> None:
        """Look at once: this process has just put something into the queue."""
        self._wake.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Read until `stop` is set, then wait for what is running."""
        stopping = asyncio.create_task(stop.wait())
        interval = _LEAST_INTERVAL
        try:
            while not stop.is_set():
                found = await self._fetch_if_room()
                interval = _LEAST_INTERVAL if found else self._longer(interval)
                await self._pause(0 if found else interval, stopping)
        finally:
            stopping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await stopping
        while self._running:
            await asyncio.wait(self._running)

    async def close(self) -> None:
        """Give up what still runs; its messages become visible again."""
        for task in list(self._running):
            task.cancel()
        while self._running:
            await asyncio.wait(self._running)
        await self._queue.close()
        await self._poison.close()

    def _longer(self, interval: float) -> float:
        return min(interval * 2, max(_LEAST_INTERVAL, self._longest))

    @property
    def _longest(self) -> float:
        return self._options.max_polling_interval.total_seconds()

    async def _pause(self, seconds: float, stopping: asyncio.Task[bool]) -> None:
        """Wait for the interval, for a wake, or, where there is no room, for a message to end."""
        waking = asyncio.create_task(self._wake.wait())
        waits: set[asyncio.Task[None] | asyncio.Task[bool]] = {waking, stopping}
        full = len(self._running) > self._options.new_batch_threshold
        if full:
            waits |= self._running
        try:
            await asyncio.wait(
                waits, timeout=None if full else seconds, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            waking.cancel()
            self._wake.clear()

    async def _fetch_if_room(self) -> bool:
        if len(self._running) > self._options.new_batch_threshold:
            return False
        try:
            messages = await self._fetch()
        except ResourceNotFoundError:
            return False  # the queue may be made later
        except AzureError as error:
            self._complain(error)
            return False
        self._troubled = False
        for message in messages:
            task = asyncio.create_task(self._process(message))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return bool(messages)

    async def _fetch(self) -> list[QueueMessage]:
        size = self._options.batch_size
        pages = self._queue.receive_messages(
            messages_per_page=size, max_messages=size, visibility_timeout=_INVISIBLE
        ).by_page()
        async for page in pages:
            return [message async for message in page]
        return []

    def _complain(self, error: AzureError) -> None:
        if not self._troubled:
            self._troubled = True
            _log.warning("Queue '%s' cannot be read, trying again: %s", self._name, error)

    @property
    def _name(self) -> str:
        return str(self._queue.queue_name)

    async def _process(self, message: QueueMessage) -> None:
        try:
            try:
                body = decode_body(str(message.content), self._options.message_encoding)
            except ValueError as wrong:
                _log.error("Queue '%s', message %s: %s", self._name, message.id, wrong)
                await self._to_poison(message)
                return
            dequeued = Dequeued(body=body, message=message)
            succeeded = await self._handle_and_renew(dequeued)
            await self._settle(message, succeeded=succeeded)
        except asyncio.CancelledError:
            await self._release(message, 0)
        except AzureError as error:
            _log.warning("Queue '%s', message %s: %s", self._name, message.id, error)

    async def _handle_and_renew(self, dequeued: Dequeued) -> bool:
        handling = asyncio.ensure_future(self._handle(dequeued))
        try:
            while True:
                done, _ = await asyncio.wait({handling}, timeout=_RENEW_EVERY)
                if done:
                    return handling.result()
                renewed = await self._queue.update_message(
                    dequeued.message, visibility_timeout=_INVISIBLE
                )
                dequeued.message.pop_receipt = renewed.pop_receipt
        except asyncio.CancelledError:
            handling.cancel()
            raise

    async def _settle(self, message: QueueMessage, *, succeeded: bool) -> None:
        if succeeded:
            with contextlib.suppress(ResourceNotFoundError):
                await self._queue.delete_message(message)
        elif (message.dequeue_count or 0) >= self._options.max_dequeue_count:
            _log.warning(
                "Message has reached MaxDequeueCount of %d. Moving message to queue '%s'.",
                self._options.max_dequeue_count,
                self._poison.queue_name,
            )
            await self._to_poison(message)
        else:
            await self._release(message, int(self._options.visibility_timeout.total_seconds()))

    async def _release(self, message: QueueMessage, seconds: int) -> None:
        with contextlib.suppress(ResourceNotFoundError):
            await self._queue.update_message(message, visibility_timeout=seconds)
        self.wake()

    async def _to_poison(self, message: QueueMessage) -> None:
        await send_creating(self._poison, str(message.content))
        with contextlib.suppress(ResourceNotFoundError):
            await self._queue.delete_message(message)


async def send_creating(queue: QueueClient, content: str) -> None:
    """Send a message as it stands, making the queue where it does not exist."""
    try:
        await queue.send_message(content)
    except ResourceNotFoundError:
        with contextlib.suppress(ResourceExistsError):
            await queue.create_queue()
        await queue.send_message(content)


def encode_body(body: bytes, encoding: str) -> str:
    """Encode a message as `extensions.queues.messageEncoding` says."""
    return base64.b64encode(body).decode() if encoding == "base64" else body.decode()


def decode_body(content: str, encoding: str) -> bytes:
    """Decode a message as `extensions.queues.messageEncoding` says.

    Raises:
        ValueError: it is not Base64; the message says what to do.
    """
    if encoding != "base64":
        return content.encode()
    try:
        return base64.b64decode(content, validate=True)
    except binascii.Error:
        raise ValueError(
            "is not Base64, which the host expects. Send it encoded, or set "
            'extensions.queues.messageEncoding to "none" in host.json.'
        ) from None
