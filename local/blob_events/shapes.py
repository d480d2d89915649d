"""The events of Blob Storage, as Azure forms them.

https://learn.microsoft.com/azure/event-grid/event-schema-blob-storage; written in Event Grid's own
schema, from which Event Grid makes CloudEvents for subscriptions that want those.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from local.blob_events.changes import Blob, Deleted, Written
from local.blob_events.record import Known
from local.event_grid.clock import timestamp

CREATED = "Microsoft.Storage.BlobCreated"
DELETED = "Microsoft.Storage.BlobDeleted"


@dataclass(frozen=True, kw_only=True, slots=True)
class Announcement:
    """One event, ready to be published."""

    event: dict[str, Any]

    @property
    def id(self) -> str:
        """The same each time when the same change is announced again."""
        return str(self.event["id"])


def created(change: Written, endpoint: str) -> Announcement:
    """BlobCreated; `endpoint` is the blob endpoint with the account, without a final slash.

    What the storage account cannot tell any more, since the blob was overwritten or deleted before
    anybody could ask, is left out of `data`: `contentLength` after PutBlockList or CopyBlob.
    """
    data = {
        "api": change.api,
        "clientRequestId": change.client_request_id,
        "requestId": change.request_id,
        "eTag": change.etag,
        "contentType": change.content_type,
        "contentLength": change.content_length,
        "blobType": change.blob_type,
    }
    return _announcement(CREATED, change, data, endpoint)


def deleted(change: Deleted, endpoint: str, before: Known | None) -> Announcement:
    """BlobDeleted; `before` is what was known of the blob."""
    data = {
        "api": "DeleteBlob",
        "clientRequestId": change.client_request_id,
        "requestId": change.request_id,
        "contentType": before.content_type if before else None,
        "blobType": before.blob_type if before else None,
    }
    return _announcement(DELETED, change, data, endpoint)


def sequencer(sequence: int) -> str:
    """A text that orders the events of one blob, compared as text."""
    return f"{sequence:048x}"


def _announcement(
    kind: str, change: Written | Deleted, data: dict[str, Any], endpoint: str
) -> Announcement:
    url = f"{endpoint}/{change.blob.container}/{quote(change.blob.name, safe='~/')}"
    known = {name: value for name, value in data.items() if value is not None}
    known["url"] = url
    known["sequencer"] = sequencer(change.sequence)
    known["storageDiagnostics"] = {"batchId": _derived("batch", url, change.request_id)}
    return Announcement(
        event={
            "id": _derived(kind, url, change.request_id),
            "subject": subject(change.blob),
            "eventType": kind,
            "eventTime": timestamp(change.sequence / 1_000_000),
            "data": known,
            "dataVersion": "",
            "metadataVersion": "1",
        }
    )


def subject(blob: Blob) -> str:
    """What event subscriptions filter by."""
    return f"/blobServices/default/containers/{blob.container}/blobs/{blob.name}"


def _derived(*parts: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "\n".join(parts)))
