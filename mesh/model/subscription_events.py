"""What is told about a subscription itself."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

from mesh.model.events import SCHEMA_BASE
from mesh.model.subscription import Subscription

SUBSCRIPTION_TESTED = "mesh.subscription.tested.v1"
"""Sent to a destination before a subscription is made, to see whether it can be told. It is not
among its product's events: it has no sequence, and nobody else is sent it."""


def tested(subscription: Subscription, *, at: datetime) -> dict[str, Any]:
    """The CloudEvent that a destination is tried with."""
    named = f"{SUBSCRIPTION_TESTED}\n{subscription.id}"
    return {
        "specversion": "1.0",
        "id": hashlib.sha256(named.encode()).hexdigest()[:32],
        "source": subscription.product.source,
        "type": SUBSCRIPTION_TESTED,
        "subject": f"subscriptions/{subscription.id}",
        "time": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "dataschema": f"{SCHEMA_BASE}{SUBSCRIPTION_TESTED}",
        "partitionkey": subscription.product.key,
        "data": {
            "domain": subscription.product.domain,
            "product": subscription.product.product,
            "subscription": subscription.id,
            "subscriber": subscription.subscriber,
        },
    }
