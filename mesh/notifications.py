"""Tell one subscriber of one event: an attempt, its record, and the next attempt if it failed."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from functools import partial

from mesh import alerts, attempts, lanes, telemetry, turns
from mesh.backbone import Backbone
from mesh.model.delivery import next_attempt
from mesh.model.failing import after
from mesh.model.lanes import QUICK, lane_of, paced
from mesh.model.notification import Notification, RecordedAttempt
from mesh.model.subscription import Subscription

QUEUE = QUICK


def enqueue(
    backbone: Backbone,
    notifications: Iterable[tuple[Subscription, Notification]],
    *,
    after: timedelta,
) -> None:
    """Put notifications on the queue of their subscription's lane, to appear after a pause."""
    by_lane: defaultdict[str, list[Notification]] = defaultdict(list)
    for subscription, notification in notifications:
        by_lane[lane_of(subscription)].append(notification)
    for lane, waiting in by_lane.items():
        lanes.enqueue(backbone, lane, waiting, after=after)


def notify(
    backbone: Backbone, notification: Notification, *, lane: str = QUEUE
) -> RecordedAttempt | None:
    """Make one attempt and record it; None when there is nothing (more) to be done, or not here.

    The attempt is recorded before the next is scheduled. After a crash between the two the message
    comes again, finds the attempt on record, and schedules the next without telling twice.

    Who does not answer soon, while others wait, is waited for aside, and None returned.

    Args:
        lane: the queue that it came from.
    """
    work = partial(_notified, backbone, notification, lane)
    return backbone.asides.run(lane, work, partial(lanes.leave, backbone, notification, lane))


def _notified(backbone: Backbone, notification: Notification, lane: str) -> RecordedAttempt | None:
    with telemetry.notify(notification) as hop:
        product = notification.event.product
        subscription = backbone.subscriptions.get(product, notification.subscription)
        if subscription is None:
            _leave_nothing(backbone, notification)
            return None
        alerts.tell(backbone, subscription)
        if not subscription.is_told_of(notification.event, backbone.now()):
            return None  # what it misses stands in the log, and can be replayed
        due = turns.in_turn(backbone, subscription, notification)
        return None if due is None else _notify(backbone, due, subscription, lane, hop)


def _leave_nothing(backbone: Backbone, notification: Notification) -> None:
    """The subscription has ended. An alert of it may have been left by a worker that died."""
    event = notification.event
    earlier = backbone.deliveries.get(event.product, event.sequence, notification.subscription)
    if earlier is not None:
        alerts.relay(backbone, earlier.subscriber)


def _notify(
    backbone: Backbone,
    notification: Notification,
    subscription: Subscription,
    lane: str,
    hop: telemetry.Hop,
) -> RecordedAttempt | None:
    event = notification.event
    earlier = backbone.deliveries.get(event.product, event.sequence, subscription.id)
    made = () if earlier is None else earlier.of_round(notification.round)
    recorded = next((one for one in made if one.number == notification.attempt), None)
    if recorded is None:
        told = earlier is not None and earlier.is_delivered and not notification.again
        if told or (made and made[-1].next_at is None):
            turns.settled(backbone, subscription, notification)
            return None
        recorded = _in_its_place(backbone, notification, subscription, lane)
        if recorded is None:
            return None
        backbone.deliveries.record(recorded)
        hop.attempted(recorded, event, now=backbone.now())
    elif made[-1].outcome == "delivered":
        turns.settled(backbone, subscription, notification)
        return None
    _follow_up(backbone, notification, subscription, recorded)
    return recorded


def _in_its_place(
    backbone: Backbone, notification: Notification, subscription: Subscription, lane: str
) -> RecordedAttempt | None:
    """Make the attempt, if its lane has a place for it; else it waits in the slow one."""
    if lane == QUICK and lane_of(subscription) != QUICK:
        lanes.move(backbone, notification, lane)
        return None
    with lanes.place(lane, subscription.id, at_once=backbone.policy.at_once) as is_free:
        if is_free:
            limit = backbone.policy.quick if lane == QUICK else backbone.policy.patient
            return _attempt(backbone, notification, subscription, limit)
    lanes.move(backbone, notification, lane)
    return None


def _follow_up(
    backbone: Backbone,
    notification: Notification,
    subscription: Subscription,
    attempt: RecordedAttempt,
) -> None:
    """Let the subscription's state follow from an attempt, and what comes next."""
    newest = 0

    def decide(found: Subscription) -> Subscription:
        told = after(found, attempt, attempts_in_all=len(backbone.policy.schedule))
        told = paced(told, attempt, quick=backbone.policy.quick)
        return alerts.raised(found, told, newest=newest)

    if (wanted := decide(subscription)) != subscription:
        if wanted.alert != subscription.alert:
            newest = alerts.newest(backbone, subscription)
        changed = backbone.subscriptions.change(subscription.product, subscription.id, decide)
        subscription = changed or subscription
        alerts.tell(backbone, subscription)
    if attempt.next_at is not None:
        following = replace(notification, attempt=notification.attempt + 1, called_by=None, moved=0)
        pause = max(attempt.next_at - backbone.now(), _AT_ONCE)
        enqueue(backbone, [(subscription, following)], after=pause)
    elif attempt.outcome in {"delivered", "refused"}:
        turns.settled(backbone, subscription, notification)


_AT_ONCE = timedelta(0)


def _attempt(
    backbone: Backbone, notification: Notification, subscription: Subscription, limit: timedelta
) -> RecordedAttempt:
    at = backbone.now()
    made = attempts.attempt(backbone, notification, subscription, at=at, limit=limit)
    pause = None
    has_failed = made.outcome in {"retry", "refused"}
    if has_failed:
        pause = next_attempt(
            backbone.policy.schedule,
            notification.attempt,
            retry_after=made.retry_after,
            jitter=random.random(),  # noqa: S311 - it spreads load, it guards nothing
        )
    exhausted = has_failed and pause is None
    return RecordedAttempt(
        product=notification.event.product,
        sequence=notification.event.sequence,
        subscription=subscription.id,
        subscriber=subscription.subscriber,
        channel=subscription.channel.value,
        number=notification.attempt,
        outcome="exhausted" if exhausted else made.outcome,
        status=made.status,
        reason=made.reason,
        at=at,
        duration_s=made.duration_s,
        next_at=None if pause is None else backbone.now() + pause,
        round=notification.round,
    )
