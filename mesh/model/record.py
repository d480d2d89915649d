"""The record of a product: what the mesh has decided about it, and changes in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from mesh.model.agreement import Agreement
from mesh.model.dropped_file import DroppedFile
from mesh.model.events import Announcement, Event
from mesh.model.expectation import Awaited
from mesh.model.file_set import FileSet
from mesh.model.names import ProductId
from mesh.model.notice import Notice, ToldOf
from mesh.model.product import DataProduct
from mesh.model.relationships import ReferredVersion


class Verdict(StrEnum):
    """How a dropped file ended.

    `ACCEPTED`: its good rows are published. `REJECTED`: nothing of it is. `SUPERSEDED`: a newer
    version of the same blob was there before this one could be judged.
    """

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """The last good version of one object: an accepted, immutable file.

    Attributes:
        location: container and name of the published blob, `published/…`.
        sequence: of the `mesh.product.updated` event that announced it.
        landed_at: when the file landed; of a set, its last one.
        parquet: where its rows lie as Parquet; None of a set.
        references: what its relationships were checked against.
        parts: where its rows lie as Parquet when they are in several files: of a set, where
            `location` is a document that lists them, or parted, where `parquet` is their folder.
    """

    port: str
    object_name: str
    major: int
    drop: str
    location: str
    rows: int
    sequence: int
    period: str | None
    landed_at: datetime
    parquet: str | None = None
    references: tuple[ReferredVersion, ...] = ()
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class LedgerEntry:
    """The decision about one dropped file; there is exactly one per version of a blob.

    Attributes:
        drop: the drop id (`DroppedFile.id`).
        place: `DOMAIN/PRODUCT/vMAJOR/OBJECT`, or empty when the file was not placed.
        contract: `PORT:VERSION` of the contract it was judged by; empty when there was none.
        landed_at, received_at, decided_at: by the storage's clock, then by ours.
        receipt: container and name of the receipt.
        sequence: of the first event that announced the decision; 0 when none did.
        summary: the verdict in a sentence for the producer.
        is_unplaced: whether this only notes that the file was refused before the product was there;
            the decision is in the record of unplaced files.
        duplicates: how many further messages told of this version after it was decided.
        mends: the drop whose rejected rows this file corrects; empty when it is no correction.
        kept: good rows of that drop, which were judged together with this file.
        mended_by: the accepted correction of this drop; empty when there is none.
        set: the folder of the set that the file is of; empty when it stands for itself.
    """

    drop: str
    url: str
    etag: str
    sequencer: str
    file: str
    place: str
    contract: str
    verdict: Verdict
    rows: int
    accepted: int
    rejected: int
    size: int
    landed_at: datetime
    received_at: datetime
    decided_at: datetime
    receipt: str
    sequence: int
    summary: str
    duplicates: int = 0
    is_unplaced: bool = False
    mends: str = ""
    kept: int = 0
    mended_by: str = ""
    set: str = ""

    @property
    def blob(self) -> str:
        """Name of the blob within the landing zone."""
        return DroppedFile(
            url=self.url,
            etag=self.etag,
            size=self.size,
            sequencer=self.sequencer,
            landed_at=self.landed_at,
        ).blob


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """The row of a product's record that every commit changes, and so orders all commits.

    Attributes:
        sequence: of the newest event; 0 before the first.
        etag: of the row when it was read; None when there is no row yet.
    """

    id: ProductId
    product: DataProduct | None
    sequence: int
    onboarded_at: datetime | None
    etag: str | None

    @classmethod
    def new(cls, product: ProductId) -> Head:
        """The head of a product nothing has been recorded about."""
        return cls(id=product, product=None, sequence=0, onboarded_at=None, etag=None)


@dataclass(frozen=True, kw_only=True, slots=True)
class ContractEntry:
    """A published contract: immutable under its port and version.

    Attributes:
        digest: SHA-256 of the canonical document.
        location: container and name of the document; the record schemas lie beside it.
        schemas: location of the JSON Schema of one record, by object.
    """

    port: str
    version: str
    contract_id: str
    digest: str
    location: str
    schemas: Mapping[str, str]
    published_at: datetime

    @property
    def key(self) -> str:
        return f"{self.port}:{self.version}"


@dataclass(frozen=True, kw_only=True, slots=True)
class InputState:
    """What a composite knows of one of its inputs in one period.

    Attributes:
        port: name of the composite's input port.
        period: of the deliveries that belong together; empty when they carry none.
        sequence: of the newest update of the input.
        used: the sequence that the last announcement of readiness rested on; 0 before the first.
        traceparent: of that update, so that the trace of readiness leads back to it.
    """

    port: str
    product: ProductId
    period: str
    sequence: int
    dataref: str
    used: int = 0
    traceparent: str = ""

    @property
    def is_fresh(self) -> bool:
        return self.sequence > self.used


@dataclass(frozen=True, kw_only=True, slots=True)
class Commit:
    """One change of a product's record; all of it happens, or nothing.

    Attributes:
        head: as it will be; its `etag` is the one read, so a concurrent change is noticed.
        events: announced by this change, numbered on from the head that was read.
        entry: a new decision.
        repeated: a decision that is on record, with one more duplicate.
        mended: a decision that is on record, with its correction.
        sets: what has come of sets of files.
        agreements: new, or as they are from now on.
        notices: new, or as they are from now on.
        told_of: how far the domain whose own stream this is has been told of notices.
    """

    head: Head
    events: tuple[Event, ...] = ()
    entry: LedgerEntry | None = None
    snapshot: Snapshot | None = None
    contracts: tuple[ContractEntry, ...] = ()
    inputs: tuple[InputState, ...] = ()
    repeated: LedgerEntry | None = None
    awaited: tuple[Awaited, ...] = ()
    mended: LedgerEntry | None = None
    sets: tuple[FileSet, ...] = ()
    agreements: tuple[Agreement, ...] = ()
    notices: tuple[Notice, ...] = ()
    told_of: tuple[ToldOf, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Suspicion:
    """What an attempt at a drop has put down of itself.

    Attributes:
        message: that tells of the drop.
        delivery: which of that message the attempt is.
        failed: whether it has failed by itself; until then it is known to have begun.
    """

    drop: str
    message: str
    delivery: int
    failed: bool

    @property
    def key(self) -> tuple[str, str, int]:
        """What names the attempt."""
        return self.drop, self.message, self.delivery


def number(head: Head, announcements: tuple[Announcement, ...]) -> tuple[Head, tuple[Event, ...]]:
    """Give each announcement its place in the product's sequence; returns the moved head too.

    What is about a deprecated port of the head's product says so.
    """
    events = tuple(
        Event(product=head.id, sequence=place, announcement=_marked(head.product, told))
        for place, told in enumerate(announcements, start=head.sequence + 1)
    )
    return replace(head, sequence=head.sequence + len(events)), events


def _marked(product: DataProduct | None, told: Announcement) -> Announcement:
    deprecation = None if product is None else product.deprecation_of(told.data)
    return told if deprecation is None else replace(told, deprecation=deprecation)
