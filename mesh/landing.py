"""A dropped file is judged once, and what was decided is committed and announced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from mesh import corrections, file_sets, outbox, telemetry
from mesh.backbone import Backbone
from mesh.committing import commit
from mesh.errors import Conflict
from mesh.judging import judge, list_members, refuse, supersede
from mesh.model.dropped_file import (
    LANDING,
    UNPLACED,
    DroppedFile,
    Misplaced,
    Place,
    account_of,
    place_of,
)
from mesh.model.judgement import Judgement
from mesh.model.product import DataProduct, OutputPort
from mesh.model.record import Commit, Head, LedgerEntry, number
from mesh.suspects import MOST_DEATHS, Attempt


def receive(
    backbone: Backbone, dropped: DroppedFile, *, message: str = "", delivery: int = 1
) -> LedgerEntry:
    """Judge a dropped file, commit the decision and announce it; returns the decision.

    A version of a file is decided once. When it comes again, its decision is returned, and what a
    crash may have left in the outbox is published; if another message brought it, that is counted.

    Args:
        message: names the message that tells of the file, and no other.
        delivery: how often it was handed out; 1 for the first time.
    """
    place = _own_place(backbone, dropped)
    product = place.product if isinstance(place, Place) else UNPLACED
    with (
        telemetry.land(dropped) as hop,
        Attempt(backbone, product, dropped.id, message=message, delivery=delivery) as attempt,
    ):
        return _receive(backbone, dropped, place, hop, attempt)


def _receive(
    backbone: Backbone,
    dropped: DroppedFile,
    place: Place | Misplaced,
    hop: telemetry.Hop,
    attempt: Attempt,
) -> LedgerEntry:
    received_at = backbone.now()
    if isinstance(place, Misplaced):
        return _unplaced(backbone, dropped, place, received_at, hop, attempt)
    head = backbone.registry.head(place.product)
    versions = backbone.registry.versions(head.id, dropped.blob_key)
    decided = _decision(versions, dropped)
    if decided is None and head.product is None:
        decided = _refuse_for_good(backbone, head, dropped, _no_product(place), received_at)
    if decided is not None and decided.is_unplaced:
        why = _no_product(place)
        return _unplaced(backbone, dropped, why, received_at, hop, attempt)
    if decided is not None:
        return _come_again(backbone, head, decided, hop, is_another=attempt.is_first)
    if _is_superseded(versions, dropped):
        judgement = supersede(backbone, dropped, place)
    else:
        judgement = _judged(backbone, head, dropped, place, attempt)
    return _committed(backbone, head, dropped, judgement, received_at, hop, attempt)


def _unplaced(
    backbone: Backbone,
    dropped: DroppedFile,
    why: Misplaced,
    received_at: datetime,
    hop: telemetry.Hop,
    attempt: Attempt,
) -> LedgerEntry:
    """Refuse a file that no product can be found for, in the record of such files."""
    head = backbone.registry.head(UNPLACED)
    versions = backbone.registry.versions(head.id, dropped.blob_key)
    decided = _decision(versions, dropped)
    if decided is not None:
        return _come_again(backbone, head, decided, hop, is_another=attempt.is_first)
    if _is_superseded(versions, dropped):
        judgement = supersede(backbone, dropped, why)
    else:
        judgement = refuse(backbone, dropped, None, rule="unplaced", why=why)
    return _committed(backbone, head, dropped, judgement, received_at, hop, attempt)


def _own_place(backbone: Backbone, dropped: DroppedFile) -> Place | Misplaced:
    """The file's place, if it lies in the storage account of that place's domain."""
    place = place_of(dropped.blob)
    if isinstance(place, Misplaced):
        return place
    own = account_of(backbone.storage.url(f"{LANDING}/{dropped.blob}"))
    if account_of(dropped.url) == own:
        return place
    return Misplaced(
        reason=f"A file for {place.product} lies in another domain's storage account.",
        remedy=f"Drop it in the landing zone of the domain {place.product.domain}, at {own}.",
    )


def _no_product(place: Place) -> Misplaced:
    return Misplaced(
        reason=f"There is no product {place.product}.",
        remedy="Correct the path, or onboard the product first: `mesh onboard DIR`.",
    )


def _refuse_for_good(
    backbone: Backbone, head: Head, dropped: DroppedFile, why: Misplaced, received_at: datetime
) -> LedgerEntry:
    """Note with the product to come that a file was refused because it was not there yet.

    The product may be onboarded at this very moment, or before the message comes again. Whoever
    changes its record first has decided: the file is refused, or judged, and never both.

    Raises:
        Conflict: the product is there now; the message comes again.
    """
    judgement = refuse(backbone, dropped, None, rule="unplaced", why=why)
    entry = judgement.entry(dropped, received_at=received_at, decided_at=backbone.now(), sequence=0)
    noted = replace(entry, is_unplaced=True)

    def decide(current: Head) -> Commit | None:
        if current.product is not None:
            message = f"{current.id} was onboarded while a file for it was about to be refused."
            raise Conflict(message)
        if current.etag != head.etag and backbone.registry.entry(head.id, dropped.id) is not None:
            return None
        return Commit(head=current, entry=noted)

    commit(backbone, head.id, decide, first=head)
    return noted


def _come_again(
    backbone: Backbone, head: Head, decided: LedgerEntry, hop: telemetry.Hop, *, is_another: bool
) -> LedgerEntry:
    """Publish what the one who decided may have left; count another message, not the same again."""
    hop.came_again(head.id)
    outbox.relay(backbone, head.id)
    if not is_another:
        return decided

    def decide(current: Head) -> Commit | None:
        entry = decided
        if current.etag != head.etag:
            entry = backbone.registry.entry(head.id, decided.drop) or decided
        return Commit(head=current, repeated=replace(entry, duplicates=entry.duplicates + 1))

    done = commit(backbone, head.id, decide, first=head)
    assert done is not None  # `decide` always has a change
    assert done.repeated is not None  # that change
    return done.repeated


def _judged(
    backbone: Backbone, head: Head, dropped: DroppedFile, place: Place, attempt: Attempt
) -> Judgement:
    assert head.product is not None  # or there was no product to judge it for
    port = head.product.port_for(major=place.major, object_name=place.object_name)
    if port is None:
        offered = sorted(
            f"v{port.major}/{name}" for port in head.product.output_ports for name in port.objects
        )
        why = Misplaced(
            reason=f"{place.product} has no object v{place.major}/{place.object_name}.",
            remedy=f"Drop the file under one of: {', '.join(offered)}.",
        )
        return refuse(backbone, dropped, place, rule="unknown-object", why=why)
    if port.retired_at is not None and dropped.landed_at >= port.retired_at:
        why = _retired(head.product, port)
        return refuse(backbone, dropped, place, rule="retired", why=why)
    if not attempt.may_judge():
        why = Misplaced(
            reason=f"Judging the file has ended {MOST_DEATHS} workers; it was not read.",
            remedy="Look for what is unusual about it, and drop it again when that is mended.",
        )
        return refuse(backbone, dropped, place, rule="poison", why=why)
    pieces = _pieces(backbone, dropped, place, port)
    if isinstance(pieces, Judgement):
        return pieces
    rule = file_sets.rule_of(backbone, place, port)
    if rule is not None and rule.manifest == dropped.file:
        return list_members(backbone, dropped, place, port, rule)
    return judge(backbone, dropped, place, port, pieces)


def _pieces(
    backbone: Backbone, dropped: DroppedFile, place: Place, port: OutputPort
) -> tuple[LedgerEntry, ...] | Judgement:
    """The drops that a file joins; its refusal if they, or the set it is of, cannot have it."""
    pieces = corrections.pieces_of(backbone, place.product, dropped, place)
    if isinstance(pieces, Misplaced):
        return refuse(backbone, dropped, place, rule="mends", why=pieces)
    rule = file_sets.rule_of(backbone, place, port)
    unfit = file_sets.refusal(backbone, rule, dropped, place, pieces)
    if unfit is not None:
        return refuse(backbone, dropped, place, rule="set", why=unfit)
    return pieces


def _retired(product: DataProduct, port: OutputPort) -> Misplaced:
    living = product.living_places(port.name)
    reason = f"Version {port.major} of {port.name!r} was retired on {port.retired_at:%Y-%m-%d}."
    under = f"Drop the file under one of: {', '.join(living)}."
    return Misplaced(reason=reason, remedy=under if living else "Nothing takes its place.")


def _committed(
    backbone: Backbone,
    head: Head,
    dropped: DroppedFile,
    judgement: Judgement,
    received_at: datetime,
    hop: telemetry.Hop,
    attempt: Attempt,
) -> LedgerEntry:
    """Commit the judgement, unless another worker has decided the same, or a newer version."""
    decided: LedgerEntry | None = None

    def decide(current: Head) -> Commit | None:
        nonlocal decided, judgement
        if current.etag != head.etag:
            versions = backbone.registry.versions(head.id, dropped.blob_key)
            decided = _decision(versions, dropped)
            if decided is not None:
                return None
            if _is_superseded(versions, dropped):
                judgement = supersede(backbone, dropped, judgement.place)
            judgement = _still_fits(backbone, dropped, judgement)
        return _change(backbone, current, dropped, judgement, received_at)

    done = commit(backbone, head.id, decide, first=head)
    if done is None:
        assert decided is not None  # that is why there was nothing to commit
        is_another = attempt.is_first and decided.received_at != received_at  # or we decided it
        return _come_again(backbone, head, decided, hop, is_another=is_another)
    assert done.entry is not None  # `decide` gives each commit its entry
    hop.decided(head.id, done.entry)
    outbox.publish(backbone, head.id, done.events)
    return done.entry


def _still_fits(backbone: Backbone, dropped: DroppedFile, judgement: Judgement) -> Judgement:
    """The judgement; a refusal if meanwhile others have mended the same drop, or filled the set."""
    place, port = judgement.place, judgement.port
    if place is None or port is None:
        return judgement
    found = _pieces(backbone, dropped, place, port)
    return found if isinstance(found, Judgement) else judgement


def _change(
    backbone: Backbone,
    head: Head,
    dropped: DroppedFile,
    judgement: Judgement,
    received_at: datetime,
) -> Commit:
    """What a judgement changes in the record."""
    at = backbone.now()
    told = judgement.announcements(dropped, at=at)
    snapshot = judgement.snapshot(dropped, sequence=0)
    of_set = file_sets.advance(backbone, dropped, judgement, told, snapshot, at=at)
    if of_set is not None:
        told, snapshot = of_set.told, of_set.snapshot
    moved, events = number(head, told)
    first = events[0].sequence if events else 0
    if snapshot is not None:
        snapshot = replace(snapshot, sequence=first)
        snapshot = corrections.newest(backbone, head.id, judgement.pieces, snapshot)
    return Commit(
        head=moved,
        events=events,
        entry=judgement.entry(dropped, received_at=received_at, decided_at=at, sequence=first),
        snapshot=snapshot,
        mended=corrections.mended(backbone, head.id, judgement, by=dropped),
        sets=() if of_set is None else (of_set.at(first),),
    )


def _decision(versions: Sequence[LedgerEntry], dropped: DroppedFile) -> LedgerEntry | None:
    return next((entry for entry in versions if entry.drop == dropped.id), None)


def _is_superseded(versions: Sequence[LedgerEntry], dropped: DroppedFile) -> bool:
    """Whether a newer version of the same blob is decided; sequencers compare as strings."""
    return any(entry.sequencer > dropped.sequencer for entry in versions if dropped.sequencer)
