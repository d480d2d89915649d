"""One event becomes one notification per subscriber that the mesh itself tells."""

from __future__ import annotations

from mesh import notifications, telemetry
from mesh.backbone import Backbone
from mesh.model.events import ReceivedEvent
from mesh.model.notification import Notification


def fan_out(backbone: Backbone, event: ReceivedEvent) -> int:
    """Enqueue the notifications of an event; returns how many.

    Pull subscribers are not among them: the broker has put the event on their own subscription.
    """
    with telemetry.fan_out(event) as hop:
        first = [
            (
                subscription,
                Notification.first(event, subscription.id, traceparent=hop.traceparent),
            )
            for subscription in backbone.subscriptions.wanting(event)
            if subscription.is_told_of(event, backbone.now()) and subscription.filter.matches(event)
        ]
        notifications.enqueue(backbone, first, after=backbone.policy.schedule[0])
        hop.told(len(first))
        return len(first)
