"""Where files lie."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Protocol


class Storage(Protocol):
    """Blobs, each named by its location: `container/name`."""

    def __hash__(self) -> int: ...

    def open(self, location: str, *, etag: str | None = None) -> Iterator[bytes]:
        """Stream a blob in chunks of a few MiB; nothing is read before the first is asked for.

        Raises:
            Gone: there is no such blob, or no longer the version that `etag` names.
        """

    def read(self, location: str) -> bytes | None:
        """A small blob whole; None when there is none."""

    def write(self, location: str, data: bytes, *, content_type: str) -> None:
        """Write a blob whole, over what was there."""

    def writer(self, location: str, *, content_type: str) -> Writer:
        """Write a blob piece by piece; it appears when committed, or never."""

    def exists(self, container: str) -> bool: ...

    def read_access(self, locations: Iterable[str], *, until: datetime) -> Mapping[str, str]:
        """For each blob a URL by which whoever holds it can read just that, until then: secrets."""

    def url(self, location: str) -> str:
        """Where others find the blob; no signature, no secret."""


class Gone(Exception):
    """The blob, or the version of it that was asked for, is not there any more."""


class Writer(Protocol):
    """A blob in the making."""

    def write(self, data: bytes) -> None: ...

    def commit(self) -> None:
        """Let the blob appear with all that was written, over what was there."""

    def discard(self) -> None:
        """Forget what was written."""
