"""What the storage account itself says about its blobs, asked with Microsoft's SDK."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from azure.core import MatchConditions
from azure.core.exceptions import AzureError, ResourceModifiedError, ResourceNotFoundError
from azure.storage.blob.aio import BlobServiceClient

from local.blob_events.changes import Blob


class AccountUnavailable(Exception):
    """The storage account does not answer; try again later."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """A blob as the account holds it now."""

    blob: Blob
    etag: str
    blob_type: str
    content_type: str | None
    content_length: int
    was_copied: bool


class Account:
    """A storage account by connection string: `async with Account(…) as account: …`."""

    def __init__(self, connection_string: str) -> None:
        self._client = BlobServiceClient.from_connection_string(connection_string, retry_total=0)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._client.close()

    @property
    def name(self) -> str:
        return str(self._client.account_name)

    @property
    def endpoint(self) -> str:
        """The URL under which the containers are."""
        return self._client.url.rstrip("/")

    async def containers(self) -> list[str]:
        """The names of all containers."""
        try:
            return [item.name async for item in self._client.list_containers()]
        except AzureError as problem:
            raise AccountUnavailable(str(problem)) from None

    async def blobs(self, container: str) -> AsyncIterator[Stored]:
        """Every blob of a container; a container that is not there has none."""
        try:
            async for item in self._client.get_container_client(container).list_blobs():
                yield _stored(Blob(container=container, name=item.name), item)
        except ResourceNotFoundError:
            return
        except AzureError as problem:
            raise AccountUnavailable(str(problem)) from None

    async def blob(self, blob: Blob, *, etag: str | None = None) -> Stored | None:
        """One blob, in the version of `etag` if given; None when it is not there."""
        client = self._client.get_blob_client(blob.container, blob.name)
        condition: dict[str, Any] = {}
        if etag is not None:
            condition = {"etag": f'"{etag}"', "match_condition": MatchConditions.IfNotModified}
        try:
            return _stored(blob, await client.get_blob_properties(**condition))
        except (ResourceNotFoundError, ResourceModifiedError):
            return None
        except AzureError as problem:
            raise AccountUnavailable(str(problem)) from None

    async def has_blocks(self, blob: Blob) -> bool:
        """Whether a block blob was made with Put Block List."""
        client = self._client.get_blob_client(blob.container, blob.name)
        try:
            committed, _ = await client.get_block_list("committed")
        except AzureError:
            return False
        return bool(committed)


def _stored(blob: Blob, properties: Any) -> Stored:
    return Stored(
        blob=blob,
        etag=properties.etag.strip('"'),
        blob_type=str(getattr(properties.blob_type, "value", properties.blob_type)),
        content_type=properties.content_settings.content_type,
        content_length=properties.size,
        was_copied=bool(properties.copy and properties.copy.status),
    )
