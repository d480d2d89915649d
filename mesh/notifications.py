"""Tell one subscriber of one event: an attempt, its record, and the next attempt if it failed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from mesh import attempts, telemetry
from mesh.backbone import Backbone
from mesh.model.delivery import next_attempt
from mesh.model.failing import after
from mesh.model.notification import Notification, RecordedAttempt
from mesh.model.subscription import Subscription
from mesh.ports import Message

QUEUE = "notifications"


def enqueue(backbone: Backbone, notifications: Sequence[Notification], *, after: timedelta) -> None:
    """Put notifications on the queue, to appear there after a pause."""
    due = backbone.now() + after if after else None
    messages = [
        Message(
            id=notification.message_id,
            body=notification.to_data(),
            due=due,
            traceparent=notification.traceparent or notification.event.envelope.get("traceparent"),
        )
        for notification in notifications
    ]
    if messages:
        backbone.queues.send(QUEUE, messages)


def notify(backbone: Backbone, notification: Notification) -> RecordedAttempt | None:
    """Make one attempt and record it; None when there is nothing (more) to be done.

    The attempt is recorded before the next is scheduled. After a crash between the two the message
    comes again, finds the attempt on record, and schedules the next without telling twice.
    """
    with telemetry.notify(notification) as hop:
        return _notify(backbone, notification, hop)


def _notify(
    backbone: Backbone, notification: Notification, hop: telemetry.Hop
) -> RecordedAttempt | None:
    event = notification.event
    subscription = backbone.subscriptions.get(event.product, notification.subscription)
    if subscription is None or not subscription.is_told:
        return None  # what a suspended subscription misses stands in the log, and can be replayed
    earlier = backbone.deliveries.get(event.product, event.sequence, subscription.id)
    made = () if earlier is None else earlier.of_round(notification.round)
    recorded = next((one for one in made if one.number == notification.attempt), None)
    if recorded is None:
        told = earlier is not None and earlier.is_delivered and not notification.again
        if told or (made and made[-1].outcome != "retry"):
            return None
        recorded = _attempt(backbone, notification, subscription)
        backbone.deliveries.record(recorded)
        hop.attempted(recorded, event, now=backbone.now())
    elif made[-1].outcome == "delivered":
        return None
    _let_follow(backbone, subscription, recorded)
    if recorded.next_at is not None:
        following = replace(notification, attempt=notification.attempt + 1)
        enqueue(backbone, [following], after=max(recorded.next_at - backbone.now(), _AT_ONCE))
    return recorded


_AT_ONCE = timedelta(0)


def _let_follow(backbone: Backbone, subscription: Subscription, attempt: RecordedAttempt) -> None:
    """Let the subscription's state follow from an attempt."""

    def decide(found: Subscription) -> Subscription:
        return after(found, attempt, attempts_in_all=len(backbone.policy.schedule))

    if decide(subscription) != subscription:
        backbone.subscriptions.change(subscription.product, subscription.id, decide)


def _attempt(
    backbone: Backbone, notification: Notification, subscription: Subscription
) -> RecordedAttempt:
    at = backbone.now()
    made = attempts.attempt(
        backbone, notification, subscription, at=at, limit=backbone.policy.patient
    )
    pause = None
    if made.outcome == "retry":
        pause = next_attempt(
            backbone.policy.schedule,
            notification.attempt,
            retry_after=made.retry_after,
            jitter=random.random(),  # noqa: S311 - it spreads load, it guards nothing
        )
    exhausted = made.outcome == "retry" and pause is None
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
