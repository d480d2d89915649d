"""Bindings to storage: `blob` and `table` (read and written), `queue` (written)."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from typing import Any

from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.data.tables.aio import TableClient
from azure.functions.meta import Datum
from azure.storage.blob.aio import BlobServiceClient
from azure.storage.queue.aio import QueueClient

from local.functions_host.bindings import Binding
from local.functions_host.clients import Clients
from local.functions_host.expressions import expand
from local.functions_host.outputs import bodies_of
from local.functions_host.queue_pump import encode_body, send_creating
from local.functions_host.signatures import Parameter

_DEFAULT_TAKE = 50


class StorageBindings:
    """Reads and writes blobs, tables and queues; the clients stay open."""

    def __init__(self, clients: Clients, message_encoding: str) -> None:
        self._clients = clients
        self._encoding = message_encoding
        self._blob_services: dict[str, BlobServiceClient] = {}
        self._queues: dict[tuple[str, str], QueueClient] = {}
        self._tables: dict[tuple[str, str], TableClient] = {}

    async def read(self, parameter: Parameter, properties: Mapping[str, Any]) -> Datum | None:
        """Read a blob (None where there is none), or entities of a table as JSON."""
        if parameter.binding.type == "blob":
            return await self._read_blob(parameter, properties)
        return await self._read_table(parameter.binding, properties)

    async def write(self, binding: Binding, datum: Datum, properties: Mapping[str, Any]) -> None:
        """Write what a function gave."""
        if binding.type == "blob":
            await self._write_blob(binding, datum, properties)
        elif binding.type == "queue":
            await self._write_queue(binding, datum, properties)
        else:
            await self._write_table(binding, datum, properties)

    async def close(self) -> None:
        for service in self._blob_services.values():
            await service.close()
        for queue in self._queues.values():
            await queue.close()
        for table in self._tables.values():
            await table.close()

    async def _read_blob(self, parameter: Parameter, properties: Mapping[str, Any]) -> Datum | None:
        container, name = self._blob_path(parameter.binding, properties)
        client = self._blobs(parameter.binding).get_blob_client(container, name)
        try:
            content = await (await client.download_blob()).readall()
        except ResourceNotFoundError:
            return None
        if parameter.python_type is str:
            return Datum(content.decode(errors="replace"), "string")
        return Datum(content, "bytes")

    async def _write_blob(
        self, binding: Binding, datum: Datum, properties: Mapping[str, Any]
    ) -> None:
        container, name = self._blob_path(binding, properties)
        service = self._blobs(binding)
        content = datum.value if isinstance(datum.value, (str, bytes)) else str(datum.value)
        blob = service.get_blob_client(container, name)
        try:
            await blob.upload_blob(content, overwrite=True)
        except ResourceNotFoundError:
            with contextlib.suppress(ResourceExistsError):
                await service.create_container(container)
            await blob.upload_blob(content, overwrite=True)

    def _blob_path(self, binding: Binding, properties: Mapping[str, Any]) -> tuple[str, str]:
        path = expand(binding.text("path"), properties, f"binding '{binding.name}'")
        container, slash, name = path.strip("/").partition("/")
        if not slash or not name:
            raise ValueError(f"binding '{binding.name}': the path '{path}' is not container/blob")
        return container, name

    def _blobs(self, binding: Binding) -> BlobServiceClient:
        known = self._blob_services.get(binding.connection)
        if known is None:
            known = self._clients.blobs(binding.connection, f"binding '{binding.name}'")
            self._blob_services[binding.connection] = known
        return known

    async def _write_queue(
        self, binding: Binding, datum: Datum, properties: Mapping[str, Any]
    ) -> None:
        where = f"binding '{binding.name}'"
        name = expand(binding.text("queueName"), properties, where)
        known = self._queues.get((binding.connection, name))
        if known is None:
            known = self._clients.queue(binding.connection, name, where)
            self._queues[binding.connection, name] = known
        for body in bodies_of(datum):
            raw = body.encode() if isinstance(body, str) else body
            await send_creating(known, encode_body(raw, self._encoding))

    async def _read_table(self, binding: Binding, properties: Mapping[str, Any]) -> Datum | None:
        where = f"binding '{binding.name}'"
        partition, row, query = (
            expand(binding.text(key), properties, where)
            for key in ("partitionKey", "rowKey", "filter")
        )
        table = self._table(binding)
        if partition and row:
            try:
                entity = await table.get_entity(partition, row)
            except ResourceNotFoundError:
                return None
            return Datum(json.dumps(entity, default=str), "json")
        conditions = [f"({query})"] if query else []
        if partition:
            conditions.append("PartitionKey eq '" + partition.replace("'", "''") + "'")
        take = int(binding.values.get("take") or _DEFAULT_TAKE)
        found: list[Mapping[str, Any]] = []
        async for entity in table.query_entities(" and ".join(conditions)):
            found.append(entity)
            if len(found) >= take:
                break
        return Datum(json.dumps(found, default=str), "json")

    async def _write_table(
        self, binding: Binding, datum: Datum, properties: Mapping[str, Any]
    ) -> None:
        """Insert: the binding creates entities and fails where one exists."""
        where = f"binding '{binding.name}'"
        table = self._table(binding)
        for body in bodies_of(datum):
            entity = json.loads(body)
            for key, field in (("partitionKey", "PartitionKey"), ("rowKey", "RowKey")):
                if template := binding.text(key):
                    entity.setdefault(field, expand(template, properties, where))
            try:
                await table.create_entity(entity)
            except ResourceNotFoundError:
                with contextlib.suppress(ResourceExistsError):
                    await table.create_table()
                await table.create_entity(entity)

    def _table(self, binding: Binding) -> TableClient:
        name = binding.text("tableName")
        known = self._tables.get((binding.connection, name))
        if known is None:
            known = self._clients.table(binding.connection, name, f"binding '{binding.name}'")
            self._tables[binding.connection, name] = known
        return known
