"""A dropped file is judged once, and what was decided is committed and announced."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from mesh import outbox, telemetry
from mesh.backbone import Backbone
from mesh.committing import commit
from mesh.judging import judge, refuse, supersede
from mesh.model.dropped_file import UNPLACED, DroppedFile, Misplaced, Place, place_of
from mesh.model.judgement import Judgement
from mesh.model.record import Commit, Head, LedgerEntry, number


def receive(backbone: Backbone, dropped: DroppedFile) -> LedgerEntry:
    """Judge a dropped file, commit the decision and announce it; returns the decision.

    A version of a file is decided once. When it comes again, its decision is returned, and what a
    crash may have left in the outbox is published.
    """
    with telemetry.land(dropped) as hop:
        return _receive(backbone, dropped, hop)


def _receive(backbone: Backbone, dropped: DroppedFile, hop: telemetry.Hop) -> LedgerEntry:
    received_at = backbone.now()
    head, place = _where(backbone, dropped)
    versions = backbone.registry.versions(head.id, dropped.blob_key)
    decided = _decision(versions, dropped)
    if decided is not None:
        hop.came_again(head.id)
        outbox.relay(backbone, head.id)
        return decided
    if _is_superseded(versions, dropped):
        judgement = supersede(backbone, dropped, place)
    elif isinstance(place, Misplaced):
        judgement = refuse(backbone, dropped, None, rule="unplaced", why=place)
    else:
        judgement = _judged(backbone, head, dropped, place)
    return _committed(backbone, head, dropped, judgement, received_at, hop)


def _where(backbone: Backbone, dropped: DroppedFile) -> tuple[Head, Place | Misplaced]:
    """The record that the decision goes to, and where the file lies."""
    place = place_of(dropped.blob)
    if isinstance(place, Place):
        head = backbone.registry.head(place.product)
        if head.product is not None:
            return head, place
        place = Misplaced(
            reason=f"There is no product {place.product}.",
            remedy="Correct the path, or onboard the product first: `mesh onboard DIR`.",
        )
    return backbone.registry.head(UNPLACED), place


def _judged(backbone: Backbone, head: Head, dropped: DroppedFile, place: Place) -> Judgement:
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
    return judge(backbone, dropped, place, port)


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
        return decided
    assert done.entry is not None  # `decide` gives each commit its entry
    hop.decided(head.id, done.entry)
    outbox.publish(backbone, head.id, done.events)
    return done.entry


def _decision(versions: Sequence[LedgerEntry], dropped: DroppedFile) -> LedgerEntry | None:
    return next((entry for entry in versions if entry.drop == dropped.id), None)


def _is_superseded(versions: Sequence[LedgerEntry], dropped: DroppedFile) -> bool:
    """Whether a newer version of the same blob is decided; sequencers compare as strings."""
    return any(entry.sequencer > dropped.sequencer for entry in versions if dropped.sequencer)
