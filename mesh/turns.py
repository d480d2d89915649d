"""A subscription that asks for order is told of one event after the other.

Which event's turn it is follows from the record: it is the first after the last that was settled
(delivered, or skipped). What comes too early ends, and reminds of the one whose turn it is; what
is settled calls the next. So no message has to wait for another, and none that is lost stops the
others for good (docs/decisions/0015).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from mesh import history, lanes
from mesh.backbone import Backbone
from mesh.model.events import ReceivedEvent
from mesh.model.lanes import lane_of
from mesh.model.notification import Notification
from mesh.model.subscription import Subscription

_LOOKED_AT = 50
"""Events read at once: the next one is rarely far."""


def in_turn(
    backbone: Backbone, subscription: Subscription, notification: Notification
) -> Notification | None:
    """The notification, in the round that the subscription is in; None when it is not its turn."""
    if not subscription.ordered or not subscription.is_told:
        return notification
    sequence = notification.event.sequence
    if sequence <= subscription.settled and notification.again:
        return notification  # one event that was asked for by itself
    if notification.attempt == 1 and not notification.round:
        notification = replace(notification, round=subscription.round)
    if notification.round == subscription.round and sequence > subscription.settled:
        due = _due(backbone, subscription)
        if due is None or due.sequence >= sequence:
            return notification
    if sequence >= subscription.settled:
        # It came too early, or from before a replay, or its worker died before it called the next.
        _remind(backbone, subscription)
    return None


def settled(backbone: Backbone, subscription: Subscription, notification: Notification) -> None:
    """Note that an event was dealt with, and call the next."""
    if not (subscription.ordered and subscription.is_told):
        return
    if notification.round != subscription.round:
        return

    def decide(found: Subscription) -> Subscription:
        if found.round != notification.round or found.settled >= notification.event.sequence:
            return found
        return replace(found, settled=notification.event.sequence)

    changed = backbone.subscriptions.change(subscription.product, subscription.id, decide)
    if changed is not None:
        call_next(backbone, changed)


def call_next(backbone: Backbone, subscription: Subscription) -> None:
    """Put the event whose turn it is on its way; the queue drops what was put there just now."""
    due = _due(backbone, subscription)
    if due is not None and subscription.is_told:
        _call(backbone, subscription, due)


def _remind(backbone: Backbone, subscription: Subscription) -> None:
    """Call the event whose turn it is, unless it waits for its next attempt.

    Else each event that comes meanwhile would put a message beside the one that waits, and all of
    them would be due at once.
    """
    due = _due(backbone, subscription)
    if due is None:
        return
    known = backbone.deliveries.get(subscription.product, due.sequence, subscription.id)
    made = () if known is None else known.of_round(subscription.round)
    waits_until = made[-1].next_at if made else None
    if waits_until is None or waits_until <= backbone.now():
        _call(backbone, subscription, due)


def _call(backbone: Backbone, subscription: Subscription, due: ReceivedEvent) -> None:
    called = Notification.first(
        due,
        subscription.id,
        round=subscription.round,
        again=due.sequence <= subscription.again_until,
        called_by=subscription.settled,
    )
    lanes.enqueue(backbone, lane_of(subscription), [called], after=timedelta(0))


def _due(backbone: Backbone, subscription: Subscription) -> ReceivedEvent | None:
    """The event whose turn it is."""
    first = subscription.settled + 1
    return next(history.matching(backbone, subscription, first, page=_LOOKED_AT), None)
