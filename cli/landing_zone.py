"""The landing zone, as producers write to it: a container of the storage account."""

from __future__ import annotations

import mimetypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.connection import Connection
from cli.failures import ExitCode, Failed, wrong_call

if TYPE_CHECKING:
    from azure.core.exceptions import HttpResponseError
    from azure.storage.blob import BlobServiceClient

BIG_FILE = 8 * 1024 * 1024
"""Bytes from which on a file is sent in blocks of 4 MiB, several at a time."""

_BLOCK = 4 * 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Uploaded:
    """A file in the landing zone; `etag` names this version of it, without quotes."""

    url: str
    etag: str
    size: int

    @property
    def drop(self) -> str:
        """The id under which the mesh decides about it."""
        from datetime import UTC, datetime

        from mesh.model.dropped_file import DroppedFile

        now = datetime.now(UTC)
        return DroppedFile(
            url=self.url, etag=self.etag, size=self.size, sequencer="", landed_at=now
        ).id


def upload(
    connection: Connection, file: Path, blob: str, *, progress: Callable[[int, int], None]
) -> Uploaded:
    """Write a file to the landing zone, over what was there under its name.

    Args:
        blob: name of the blob within the container; the part up to the first `/` is the domain.
        progress: is told how many bytes are sent, and of how many.

    Raises:
        Failed: no storage is known, it refuses, or it does not answer.
    """
    from azure.core.exceptions import AzureError, HttpResponseError
    from azure.storage.blob import ContentSettings

    domain = blob.partition("/")[0]
    kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    size = file.stat().st_size
    try:
        with (
            _service(connection, connection.account_of(domain)) as service,
            file.open("rb") as data,
        ):
            client = service.get_blob_client("landing", blob)
            done = client.upload_blob(
                data,
                length=size,
                overwrite=True,
                max_concurrency=4,
                content_settings=ContentSettings(content_type=kind),
                progress_hook=lambda sent, of: progress(sent, of or size),
            )
    except HttpResponseError as refused:
        raise _refused(refused, blob) from None
    except AzureError as failed:
        message = (
            f"The storage does not answer: {_first_line(failed)}. Start the local Azure with "
            f"`mesh up`, or set STORAGE or STORAGE__accountName."
        )
        raise Failed(message, problem="unreachable", code=ExitCode.UNAVAILABLE) from None
    return Uploaded(url=client.url, etag=str(done["etag"]).strip('"'), size=size)


def read_published(connection: Connection, url: str) -> bytes:
    """The published file that an event refers to (`dataref`)."""
    from azure.storage.blob import BlobClient

    with BlobClient.from_blob_url(url) as named:
        container, name, account = named.container_name, named.blob_name, named.account_name or ""
    with _service(connection, account) as service:
        client = service.get_blob_client(container, name)
        return client.download_blob().readall()


@contextmanager
def _service(connection: Connection, account: str) -> Iterator[BlobServiceClient]:
    from azure.storage.blob import BlobServiceClient

    # Where nothing listens, trying for a minute (the default) only hides it.
    options: dict[str, Any] = {
        "retry_connect": 0,
        "connection_timeout": 10,
        "max_single_put_size": BIG_FILE,
        "max_block_size": _BLOCK,
    }
    if connection.storage:
        try:
            service = BlobServiceClient.from_connection_string(connection.storage, **options)
        except ValueError as wrong:
            message = f"STORAGE is no connection string of a storage account: {wrong}."
            raise wrong_call(message, problem="wrong-setting") from None
        with service:
            yield service
        return
    if not account:
        message = (
            "No storage is known to drop the file into. Start the local Azure with `mesh up`, or "
            "set STORAGE (a connection string), STORAGE__accountName (an account) or "
            "STORAGE_OF_DOMAINS (the account of each domain)."
        )
        raise wrong_call(message, problem="no-storage")
    from azure.identity import DefaultAzureCredential

    url = f"https://{account}.blob.core.windows.net"
    with (
        DefaultAzureCredential() as credential,
        BlobServiceClient(url, credential=credential, **options) as service,
    ):
        yield service


def _refused(refused: HttpResponseError, blob: str) -> Failed:
    why = f"{refused.status_code}, {_first_line(refused)}"
    if refused.status_code in {401, 403}:
        message = (
            f"The storage does not let you write landing/{blob} ({why}). Set STORAGE, or ask the "
            f"owner of the account for the role Storage Blob Data Contributor."
        )
        return Failed(message, problem="unauthorized", code=ExitCode.REFUSED)
    message = f"The storage refuses landing/{blob} ({why}). Does the account have a landing zone?"
    return Failed(message, problem="storage-refused", code=ExitCode.REFUSED)


def _first_line(wrong: Exception) -> str:
    return (str(wrong).splitlines() or [type(wrong).__name__])[0].rstrip(".")
