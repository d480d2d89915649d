"""Tell the owner of a subscription that it fails, before and when it is told no more; once each.

An alert is an event of the subscriber's own stream, `DOMAIN/subscriptions`, which the domain reads
or subscribes to like a product: over another channel than the one that fails.
"""

from __future__ import annotations

from dataclasses import replace

from mesh import outbox
from mesh.backbone import Backbone
from mesh.committing import commit
from mesh.model.record import Commit, Head, number
from mesh.model.subscription import ALERTS, Alert, State, Subscription
from mesh.model.subscription_events import alerted, is_own_stream, own_stream

_LOOKED_AT = 1000


def raised(before: Subscription, after: Subscription, *, newest: int) -> Subscription:
    """The subscription with the alert that a change of it calls for, if it does.

    Args:
        newest: sequence of the owner's stream, read before the change.
    """
    is_worse = after.failing > before.failing or after.state is not before.state
    if not is_worse or is_own_stream(after.product):
        return after
    level = after.failing if after.state is State.ACTIVE else ALERTS[-1]
    count = 1 if before.alert is None else before.alert.number + 1
    return replace(after, alert=Alert(level=level, number=count, after=newest))


def newest(backbone: Backbone, subscription: Subscription) -> int:
    """The sequence of the owner's stream."""
    return backbone.registry.head(own_stream(subscription.subscriber)).sequence


def tell(backbone: Backbone, subscription: Subscription) -> None:
    """Announce the alert that a subscription has, unless that is done.

    Whoever looks at the subscription after a crash does the rest.
    """
    alert = subscription.alert
    if alert is None or alert.is_told:
        return
    stream = own_stream(subscription.subscriber)
    announcement = alerted(subscription, alert, at=backbone.now())

    def decide(head: Head) -> Commit | None:
        moved, events = number(head, (announcement,))
        since = backbone.registry.events(stream, after=alert.after, limit=_LOOKED_AT)
        if any(event["id"] == events[0].id for event in since):
            return None
        return Commit(head=moved, events=events)

    done = commit(backbone, stream, decide)
    if done is None:
        outbox.relay(backbone, stream)  # what an earlier run may have committed and then died
    else:
        outbox.publish(backbone, stream, done.events)

    def told(found: Subscription) -> Subscription:
        is_same = found.alert is not None and found.alert.number == alert.number
        return replace(found, alert=replace(alert, is_told=True)) if is_same else found

    backbone.subscriptions.change(subscription.product, subscription.id, told)


def relay(backbone: Backbone, domain: str) -> None:
    """Publish what a worker left that died after it had announced an alert."""
    outbox.relay(backbone, own_stream(domain))
