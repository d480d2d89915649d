"""Deliver to a storage queue, and write dead letters to a blob container, with Microsoft's SDKs.

Both SDKs are imported when the first of them is needed: most topologies need neither.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import AzureError, HttpResponseError, ResourceNotFoundError

from local.event_grid.destinations.outgoing import Outgoing
from local.event_grid.destinations.settings import StorageQueue
from local.event_grid.retry import DELIVERED, Outcome, outcome_of_status

if TYPE_CHECKING:
    from azure.storage.blob.aio import BlobServiceClient
    from azure.storage.queue.aio import QueueClient


class StorageQueueDeliverer:
    """Delivers to one queue: a message holds the event's JSON in base64, as from Azure."""

    max_concurrent = 8
    max_batch = 1

    def __init__(self, queue: StorageQueue, connection_string: str) -> None:
        self._queue = queue
        self._connection_string = connection_string
        self._client: QueueClient | None = None

    async def deliver(self, outgoing: Sequence[Outgoing]) -> list[Outcome]:
        return [await self._send(each) for each in outgoing]

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()

    async def _send(self, outgoing: Outgoing) -> Outcome:
        text = base64.b64encode(outgoing.payload).decode("ascii")
        options: dict[str, Any] = {}
        if self._queue.time_to_live is not None:
            options["time_to_live"] = self._queue.time_to_live
        try:
            await self._opened().send_message(text, **options)
        except AzureError as problem:
            return outcome_of_storage(problem)
        return DELIVERED

    def _opened(self) -> QueueClient:
        if self._client is None:
            from azure.storage.queue.aio import QueueClient

            self._client = QueueClient.from_connection_string(
                self._connection_string, self._queue.name, retry_total=0
            )
        return self._client


class DeadLetterWriter:
    """Writes dead-lettered events into blob containers of one storage account."""

    def __init__(self, connection_string: str) -> None:
        self._connection_string = connection_string
        self._client: BlobServiceClient | None = None

    async def write(self, container: str, name: str, body: bytes) -> Outcome:
        """Write one blob; `NotFound` when the container does not exist."""
        from azure.storage.blob import ContentSettings

        blob = self._opened().get_blob_client(container, name)
        settings = ContentSettings(content_type="application/json")
        try:
            await blob.upload_blob(body, overwrite=True, content_settings=settings)
        except AzureError as problem:
            return outcome_of_storage(problem)
        return DELIVERED

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()

    def _opened(self) -> BlobServiceClient:
        if self._client is None:
            from azure.storage.blob.aio import BlobServiceClient

            self._client = BlobServiceClient.from_connection_string(
                self._connection_string, retry_total=0
            )
        return self._client


def outcome_of_storage(problem: AzureError) -> Outcome:
    """The outcome of a storage operation that failed."""
    text = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
    if isinstance(problem, ResourceNotFoundError):
        return outcome_of_status(404, webhook=False, detail=text)
    if isinstance(problem, HttpResponseError) and problem.status_code:
        return outcome_of_status(problem.status_code, webhook=False, detail=text)
    return Outcome(name="SocketError", detail=text)
