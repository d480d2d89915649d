"""Which secret of a webhook is whose; none is used by two subscriptions, one after the other."""

from __future__ import annotations

from dataclasses import replace

from mesh.backbone import Backbone
from mesh.model.names import ProductId
from mesh.model.subscription import Channel, Subscription


def fresh(backbone: Backbone, product: ProductId, identity: str) -> int:
    """The generation of a secret that no subscription of this id has had."""
    ended = backbone.subscriptions.ended(product, identity)
    return 1 if ended is None else ended.generation + 1


def added(backbone: Backbone, wants: Subscription) -> Subscription:
    """The subscription, written; another of its id may have come and gone meanwhile."""
    backbone.subscriptions.add(wants)
    unused = fresh(backbone, wants.product, wants.id)
    if wants.generation >= unused:
        return wants

    def renewed(found: Subscription) -> Subscription:
        if found.generation >= unused:
            return found
        return replace(found, generation=unused, made_with=unused, previous_until=None)

    return backbone.subscriptions.change(wants.product, wants.id, renewed) or wants


def first(backbone: Backbone, wants: Subscription) -> str | None:
    """The secret of a webhook that has not been rotated."""
    is_first = wants.channel is Channel.PUSH and wants.generation == wants.made_with
    return reveal(backbone, wants) if is_first else None


def reveal(backbone: Backbone, wants: Subscription) -> str:
    """The newest secret of a webhook, for its subscriber alone."""
    return backbone.signing.reveal(wants.id, wants.generation, scheme=wants.signature)
