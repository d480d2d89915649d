"""Topologies and events for tests, in as few words as they take."""

from __future__ import annotations

import itertools
from typing import Any

from local.event_grid import Topology, read_topology

CLOUD = "CloudEventSchemaV1_0"
OWN = "EventGridSchema"
CUSTOM = "CustomEventSchema"

_NUMBERS = itertools.count(1)


def webhook(url: str, **properties: Any) -> dict[str, Any]:
    return {"endpointType": "WebHook", "properties": {"endpointUrl": url, **properties}}


def subscription(destination: dict[str, Any], name: str = "sub", **members: Any) -> dict[str, Any]:
    return {"name": name, "destination": destination, **members}


def topology(*subscriptions: dict[str, Any], schema: str = CLOUD, **topic: Any) -> Topology:
    """One custom topic, `orders`, with these event subscriptions."""
    declared = {"name": "orders", "inputSchema": schema, **topic}
    return read_topology({"topics": [{**declared, "eventSubscriptions": list(subscriptions)}]})


def cloud_event(**members: Any) -> dict[str, Any]:
    number = next(_NUMBERS)
    return {
        "specversion": "1.0",
        "id": f"event-{number}",
        "source": "/shop",
        "type": "order.placed",
        "subject": f"orders/{number}",
        "data": {"amount": number},
        **members,
    }


def own_event(**members: Any) -> dict[str, Any]:
    number = next(_NUMBERS)
    return {
        "id": f"event-{number}",
        "subject": f"orders/{number}",
        "eventType": "order.placed",
        "eventTime": "2026-01-01T00:00:00Z",
        "data": {"amount": number},
        "dataVersion": "1.0",
        **members,
    }
