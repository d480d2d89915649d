"""A dropped file is judged once, and what was decided is committed and announced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from urllib.parse import urlsplit

from mesh import outbox, suspects, telemetry
from mesh.backbone import Backbone
from mesh.committing import commit
from mesh.errors import Conflict
from mesh.judging import judge, refuse, supersede
from mesh.model.dropped_file import LANDING, UNPLACED, DroppedFile, Misplaced, Place, place_of
from mesh.model.judgement import Judgement
from mesh.model.record import Commit, Head, LedgerEntry, number


def receive(backbone: Backbone, dropped: DroppedFile, *, delivery: int = 1) -> LedgerEntry:
    """Judge a dropped file, commit the decision and announce it; returns the decision.

    A version of a file is decided once. When it comes again, its decision is returned, and what a
    crash may have left in the outbox is published; if another message brought it, that is counted.

    Args:
        delivery: how often the message that tells of the file was handed out; 1 for the first time.
    """
    with telemetry.land(dropped) as hop:
        return _receive(backbone, dropped, hop, delivery)


def _receive(
    backbone: Backbone, dropped: DroppedFile, hop: telemetry.Hop, delivery: int
) -> LedgerEntry:
    received_at = backbone.now()
    head, place = _where(backbone, dropped)
    versions = backbone.registry.versions(head.id, dropped.blob_key)
    decided = _decision(versions, dropped)
    if decided is not None:
        return _come_again(backbone, head, decided, hop, delivery)
    if head.onboarded_at is not None and dropped.landed_at <= head.onboarded_at:
        refused = _refused_before(backbone, dropped)
        if refused is not None:
            unplaced = backbone.registry.head(UNPLACED)
            return _come_again(backbone, unplaced, refused, hop, delivery)
    if _is_superseded(versions, dropped):
        judgement = supersede(backbone, dropped, place)
    elif isinstance(place, Misplaced):
        judgement = refuse(backbone, dropped, None, rule="unplaced", why=place)
    else:
        judgement = _judged(backbone, head, dropped, place, delivery)
    entry = _committed(backbone, head, dropped, judgement, received_at, hop)
    if delivery > 1:
        backbone.registry.acquit(head.id, dropped.id)
    return entry


def _come_again(
    backbone: Backbone, head: Head, decided: LedgerEntry, hop: telemetry.Hop, delivery: int
) -> LedgerEntry:
    """Publish what the one who decided may have left; count another message, not the same again."""
    hop.came_again(head.id)
    outbox.relay(backbone, head.id)
    if delivery > 1:
        backbone.registry.acquit(head.id, decided.drop)
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


def _where(backbone: Backbone, dropped: DroppedFile) -> tuple[Head, Place | Misplaced]:
    """The record that the decision goes to, and where the file lies."""
    place = _own_place(backbone, dropped)
    if not isinstance(place, Place):
        return backbone.registry.head(UNPLACED), place
    head = backbone.registry.head(place.product)
    if head.product is not None:
        return head, place
    unplaced = backbone.registry.head(UNPLACED)
    if backbone.registry.head(place.product).product is not None:  # see `_refused_before`
        return _where(backbone, dropped)
    return unplaced, Misplaced(
        reason=f"There is no product {place.product}.",
        remedy="Correct the path, or onboard the product first: `mesh onboard DIR`.",
    )


def _own_place(backbone: Backbone, dropped: DroppedFile) -> Place | Misplaced:
    """The file's place, if it lies in the storage account of that place's domain."""
    place = place_of(dropped.blob)
    if isinstance(place, Misplaced):
        return place
    own = urlsplit(backbone.storage.url(f"{LANDING}/{dropped.blob}")).netloc
    if urlsplit(dropped.url).netloc == own:
        return place
    return Misplaced(
        reason=f"A file for {place.product} lies in another domain's storage account.",
        remedy=f"Drop it in the landing zone of the domain {place.product.domain}, at {own}.",
    )


def _refused_before(backbone: Backbone, dropped: DroppedFile) -> LedgerEntry | None:
    """The decision about a file that was refused before its product was there, if there is one.

    There will be none later either: whoever is about to refuse it has read the head of `UNPLACED`
    before looking for the product. That head is written here, so that their commit fails.
    """
    refused: LedgerEntry | None = None

    def decide(unplaced: Head) -> Commit | None:
        nonlocal refused
        refused = _decision(backbone.registry.versions(UNPLACED, dropped.blob_key), dropped)
        return None if refused else Commit(head=unplaced)

    commit(backbone, UNPLACED, decide)
    return refused


def _judged(
    backbone: Backbone, head: Head, dropped: DroppedFile, place: Place, delivery: int
) -> Judgement:
    assert head.product is not None  # `_where` has seen it
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
    judgement = suspects.judge_with_care(
        backbone,
        head.id,
        dropped.id,
        lambda: judge(backbone, dropped, place, port),
        delivery=delivery,
    )
    if judgement is None:
        why = Misplaced(
            reason=f"Judging the file has ended {suspects.MOST_DEATHS} workers; it was not read.",
            remedy="Look for what is unusual about it, and drop it again when that is mended.",
        )
        return refuse(backbone, dropped, place, rule="poison", why=why)
    return judgement


def _committed(
    backbone: Backbone,
    head: Head,
    dropped: DroppedFile,
    judgement: Judgement,
    received_at: datetime,
    hop: telemetry.Hop,
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
            _check_still_unplaced(backbone, head, dropped)
            if _is_superseded(versions, dropped):
                judgement = supersede(backbone, dropped, judgement.place)
        at = backbone.now()
        moved, events = number(current, judgement.announcements(dropped, at=at))
        first = events[0].sequence if events else 0
        return Commit(
            head=moved,
            events=events,
            entry=judgement.entry(dropped, received_at=received_at, decided_at=at, sequence=first),
            snapshot=judgement.snapshot(dropped, sequence=first),
        )

    done = commit(backbone, head.id, decide, first=head)
    if done is None:
        assert decided is not None  # that is why there was nothing to commit
        hop.came_again(head.id)
        outbox.relay(backbone, head.id)  # it may have been us, and the answer was lost
        return decided
    assert done.entry is not None  # `decide` gives each commit its entry
    hop.decided(head.id, done.entry)
    outbox.publish(backbone, head.id, done.events)
    return done.entry


def _check_still_unplaced(backbone: Backbone, head: Head, dropped: DroppedFile) -> None:
    place = place_of(dropped.blob)
    if head.id != UNPLACED or not isinstance(place, Place):
        return
    if backbone.registry.head(place.product).product is not None:
        message = f"{place.product} was onboarded while a file for it was about to be refused."
        raise Conflict(message)


def _decision(versions: Sequence[LedgerEntry], dropped: DroppedFile) -> LedgerEntry | None:
    return next((entry for entry in versions if entry.drop == dropped.id), None)


def _is_superseded(versions: Sequence[LedgerEntry], dropped: DroppedFile) -> bool:
    """Whether a newer version of the same blob is decided; sequencers compare as strings."""
    return any(entry.sequencer > dropped.sequencer for entry in versions if dropped.sequencer)
