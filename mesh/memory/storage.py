"""Blobs, in memory."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from urllib.parse import quote

from mesh.errors import Unavailable
from mesh.ports import Gone

CONTAINERS = ("landing", "published", "quarantine", "receipts", "contracts", "declarations")
PIECE = 4 * 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Blob:
    """One version of a blob; `etag` is without quotes."""

    data: bytes
    content_type: str
    etag: str


class Storage:
    """`mesh.ports.Storage` in memory.

    Attributes:
        blobs: what there is, by location.
        base: what the URL of every blob begins with.
    """

    def __init__(self, containers: Iterable[str] = CONTAINERS) -> None:
        self.blobs: dict[str, Blob] = {}
        self.base = "https://storage.invalid"
        self._containers = frozenset(containers)
        self._versions = count(1)
        self._lock = threading.Lock()

    def open(self, location: str, *, etag: str | None = None) -> Iterator[bytes]:
        at = 0
        while True:
            blob = self.blobs.get(location)
            if blob is None:
                self._check_container(location)
                message = f"There is no blob {location}."
                raise Gone(message)
            if etag is not None and blob.etag != etag.strip('"'):
                message = f"The blob {location} is not the version {etag} any more."
                raise Gone(message)
            etag = blob.etag
            piece = blob.data[at : at + PIECE]
            at += len(piece)
            if piece:
                yield piece
            if at >= len(blob.data):
                return

    def read(self, location: str) -> bytes | None:
        try:
            return b"".join(self.open(location))
        except Gone:
            return None

    def write(self, location: str, data: bytes, *, content_type: str) -> None:
        self._check_container(location)
        with self._lock:
            etag = f"0x{next(self._versions):016X}"
            self.blobs[location] = Blob(data=bytes(data), content_type=content_type, etag=etag)

    def writer(self, location: str, *, content_type: str) -> BlobWriter:
        return BlobWriter(storage=self, location=location, content_type=content_type)

    def exists(self, container: str) -> bool:
        return container in self._containers

    def read_access(self, locations: Iterable[str], *, until: datetime) -> dict[str, str]:
        signature = f"sp=r&se={until:%Y-%m-%dT%H:%M:%SZ}&sig=memory"
        return {location: f"{self.url(location)}?{signature}" for location in locations}

    def url(self, location: str) -> str:
        return f"{self.base}/{quote(location)}"

    def _check_container(self, location: str) -> None:
        container = location.partition("/")[0]
        if container not in self._containers:
            message = f"There is no container {container!r} in the storage."
            raise Unavailable(message)


class BlobWriter:
    """`mesh.ports.Writer` in memory."""

    def __init__(self, *, storage: Storage, location: str, content_type: str) -> None:
        self._storage = storage
        self._location = location
        self._content_type = content_type
        self._data: bytearray | None = bytearray()

    def write(self, data: bytes) -> None:
        self._open().extend(data)

    def commit(self) -> None:
        data = bytes(self._open())
        self._storage.write(self._location, data, content_type=self._content_type)
        self._data = None

    def discard(self) -> None:
        self._data = None

    def _open(self) -> bytearray:
        if self._data is None:
            message = f"The writer of {self._location} was committed or discarded already."
            raise ValueError(message)
        return self._data
