"""A consuming domain subscribes to a product, by pull or by push."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from mesh.backbone import Backbone
from mesh.catalogue import find_head, find_product
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

    The same wish again is the same subscription, suspended if it was; a webhook is asked again
    whether it wants it, and is told again if it was gone.

    Args:
        webhook: the receiver's URL; None for pull.

    Raises:
        NotFound: there is no such product.
        Rejected: the subscriber's name is none, the product has no object of a name that the filter
            asks for, or the webhook is refused or does not want to be told.
    """
    head = find_head(backbone, product)
    assert head.product is not None  # `find_head` has seen it
    _check_names(head.product, subscriber, wanted)
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
    if known is not None and known.state is not State.GONE:
        return Subscribed(subscription=known, secret=None)
    subscription = Subscription(
        id=identity,
        product=product,
        subscriber=subscriber,
        channel=channel,
        target=target,
        filter=wanted,
        state=State.ACTIVE,
        created_at=backbone.now() if known is None else known.created_at,
        after=head.sequence if known is None else known.after,
        generation=1 if known is None else known.generation,
        previous_until=None if known is None else known.previous_until,
        resumed_at=None if known is None else backbone.now(),
        round=0 if known is None else known.round + 1,
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

    def decide(found: Subscription) -> Subscription:
        if found.channel is not Channel.PUSH:
            message = f"Subscription {identity} is {found.channel}; only webhooks have a secret."
            raise Rejected(message, problem="no-secret", status=409)
        return replace(
            found,
            generation=found.generation + 1,
            previous_until=backbone.now() + BOTH_SECRETS_LIVE,
        )

    rotated = change(backbone, product, identity, decide)
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


def change(
    backbone: Backbone,
    product: ProductId,
    identity: str,
    decide: Callable[[Subscription], Subscription],
) -> Subscription:
    """Change a subscription, however many others do so at the same time.

    Raises:
        NotFound: there is none with this id.
    """
    changed = backbone.subscriptions.change(product, identity, decide)
    return changed or find(backbone, product, identity)


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


def check_pushed(subscription: Subscription) -> None:
    """Refuse what makes sense for webhooks only.

    Raises:
        Rejected: the broker tells this subscription, or it is a composite's.
    """
    if subscription.channel is not Channel.PUSH:
        message = (
            f"Subscription {subscription.id} is {subscription.channel}; only webhooks are "
            "suspended, resumed and told again. A pull subscription holds its messages until they "
            "are received, and `mesh events` lists older ones."
        )
        raise Rejected(message, problem="not-pushed", status=409)


def _check_names(product: DataProduct, subscriber: str, wanted: Filter) -> None:
    if not is_slug(subscriber):
        message = f"{subscriber!r} cannot name a domain. A domain name has {SLUG_RULE}."
        raise Rejected(message, problem="invalid-name")
    offered = {name for port in product.output_ports for name in port.objects}
    unknown = sorted(wanted.objects - offered)
    if unknown:
        message = f"{product.id} has no object {unknown[0]!r}; it has {', '.join(sorted(offered))}."
        raise Rejected(message, problem="unknown-object")
