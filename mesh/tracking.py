"""Where a dropped file is: its decision, the events that told of it, and who was told of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from mesh.backbone import Backbone
from mesh.catalogue import find_product
from mesh.errors import NotFound
from mesh.model.dropped_file import UNPLACED, DroppedFile
from mesh.model.events import ReceivedEvent
from mesh.model.file_set import FileSet
from mesh.model.names import ProductId
from mesh.model.notice import Notice
from mesh.model.notification import Delivery
from mesh.model.product import Deprecation, OutputPort
from mesh.model.record import LedgerEntry
from mesh.model.subscription import Subscription

EVENTS_PER_DROP = 2
"""A split file has two: what was published, and what was put in quarantine."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """A subscriber whose filter lets an event through.

    Attributes:
        subscription: as it is now; None when it has ended since, and there is a delivery.
        delivery: None before the first attempt; for pull, where the broker delivers, None until the
            subscriber acknowledges.
    """

    subscription: Subscription | None
    delivery: Delivery | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Announced:
    """An event that told of the file, and who is told of it."""

    event: Mapping[str, Any]
    told: tuple[Told, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Journey:
    """All that happened to one version of a dropped file.

    Attributes:
        set: the set that it is of, as it stands now; None when it stands for itself.
        deprecation: that the output port it was dropped for is on its way out; None when it stays.
        notice: that consumers were given of that.
    """

    product: ProductId
    entry: LedgerEntry
    announced: tuple[Announced, ...]
    set: FileSet | None = None
    deprecation: Deprecation | None = None
    notice: Notice | None = None


def journey(backbone: Backbone, product: ProductId, drop: str) -> Journey:
    """The journey of a file version that has been decided.

    Raises:
        NotFound: no decision is on record under this id. The file may still be on its way.
    """
    entry = backbone.registry.entry(product, drop)
    if entry is None:
        message = f"{product} has no decision on {drop!r} yet; a file takes a moment to be judged."
        raise NotFound(message, problem="unknown-drop")
    subscriptions = backbone.subscriptions.of_product(product)
    of_set = _set(backbone, product, entry)
    events = _events(backbone, product, entry, of_set)
    port = _port(backbone, product, entry)
    is_ending = port is not None and port.deprecation is not None
    notice = (
        backbone.registry.notice(product, port.name, port.major) if port and is_ending else None
    )
    return Journey(
        product=product,
        entry=entry,
        announced=tuple(_announced(backbone, event, subscriptions) for event in events),
        set=of_set,
        deprecation=None if port is None else port.deprecation,
        notice=notice,
    )


def sets(backbone: Backbone, product: ProductId, *, open_only: bool = False) -> Sequence[FileSet]:
    """What has come of the sets of files of a product.

    Raises:
        NotFound: there is no such product.
    """
    find_product(backbone, product)
    return backbone.registry.file_sets(product, open_only=open_only)


def find(
    backbone: Backbone,
    *,
    file: str | None,
    product: ProductId | None,
    limit: int,
    domains: AbstractSet[str] | None = None,
) -> Sequence[tuple[ProductId, LedgerEntry]]:
    """The newest decisions, newest first: of one product or of all, about one file name or any.

    Args:
        domains: of whose files; None for all.
    """
    if product is not None and product != UNPLACED:
        find_product(backbone, product)
    everywhere = [UNPLACED, *(s.id for s in backbone.catalogue.products())]
    products = [product] if product else everywhere
    found = [
        (place, entry)
        for place in products
        if domains is None or place.domain in domains or place == UNPLACED
        for entry in backbone.registry.entries(place, file=file, limit=limit)
        if domains is None or domain_of(place, entry) in domains
        if product or not entry.is_unplaced  # it stands in the record of unplaced files too
    ]
    found.sort(key=lambda pair: pair[1].decided_at, reverse=True)
    return found[:limit]


def domain_of(product: ProductId, entry: LedgerEntry) -> str:
    """Whose file it was: of one that no product was found for, as its path says."""
    if product != UNPLACED:
        return product.domain
    dropped = DroppedFile(
        url=entry.url,
        etag=entry.etag,
        size=entry.size,
        sequencer=entry.sequencer,
        landed_at=entry.landed_at,
    )
    return dropped.blob.partition("/")[0]


def receipt(backbone: Backbone, product: ProductId, drop: str) -> bytes:
    """The receipt of a decided file version, JSON.

    Raises:
        NotFound: no decision is on record under this id.
    """
    entry = backbone.registry.entry(product, drop)
    found = None if entry is None else backbone.storage.read(entry.receipt)
    if found is None:
        message = f"{product} has no receipt for {drop!r} yet."
        raise NotFound(message, problem="unknown-drop")
    return found


def _port(backbone: Backbone, product: ProductId, entry: LedgerEntry) -> OutputPort | None:
    """The output port that the file was dropped for, as it is declared now."""
    found = backbone.registry.head(product).product
    if found is None or not entry.place:
        return None
    _, _, version, object_name = entry.place.split("/")
    return found.port_for(major=int(version[1:]), object_name=object_name)


def _set(backbone: Backbone, product: ProductId, entry: LedgerEntry) -> FileSet | None:
    if not entry.set:
        return None
    _, _, version, object_name = entry.place.split("/")
    return backbone.registry.file_set(product, int(version[1:]), object_name, entry.set)


def _events(
    backbone: Backbone, product: ProductId, entry: LedgerEntry, of_set: FileSet | None
) -> list[Mapping[str, Any]]:
    """The events about the file, and the last one about the set that it is of."""
    near: list[Mapping[str, Any]] = []
    if entry.sequence:
        after = entry.sequence - 1
        found = backbone.registry.events(product, after=after, limit=EVENTS_PER_DROP)
        near += [event for event in found if event["data"].get("drop") == entry.drop]
    if of_set is not None and of_set.sequence:
        whole = backbone.registry.events(product, after=of_set.sequence - 1, limit=1)
        members = [one["drop"] for event in whole for one in event["data"]["set"]["members"]]
        near += [event for event in whole if event not in near and entry.drop in members]
    return near


def _announced(
    backbone: Backbone, envelope: Mapping[str, Any], subscriptions: Sequence[Subscription]
) -> Announced:
    event = ReceivedEvent.from_cloudevent(envelope)
    deliveries = {
        delivery.subscription: delivery
        for delivery in backbone.deliveries.of_event(event.product, event.sequence)
    }
    told = [
        Told(subscription=wants, delivery=deliveries.pop(wants.id, None))
        for wants in subscriptions
        if wants.filter.matches(event) or wants.id in deliveries
    ]
    ended = [Told(subscription=None, delivery=delivery) for delivery in deliveries.values()]
    return Announced(event=envelope, told=(*told, *ended))
