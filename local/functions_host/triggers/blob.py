"""Blob functions: found by scanning a container, or told by Event Grid."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.functions.meta import Datum
from azure.storage.blob import BlobProperties
from azure.storage.blob.aio import BlobServiceClient

from local.functions_host.blob_queue import BlobMessage, BlobQueue, Receipts
from local.functions_host.clients import Clients
from local.functions_host.indexing import IndexedFunction
from local.functions_host.invocation import Call, InvocationFailedError, Invoker
from local.process import LocalError

_log = logging.getLogger("Host.Triggers.Blob")
_LEAST_INTERVAL = 1.0
_PAUSE_PER_SCAN = 5.0
_SUBJECT = re.compile(r"/blobServices/default/containers/([^/]+)/blobs/(.+)")


class BlobPattern:
    """A trigger's path such as `landing/{domain}/{name}.csv`."""

    def __init__(self, path: str, function: str) -> None:
        container, _, blob = path.strip("/").partition("/")
        if not container or "{" in container:
            raise LocalError(
                f"Function '{function}': the path '{path}' must begin with the name of a container."
            )
        self.container = container
        self.prefix = blob.partition("{")[0]
        expression, at = "", 0
        for parameter in re.finditer(r"\{([A-Za-z_][A-Za-z0-9_]*)\}", blob):
            expression += re.escape(blob[at : parameter.start()]) + f"(?P<{parameter[1]}>.+?)"
            at = parameter.end()
        expression += re.escape(blob[at:])
        try:
            self._expression = re.compile(expression or "(.+)")
        except re.error as wrong:
            raise LocalError(
                f"Function '{function}': the path '{path}' cannot be read: {wrong}."
            ) from None

    def match(self, blob: str) -> dict[str, str] | None:
        """Return the values of the path's parameters; None where the blob does not fit."""
        found = self._expression.fullmatch(blob)
        return found.groupdict() if found else None


class BlobListener:
    """Feeds one function with the blobs of a container."""

    def __init__(
        self,
        function: IndexedFunction,
        invoker: Invoker,
        clients: Clients,
        queue: BlobQueue,
        host_id: str,
    ) -> None:
        trigger = function.trigger
        self._function = function
        self._invoker = invoker
        self._pattern = BlobPattern(trigger.text("path"), function.name)
        self._from_event_grid = trigger.text("source").lower() == "eventgrid"
        self._service: BlobServiceClient = clients.blobs(
            trigger.connection, f"Function '{function.name}'"
        )
        self._id = function_id(function.name)
        self._receipts = Receipts(self._service, host_id, self._id)
        self._queue = queue
        self._queue.register(self._id, self._process)
        self._seen: set[tuple[str, str]] = set()
        self._since: datetime | None = None
        self._troubled = False

    @property
    def takes_events(self) -> bool:
        return self._from_event_grid

    async def run(self, stop: asyncio.Event) -> None:
        """Work the queue and, unless Event Grid tells of blobs, look for them."""
        working = [self._queue.run(stop)]
        if not self._from_event_grid:
            working.append(self._scan_until(stop))
        await asyncio.gather(*working)

    async def close(self) -> None:
        await self._queue.close()
        await self._service.close()

    async def trigger_once(self, text: str, reason: str) -> None:
        """Run the function for the blob of this path (`container/name`)."""
        container, _, blob = text.strip("/").partition("/")
        call = await self._call(container, blob, reason, None)
        if call is None:
            raise FileNotFoundError(f"there is no blob '{text}'")
        await self._invoker.invoke(self._function, call)

    async def receive(self, event: Mapping[str, Any]) -> bool:
        """Queue the blob of a BlobCreated event, where its path fits."""
        found = _SUBJECT.fullmatch(str(event.get("subject", "")))
        if not found:
            return True
        container, blob = found[1], unquote(found[2])
        if container == self._pattern.container and self._pattern.match(blob) is not None:
            data = event.get("data") or {}
            etag = str(data.get("eTag") or data.get("etag") or "")
            await self._queue.add(self._message(blob, etag))
        return True

    async def _scan_until(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            started = time.monotonic()
            try:
                await self._scan()
                self._troubled = False
            except AzureError as error:
                self._complain(error)
            # Listing is dear: the pause grows with what a scan took.
            pause = max(_LEAST_INTERVAL, (time.monotonic() - started) * _PAUSE_PER_SCAN)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause)

    async def _scan(self) -> None:
        container = self._service.get_container_client(self._pattern.container)
        newest, seen = self._since, set()
        try:
            async for blob in container.list_blobs(name_starts_with=self._pattern.prefix or None):
                modified, version = blob.last_modified, (str(blob.name), str(blob.etag))
                if self._since is not None and modified < self._since:
                    continue
                newest = modified if newest is None else max(newest, modified)
                seen.add(version)
                if version not in self._seen and self._pattern.match(blob.name) is not None:
                    message = self._message(str(blob.name), str(blob.etag))
                    await self._receipts.queue_once(message, self._queue)
        except ResourceNotFoundError:
            return  # the container may be made later
        self._since, self._seen = newest, seen

    def _complain(self, error: AzureError) -> None:
        if not self._troubled:
            self._troubled = True
            _log.warning(
                "Function '%s': container '%s' cannot be read, trying again: %s",
                self._function.name,
                self._pattern.container,
                error,
            )

    def _message(self, blob: str, etag: str) -> BlobMessage:
        return BlobMessage(
            function_id=self._id, container=self._pattern.container, blob=blob, etag=etag
        )

    async def _process(self, message: BlobMessage) -> bool:
        """Run the function for a queued blob; a blob that is gone is dropped silently."""
        etag = None if self._from_event_grid else message.etag
        reason = f"New blob detected: {message.container}/{message.blob}"
        call = await self._call(message.container, message.blob, reason, etag)
        if call is None:
            return True
        try:
            await self._invoker.invoke(self._function, call)
        except InvocationFailedError:
            return False  # logged there
        return True

    async def _call(self, container: str, blob: str, reason: str, etag: str | None) -> Call | None:
        client = self._service.get_blob_client(container, blob)
        try:
            properties = await client.get_blob_properties()
            if etag is not None and _bare(properties.etag) != _bare(etag):
                # Written anew since: this version is dropped, the new one queued.
                await self._receipts.queue_once(
                    self._message(blob, str(properties.etag)), self._queue
                )
                return None
            download = await client.download_blob()
            content = await download.readall()
        except ResourceNotFoundError:
            return None
        path = f"{container}/{blob}"
        metadata = {
            "BlobTrigger": Datum(path, "string"),
            "Uri": Datum(json.dumps(client.url), "json"),
            "Properties": Datum(json.dumps(_described(properties)), "json"),
            "Metadata": Datum(json.dumps(properties.metadata or {}), "json"),
        }
        values = self._pattern.match(blob) or {}
        metadata |= {name: Datum(value, "string") for name, value in values.items()}
        return Call(
            data=_datum(self._function, content),
            metadata=metadata,
            reason=reason,
            properties={"blobTrigger": path, "uri": client.url, **values},
        )


def function_id(name: str) -> str:
    """The id of a function in the blob queue and in webhook addresses."""
    return f"Host.Functions.{name}"


def _datum(function: IndexedFunction, content: bytes) -> Datum:
    if function.inputs[function.trigger.name].python_type is str:
        return Datum(content.decode(errors="replace"), "string")
    return Datum(content, "bytes")


def _described(properties: BlobProperties) -> dict[str, Any]:
    """`Properties` of the metadata, under the names of the host's SDK."""
    settings = properties.content_settings
    modified, created = properties.last_modified, properties.creation_time
    return {
        "LastModified": modified.isoformat(),
        "CreatedOn": created.isoformat(),
        "ContentLength": properties.size,
        "ContentType": settings.content_type,
        "ContentEncoding": settings.content_encoding,
        "ContentLanguage": settings.content_language,
        "CacheControl": settings.cache_control,
        "ETag": properties.etag,
        "BlobType": str(getattr(properties.blob_type, "value", properties.blob_type)),
    }


def _bare(etag: str | None) -> str:
    return (etag or "").strip('"')
