"""Whether a domain may consume a product now, and what follows from that for its subscriptions.

Without an agreement on record the policy says whether a product is open to everybody; with one, the
agreement alone says it, so that an owner can end what the policy lets begin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from mesh import pulling
from mesh.backbone import Backbone
from mesh.errors import Rejected
from mesh.model.agreement import Agreement
from mesh.model.names import ProductId
from mesh.model.subscription import Channel, State, Subscription
from mesh.model.subscription_events import is_own_stream


def may_consume(backbone: Backbone, product: ProductId, domain: str) -> bool:
    """Whether a domain may be told of a product, and read it, now."""
    if domain == product.domain:
        return True
    if is_own_stream(product):  # who else is told of what, and fails, is nobody's business
        return False
    found = backbone.registry.agreement(product, domain)
    if found is None:
        return not backbone.policy.agreements.asks_owner(product)
    return found.is_in_force(backbone.now())


def until(backbone: Backbone, product: ProductId, domain: str) -> datetime | None:
    """When a domain's agreement about a product ends; None when it has none, or needs none.

    Raises:
        Rejected: the domain may not consume the product.
    """
    if not may_consume(backbone, product, domain):
        raise lacking(product, domain)
    found = None if domain == product.domain else backbone.registry.agreement(product, domain)
    return None if found is None else found.expires_at


def lacking(product: ProductId, domain: str) -> Rejected:
    """The refusal of a domain that may not consume a product."""
    if is_own_stream(product):
        message = f"{product} tells {product.domain} of its own subscriptions, and nobody else."
        return Rejected(message, problem="not-your-subscriptions", status=403)
    message = (
        f"{domain} has no agreement in force about {product}. Ask for one: "
        f"`mesh agreement request {product} --as {domain} --purpose …`."
    )
    return Rejected(message, problem="no-agreement", status=403)


def follow(
    backbone: Backbone, agreement: Agreement, *, among: Sequence[Subscription] | None = None
) -> None:
    """Let a domain's subscriptions to a product be as its agreement is; again is the same.

    Who may not consume any more is barred: what is on its way is dropped, and what the broker holds
    for it is deleted. Who may again is told again, or, where it can say of what, suspended; so is
    who was not told since an end that the timer had not come to yet.

    If the agreement was changed meanwhile, whoever comes last follows it as it is then.

    Args:
        among: the subscriptions to the product, when they have just been read.
    """
    latest: Agreement | None = agreement
    while latest is not None:
        agreement = latest
        found = backbone.subscriptions.of_product(agreement.product) if among is None else among
        _follow(backbone, agreement, found)
        latest, among = backbone.registry.agreement(agreement.product, agreement.consumer), None
        if latest is not None and latest.number == agreement.number:
            return


def _follow(backbone: Backbone, agreement: Agreement, among: Sequence[Subscription]) -> None:
    now = backbone.now()
    granted = agreement.is_in_force(now)
    as_agreed = _unbarred if granted else _barred
    for known in among:
        if known.subscriber != agreement.consumer:
            continue
        is_pulled = known.channel is Channel.PULL
        if is_pulled and not granted:
            backbone.pull.delete(known.target)
        elif is_pulled and known.state is State.BARRED:
            backbone.pull.create(known.target, product=known.product, wanted=known.filter)
        changed = backbone.subscriptions.change(
            agreement.product, known.id, lambda found: as_agreed(found, agreement, now)
        )
        if is_pulled and (changed is None or changed.state is not known.state):
            pulling.follow(backbone, agreement.product, known.id, known.target)


def _barred(found: Subscription, agreement: Agreement, now: datetime) -> Subscription:
    if found.state is State.BARRED:
        return found
    reason = f"The agreement is {agreement.standing}. {agreement.reason}".strip()
    return replace(
        found,
        state=State.BARRED,
        was=found.state,
        suspended_at=found.suspended_at or now,
        reason=reason,
        until=agreement.expires_at,
    )


def _unbarred(found: Subscription, agreement: Agreement, now: datetime) -> Subscription:
    ended, found = found.until, replace(found, until=agreement.expires_at)
    has_lapsed = found.state is State.ACTIVE and ended is not None and ended <= now
    if found.state is not State.BARRED and not has_lapsed:
        return found
    if found.channel in {Channel.PULL, Channel.COMPOSITE}:
        return replace(found, state=State.ACTIVE, suspended_at=None, reason="")
    if found.state is State.BARRED and found.was is State.GONE:
        return replace(found, state=State.GONE, reason="The receiver wanted no more notifications.")
    reason = "The agreement is in force again: resume it, and say what of the past to be told."
    since = found.suspended_at or ended or now
    return replace(found, state=State.SUSPENDED, suspended_at=since, reason=reason)
