"""A bug that breaks the promise, for those who are to find it."""

from __future__ import annotations

from datetime import timedelta

from mesh import notifications
from mesh.backbone import Backbone
from mesh.model.events import ReceivedEvent
from mesh.model.notification import Notification


def told_everybody(backbone: Backbone, event: ReceivedEvent) -> int:
    """Fan out without asking the filters of subscriptions."""
    told = [
        (wants, Notification.first(event, wants.id))
        for wants in backbone.subscriptions.of_product(event.product)
        if wants.is_told
    ]
    notifications.enqueue(backbone, told, after=timedelta(0))
    return len(told)
