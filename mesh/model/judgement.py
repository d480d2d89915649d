"""What judging a dropped file came to, and what the mesh says of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mesh.model.dropped_file import DroppedFile, Place
from mesh.model.events import FILE_QUARANTINED, PRODUCT_UPDATED, Announcement, trace_id_of
from mesh.model.product import OutputPort
from mesh.model.record import LedgerEntry, Snapshot, Verdict
from mesh.model.relationships import ReferredVersion
from mesh.model.timestamps import rfc3339


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """The outcome for one file version, before it is committed.

    Attributes:
        summary: the verdict in a sentence for the producer.
        place: None when the file was not placed.
        port: None when no contract could be found for the file.
        rules: how often each rule was broken.
        published, quarantined: location of the accepted file and of the reject file; None when
            there is none.
        parquet: location of the accepted rows as Parquet; None when there is none.
        published_url: where consumers find the accepted file; None when there is none.
        parts: locations of the files of parted Parquet; `parquet` is then their folder.
        receipt: location of the receipt.
        references: what the file's relationships were checked against.
        pieces: the drops that a correction joins, the first file first.
        kept: good rows of those, which were judged together with this file.
        listed: names of the members of a set, if the file is a list of them.
        set: the folder of the set that the file is of; empty when it stands for itself.
    """

    verdict: Verdict
    summary: str
    receipt: str
    place: Place | None = None
    port: OutputPort | None = None
    rows: int = 0
    accepted: int = 0
    rejected: int = 0
    rules: Mapping[str, int] = field(default_factory=dict)
    published: str | None = None
    published_url: str | None = None
    parquet: str | None = None
    quarantined: str | None = None
    references: tuple[ReferredVersion, ...] = ()
    pieces: Sequence[LedgerEntry] = ()
    kept: int = 0
    listed: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    set: str = ""

    def entry(
        self, dropped: DroppedFile, *, received_at: datetime, decided_at: datetime, sequence: int
    ) -> LedgerEntry:
        """The decision as it stands in the ledger."""
        return LedgerEntry(
            drop=dropped.id,
            url=dropped.url,
            etag=dropped.etag,
            sequencer=dropped.sequencer,
            file=dropped.file,
            place=self.place.folder if self.place else "",
            contract=f"{self.port.name}:{self.port.version}" if self.port else "",
            verdict=self.verdict,
            rows=self.rows,
            accepted=self.accepted,
            rejected=self.rejected,
            size=dropped.size,
            landed_at=dropped.landed_at,
            received_at=received_at,
            decided_at=decided_at,
            receipt=self.receipt,
            sequence=sequence,
            summary=self.summary,
            mends=self.pieces[-1].drop if self.pieces else "",
            kept=self.kept,
            set=self.set,
        )

    def snapshot(self, dropped: DroppedFile, *, sequence: int) -> Snapshot | None:
        """The last good version of the object, if this file is it."""
        if self.place is None or self.port is None or self.published is None:
            return None
        return Snapshot(
            port=self.port.name,
            object_name=self.place.object_name,
            major=self.place.major,
            drop=dropped.id,
            location=self.published,
            rows=self.kept + self.accepted,
            sequence=sequence,
            period=self.place.period,
            landed_at=min([dropped.landed_at, *self._published_before()]),
            parquet=self.parquet,
            parts=self.parts,
            references=self.references,
        )

    def _published_before(self) -> list[datetime]:
        """When the pieces landed whose good rows were published at once."""
        good = [piece for piece in self.pieces if piece.verdict is Verdict.ACCEPTED]
        return [piece.landed_at for piece in good]

    def announcements(self, dropped: DroppedFile, *, at: datetime) -> tuple[Announcement, ...]:
        """The events that tell of it: good data is published, bad rows are in quarantine, or both.

        Nothing is told of a superseded version: the newer one has its own verdict.
        """
        told = []
        if self.verdict is Verdict.ACCEPTED:
            told.append(self._updated(dropped, at))
        if self.verdict is Verdict.REJECTED or self.rejected:
            told.append(self._quarantined(dropped, at))
        return tuple(told)

    def _updated(self, dropped: DroppedFile, at: datetime) -> Announcement:
        data = self._common(dropped)
        data["snapshot"] = {"location": self.published, "rows": self.kept + self.accepted}
        if self.parquet is not None:
            parquet = {"parquet": self.parquet, "manifest": f"{self.receipt}#/manifest"}
            data["snapshot"] |= parquet
        data["rejected"] = self.rejected
        return self._announcement(PRODUCT_UPDATED, dropped, at, data, dataref=self.published_url)

    def _quarantined(self, dropped: DroppedFile, at: datetime) -> Announcement:
        data = self._common(dropped)
        data |= {
            "verdict": self.verdict.value,
            "summary": self.summary,
            "rows": self.rows,
            "accepted": self.accepted,
            "rejected": self.rejected,
            "rules": dict(sorted(self.rules.items())),
            "quarantine": self.quarantined,
        }
        return self._announcement(FILE_QUARANTINED, dropped, at, data, dataref=None)

    def _common(self, dropped: DroppedFile) -> dict[str, Any]:
        data: dict[str, Any] = {
            "drop": dropped.id,
            "file": dropped.file,
            "landed_at": rfc3339(dropped.landed_at),
            "receipt": self.receipt,
        }
        if self.place is not None:
            data |= {
                "major": self.place.major,
                "object": self.place.object_name,
                "period": self.place.period,
            }
        if self.pieces:
            data["pieces"] = [*(piece.drop for piece in self.pieces), dropped.id]
        if self.port is not None:
            data |= {
                "port": self.port.name,
                "contract": {"id": self.port.contract_id, "version": self.port.version},
            }
        return data

    def _announcement(
        self,
        event_type: str,
        dropped: DroppedFile,
        at: datetime,
        data: dict[str, Any],
        *,
        dataref: str | None,
    ) -> Announcement:
        place = self.place
        return Announcement(
            type=event_type,
            key=dropped.id,
            subject=f"v{place.major}/{place.object_name}" if place else "unplaced",
            time=at,
            data=data,
            trace_id=trace_id_of(dropped.id),
            dataref=dataref,
        )
