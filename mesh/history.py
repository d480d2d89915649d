"""What stands in a product's log, as its subscribers see it."""

from __future__ import annotations

from collections.abc import Iterator

from mesh.backbone import Backbone
from mesh.model.events import ReceivedEvent
from mesh.model.names import ProductId
from mesh.model.subscription import Subscription

PAGE = 1000


def matching(
    backbone: Backbone, subscription: Subscription, first: int, *, page: int = PAGE
) -> Iterator[ReceivedEvent]:
    """The events from a sequence on that a subscription's filter lets through."""
    for event in log(backbone, subscription.product, first, page=page):
        if subscription.filter.matches(event):
            yield event


def log(
    backbone: Backbone, product: ProductId, first: int, *, page: int = PAGE
) -> Iterator[ReceivedEvent]:
    """The events of a product from a sequence on, read page by page."""
    after = first - 1
    while found := backbone.registry.events(product, after=after, limit=page):
        yield from (ReceivedEvent.from_cloudevent(event) for event in found)
        after = int(found[-1]["sequence"])
