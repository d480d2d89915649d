"""Agreements about consuming a product: asked for, decided, ended; `consuming` heeds them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Literal

from mesh import consuming, outbox
from mesh.backbone import Backbone
from mesh.catalogue import find_product
from mesh.committing import commit
from mesh.errors import NotFound, Rejected
from mesh.model.agreement import Agreement, Standing, announcement
from mesh.model.names import SLUG_RULE, ProductId, is_slug
from mesh.model.record import Commit, Head, number
from mesh.model.subscription import Subscription
from mesh.rounds import over_products

Decision = Literal["approve", "refuse", "revoke"]

_Change = tuple[Agreement, str] | None
"""An agreement as it will be, and what of it is announced; None when nothing changes."""


def request(
    backbone: Backbone, product: ProductId, consumer: str, *, purpose: str, by: str
) -> Agreement:
    """Ask to consume a product; granted at once where the policy asks nobody.

    What is asked for already, or in force, stays as it is.

    Raises:
        NotFound: there is no such product.
        Rejected: the consumer's name is none, or it is the product's own domain.
    """
    _check_consumer(backbone, product, consumer)
    policy, now = backbone.policy.agreements, backbone.now()

    def decide(found: Agreement | None) -> _Change:
        pending = found is not None and found.standing is Standing.REQUESTED
        if found is not None and (pending or found.is_in_force(now)):
            return None
        asked = Agreement(
            product=product,
            consumer=consumer,
            standing=Standing.REQUESTED,
            number=1 if found is None else found.number + 1,
            purpose=purpose,
            requested_by=by,
            requested_at=now,
        )
        # Whom an owner has shut out is not let in again by the policy.
        shut_out = found is not None and found.standing in {Standing.REVOKED, Standing.REFUSED}
        if policy.asks_owner(product) or shut_out:
            return asked, "requested"
        granted = replace(
            asked,
            standing=Standing.GRANTED,
            decided_by="policy",
            decided_at=now,
            reason="The policy asks for nobody's decision.",
            expires_at=now + policy.lifetime,
        )
        return granted, "granted"

    return _change(backbone, product, consumer, decide)


def decide(
    backbone: Backbone,
    product: ProductId,
    consumer: str,
    *,
    decision: Decision,
    by: str,
    reason: str,
    days: int | None = None,
    command: str = "",
) -> Agreement:
    """Approve, refuse or revoke.

    Args:
        command: that decides; again, it makes nothing last longer.

    Raises:
        NotFound, Rejected: see there.
    """
    if decision == "approve":
        return approve(
            backbone, product, consumer, by=by, reason=reason, days=days, command=command
        )
    settle = refuse if decision == "refuse" else revoke
    return settle(backbone, product, consumer, by=by, reason=reason)


def approve(
    backbone: Backbone,
    product: ProductId,
    consumer: str,
    *,
    by: str,
    reason: str,
    days: int | None,
    command: str = "",
) -> Agreement:
    """Let a domain consume a product, or longer than so far.

    Args:
        days: from now; None for as long as the policy says.
        command: that approves; again, it changes nothing.

    Raises:
        NotFound: it has not asked.
    """
    lifetime = backbone.policy.agreements.lifetime if days is None else timedelta(days=days)
    return _decide(backbone, product, consumer, Standing.GRANTED, by, reason, lifetime, command)


def refuse(
    backbone: Backbone, product: ProductId, consumer: str, *, by: str, reason: str
) -> Agreement:
    """Do not let a domain consume a product that asks to.

    Raises:
        NotFound: it has not asked.
        Rejected: it may already: that is revoked.
    """
    found = find(backbone, product, consumer)
    if found.standing not in {Standing.REQUESTED, Standing.REFUSED}:
        message = f"The agreement of {consumer} about {product} is {found.standing}, not requested."
        raise Rejected(message, problem="not-requested", status=409)
    return _decide(backbone, product, consumer, Standing.REFUSED, by, reason, None)


def revoke(
    backbone: Backbone, product: ProductId, consumer: str, *, by: str, reason: str
) -> Agreement:
    """Let a domain consume a product no more, from now on; one without an agreement too.

    Raises:
        NotFound: there is no such product.
        Rejected: the consumer's name is none, or it is the product's own domain.
    """
    return _decide(backbone, product, consumer, Standing.REVOKED, by, reason, None)


def find(backbone: Backbone, product: ProductId, consumer: str) -> Agreement:
    """A domain's agreement about a product.

    Raises:
        NotFound: there is none.
    """
    found = backbone.registry.agreement(product, consumer)
    if found is None:
        message = f"{consumer} has not asked for an agreement about {product}."
        raise NotFound(message, problem="unknown-agreement")
    return found


def of_product(backbone: Backbone, product: ProductId) -> Sequence[Agreement]:
    """All agreements about a product.

    Raises:
        NotFound: there is no such product.
    """
    find_product(backbone, product)
    return backbone.registry.agreements(product)


def check_all(backbone: Backbone) -> int:
    """Announce what ends soon, end what has run out; returns how many events that made.

    What a crash left of what was decided is done as well. One product's trouble does not
    keep the others from being checked: it is raised at the end.
    """
    return over_products(
        backbone, _check_all_of, "the agreements of some products could not be checked"
    )


def _check_consumer(backbone: Backbone, product: ProductId, consumer: str) -> None:
    find_product(backbone, product)
    if not is_slug(consumer):
        message = f"{consumer!r} cannot name a domain. A domain name has {SLUG_RULE}."
        raise Rejected(message, problem="invalid-name")
    if consumer == product.domain:
        message = f"{product} is {consumer}'s own: no agreement is needed."
        raise Rejected(message, problem="own-product", status=409)


def _check_all_of(backbone: Backbone, product: ProductId) -> int:
    found = backbone.registry.agreements(product)
    subscriptions = backbone.subscriptions.of_product(product) if found else ()
    return sum(_check(backbone, one, subscriptions) for one in found)


def _check(backbone: Backbone, agreement: Agreement, among: Sequence[Subscription]) -> int:
    now, reminder = backbone.now(), backbone.policy.agreements.reminder
    before = agreement
    is_quiet = agreement.is_reminded or not agreement.has_run_out(now + reminder)
    is_settled = agreement.standing is not Standing.GRANTED
    if is_settled or (agreement.is_in_force(now) and is_quiet):
        consuming.follow(backbone, agreement, among=among)
        return 0

    def decide(found: Agreement | None) -> _Change:
        nonlocal before
        assert found is not None  # agreements are never taken away
        before = found
        if found.standing is not Standing.GRANTED or found.expires_at is None:
            return None
        if found.has_run_out(now):
            ended = replace(found, standing=Standing.EXPIRED, number=found.number + 1)
            return ended, "expired"
        if found.expires_at - reminder <= now and not found.is_reminded:
            return replace(found, is_reminded=True, number=found.number + 1), "expiring"
        return None

    return _change(backbone, agreement.product, agreement.consumer, decide).number - before.number


def _decide(
    backbone: Backbone,
    product: ProductId,
    consumer: str,
    standing: Standing,
    by: str,
    reason: str,
    lifetime: timedelta | None,
    command: str = "",
) -> Agreement:
    _check_consumer(backbone, product, consumer)
    now = backbone.now()
    nothing = Agreement(
        product=product,
        consumer=consumer,
        standing=Standing.REFUSED,
        number=0,
        purpose="",
        requested_by="",
        requested_at=now,
    )
    if standing is not Standing.REVOKED:
        find(backbone, product, consumer)

    def decide(found: Agreement | None) -> _Change:
        found = found or nothing
        if found.standing is standing and standing is not Standing.GRANTED:
            return None
        if command and found.command == command:
            return None
        decided = replace(
            found,
            standing=standing,
            number=found.number + 1,
            decided_by=by,
            decided_at=now,
            reason=reason,
            expires_at=found.expires_at if lifetime is None else now + lifetime,
            is_reminded=False,
            command=command,
        )
        return decided, standing.value

    return _change(backbone, product, consumer, decide)


def _change(
    backbone: Backbone,
    product: ProductId,
    consumer: str,
    decide: Callable[[Agreement | None], _Change],
) -> Agreement:
    """Change an agreement with its event in one commit; then let the subscriptions follow."""

    def change(head: Head) -> Commit | None:
        decided = decide(backbone.registry.agreement(product, consumer))
        if decided is None:
            return None
        agreement, what = decided
        told = announcement(agreement, what=what, at=backbone.now())
        moved, events = number(head, (told,))
        return Commit(head=moved, events=events, agreements=(agreement,))

    done = commit(backbone, product, change)
    agreement = find(backbone, product, consumer)
    consuming.follow(backbone, agreement)
    if done is not None:
        outbox.publish(backbone, product, done.events)
    return agreement
