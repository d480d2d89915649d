"""What a request did to a blob, as the journal tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


@dataclass(frozen=True, kw_only=True, slots=True)
class Blob:
    """A blob by name."""

    container: str
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """A blob was created or replaced."""

    blob: Blob
    sequence: int
    """Microseconds since 1970; strictly increasing, so that a later write has a larger one."""
    api: str
    etag: str
    request_id: str
    client_request_id: str | None
    blob_type: str | None
    """None, like the next two: the request does not tell."""
    content_type: str | None
    content_length: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Deleted:
    """A blob was deleted."""

    blob: Blob
    sequence: int
    request_id: str
    client_request_id: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Touched:
    """The ETag changed and nothing that Azure would announce: metadata, properties, an append."""

    blob: Blob
    etag: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ContainerDeleted:
    """A container is gone with its blobs; Azure announces no blobs of it."""

    container: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Unclear:
    """A batch request: which blobs it deleted, the journal does not tell."""


Change = Written | Deleted | Touched | ContainerDeleted | Unclear


def read_change(line: Mapping[str, Any], account: str) -> Change | None:
    """Understand one line of the journal; None for a request that changed no blob.

    See https://learn.microsoft.com/rest/api/storageservices/operations-on-blobs for the operations.
    """
    url = urlsplit(line["url"])
    query = {name.lower(): values[0] for name, values in parse_qs(url.query).items()}
    operation = query.get("comp")
    if line["method"] == "POST":
        return Unclear() if operation == "batch" else None
    container, _, name = unquote(url.path).lstrip("/").removeprefix(f"{account}/").partition("/")
    if query.get("restype") == "container" or not name:
        gone = line["method"] == "DELETE" and operation is None
        return ContainerDeleted(container=container) if gone else None
    if "snapshot" in query or "versionid" in query:
        return None
    blob = Blob(container=container, name=name)
    if line["method"] == "DELETE":
        return _deleted(line, blob)
    if operation in (None, "blocklist"):
        return _written(line, blob, operation)
    etag = line.get("etag")
    return Touched(blob=blob, etag=etag.strip('"')) if etag else None


def _deleted(line: Mapping[str, Any], blob: Blob) -> Deleted | None:
    headers = line["headers"]
    if headers.get("x-ms-delete-snapshots") == "only":
        return None
    return Deleted(
        blob=blob,
        sequence=line["sequence"],
        request_id=line["requestId"],
        client_request_id=headers.get("x-ms-client-request-id"),
    )


def _written(line: Mapping[str, Any], blob: Blob, operation: str | None) -> Written:
    headers = line["headers"]
    blob_type = content_type = content_length = None
    if operation == "blocklist":
        api, blob_type = "PutBlockList", "BlockBlob"
        content_type = headers.get("x-ms-blob-content-type", "application/octet-stream")
    elif "x-ms-copy-source" in headers:
        api = "CopyBlob"
    else:
        api, blob_type = "PutBlob", headers.get("x-ms-blob-type")
        content_type = headers.get("x-ms-blob-content-type") or headers.get(
            "content-type", "application/octet-stream"
        )
        length = "x-ms-blob-content-length" if blob_type == "PageBlob" else "content-length"
        content_length = int(headers[length]) if length in headers else None
    return Written(
        blob=blob,
        sequence=line["sequence"],
        api=api,
        etag=line["etag"].strip('"'),
        request_id=line["requestId"],
        client_request_id=headers.get("x-ms-client-request-id"),
        blob_type=blob_type,
        content_type=content_type,
        content_length=content_length,
    )
