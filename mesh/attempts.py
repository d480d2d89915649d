"""One attempt at telling one subscriber, over the channel that it has chosen."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

from mesh import composites, telemetry
from mesh.announced_data import files
from mesh.backbone import Backbone
from mesh.model.delivery import DeliveryAttempt, live_generations
from mesh.model.notification import Notification
from mesh.model.subscription import Channel, Subscription
from mesh.ports import Gone, Parcel


def attempt(
    backbone: Backbone,
    notification: Notification,
    subscription: Subscription,
    *,
    at: datetime,
    limit: timedelta,
) -> DeliveryAttempt:
    """Make it; whatever the subscriber does is a value.

    Args:
        at: the time of the attempt, which is signed.
        limit: how long it may take.
    """
    if subscription.channel is Channel.COMPOSITE:
        return composites.input_updated(backbone, subscription, notification.event)
    with telemetry.deliver(notification) as hop:
        if subscription.channel is Channel.PUSH:
            made = _push(backbone, notification, subscription, at, limit)
        else:
            made = _deliver(backbone, notification, subscription, limit)
        hop.answered(made)
        return made


def _push(
    backbone: Backbone,
    notification: Notification,
    subscription: Subscription,
    at: datetime,
    limit: timedelta,
) -> DeliveryAttempt:
    body = json.dumps(
        dict(notification.event.envelope), separators=(",", ":"), ensure_ascii=False
    ).encode()
    headers = backbone.signing.headers(
        subscription=subscription.id,
        generations=live_generations(
            subscription.generation,
            previous_until=subscription.previous_until,
            now=at,
            oldest=subscription.oldest,
        ),
        webhook_id=notification.webhook_id,
        at=at,
        body=body,
        scheme=subscription.signature,
    )
    return backbone.webhooks.deliver(
        url=subscription.target, body=body, headers=headers, limit=limit
    )


def _deliver(
    backbone: Backbone, notification: Notification, subscription: Subscription, limit: timedelta
) -> DeliveryAttempt:
    event = notification.event.envelope
    return backbone.destinations.deliver(
        Parcel(
            channel=subscription.channel,
            target=subscription.target,
            id=notification.webhook_id,
            event=event,
            files=_copies(backbone, event["data"]) if subscription.copies else (),
            limit=limit,
        )
    )


def _copies(backbone: Backbone, data: Mapping[str, Any]) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Each file that an event announces, if it announces any; what is there no more is left out."""
    announced = files(backbone.storage, data) if "snapshot" in data else {}
    for name, location in announced.items():
        if (content := _content(backbone, location)) is not None:
            yield name, content


def _content(backbone: Backbone, location: str) -> Iterator[bytes] | None:
    """The content of a blob, piece by piece; None when it is there no more."""
    pieces = backbone.storage.open(location)
    try:
        first = next(pieces, b"")
    except Gone:
        return None
    return chain([first], pieces)
