"""Blobs, on Azure Blob storage."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from azure.core import MatchConditions
from azure.core.exceptions import ResourceModifiedError, ResourceNotFoundError

from mesh.azure.clients import PIECE, Clients
from mesh.azure.failures import code_of, unavailable
from mesh.ports import Gone

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient, BlobServiceClient, UserDelegationKey

MOST_BLOCKS = 50_000
"""Blocks of one blob. The first ten thousand have the size of a piece, later ones grow."""


_LEEWAY = timedelta(minutes=5)
"""Clocks of Azure differ by minutes: what is good for minutes begins to be so before now."""

NODE_CONTAINERS = frozenset({"landing", "published", "quarantine", "receipts"})
"""What a domain with an account of its own keeps there, by its name: `published/DOMAIN/…`."""


class BlobStorage:
    """`mesh.ports.Storage` on Azure Blob storage.

    A location names no account: which one it is in follows from the domain in it, so that a product
    keeps its locations when its domain moves to an account of its own.

    A blob of up to 4 MiB costs one transaction to read and one to write. (An empty one costs two to
    read: a range of nothing is refused, and the SDK asks again.)
    """

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def open(self, location: str, *, etag: str | None = None) -> Iterator[bytes]:
        condition: dict[str, Any] = {}
        if etag is not None:
            quoted = f'"{etag.strip(chr(34))}"'
            condition = {"etag": quoted, "match_condition": MatchConditions.IfNotModified}
        with unavailable(f"Reading {location}"):
            try:
                # Pieces of a compressed blob cannot be unpacked one by one: whoever reads, unpacks.
                stream = self._blob(location).download_blob(decompress=False, **condition)
                yield from stream.chunks()
            except ResourceNotFoundError as missing:
                if code_of(missing) == "ContainerNotFound":
                    raise
                message = f"There is no blob {location}."
                raise Gone(message) from None
            except ResourceModifiedError:
                version = "that was being read" if etag is None else etag
                message = f"The blob {location} is not the version {version} any more."
                raise Gone(message) from None

    def read(self, location: str) -> bytes | None:
        try:
            return b"".join(self.open(location))
        except Gone:
            return None

    def write(self, location: str, data: bytes, *, content_type: str) -> None:
        with unavailable(f"Writing {location}"):
            self._blob(location).upload_blob(
                data, overwrite=True, content_settings=_settings(content_type)
            )

    def writer(self, location: str, *, content_type: str) -> BlobWriter:
        return BlobWriter(blob=self._blob(location), location=location, content_type=content_type)

    def exists(self, container: str) -> bool:
        with unavailable(f"Looking for the container {container}"):
            return self._clients.blobs().get_container_client(container).exists()

    def read_access(self, locations: Iterable[str], *, until: datetime) -> dict[str, str]:
        """See `mesh.ports.Storage.read_access`: a shared access signature for each blob.

        A signature for a folder would take a hierarchical namespace, and reach what comes into the
        folder later. In Azure the blobs of an account are signed with one user delegation key,
        which the app's identity asks for and which is forgotten at once; locally, with the
        account's key.
        """
        delegated: dict[str, UserDelegationKey] = {}
        return {location: self._signed(location, until, delegated) for location in locations}

    def _signed(
        self, location: str, until: datetime, delegated: dict[str, UserDelegationKey]
    ) -> str:
        from azure.storage.blob import BlobSasPermissions, generate_blob_sas

        blob, service = self._blob(location), self._service(location)
        account = blob.account_name or ""
        key = getattr(service.credential, "account_key", None)
        began = until - _LEEWAY * 4
        with unavailable(f"Signing read access to {location}"):
            if key is None and account not in delegated:
                delegated[account] = service.get_user_delegation_key(began, until)
            signature = generate_blob_sas(
                account,
                blob.container_name,
                blob.blob_name,
                account_key=key,
                user_delegation_key=delegated.get(account),
                permission=BlobSasPermissions(read=True),
                start=began,
                expiry=until,
                protocol="https" if key is None else None,
            )
        return f"{self.url(location)}?{signature}"

    def url(self, location: str) -> str:
        return self._blob(location).url.partition("?")[0]

    def _blob(self, location: str) -> BlobClient:
        container, _, name = location.partition("/")
        return self._service(location).get_blob_client(container, name)

    def _service(self, location: str) -> BlobServiceClient:
        container, _, name = location.partition("/")
        account = ""
        if container in NODE_CONTAINERS:
            accounts = self._clients.settings.storage_of_domains
            account = accounts.get(name.partition("/")[0], "")
        return self._clients.blobs(account)


class BlobWriter:
    """`mesh.ports.Writer` on Azure Blob storage.

    What fits into one piece is one put. More is staged in blocks, which nobody sees until they are
    committed, and which the service forgets after a week when they are not. Block ids begin with
    a random number: blocks of two writers of one blob must not be mixed. When one commits, the
    blocks of the other are gone and its commit fails; the work is done again then.
    """

    def __init__(self, *, blob: BlobClient, location: str, content_type: str) -> None:
        self._blob = blob
        self._location = location
        self._content_type = content_type
        self._buffer = bytearray()
        self._blocks: list[str] = []
        self._prefix = secrets.token_bytes(12)
        self._is_open = True

    def write(self, data: bytes) -> None:
        self._check_open()
        self._buffer += data
        while len(self._buffer) > (size := _block_size(len(self._blocks))):
            self._stage(bytes(self._buffer[:size]))
            del self._buffer[:size]

    def commit(self) -> None:
        self._check_open()
        if self._blocks:
            if self._buffer:
                self._stage(bytes(self._buffer))
            self._commit_blocks()
        else:
            with unavailable(f"Writing {self._location}"):
                self._blob.upload_blob(
                    bytes(self._buffer),
                    overwrite=True,
                    content_settings=_settings(self._content_type),
                )
        self.discard()

    def discard(self) -> None:
        self._is_open = False
        self._buffer.clear()
        self._blocks.clear()

    def _stage(self, data: bytes) -> None:
        number = len(self._blocks).to_bytes(4, "big")
        block = base64.b64encode(self._prefix + number).decode()
        with unavailable(f"Writing {self._location}"):
            self._blob.stage_block(block, data, length=len(data))
        self._blocks.append(block)

    def _commit_blocks(self) -> None:
        from azure.storage.blob import BlobBlock

        with unavailable(f"Writing {self._location}"):
            self._blob.commit_block_list(
                [BlobBlock(block) for block in self._blocks],
                content_settings=_settings(self._content_type),
            )

    def _check_open(self) -> None:
        if not self._is_open:
            message = f"The writer of {self._location} was committed or discarded already."
            raise ValueError(message)


def _block_size(number: int) -> int:
    """4 MiB for 39 GiB, then 8, 12, 16, 20 MiB: 586 GiB in all, and little memory for most."""
    return PIECE * (1 + number * 5 // MOST_BLOCKS)


def _settings(content_type: str) -> Any:
    from azure.storage.blob import ContentSettings

    return ContentSettings(content_type=content_type)
