"""Upload a file through storms, and tell of it once more."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

from azure.core.exceptions import AzureError
from azure.storage.blob import BlobClient

from tests.chaos.evidence import Landed

T = TypeVar("T")


class Until(Protocol):
    """Ask until the answer is enough."""

    def __call__(self, ask: Callable[[], T], enough: Callable[[T], bool]) -> T: ...


def upload(blob: BlobClient, data: bytes, until: Until) -> str:
    """Upload a file, once; when the answer is lost, look whether it is there. Returns its ETag."""
    before = until(lambda: _etag(blob), lambda found: found is not None)
    while True:
        try:
            return str(blob.upload_blob(data, overwrite=True)["etag"]).strip('"')
        except AzureError:
            time.sleep(0.2)
            after = until(lambda: _etag(blob), lambda found: found is not None)
            if after is not None and after != before:
                return after


def blob_created(storage: str, landed: Landed) -> dict[str, Any]:
    """Another BlobCreated of a version; `storage` is the connection string as the app knows it."""
    endpoint = storage.partition("BlobEndpoint=")[2].partition(";")[0]
    return {
        "eventType": "Microsoft.Storage.BlobCreated",
        "eventTime": datetime.now(UTC).isoformat(),
        "data": {
            "url": f"{endpoint}/landing/{quote(landed.place)}",
            "eTag": landed.etag,
            "contentLength": len(landed.data),
        },
    }


def _etag(blob: BlobClient) -> str | None:
    """The version that is there now; empty when there is none, None when storage is away."""
    try:
        return str(blob.get_blob_properties().etag).strip('"') if blob.exists() else ""
    except AzureError:
        return None
