"""A correction: a file with the corrected rows of an earlier drop, dropped under `mends=DROP`.

It is judged, published and announced together with the good rows of the drop that it mends, as the
one file that the producer meant to drop.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mesh import contracts
from mesh.backbone import Backbone
from mesh.model.dropped_file import LANDING, DroppedFile, Misplaced, Place, place_of
from mesh.model.judgement import Judgement
from mesh.model.names import ProductId
from mesh.model.product import OutputPort
from mesh.model.record import LedgerEntry, Snapshot, Verdict
from mesh.model.relationships import RULE
from mesh.ports import Gone
from mesh.validation import FileFormat, FileProblem, Kept, Limits, Plan, StreamSink, validate
from mesh.validation.joining import RecordedReference, temporary

MOST_PIECES = 20
"""Corrections of corrections; each piece is read again for each further one."""

_WHOLE = "Drop the whole file again, corrected, where the first one was dropped."


@dataclass(frozen=True, kw_only=True, slots=True)
class Joined:
    """The drops that a correction joins, and how many good rows they bring."""

    pieces: Sequence[LedgerEntry] = ()
    kept: int = 0


def pieces_of(
    backbone: Backbone, product: ProductId, dropped: DroppedFile, place: Place
) -> tuple[LedgerEntry, ...] | Misplaced:
    """The drops that a correction joins, the first file first; or why it cannot."""
    found: list[LedgerEntry] = []
    wanted = place.mends or ""
    while wanted:
        entry = backbone.registry.entry(product, wanted)
        why = _unfit(entry, dropped, place, is_last=not found)
        if why is not None:
            return why
        assert entry is not None  # or it would be unfit
        found.insert(0, entry)
        wanted = entry.mends
        if len(found) > MOST_PIECES:
            return Misplaced(
                reason=f"The drop is the {MOST_PIECES + 1}th correction of one file.", remedy=_WHOLE
            )
    return tuple(found)


def port_of(port: OutputPort, pieces: Sequence[LedgerEntry]) -> OutputPort:
    """The port in the version of the contract that the mended drop was judged by."""
    name, _, version = pieces[-1].contract.partition(":")
    return replace(port, name=name, version=version)


def period_of(pieces: Sequence[LedgerEntry]) -> str | None:
    """What the first file is about."""
    first = place_of(pieces[0].blob)
    return first.period if isinstance(first, Place) else None


def keep(
    backbone: Backbone, product: ProductId, port: OutputPort, pieces: Sequence[LedgerEntry]
) -> Kept | FileProblem:
    """The good records of all pieces, read and judged again; its file is the caller's to close."""
    object_name = pieces[0].place.rpartition("/")[2]
    plan = contracts.plan(backbone, product, port, object_name)
    kept: Kept | None = None
    for piece in pieces:
        file_format = FileFormat.from_name(piece.file)
        assert isinstance(file_format, FileFormat)  # or it had no rows
        file = temporary()
        chunks = backbone.storage.open(f"{LANDING}/{piece.blob}", etag=piece.etag)
        try:
            report = validate(
                replace(plan, references=_as_judged(backbone, plan, piece)),
                chunks,
                file_format=file_format,
                sink=StreamSink(accepted=file),
                limits=Limits(sample=0),
                kept=kept,
            )
        except Gone:
            file.close()
            return _gone(piece)
        except BaseException:
            file.close()
            raise
        finally:
            if kept is not None:
                kept.file.close()
        kept = Kept(
            file=file,
            kind=file_format.records_kind,
            separator=file_format.separator,
            rows=report.accepted + (0 if kept is None else kept.rows),
        )
    assert kept is not None  # a correction mends at least one drop
    return kept


def _as_judged(backbone: Backbone, plan: Plan, piece: LedgerEntry) -> dict[str, RecordedReference]:
    """Which rows of a piece pointed at nothing, by the paths of the relationships."""
    checked = [one.pointer for one in plan.relationships if not one.obstacle]
    if not checked:
        return {}
    rows: dict[str, set[int]] = {path: set() for path in checked}
    told = json.loads(contracts.read(backbone.storage, piece.receipt))
    location = told["locations"].get("violations")
    held = b""
    for chunk in backbone.storage.open(location) if location else ():
        *lines, held = (held + chunk).split(b"\n")
        for violation in map(json.loads, lines):
            if violation["rule"] == RULE:
                rows.setdefault(violation["path"], set()).add(violation["row"])
    return {path: RecordedReference(found) for path, found in rows.items()}


def mended(
    backbone: Backbone, product: ProductId, judgement: Judgement, *, by: DroppedFile
) -> LedgerEntry | None:
    """The decision that an accepted correction mends, saying so; None for any other file."""
    if not judgement.pieces or judgement.verdict is not Verdict.ACCEPTED:
        return None
    entry = backbone.registry.entry(product, judgement.pieces[-1].drop)
    assert entry is not None  # a decision is never taken back
    return replace(entry, mended_by=by.id)


def newest(
    backbone: Backbone,
    product: ProductId,
    pieces: Sequence[LedgerEntry],
    snapshot: Snapshot | None,
) -> Snapshot | None:
    """The snapshot, unless a file that landed after the one it mends is the last good version."""
    if not pieces or snapshot is None:
        return snapshot
    own = {piece.drop for piece in pieces}
    for other in backbone.registry.snapshots(product):
        same = (other.major, other.object_name) == (snapshot.major, snapshot.object_name)
        if same and other.drop not in own:
            return None if other.landed_at > pieces[0].landed_at else snapshot
    return snapshot


def next_place(dropped: DroppedFile, rejects: str) -> dict[str, str]:
    """Where the corrected reject file is to be dropped."""
    folder = "/".join(
        part for part in dropped.blob.split("/")[:-1] if not part.startswith("mends=")
    )
    name = rejects.rpartition("/")[2]
    return {"drop": dropped.id, "place": f"{LANDING}/{folder}/mends={dropped.id}/{name}"}


def _unfit(
    entry: LedgerEntry | None, dropped: DroppedFile, place: Place, *, is_last: bool
) -> Misplaced | None:
    """Why a drop cannot be mended by this file; None when it can."""
    if entry is None or entry.place != place.folder:
        return Misplaced(
            reason=f"{place.folder} has no drop {place.mends} that could be mended.",
            remedy="Take the drop's id from its receipt, and drop the correction for its object.",
        )
    if is_last and not entry.rejected:
        return Misplaced(
            reason=f"No row of {entry.file} ({entry.drop}) was rejected: there is nothing to mend.",
            remedy=_WHOLE,
        )
    other = entry.mended_by
    if is_last and other and not other.startswith(dropped.blob_key):
        return Misplaced(
            reason=f"{entry.file} ({entry.drop}) was mended by {other} already.",
            remedy=f"Correct what is left of that one, under mends={other}.",
        )
    formats = [FileFormat.from_name(name) for name in (entry.file, dropped.file)]
    ways = {(f.records_kind, f.separator) for f in formats if isinstance(f, FileFormat)}
    if len(ways) != 1:
        return Misplaced(
            reason=f"{dropped.file} is not of the format of {entry.file}, which it mends.",
            remedy="Correct the reject file of that drop, and drop it under its name.",
        )
    return None


def _gone(piece: LedgerEntry) -> FileProblem:
    return FileProblem(
        rule="mends",
        message=f"{piece.file} ({piece.drop}) is no longer in the landing zone as it was judged.",
        remedy=_WHOLE,
    )
