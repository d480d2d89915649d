"""The host's own queue of blobs to process, and the receipts that say a blob was queued.

Names and forms are the host's: the queue `azure-webjobs-blobtrigger-{host id}`, its poison queue
`webjobs-blobtrigger-poison`, and in the container `azure-webjobs-hosts` one receipt for each
function and version of a blob. A receipt says *queued*, not processed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass

from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.storage.blob.aio import BlobServiceClient

from local.functions_host.clients import Clients
from local.functions_host.host_json import BlobOptions, QueueOptions
from local.functions_host.queue_pump import Dequeued, QueuePump, encode_body, send_creating

_log = logging.getLogger("Host.Triggers.Blob")
_HOSTS = "azure-webjobs-hosts"
_POISON = "webjobs-blobtrigger-poison"
_LEASE_SECONDS = 30


@dataclass(frozen=True, kw_only=True, slots=True)
class BlobMessage:
    """One entry of the queue: a function and the version of a blob it is to see."""

    function_id: str
    container: str
    blob: str
    etag: str

    def as_json(self) -> str:
        values = asdict(self)
        return json.dumps(
            {
                "Type": "BlobTrigger",
                "FunctionId": values["function_id"],
                "BlobType": "BlockBlob",
                "ContainerName": values["container"],
                "BlobName": values["blob"],
                "ETag": values["etag"],
            }
        )

    @classmethod
    def from_json(cls, text: bytes) -> BlobMessage:
        """Read an entry.

        Raises:
            ValueError: it is not one.
        """
        document = json.loads(text)
        try:
            return cls(
                function_id=str(document["FunctionId"]),
                container=str(document["ContainerName"]),
                blob=str(document["BlobName"]),
                etag=str(document["ETag"]),
            )
        except (KeyError, TypeError) as missing:
            raise ValueError(f"no entry of the blob queue: {missing}") from None


Process = Callable[[BlobMessage], Awaitable[bool]]


class BlobQueue:
    """The queue of one host in one storage account, shared by its blob functions."""

    def __init__(
        self, clients: Clients, connection: str, host_id: str, options: BlobOptions
    ) -> None:
        where = "Blob functions"
        self._queue = clients.queue(connection, f"azure-webjobs-blobtrigger-{host_id}", where)
        self._pump = QueuePump(
            self._queue,
            clients.queue(connection, _POISON, where),
            QueueOptions(
                batch_size=min(32, options.max_degree_of_parallelism),
                new_batch_threshold=options.max_degree_of_parallelism // 2,
                max_dequeue_count=options.poison_blob_threshold,
            ),
            self._handle,
        )
        self._functions: dict[str, Process] = {}
        self._started = False

    def register(self, function_id: str, process: Process) -> None:
        self._functions[function_id] = process

    async def add(self, message: BlobMessage) -> None:
        """Queue a blob for a function."""
        await send_creating(self._queue, encode_body(message.as_json().encode(), "base64"))
        self._pump.wake()

    async def run(self, stop: asyncio.Event) -> None:
        """Work the queue until `stop` is set. All blob functions call this; the first one does."""
        if self._started:
            await stop.wait()
            return
        self._started = True
        await self._pump.run(stop)

    async def close(self) -> None:
        await self._pump.close()

    async def _handle(self, dequeued: Dequeued) -> bool:
        try:
            message = BlobMessage.from_json(dequeued.body)
        except ValueError as wrong:
            _log.error("A message of the blob queue cannot be read: %s", wrong)
            return False
        process = self._functions.get(message.function_id)
        if process is None:
            _log.info("Blob '%s': there is no %s any more", message.blob, message.function_id)
            return True
        return await process(message)


class Receipts:
    """Says once for each version of a blob that it is for us to queue."""

    def __init__(self, service: BlobServiceClient, host_id: str, function_id: str) -> None:
        self._container = service.get_container_client(_HOSTS)
        self._prefix = f"blobreceipts/{host_id}/{function_id}"

    async def queue_once(self, message: BlobMessage, queue: BlobQueue) -> None:
        """Queue a blob if no receipt says that it was; two hosts cannot both do so."""
        etag = message.etag if message.etag.startswith('"') else f'"{message.etag}"'
        name = f"{self._prefix}/{etag}/{message.container}/{message.blob}"
        receipt = self._container.get_blob_client(name)
        if not await self._make(name):
            properties = await receipt.get_blob_properties()
            if (properties.metadata or {}).get("Completed") == "True":
                return
        try:
            lease = await receipt.acquire_lease(lease_duration=_LEASE_SECONDS)
        except (ResourceExistsError, ResourceModifiedError, HttpResponseError):
            return  # another host holds it
        try:
            await queue.add(message)
            await receipt.set_blob_metadata({"Completed": "True"}, lease=lease)
        finally:
            with contextlib.suppress(HttpResponseError):
                await lease.release()

    async def _make(self, name: str) -> bool:
        try:
            await self._container.upload_blob(name, b"", overwrite=False)
        except ResourceExistsError:
            return False
        except ResourceNotFoundError:
            with contextlib.suppress(ResourceExistsError):
                await self._container.create_container()
            return await self._make(name)
        return True
