"""A consuming domain subscribes to a product, over the channel that it chooses."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from mesh import agreements, claims, consuming, lanes, pulling, secrets
from mesh.backbone import Backbone
from mesh.catalogue import find_stream
from mesh.consumers import checked_uses
from mesh.errors import NotFound, Rejected
from mesh.model.broker_rules import rules_for
from mesh.model.delivery import live_generations
from mesh.model.lanes import begins_slow
from mesh.model.names import SLUG_RULE, ProductId, is_slug
from mesh.model.product import DataProduct
from mesh.model.subscribing import asked, once_more
from mesh.model.subscription import (
    Channel,
    Filter,
    Route,
    State,
    Subscription,
    subscription_id,
)

BOTH_SECRETS_LIVE = timedelta(hours=24)

SAME_REQUEST = timedelta(hours=24)
"""How long a key tells that a request is one that came before."""


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
    backbone: Backbone,
    product: ProductId,
    *,
    subscriber: str,
    route: Route,
    wanted: Filter,
    key: str = "",
    uses: Sequence[str] | None = None,
    token: str = "",
) -> Subscribed:
    """Let a domain be told of a product's events, over the channel that it chooses.

    The same wish again is the same subscription, suspended if it was; a webhook is asked again
    whether it wants it, a destination is tried again, and it is told again if it was gone.
    A destination has to be proven to be the subscriber's first (`mesh.claims`).

    Args:
        key: chosen by the caller for this request; when its answer is lost, the same request with
            the same key is told the secret once more, within `SAME_REQUEST`.
        uses: what the subscriber relies on, `OBJECT` or `OBJECT.FIELD` each; none of them for
            everything, None for what it has registered before.
        token: what was delivered to the destination to prove that it is the subscriber's.

    Raises:
        NotFound: there is no such product.
        Rejected: the subscriber's name is none, the product has no object or field of a name that
            the filter or `uses` names, the subscriber lacks an agreement, or the target is refused,
            does not want or cannot be told, or is not proven to be the subscriber's.
    """
    head = find_stream(backbone, product)
    until = consuming.until(backbone, product, subscriber) if is_slug(subscriber) else None
    _check_names(product, head.product, subscriber, wanted)
    if route.channel.is_destination:
        route = replace(route, target=backbone.destinations.check(route.channel, route.target))
    relied_on = None if uses is None else checked_uses(backbone, product, head.product, uses)
    identity = subscription_id(product=product, subscriber=subscriber, route=route, wanted=wanted)
    known = backbone.subscriptions.get(product, identity)
    anew = asked(head, identity, subscriber, route, wanted, at=backbone.now())
    subscription = replace(anew, until=until)
    if known is None:
        subscription = secrets.fresh(backbone, replace(subscription, made_by=_digest(key)))
    else:
        subscription = once_more(subscription, known)
    if relied_on is not None:
        subscription = replace(subscription, uses=relied_on)
    seconds = _make_ready(backbone, subscription, token)
    if known is not None and known.state not in {State.GONE, State.BARRED}:
        if relied_on is not None:
            known = change(backbone, product, identity, lambda it: replace(it, uses=relied_on))
        _follow(backbone, known)
        is_repeated = key and known.made_by == _digest(key)
        if is_repeated and backbone.now() - known.created_at < SAME_REQUEST:
            return Subscribed(subscription=known, secret=secrets.first(backbone, known))
        return Subscribed(subscription=known, secret=None)
    is_slow = begins_slow(seconds, quick=backbone.policy.quick)
    subscription = replace(subscription, is_slow=is_slow)
    subscription = secrets.added(backbone, subscription)
    _follow(backbone, subscription)
    if not consuming.may_consume(backbone, product, subscriber):  # it has ended meanwhile
        consuming.follow(backbone, agreements.find(backbone, product, subscriber))
        raise consuming.lacking(product, subscriber)
    secret = secrets.first(backbone, subscription) if known is None else None
    return Subscribed(subscription=subscription, secret=secret)


def _make_ready(backbone: Backbone, wants: Subscription, token: str) -> float:
    """See that it can be told: by the broker, which evaluates its filter, a webhook or destination.

    Returns:
        how long whoever is told took to answer, in seconds.

    Raises:
        Rejected: it cannot, or others of the domain are being asked.
    """
    if wants.channel is Channel.PULL:
        rules_for(wants.product, wants.filter)
        return 0.0
    with lanes.asking(backbone, wants.subscriber):
        if wants.channel is Channel.PUSH:
            return backbone.webhooks.verify(wants.target)
        return claims.check(backbone, wants, token=token)


def _follow(backbone: Backbone, wants: Subscription) -> None:
    if wants.channel is Channel.PULL:
        pulling.follow(backbone, wants.product, wants.id, wants.target)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:32] if key else ""


def rotate_secret(
    backbone: Backbone, product: ProductId, identity: str, *, command: str = ""
) -> Subscribed:
    """Give a webhook subscription a new secret; the old one signs too for `BOTH_SECRETS_LIVE`.

    One that was rotated less than that ago, and still signs, goes on signing as long.

    Args:
        command: that asks for it; again, it is told the secret that it made.

    Raises:
        NotFound: there is no such subscription.
        Rejected: it has no secret, for it is no webhook.
    """

    def decide(found: Subscription) -> Subscription:
        if found.channel is not Channel.PUSH:
            message = f"Subscription {identity} is {found.channel}; only webhooks have a secret."
            raise Rejected(message, problem="no-secret", status=409)
        if command and found.rotated_by == command:
            return found
        live = live_generations(
            found.generation,
            previous_until=found.previous_until,
            now=backbone.now(),
            oldest=found.oldest,
        )
        return replace(
            found,
            generation=found.generation + 1,
            rotated_by=command,
            previous_until=backbone.now() + BOTH_SECRETS_LIVE,
            oldest=live[-1],
        )

    rotated = change(backbone, product, identity, decide)
    return Subscribed(subscription=rotated, secret=secrets.reveal(backbone, rotated))


def unsubscribe(backbone: Backbone, product: ProductId, identity: str) -> None:
    """End a subscription; notifications still on their way to it are dropped. Again is the same.

    Raises:
        NotFound: there never was such a subscription.
        Rejected: it is a composite's, and ends with its declaration.
    """
    subscription = backbone.subscriptions.get(product, identity)
    if subscription is None and backbone.subscriptions.ended(product, identity) is not None:
        return
    subscription = subscription or find(backbone, product, identity)
    if subscription.channel is Channel.COMPOSITE:
        message = f"{subscription.target} reads {product} by its declaration; change that instead."
        raise Rejected(message, problem="declared-subscription", status=409)
    if subscription.channel is Channel.PULL:
        backbone.pull.delete(subscription.target)
    backbone.subscriptions.remove(product, identity)
    _follow(backbone, subscription)


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
        raise unknown(product, identity)
    return subscription


def subscriber_of(backbone: Backbone, product: ProductId, identity: str) -> str:
    """Whose a subscription is, or was.

    Raises:
        NotFound: there never was one with this id.
    """
    known = backbone.subscriptions.get(product, identity)
    found = known or backbone.subscriptions.ended(product, identity)
    if found is None:
        raise unknown(product, identity)
    return found.subscriber


def unknown(product: ProductId, identity: str) -> NotFound:
    """The refusal of an id that no subscription to a product has."""
    message = f"There is no subscription {identity!r} to {product}."
    return NotFound(message, problem="unknown-subscription")


def of_product(backbone: Backbone, product: ProductId) -> Sequence[Subscription]:
    """Who is told of a product's events.

    Raises:
        NotFound: there is no such product.
    """
    find_stream(backbone, product)
    return backbone.subscriptions.of_product(product)


def check_pushed(subscription: Subscription) -> None:
    """Refuse what makes sense only for those that the mesh itself tells.

    Raises:
        Rejected: the broker tells this subscription, or it is a composite's.
    """
    if subscription.channel in {Channel.PULL, Channel.COMPOSITE}:
        message = (
            f"Subscription {subscription.id} is {subscription.channel}; only webhooks and "
            "destinations are suspended, resumed and told again. A pull subscription holds its "
            "messages until they are received, and `mesh events` lists older ones."
        )
        raise Rejected(message, problem="not-pushed", status=409)


def _check_names(
    address: ProductId, product: DataProduct | None, subscriber: str, wanted: Filter
) -> None:
    if not is_slug(subscriber):
        message = f"{subscriber!r} cannot name a domain. A domain name has {SLUG_RULE}."
        raise Rejected(message, problem="invalid-name")
    ports = () if product is None else product.output_ports
    offered = {name for port in ports for name in port.objects}
    unknown = sorted(wanted.objects - offered)
    if unknown:
        has = ", ".join(sorted(offered)) or "none"
        message = f"{address} has no object {unknown[0]!r}; it has {has}."
        raise Rejected(message, problem="unknown-object")
