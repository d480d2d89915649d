"""What is told about a subscription itself."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

from mesh.model.events import (
    SCHEMA_BASE,
    SUBSCRIPTION_FAILING,
    SUBSCRIPTION_SUSPENDED,
    Announcement,
    trace_id_of,
)
from mesh.model.names import ProductId
from mesh.model.subscription import ALERTS, Alert, Subscription
from mesh.model.timestamps import event_time

OWN_STREAM = "subscriptions"
"""What `DOMAIN/…` is called where a domain is told of its own subscriptions; no product may be."""

SUBSCRIPTION_TESTED = "mesh.subscription.tested.v1"
"""Sent to a destination before a subscription is made, to see whether it can be told and, by a
token, whether the subscriber can read what comes there. It is not among its product's events: it
has no sequence, and nobody else is sent it."""


def tested(subscription: Subscription, *, at: datetime, token: str, number: int) -> dict[str, Any]:
    """The CloudEvent that a destination is tried with.

    Args:
        token: what proves that the destination is the subscriber's; empty when that is proven.
        number: of the token. Each has an event with an id of its own, so that no queue drops one
            as the repetition of another.
    """
    named = f"{SUBSCRIPTION_TESTED}\n{subscription.id}\n{number}"
    return {
        "specversion": "1.0",
        "id": hashlib.sha256(named.encode()).hexdigest()[:32],
        "source": subscription.product.source,
        "type": SUBSCRIPTION_TESTED,
        "subject": f"subscriptions/{subscription.id}",
        "time": event_time(at),
        "datacontenttype": "application/json",
        "dataschema": f"{SCHEMA_BASE}{SUBSCRIPTION_TESTED}",
        "partitionkey": subscription.product.key,
        "data": {
            "domain": subscription.product.domain,
            "product": subscription.product.product,
            "subscription": subscription.id,
            "subscriber": subscription.subscriber,
            **({"token": token} if token else {}),
        },
    }


def own_stream(domain: str) -> ProductId:
    """Where a domain is told of its own subscriptions."""
    return ProductId(domain=domain, product=OWN_STREAM)


def is_own_stream(product: ProductId) -> bool:
    return product.product == OWN_STREAM


def alerted(subscription: Subscription, alert: Alert, *, at: datetime) -> Announcement:
    """Tell that a subscription has used so much of its failure budget, or is told no more."""
    since = subscription.created_at.isoformat()
    key = f"{subscription.product.key}/{subscription.id}/{since}/{alert.number}"
    return Announcement(
        type=SUBSCRIPTION_SUSPENDED if alert.level == ALERTS[-1] else SUBSCRIPTION_FAILING,
        key=key,
        subject=f"{subscription.product}/subscriptions/{subscription.id}",
        time=at,
        data={
            "subscription": subscription.id,
            "subscribed": str(subscription.product),
            "channel": subscription.channel.value,
            "state": subscription.state.value,
            "failing": alert.level,
            "reason": subscription.reason,
        },
        trace_id=trace_id_of(key),
    )
