"""A consuming domain subscribes to a product, by pull or by push."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from mesh.backbone import Backbone
from mesh.catalogue import find_product
from mesh.errors import NotFound, Rejected
from mesh.model.names import SLUG_RULE, ProductId, is_slug
from mesh.model.product import DataProduct
from mesh.model.subscription import Channel, Filter, State, Subscription, subscription_id

BOTH_SECRETS_LIVE = timedelta(hours=24)


@dataclass(frozen=True, kw_only=True, slots=True)
class Subscribed:
    """A new subscription.

    Attributes:
        secret: what the receiver verifies notifications with (`whsec_…`), told once: when the
            subscription is made, and when the secret is rotated.
    """

    subscription: Subscription
    secret: str | None = field(repr=False)


def subscribe(
    backbone: Backbone, product: ProductId, *, subscriber: str, webhook: str | None, wanted: Filter
) -> Subscribed:
    """Let a domain be told of a product's events: by webhook, or by a topic subscription.

    The same wish again is the same subscription; a webhook is asked again whether it wants it.

    Args:
        webhook: the receiver's URL; None for pull.

    Raises:
        NotFound: there is no such product.
        Rejected: the subscriber's name is none, the product has no object of a name that the filter
            asks for, or the webhook is refused or does not want to be told.
    """
    _check_names(find_product(backbone, product), subscriber, wanted)
    channel = Channel.PULL if webhook is None else Channel.PUSH
    identity = subscription_id(
        product=product,
        subscriber=subscriber,
        channel=channel,
        target=webhook or "",
        wanted=wanted,
    )
    if webhook is None:
        target = f"{subscriber[:29]}-{identity}"  # Service Bus takes 50 characters
        backbone.pull.create(target, product=product, wanted=wanted)
    else:
        target = webhook
        backbone.webhooks.verify(webhook)
    known = backbone.subscriptions.get(product, identity)
    subscription = Subscription(
        id=identity,
        product=product,
        subscriber=subscriber,
        channel=channel,
        target=target,
        filter=wanted,
        state=State.ACTIVE,
        created_at=backbone.now() if known is None else known.created_at,
        generation=1 if known is None else known.generation,
        previous_until=None if known is None else known.previous_until,
    )
    backbone.subscriptions.add(subscription)
    secret = None
    if channel is Channel.PUSH and known is None:
        secret = backbone.signing.reveal(identity, subscription.generation)
    return Subscribed(subscription=subscription, secret=secret)


def rotate_secret(backbone: Backbone, product: ProductId, identity: str) -> Subscribed:
    """Give a webhook subscription a new secret; the old one signs too for `BOTH_SECRETS_LIVE`.

    Raises:
        NotFound: there is no such subscription.
        Rejected: it has no secret, for it is no webhook.
    """
    subscription = find(backbone, product, identity)
    if subscription.channel is not Channel.PUSH:
        message = f"Subscription {identity} is {subscription.channel}; only webhooks have a secret."
        raise Rejected(message, problem="no-secret", status=409)
    rotated = replace(
        subscription,
        generation=subscription.generation + 1,
        previous_until=backbone.now() + BOTH_SECRETS_LIVE,
    )
    backbone.subscriptions.add(rotated)
    return Subscribed(
        subscription=rotated, secret=backbone.signing.reveal(identity, rotated.generation)
    )


def unsubscribe(backbone: Backbone, product: ProductId, identity: str) -> None:
    """End a subscription; notifications still on their way to it are dropped.

    Raises:
        NotFound: there is no such subscription.
        Rejected: it is a composite's, and ends with its declaration.
    """
    subscription = find(backbone, product, identity)
    if subscription.channel is Channel.COMPOSITE:
        message = f"{subscription.target} reads {product} by its declaration; change that instead."
        raise Rejected(message, problem="declared-subscription", status=409)
    if subscription.channel is Channel.PULL:
        backbone.pull.delete(subscription.target)
    backbone.subscriptions.remove(product, identity)


def find(backbone: Backbone, product: ProductId, identity: str) -> Subscription:
    """One subscription to a product.

    Raises:
        NotFound: there is none with this id.
    """
    subscription = backbone.subscriptions.get(product, identity)
    if subscription is None:
        message = f"There is no subscription {identity!r} to {product}."
        raise NotFound(message, problem="unknown-subscription")
    return subscription


def of_product(backbone: Backbone, product: ProductId) -> Sequence[Subscription]:
    """Who is told of a product's events.

    Raises:
        NotFound: there is no such product.
    """
    find_product(backbone, product)
    return backbone.subscriptions.of_product(product)


def _check_names(product: DataProduct, subscriber: str, wanted: Filter) -> None:
    if not is_slug(subscriber):
        message = f"{subscriber!r} cannot name a domain. A domain name has {SLUG_RULE}."
        raise Rejected(message, problem="invalid-name")
    offered = {name for port in product.output_ports for name in port.objects}
    unknown = sorted(wanted.objects - offered)
    if unknown:
        message = f"{product.id} has no object {unknown[0]!r}; it has {', '.join(sorted(offered))}."
        raise Rejected(message, problem="unknown-object")
