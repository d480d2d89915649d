"""A subscription that fails for too long, or whose owner says so, is not told for a while.

Nothing is lost by that: events stand in the product's log, from which a resumption tells them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from mesh import consuming, lanes, replays, subscriptions
from mesh.backbone import Backbone
from mesh.errors import Rejected
from mesh.model.delivery import longest_schedule
from mesh.model.names import ProductId
from mesh.model.subscription import Channel, State, Subscription
from mesh.replays import Held


def suspend(backbone: Backbone, product: ProductId, identity: str, *, reason: str) -> Subscription:
    """Tell a subscription nothing until it is resumed.

    Raises:
        NotFound: there is no such subscription.
        Rejected: it is not the mesh that tells it, or its receiver is gone.
    """

    def decide(found: Subscription) -> Subscription:
        subscriptions.check_pushed(found)
        if found.state is State.GONE:
            message = f"The receiver of subscription {identity} is gone; it is told nothing."
            raise Rejected(message, problem="subscription-gone", status=409)
        if found.state in {State.SUSPENDED, State.BARRED}:
            return found
        # Of one whose resumption was cut off, what was held before is held on.
        since = found.suspended_at or backbone.now()
        return replace(found, state=State.SUSPENDED, suspended_at=since, reason=reason)

    return subscriptions.change(backbone, product, identity, decide)


def resume(
    backbone: Backbone, product: ProductId, identity: str, *, held: Held, command: str = ""
) -> tuple[Subscription, int]:
    """Tell a subscription again, and of what happened meanwhile what `held` says.

    What was not delivered before the suspension, however often it was tried, is told too. A
    receiver that was gone is asked whether it wants to be told. The number is that of
    notifications on their way.

    Args:
        command: that asks for it; again, it is answered the same.

    Raises:
        NotFound: there is no such subscription.
        Rejected: it is not suspended, or its receiver does not want to be told.
    """
    before = subscriptions.find(backbone, product, identity)
    subscriptions.check_pushed(before)
    if before.state is State.BARRED:
        raise consuming.lacking(product, before.subscriber)
    if before.suspended_at is None and command and before.told_by == command:
        return before, before.told_again
    if before.suspended_at is None:
        message = f"Subscription {identity} to {product} is not suspended."
        raise Rejected(message, problem="not-suspended", status=409)
    if before.ordered and held == "last":
        message = f"Subscription {identity} asks for order: replay all that was held, or skip it."
        raise Rejected(message, problem="ordered-subscription", status=409)
    if before.state is State.GONE and before.channel is Channel.PUSH:
        with lanes.asking(backbone, before.subscriber):
            backbone.webhooks.verify(before.target)
    told_again = _told_again(backbone.now(), command)
    resumed = subscriptions.change(backbone, product, identity, told_again)
    # From here on the fan-out tells it of what happens. What happened before stands in the log.
    # Until that is told, `suspended_at` stays: after a crash, asking again does the rest.
    since = before.suspended_at - longest_schedule(backbone.policy.schedule)
    first = replays.first_since(backbone, product, since)
    replayed = replays.catch_up(backbone, resumed, max(first, before.after + 1), held)
    told = subscriptions.change(backbone, product, identity, _caught_up(replayed))
    return told, replayed


def _told_again(now: datetime, command: str) -> Callable[[Subscription], Subscription]:
    def decide(found: Subscription) -> Subscription:
        if found.state is State.BARRED:
            raise consuming.lacking(found.product, found.subscriber)
        if found.state is State.ACTIVE:  # others have begun it, or one was cut off: in their round
            return replace(found, told_by=command)
        return replace(
            found,
            state=State.ACTIVE,
            resumed_at=now,
            reason="",
            failing=0,
            round=found.round + 1,
            told_by=command,
        )

    return decide


def _caught_up(replayed: int) -> Callable[[Subscription], Subscription]:
    def decide(found: Subscription) -> Subscription:
        if found.state is not State.ACTIVE:
            return found
        return replace(found, suspended_at=None, told_again=replayed)

    return decide
