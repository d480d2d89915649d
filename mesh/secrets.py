"""Which secret of a webhook is whose; none is used by two subscriptions, one after the other."""

from __future__ import annotations

from mesh.backbone import Backbone
from mesh.model.subscription import Channel, Subscription


def fresh(backbone: Backbone, anew: Subscription) -> Subscription:
    """The subscription, with nothing that an earlier one of its id had: secret, or rounds."""
    ended = backbone.subscriptions.ended(anew.product, anew.id)
    return anew if ended is None else ended.followed_by(anew)


def added(backbone: Backbone, wants: Subscription) -> Subscription:
    """The subscription, written; another of its id may have come and gone meanwhile."""
    backbone.subscriptions.add(wants)
    ended = backbone.subscriptions.ended(wants.product, wants.id)
    if ended is None or ended.followed_by(wants) == wants:
        return wants
    changed = backbone.subscriptions.change(wants.product, wants.id, ended.followed_by)
    return changed or wants


def first(backbone: Backbone, wants: Subscription) -> str | None:
    """The secret of a webhook that has not been rotated."""
    is_first = wants.channel is Channel.PUSH and wants.generation == wants.made_with
    return reveal(backbone, wants) if is_first else None


def reveal(backbone: Backbone, wants: Subscription) -> str:
    """The newest secret of a webhook, for its subscriber alone."""
    return backbone.signing.reveal(wants.id, wants.generation, scheme=wants.signature)
