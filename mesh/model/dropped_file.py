"""A file that a producer dropped into the landing zone, and the place it was dropped in."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import unquote, urlsplit

from mesh.model.names import ProductId, is_object_name, is_slug

LANDING = "landing"
"""The container that producers write to."""

DROP_ID = re.compile(r"[0-9a-f]{20}-[0-9a-f]{12}")
PLACE = "landing/DOMAIN/PRODUCT/vMAJOR/OBJECT/FILE"
UNPLACED = ProductId(domain="unplaced", product="files")
"""Whose record holds the verdict on a file that no product can be found for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DroppedFile:
    """One version of one blob, as the BlobCreated event tells of it.

    Attributes:
        url: of the blob, percent-encoded as storage gives it.
        etag: names the version; without quotes.
        size: in bytes.
        sequencer: orders the versions of one blob, compared as a string; empty when not given.
        landed_at: when the version was complete.
    """

    url: str
    etag: str
    size: int
    sequencer: str
    landed_at: datetime

    @property
    def blob_key(self) -> str:
        """Digest of the URL, however it is percent-encoded: the same for all versions of a blob."""
        return _digest(unquote(self.url), length=20)

    @property
    def id(self) -> str:
        """The drop id: digest of URL and ETag. One version of a file has one verdict under it."""
        return f"{self.blob_key}-{_digest(self.etag, length=12)}"

    @property
    def container(self) -> str:
        return self._path.partition("/")[0]

    @property
    def blob(self) -> str:
        """Name of the blob within its container."""
        return self._path.partition("/")[2]

    @property
    def file(self) -> str:
        """Name of the file: the last part of the blob's name."""
        return self.blob.rpartition("/")[2]

    @property
    def _path(self) -> str:
        """`container/blob`: the URL's path, without the account that a local storage puts first."""
        parts = urlsplit(self.url)
        path = unquote(parts.path).lstrip("/")
        host = parts.hostname or ""
        if _is_local(host):
            path = path.partition("/")[2]
        return path


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where in the landing zone a file lies, which says what it is.

    Attributes:
        period: of a `rundate=…` folder on the way, which ties the deliveries of several products
            together; None when the path has none.
        mends: the drop that a `mends=…` folder on the way names; None when the path has none.
    """

    product: ProductId
    major: int
    object_name: str
    file: str
    period: str | None
    mends: str | None = None

    @property
    def folder(self) -> str:
        """`DOMAIN/PRODUCT/vMAJOR/OBJECT`."""
        return f"{self.product}/v{self.major}/{self.object_name}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Misplaced:
    """Why a path in the landing zone is not a place; a value, for it is the producer's mistake."""

    reason: str
    remedy: str


def place_of(blob: str) -> Place | Misplaced:
    """Read the name of a blob in the landing zone: `DOMAIN/PRODUCT/vMAJOR/OBJECT/…/FILE`."""
    parts = blob.split("/")
    if (
        any(part in {"", ".", ".."} for part in parts)
        or any(map(_is_control, blob))
        or "\\" in blob
    ):
        return _misplaced(
            f"The path {blob!r} has an empty part, '.', '..', or a forbidden character"
        )
    if len(parts) < 5:
        return _misplaced(
            f"The path {blob!r} has {len(parts)} of the five parts that say what it is"
        )
    domain, product, version, object_name = parts[:4]
    if not (is_slug(domain) and is_slug(product)):
        return _misplaced(f"{domain}/{product} cannot be the address of a product")
    major = version[1:]
    if not (
        version[:1] == "v" and major.isascii() and major.isdigit() and str(int(major)) == major
    ):
        return _misplaced(f"{version!r} is not a major version such as 'v1'")
    if not is_object_name(object_name):
        return _misplaced(f"{object_name!r} cannot be the name of an object")
    periods = [part.partition("=")[2] for part in parts[4:-1] if part.startswith("rundate=")]
    mended = [part.partition("=")[2] for part in parts[4:-1] if part.startswith("mends=")]
    if mended and not DROP_ID.fullmatch(mended[-1]):
        return _misplaced(f"'mends={mended[-1]}' does not name a drop")
    return Place(
        product=ProductId(domain=domain, product=product),
        major=int(major),
        object_name=object_name,
        file=parts[-1],
        period=periods[-1] if periods else None,
        mends=mended[-1] if mended else None,
    )


def account_of(url: str) -> str:
    """Which storage account a blob's URL names: the host, or the first part of a local path.

    A local storage is reached by address and port, which another start may change.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if _is_local(host):
        return parts.path.lstrip("/").partition("/")[0]
    return host


def _is_local(host: str) -> bool:
    return host == "localhost" or host.replace(".", "").isdigit()


def _misplaced(reason: str) -> Misplaced:
    return Misplaced(reason=f"{reason}.", remedy=f"Drop the file at {PLACE}.")


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}


def _digest(text: str, *, length: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:length]
