"""What a line of the journal means."""

from __future__ import annotations

from typing import Any

import pytest

from local.blob_events.changes import (
    Blob,
    Change,
    ContainerDeleted,
    Deleted,
    Touched,
    Unclear,
    Written,
    read_change,
)
from local.blob_events.record import Known
from local.blob_events.shapes import created, deleted, sequencer

BLOB = Blob(container="landing", name="a b/ü.csv")
PATH = "/acc/landing/a%20b/%C3%BC.csv"


def change(method: str, url: str, **headers: str) -> Change | None:
    line: dict[str, Any] = {
        "sequence": 1_767_225_600_000_001,
        "method": method,
        "url": url,
        "status": 201,
        "etag": '"0x1"',
        "requestId": "r-1",
        "headers": {name.replace("_", "-"): value for name, value in headers.items()},
    }
    return read_change(line, "acc")


def written(**changes: Any) -> Written:
    known: dict[str, Any] = {
        "blob": BLOB,
        "sequence": 1_767_225_600_000_001,
        "api": "PutBlob",
        "etag": "0x1",
        "request_id": "r-1",
        "client_request_id": None,
        "blob_type": "BlockBlob",
        "content_type": "application/octet-stream",
        "content_length": 5,
    }
    return Written(**{**known, **changes})


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (change("PUT", PATH, content_length="5", x_ms_blob_type="BlockBlob"), written()),
        (
            change(
                "PUT",
                PATH,
                content_length="5",
                content_type="text/plain",
                x_ms_blob_content_type="text/csv",
                x_ms_blob_type="BlockBlob",
                x_ms_client_request_id="c-1",
            ),
            written(content_type="text/csv", client_request_id="c-1"),
        ),
        (
            change("PUT", PATH, x_ms_blob_type="PageBlob", x_ms_blob_content_length="512"),
            written(blob_type="PageBlob", content_length=512),
        ),
        (
            change("PUT", PATH + "?comp=blocklist", content_type="application/xml"),
            written(api="PutBlockList", content_length=None),
        ),
        (
            change("PUT", PATH, x_ms_copy_source="http://elsewhere"),
            written(api="CopyBlob", blob_type=None, content_type=None, content_length=None),
        ),
        (change("PUT", PATH + "?comp=metadata"), Touched(blob=BLOB, etag="0x1")),
        (change("PUT", PATH + "?comp=appendblock"), Touched(blob=BLOB, etag="0x1")),
        (
            change("DELETE", PATH, x_ms_client_request_id="c-1"),
            Deleted(
                blob=BLOB,
                sequence=1_767_225_600_000_001,
                request_id="r-1",
                client_request_id="c-1",
            ),
        ),
        (change("DELETE", PATH, x_ms_delete_snapshots="only"), None),
        (change("DELETE", PATH + "?snapshot=2026"), None),
        (change("PUT", "/acc/landing?restype=container"), None),
        (change("DELETE", "/acc/landing?restype=container"), ContainerDeleted(container="landing")),
        (change("PUT", "/acc/?restype=service&comp=properties"), None),
        (change("POST", "/acc/?comp=batch"), Unclear()),
        (change("POST", "/acc/?restype=service&comp=userdelegationkey"), None),
        (
            change(
                "PUT", "/landing/a%20b/%C3%BC.csv", content_length="5", x_ms_blob_type="BlockBlob"
            ),
            written(),
        ),
    ],
)
def test_lines_are_understood(found: Change | None, expected: Change | None) -> None:
    assert found == expected


def test_a_staged_block_changes_nothing() -> None:
    line = {"method": "PUT", "url": PATH + "?comp=block&blockid=1", "headers": {}}
    assert read_change(line, "acc") is None


def test_created_has_the_shape_that_azure_documents() -> None:
    change = written(api="PutBlockList", client_request_id="c-1")
    announcement = created(change, "http://127.0.0.1:10000/acc")
    event = announcement.event
    assert event == {
        "id": announcement.id,
        "subject": "/blobServices/default/containers/landing/blobs/a b/ü.csv",
        "eventType": "Microsoft.Storage.BlobCreated",
        "eventTime": "2026-01-01T00:00:00.000001Z",
        "data": {
            "api": "PutBlockList",
            "clientRequestId": "c-1",
            "requestId": "r-1",
            "eTag": "0x1",
            "contentType": "application/octet-stream",
            "contentLength": 5,
            "blobType": "BlockBlob",
            "url": "http://127.0.0.1:10000/acc/landing/a%20b/%C3%BC.csv",
            "sequencer": event["data"]["sequencer"],
            "storageDiagnostics": {"batchId": event["data"]["storageDiagnostics"]["batchId"]},
        },
        "dataVersion": "",
        "metadataVersion": "1",
    }
    assert len(event["data"]["sequencer"]) == 48
    assert created(change, "http://127.0.0.1:10000/acc") == announcement


def test_what_is_not_known_is_left_out() -> None:
    data = created(written(content_length=None), "http://x/acc").event["data"]
    assert "contentLength" not in data
    assert "clientRequestId" not in data


def test_deleted_has_the_shape_that_azure_documents() -> None:
    change = Deleted(blob=BLOB, sequence=7, request_id="r-2", client_request_id=None)
    before = Known(etag="0x1", sequence=6, blob_type="BlockBlob", content_type="text/csv")
    event = deleted(change, "http://x/acc", before).event
    assert event["eventType"] == "Microsoft.Storage.BlobDeleted"
    assert {"api", "requestId", "contentType", "blobType", "url", "sequencer"} < set(event["data"])
    assert event["data"]["api"] == "DeleteBlob"


def test_sequencers_order_as_texts_like_their_numbers() -> None:
    numbers = [0, 9, 10, 255, 256, 1_767_225_600_000_001, 2**60]
    assert [int(text, 16) for text in sorted(map(sequencer, numbers))] == numbers
